"""Contests: several methods, fitted on the training part of each fold and measured on its held-out ratings.

Metrics of rating methods: the error of predictions, and the coverage and width of intervals. Metrics of rankers: the
ranks of a user's held-out movies among the full catalogue (``indexer.metrics.ranking``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import NormalDist
from time import perf_counter
from typing import Any

import numpy as np

from index.core.arrays import Float64Array
from index.core.errors import InvalidInput
from index.core.progress import Track, silent
from indexer.datasets.dataset import Dataset
from indexer.datasets.training import Training
from indexer.evaluation.splits import SPLITS
from indexer.metrics.estimate import FoldResult
from indexer.models.registry import Method, RatingModelAdapter

LEVELS = (50, 80, 95)  # nominal coverage of the intervals, percent
FEW = 30  # metrics named few_… are of users with fewer training ratings

RATING_METRICS = (
    "rmse", "mae", "mse",
    *(f"{users}{metric}_{level}" for users in ("", "few_") for metric in ("inside", "width") for level in LEVELS),
)  # fmt: skip

Measurement = tuple[dict[str, Float64Array], dict[str, Any]]  # measures and facts of a FoldResult


@dataclass(frozen=True, slots=True)
class Contest:
    """Methods with the same metrics."""

    methods: Mapping[str, Method]
    measure: Callable[[Any, Training, Training], Measurement]  # fitted, training, test
    metrics: tuple[str, ...]  # names of the metrics to report

    def only(self, names: Sequence[str]) -> Contest:
        """Return the contest of the named methods; of all if ``names`` is empty.

        Raises:
            InvalidInput: a name is not of a method.
        """
        for name in names:
            if name not in self.methods:
                raise InvalidInput(f"there is no method {name!r}; there are {', '.join(self.methods)}")
        return replace(self, methods={name: self.methods[name] for name in names or self.methods})


def evaluate(
    dataset: Dataset,
    contest: Contest,
    *,
    split: str = "kfold",
    folds: int = 5,
    seed: int = 0,
    checkpoints: Path | None = None,
    track: Track = silent,
) -> Iterator[FoldResult]:
    """Yield the result of every method on every fold.

    Args:
        dataset: all ratings.
        contest: methods and metrics.
        split: a name in ``SPLITS``.
        folds: number of folds of a cross-validation; other splits ignore it.
        seed: of the methods and the article split; folds are always the same.
        checkpoints: folder to save results in; a result saved there by an earlier run is loaded.
        track: reports progress.

    Raises:
        InvalidInput: the split cannot hold out any of these ratings.
    """
    masks = list(SPLITS[split].masks(dataset.ratings, folds, seed))
    fits = [(fold, name) for fold in range(len(masks)) for name in contest.methods]
    parts: tuple[int, Training, Training] | None = None
    for fold, name in track(fits, "Methods on folds", len(fits)):
        file = None if checkpoints is None else checkpoints / f"{name}-{fold + 1}.npz"
        if file is not None and file.exists():
            yield FoldResult.load(file)
            continue
        if parts is None or parts[0] != fold:  # once per fold, and only if some result is not saved
            parts = fold, Training.of(dataset, ~masks[fold]), Training.of(dataset, masks[fold])
        result = fit_and_measure(name, contest.methods[name], contest, fold + 1, *parts[1:], seed, track)
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            result.save(file)
        yield result


def rating_contest(methods: Mapping[str, Method], *, clip: bool = True) -> Contest:
    """Return a contest of rating methods: errors of predictions, coverage and width of intervals.

    Args:
        methods: name -> method.
        clip: clip predictions to the rating scale, as the server does. Unclipped, predictions near zero show in the
            error.
    """

    def measure(fitted: Any, training: Training, test: Training) -> Measurement:
        predicted = fitted.predict(test.user_rows, test.movie_rows)
        scale = training.ratings.scale
        if clip:
            predicted = np.clip(predicted, *scale)
        error = predicted - test.values
        values = {"mse": error**2, "mae": np.abs(error)}
        if isinstance(fitted, RatingModelAdapter):
            mean, deviation = fitted.distribution(test.user_rows, test.movie_rows)
            few = np.bincount(training.user_rows, minlength=len(training.users))[test.user_rows] < FEW
            for level in LEVELS:
                half = NormalDist().inv_cdf((1 + level / 100) / 2) * deviation
                low, high = np.clip(mean - half, *scale), np.clip(mean + half, *scale)
                inside = ((test.values >= low) & (test.values <= high)).astype(np.float64)
                for name, value in (("inside", inside), ("width", high - low)):
                    values[f"{name}_{level}"] = value
                    values[f"few_{name}_{level}"] = np.where(few, value, np.nan)
        measures = {name: _by_user(value, test) for name, value in values.items()}
        curve = getattr(fitted, "curve", None)
        return measures, {} if curve is None else {"curve": curve}

    return Contest(methods, measure, RATING_METRICS)


def fit_and_measure(
    name: str,
    method: Method,
    contest: Contest,
    fold: int,
    training: Training,
    test: Training,
    seed: int,
    track: Track,
) -> FoldResult:
    """Return the result of one method on one fold (from 1)."""
    rng = np.random.default_rng([seed, fold])
    options = {"test": test} if method.keeps_curve else {}
    begin = perf_counter()
    fitted = method.fit(training, rng, method.settings, track=track, **options)
    seconds = perf_counter() - begin
    measures, facts = contest.measure(fitted, training, test)
    user_rows = np.unique(test.user_rows)
    new_users = int(np.isin(user_rows, training.user_rows, invert=True).sum())
    facts |= {"seconds": seconds, "held_out": int(test.values.size), "users_without_training_ratings": new_users}
    return FoldResult(name, fold, training.users.values[user_rows], measures, facts)


def _by_user(values: Float64Array, test: Training) -> Float64Array:
    """Return sums and counts (2, users with held-out ratings) of values (m,) per held-out rating; NaN is skipped."""
    known = ~np.isnan(values)
    n = len(test.users)
    sums = np.bincount(test.user_rows[known], weights=values[known], minlength=n)
    counts = np.bincount(test.user_rows[known], minlength=n)
    sums_and_counts: Float64Array = np.stack([sums, counts.astype(np.float64)])[:, np.unique(test.user_rows)]
    return sums_and_counts
