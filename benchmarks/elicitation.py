"""What a few ratings tell of someone: of the films that the page asks about, or of the most rated; what it costs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

import click
import numpy as np
from threadpoolctl import threadpool_limits

from index.movie_index import MovieIndex
from index.ratings.elicitation import CANDIDATES
from posterity.cli.console import data_option, print_table

_AGAIN = 30  # times that a time is taken
_PICKS = 12


@click.command()
@data_option
@click.option("--users", type=click.IntRange(1), default=300, show_default=True, help="How many to ask.")
def main(data: Path, users: int) -> None:
    """Let users rate the first films that each way would ask about and they know, and predict what else they rated."""
    index = MovieIndex.open(data)
    most_rated = [movie.movie_id for movie in index.catalogue.best_known(CANDIDATES)]
    orders = {"as asked, spread out": index.to_ask, "the most rated": most_rated, "nothing": []}
    rows = []
    with threadpool_limits(1, "blas"):
        for count in (3, 6, 12):
            errors, asked = _errors(index, orders, count, users)
            rows += [(str(count), name, f"{error:.4f}", str(asked)) for name, error in errors.items()]
        columns = [("Ratings", "right"), ("Of", "left"), ("RMSE", "right"), ("Users", "right")]
        print_table("How other ratings are predicted", columns, rows, _price(index))


def _errors(index: MovieIndex, orders: dict[str, list[int]], count: int, users: int) -> tuple[dict[str, float], int]:
    """RMSE of each way over the same ratings, and how many users have enough of them."""
    squares: dict[str, list[float]] = {name: [] for name in orders}
    asked = 0
    for user_id in index.users.ids.values[:users].tolist():
        rated = index.users.rated(user_id)
        given = {name: [movie for movie in order if movie in rated][:count] for name, order in orders.items()}
        rest = sorted(rated.keys() - {movie for movies in given.values() for movie in movies})
        if not rest or any(len(movies) < count for name, movies in given.items() if orders[name]):
            continue
        asked += 1
        for name, movies in given.items():
            found = index.users.predict({movie: rated[movie] for movie in movies}, rest)
            squares[name] += [(each.rating - rated[each.movie_id]) ** 2 for each in found]
    return {name: float(np.sqrt(np.mean(each))) for name, each in squares.items()}, asked


def _price(index: MovieIndex) -> str:
    """What a dozen recommendations cost someone who rated a dozen, and what explaining them adds."""
    rated = dict.fromkeys(index.to_ask[:12], index.users.scale[1])
    picks = [each.movie_id for each in index.users.recommend(rated, _PICKS)]
    ways: dict[str, Callable[[], object]] = {
        f"{_PICKS} recommendations": lambda: index.users.recommend(rated, _PICKS),
        "their explanations together": lambda: index.users.explain(rated, picks),
        "one by one": lambda: [index.users.explain(rated, [each]) for each in picks],
    }
    return ", ".join(f"{name}: {1000 * _seconds(ask):.1f} ms" for name, ask in ways.items())


def _seconds(ask: Callable[[], object]) -> float:
    """At the median."""
    times = []
    for _ in range(_AGAIN):
        begin = perf_counter()
        ask()
        times.append(perf_counter() - begin)
    return median(times)


if __name__ == "__main__":
    main()
