"""Which ratings are held out: the protocols of ``posterity evaluate``.

kfold: ratings are shuffled once (seed 0) and cut into folds of equal size; each is predicted from the others. The folds
    are those of scikit-learn's ``KFold(folds, shuffle=True, random_state=0)``, which other libraries' published figures
    use.
article: the 2017 article's: once, 10 ratings of every user are held out.
time: once, the newest fifth of all ratings is held out; everything is predicted from what came before, also for users
    who were not there then.
cold: movies, not ratings, are cut into folds as in kfold; a movie is predicted without any rating of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from index.core.arrays import BoolArray
from index.core.errors import InvalidInput
from indexer.datasets.dataset import Ratings

HELD_OUT = 10  # ratings a user, in the article's protocol
NEWEST = 0.2  # share of ratings, in the time protocol


@dataclass(frozen=True, slots=True)
class Protocol:
    """A way to hold ratings out."""

    words: str  # what it does, with the number of folds as {folds}
    split: Callable[[Ratings, int, int], Iterator[BoolArray]]  # ratings, folds, seed -> masks of what is held out


def kfold(n: int, folds: int) -> Iterator[BoolArray]:
    """Masks (n,) of what is held out in each fold.

    Raises:
        InvalidInput: there are fewer than ``folds``.
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
    """A mask (n,) of ``count`` ratings of every user who has more than that."""
    order = np.lexsort((rng.random(len(ratings)), ratings.user_ids))
    _, starts, counts = np.unique(ratings.user_ids[order], return_index=True, return_counts=True)
    held_out = np.zeros(len(ratings), dtype=np.bool_)
    for start in starts[counts > count]:
        held_out[order[start : start + count]] = True
    return held_out


def newest(ratings: Ratings, share: float) -> BoolArray:
    """A mask (n,) of the newest ratings; of those in the same second the last ones.

    Raises:
        InvalidInput: it is not known when ratings were given, or there are too few.
    """
    if ratings.timestamps is None:
        raise InvalidInput("these ratings have no timestamps, so none are newest: use another protocol")
    held_out = np.zeros(len(ratings), dtype=np.bool_)
    count = int(share * len(ratings))
    if not count:
        raise InvalidInput(f"{len(ratings)} ratings are too few to hold out the newest {share:.0%}: give more ratings")
    held_out[np.argsort(ratings.timestamps, kind="stable")[-count:]] = True
    return held_out


def movie_folds(ratings: Ratings, folds: int) -> Iterator[BoolArray]:
    """Masks (n,) of all ratings of each fold's movies.

    Raises:
        InvalidInput: there are fewer movies than folds.
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


PROTOCOLS: Mapping[str, Protocol] = {
    "kfold": Protocol("{folds}-fold cross-validation, ratings shuffled once", lambda r, folds, _: kfold(len(r), folds)),
    "article": Protocol(f"the article's: {HELD_OUT} ratings of every user held out", _article),
    "time": Protocol(f"the newest {NEWEST:.0%} of ratings predicted from all before them", _time),
    "cold": Protocol(
        "{folds}-fold cross-validation over movies: none has a rating in training",
        lambda r, folds, _: movie_folds(r, folds),
    ),
}
