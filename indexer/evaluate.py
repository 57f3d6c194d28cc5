"""How well ratings are predicted: every method on the same held-out ratings.

Protocols:
    kfold: ratings are shuffled once (seed 0) and cut into folds of equal size; each is predicted from the others. The
        folds are those of scikit-learn's ``KFold(folds, shuffle=True, random_state=0)``, which other libraries'
        published figures use. Predictions are kept to the scale, as the server keeps them.
    article: the 2017 article's: once, 10 ratings of every user are held out. Predictions are scored as they are,
        so that a method which predicts near zero is seen to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from index.errors import BadData
from index.track import Track, silent
from indexer.dataset import Dataset, Ratings
from indexer.methods import Served, methods
from indexer.models.contract import Training
from indexer.models.factorization_machine import Settings

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

HELD_OUT = 10  # ratings a user, in the article's protocol

Mask = npt.NDArray[np.bool_]
AnyScore = TypeVar("AnyScore", bound="DataclassInstance")


@dataclass(frozen=True, slots=True)
class Score:
    """How one method did on one fold."""

    method: str
    fold: int  # from 1; 0 for the mean of all
    rmse: float
    mae: float
    mse: float
    coverage: float | None  # share of ratings inside their 80% interval; None for a method without
    seconds: float  # to fit


def evaluate(
    dataset: Dataset,
    *,
    protocol: str = "kfold",
    folds: int = 5,
    names: Sequence[str] | None = None,
    seed: int = 0,
    settings: Settings | None = None,
    track: Track = silent,
) -> Iterator[Score]:
    """The scores of some methods (all by default), fold by fold, as they become known.

    Raises:
        BadData: there are too few ratings to hold any out, or there is no such method.
    """
    fits = methods(settings)
    for name in names or ():
        if name not in fits:
            raise BadData(f"there is no method {name!r}; there are {', '.join(fits)}")
    chosen = {name: fits[name] for name in names or fits}
    for fold, held_out in enumerate(_split(dataset.ratings, protocol, folds, seed), start=1):
        training, test = Training.of(dataset, ~held_out), Training.of(dataset, held_out)
        for name, fit in chosen.items():
            rng = np.random.default_rng([seed, fold])
            start = perf_counter()
            fitted = fit(training, rng, track)
            seconds = perf_counter() - start
            predicted = fitted.predict(test.user_rows, test.movie_rows)
            if protocol == "kfold":
                predicted = np.clip(predicted, *dataset.ratings.scale)
            coverage = None
            if isinstance(fitted, Served):
                low, high = fitted.interval(test.user_rows, test.movie_rows)
                coverage = float(np.mean((test.values >= low) & (test.values <= high)))
            error = predicted - test.values
            mse = float(np.mean(error**2))
            yield Score(name, fold, float(np.sqrt(mse)), float(np.mean(np.abs(error))), mse, coverage, seconds)


def kfold(n: int, folds: int) -> Iterator[Mask]:
    """Masks (n,) of the ratings held out in each fold."""
    order = np.arange(n)
    np.random.RandomState(0).shuffle(order)  # scikit-learn's generator: the folds must be the same
    for held_out in np.array_split(order, folds):
        mask = np.zeros(n, dtype=np.bool_)
        mask[held_out] = True
        yield mask


def per_user(ratings: Ratings, count: int, rng: np.random.Generator) -> Mask:
    """A mask (n,) of ``count`` ratings of every user who has more than that."""
    order = np.lexsort((rng.random(len(ratings)), ratings.user_ids))
    _, starts, counts = np.unique(ratings.user_ids[order], return_index=True, return_counts=True)
    held_out = np.zeros(len(ratings), dtype=np.bool_)
    for start in starts[counts > count]:
        held_out[order[start : start + count]] = True
    return held_out


def mean_score(scores: Sequence[AnyScore]) -> AnyScore:
    """The mean over folds of one method's scores; fold is 0, and what one fold lacks the mean lacks too."""
    means: dict[str, float | None] = {}
    for figure in fields(scores[0]):
        if figure.name not in {"method", "fold"}:
            values = [getattr(score, figure.name) for score in scores]
            means[figure.name] = None if None in values else float(np.mean(values))
    return replace(scores[0], fold=0, **means)


def _split(ratings: Ratings, protocol: str, folds: int, seed: int) -> Iterator[Mask]:
    if protocol == "kfold":
        if len(ratings) < folds:
            raise BadData(f"{len(ratings)} ratings cannot be cut into {folds} folds: give fewer folds or more ratings")
        yield from kfold(len(ratings), folds)
        return
    held_out = per_user(ratings, HELD_OUT, np.random.default_rng(seed))
    if not held_out.any():
        raise BadData(f"no user has more than {HELD_OUT} ratings, so none can be held out: use another protocol")
    yield held_out
