"""Prediction error after a few ratings, of elicited movies against the most rated ones; time of recommendations."""

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

_REPEATS = 30  # of a time measurement
_RECOMMENDATIONS = 12


@click.command()
@data_option
@click.option("--users", type=click.IntRange(1), default=300, show_default=True, help="At most so many.")
def main(data: Path, users: int) -> None:
    """Predict users' other ratings from those of the first movies that each order elicits and the user has rated."""
    index = MovieIndex.open(data)
    most_rated = [movie.movie_id for movie in index.catalogue.best_known(CANDIDATES)]
    orders = {"elicited, diverse": index.to_ask, "the most rated": most_rated, "none": []}
    rows = []
    with threadpool_limits(1, "blas"):
        for count in (3, 6, 12):
            errors, n_users = _errors(index, orders, count, users)
            rows += [(str(count), name, f"{error:.4f}", str(n_users)) for name, error in errors.items()]
        columns = [("Ratings", "right"), ("Of", "left"), ("RMSE", "right"), ("Users", "right")]
        print_table("Error on the user's other ratings", columns, rows, _times(index))


def _errors(index: MovieIndex, orders: dict[str, list[int]], count: int, users: int) -> tuple[dict[str, float], int]:
    """Return the RMSE of each order on the same ratings, and the number of users with enough of them."""
    squares: dict[str, list[float]] = {name: [] for name in orders}
    n_users = 0
    for user_id in index.users.ids.values[:users].tolist():
        rated = index.users.rated(user_id)
        given = {name: [movie for movie in order if movie in rated][:count] for name, order in orders.items()}
        rest = sorted(rated.keys() - {movie for movies in given.values() for movie in movies})
        if not rest or any(len(movies) < count for name, movies in given.items() if orders[name]):
            continue
        n_users += 1
        for name, movies in given.items():
            predictions = index.users.predict({movie: rated[movie] for movie in movies}, rest)
            squares[name] += [(each.rating - rated[each.movie_id]) ** 2 for each in predictions]
    return {name: float(np.sqrt(np.mean(each))) for name, each in squares.items()}, n_users


def _times(index: MovieIndex) -> str:
    """Return the time of recommendations and of their explanations, for a user with twelve ratings, as text."""
    rated = dict.fromkeys(index.to_ask[:12], index.users.scale[1])
    movies = [each.movie_id for each in index.users.recommend(rated, _RECOMMENDATIONS)]
    calls: dict[str, Callable[[], object]] = {
        f"{_RECOMMENDATIONS} recommendations": lambda: index.users.recommend(rated, _RECOMMENDATIONS),
        "their explanations together": lambda: index.users.explain(rated, movies),
        "one by one": lambda: [index.users.explain(rated, [each]) for each in movies],
    }
    return ", ".join(f"{name}: {1000 * _seconds(call):.1f} ms" for name, call in calls.items())


def _seconds(call: Callable[[], object]) -> float:
    """Return the median time of a call."""
    times = []
    for _ in range(_REPEATS):
        begin = perf_counter()
        call()
        times.append(perf_counter() - begin)
    return median(times)


if __name__ == "__main__":
    main()
