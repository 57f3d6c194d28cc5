"""Splits of ratings into training and held-out ratings: the protocols of ``posterity evaluate``.

kfold: k-fold cross-validation over ratings, shuffled once (seed 0). The folds equal those of scikit-learn's
    ``KFold(folds, shuffle=True, random_state=0)``, used by other libraries' published results.
article: one split, as in the 2017 article: 10 ratings of every user are held out.
time: one split: the newest fifth of all ratings is held out, including ratings of users without older ones.
user-time: one split: the newest fifth of each user's ratings is held out.
cold: k-fold cross-validation over movies: a held-out movie has no training rating.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from index.core.arrays import BoolArray, Int64Array
from index.core.errors import InvalidInput
from indexer.datasets.dataset import Ratings

HELD_OUT = 10  # ratings per user, in the article split
NEWEST = 0.2  # share of ratings, in the splits by time


@dataclass(frozen=True, slots=True)
class Split:
    """A named way to hold ratings out."""

    description: str  # for the report; {folds} stands for the number of folds
    masks: Callable[[Ratings, int, int], Iterator[BoolArray]]  # ratings, folds, seed -> (n,) masks of held-out ratings


def kfold(n: int, folds: int) -> Iterator[BoolArray]:
    """Yield the mask (n,) of held-out items of each fold.

    Raises:
        InvalidInput: ``n`` is less than ``folds``.
    """
    if n < folds:
        raise InvalidInput(f"{n} ratings cannot be cut into {folds} folds: give fewer folds or more ratings")
    order = np.arange(n)
    np.random.RandomState(0).shuffle(order)  # scikit-learn's generator: the folds must be the same
    for held_out in np.array_split(order, folds):
        mask = np.zeros(n, dtype=np.bool_)
        mask[held_out] = True
        yield mask


def per_user(ratings: Ratings, count: int, rng: np.random.Generator) -> BoolArray:
    """Return a mask (n,) of ``count`` random ratings of every user with more than that."""
    order = np.lexsort((rng.random(len(ratings)), ratings.user_ids))
    _, starts, counts = np.unique(ratings.user_ids[order], return_index=True, return_counts=True)
    held_out = np.zeros(len(ratings), dtype=np.bool_)
    for start in starts[counts > count]:
        held_out[order[start : start + count]] = True
    return held_out


def newest(ratings: Ratings, share: float) -> BoolArray:
    """Return a mask (n,) of the newest ratings; equal timestamps are in file order.

    Raises:
        InvalidInput: the ratings have no timestamps, or there are too few.
    """
    times = _times(ratings)
    count = int(share * len(ratings))
    if not count:
        raise InvalidInput(f"{len(ratings)} ratings are too few to hold out the newest {share:.0%}: give more ratings")
    held_out = np.zeros(len(ratings), dtype=np.bool_)
    held_out[np.argsort(times, kind="stable")[-count:]] = True
    return held_out


def newest_of_each_user(ratings: Ratings, share: float) -> BoolArray:
    """Return a mask (n,) of each user's newest ratings, rounded down; equal timestamps are in file order.

    Raises:
        InvalidInput: the ratings have no timestamps, or no user has enough.
    """
    order = np.lexsort((_times(ratings), ratings.user_ids))
    _, starts, counts = np.unique(ratings.user_ids[order], return_index=True, return_counts=True)
    left = np.repeat(starts + counts, counts) - np.arange(len(ratings))  # ratings from this one on, with it
    held_out = np.zeros(len(ratings), dtype=np.bool_)
    held_out[order] = left <= share * np.repeat(counts, counts)
    if not held_out.any():
        raise InvalidInput(f"no user has {1 / share:g} ratings, of which the newest could be held out: give more")
    return held_out


def _times(ratings: Ratings) -> Int64Array:
    if ratings.timestamps is None:
        raise InvalidInput("these ratings have no timestamps, so none is the newest: use another protocol")
    return ratings.timestamps


def movie_folds(ratings: Ratings, folds: int) -> Iterator[BoolArray]:
    """Yield the mask (n,) of all ratings of each fold's movies.

    Raises:
        InvalidInput: there are fewer rated movies than folds.
    """
    movies, rows = np.unique(ratings.movie_ids, return_inverse=True)
    if movies.size < folds:
        raise InvalidInput(
            f"{movies.size} rated movies cannot be cut into {folds} folds: give fewer folds or more ratings"
        )
    for held_out in kfold(movies.size, folds):
        yield held_out[rows]


def _article(ratings: Ratings, _folds: int, seed: int) -> Iterator[BoolArray]:
    held_out = per_user(ratings, HELD_OUT, np.random.default_rng(seed))
    if not held_out.any():
        raise InvalidInput(f"no user has more than {HELD_OUT} ratings, so none can be held out: use another protocol")
    yield held_out


def _time(ratings: Ratings, _folds: int, _seed: int) -> Iterator[BoolArray]:
    yield newest(ratings, NEWEST)


def _user_time(ratings: Ratings, _folds: int, _seed: int) -> Iterator[BoolArray]:
    yield newest_of_each_user(ratings, NEWEST)


SPLITS: Mapping[str, Split] = {
    "kfold": Split("{folds}-fold cross-validation, ratings shuffled once", lambda r, folds, _: kfold(len(r), folds)),
    "article": Split(f"{HELD_OUT} ratings of every user, as in the article", _article),
    "time": Split(f"the newest {NEWEST:.0%} of ratings, predicted from the older ones", _time),
    "user-time": Split(f"the newest {NEWEST:.0%} of each user's ratings, predicted from the others", _user_time),
    "cold": Split(
        "{folds}-fold cross-validation over movies: no training rating of a held-out movie",
        lambda r, folds, _: movie_folds(r, folds),
    ),
}
