"""Comparison of the orders of a list for several people, by the share of their own best movies that each misses."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from index.core.arrays import Float64Array, Int64Array
from index.movie_index import MovieIndex
from index.ratings.group_ways import MAX_PEOPLE, WAYS
from index.ratings.groups import POOL, Person, group_order
from posterity.cli.console import data_option, print_table

_LISTED = 10


@click.command()
@data_option
@click.option("--groups", type=click.IntRange(2), default=40, show_default=True, help="Random groups of users.")
@click.option("--people", type=click.IntRange(2, MAX_PEOPLE), default=2, show_default=True, help="In each group.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the groups.")
def main(data: Path, groups: int, people: int, seed: int) -> None:
    """Compare lists of ten movies for random groups: predicted stars below the mean of each member's own ten best."""
    index, rng = MovieIndex.open(data), np.random.default_rng(seed)
    pools = [_pool(index, rng.choice(index.users.ids.values, people, replace=False).tolist()) for _ in range(groups)]
    rows = []
    for way in WAYS:
        missed = np.array([_missed(ratings, group_order(ratings, way, _LISTED)) for ratings in pools])
        figures = missed.mean(), missed.max(axis=1).mean(), np.ptp(missed, axis=1).mean()
        rows.append((way, *(f"{figure:.3f}" for figure in figures)))
    columns = [("Order", "left"), ("Missed", "right"), ("By the worst served", "right"), ("Difference", "right")]
    print_table(f"{groups} groups of {people}, lists of {_LISTED}", columns, rows)


def _pool(index: MovieIndex, user_ids: list[int]) -> Float64Array:
    """Return the predicted ratings of all candidates, (people, m)."""
    picks = index.users.recommend_together([Person(user_id) for user_id in user_ids], POOL * len(user_ids))
    return np.array([[each.rating for each in pick.predictions] for pick in picks]).T


def _missed(ratings: Float64Array, listed: Int64Array) -> Float64Array:
    """Return how many stars each member's mean of a list is below that of their own best, (people,)."""
    best: Float64Array = np.sort(ratings, axis=1)[:, -_LISTED:].mean(axis=1)
    missed: Float64Array = best - ratings[:, listed].mean(axis=1)
    return missed


if __name__ == "__main__":
    main()
