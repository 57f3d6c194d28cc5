"""Recommendations for several people together: an order of movies by what each of them would give.

A rating that a person gave counts as it is; of other movies the predicted rating counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from index.core.arrays import BoolArray, Float64Array, Int64Array
from index.ratings.group_ways import Together
from index.ratings.model import Prediction, UserOrRatings

POOL = 200  # movies that are likely for each person


@dataclass(frozen=True, slots=True)
class Person:
    """A member of a group: a user of the snapshot, or someone new with ratings."""

    user: UserOrRatings
    watched: tuple[int, ...] = ()  # ids of movies that were watched and not rated
    watchlist: tuple[int, ...] = ()  # ids of movies to watch


@dataclass(frozen=True, slots=True)
class GroupPick:
    """A movie recommended to a group."""

    movie_id: int
    mean: float  # of what its members would give, or gave; NaN in a data set without ratings
    least: float
    predictions: tuple[Prediction, ...]  # of each member, in the order of the group
    given: tuple[float | None, ...]  # the rating that a member gave; None for the others


def group_order(ratings: Float64Array, together: Together, k: int) -> Int64Array:
    """Return the ``k`` best movies for a group, columns of ``ratings``, best first; ties keep their order.

    Args:
        ratings: (people, m) that each person would give each movie.
        together: ``mean`` orders by the mean rating, ``least-misery`` by the lowest, then by the mean. ``fair`` orders
            so that in any beginning of the list all are equally served: see ``_fair_order``.
        k: number of movies.

    Source: Masthoff, "Group Recommender Systems: Combining Individual Models", 2011 (mean and least misery).
    """
    mean = ratings.mean(axis=0)
    if together == "fair":
        return _fair_order(ratings, k)
    first = ratings.min(axis=0) if together == "least-misery" else mean
    return np.lexsort((-mean, -first))[:k]


def _fair_order(ratings: Float64Array, k: int) -> Int64Array:
    """Return the order in which every person gets an equal share of the list's worth so far.

    A movie's worth for a person is the share of the movies that the person would rate lower, so that neither generous
    people count for more nor those whose ratings differ more. The next movie is the one with the largest sum of
    worths, where each person's counts only up to the equal share that the person has not had yet. People of opposed
    tastes take turns; a movie that both like comes first.

    Source: Malecek and Peska, "Fairness-preserving Group Recommendations With User Weighting", UMAP 2021 (EP-FuzzDA
    with equal weights, which extends D'Hondt's distribution of seats). Worths by rank leave members closer together
    than worths by rating (``benchmarks.groups``).
    """
    worth = np.array([np.searchsorted(np.sort(line), line) for line in ratings]) / ratings.shape[1]
    had = np.zeros(len(worth))  # by each person, of the movies chosen so far
    left: BoolArray = np.ones(worth.shape[1], dtype=np.bool_)
    order = []
    for _ in range(min(k, worth.shape[1])):
        share = (had.sum() + worth.sum(axis=0)) / len(worth)  # (m,) of each person, with the movie
        gain = np.minimum(worth, np.maximum(share - had[:, None], 0)).sum(axis=0)
        best = int(np.argmax(np.where(left, gain + 1e-9 * worth.sum(axis=0), -1)))
        left[best] = False
        had += worth[:, best]
        order.append(best)
    return np.array(order, dtype=np.int64)
