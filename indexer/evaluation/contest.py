"""Methods on held-out ratings: fit each on the rest of a fold, judge it, keep the outcome.

Rating methods are judged by how far predictions are off and by how many ratings their intervals hold; rankers by where
the movies that a user rated next stand among all that there are (``indexer.metrics.ranking``).
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
from indexer.evaluation.splits import PROTOCOLS
from indexer.metrics.estimate import Outcome
from indexer.models.registry import Method, ServedModel

LEVELS = (50, 80, 95)  # percent that an interval is meant to hold
FEW = 30  # a user with fewer training ratings is one with few

RATING_FIGURES = (
    "rmse", "mae", "mse",
    *(f"{who}{what}_{level}" for who in ("", "few_") for what in ("inside", "width") for level in LEVELS),
)  # fmt: skip

Judgement = tuple[dict[str, Float64Array], dict[str, Any]]  # measures and facts of an Outcome


@dataclass(frozen=True, slots=True)
class Contest:
    """Methods that are judged alike."""

    methods: Mapping[str, Method]
    judge: Callable[[Any, Training, Training], Judgement]  # fitted, training, test
    figures: tuple[str, ...]  # what is made of the measures

    def only(self, names: Sequence[str]) -> Contest:
        """The contest of some methods, all where none is named.

        Raises:
            InvalidInput: there is no such method.
        """
        for name in names:
            if name not in self.methods:
                raise InvalidInput(f"there is no method {name!r}; there are {', '.join(self.methods)}")
        return replace(self, methods={name: self.methods[name] for name in names or self.methods})


def evaluate(
    dataset: Dataset,
    contest: Contest,
    *,
    protocol: str = "kfold",
    folds: int = 5,
    seed: int = 0,
    kept: Path | None = None,
    track: Track = silent,
) -> Iterator[Outcome]:
    """What every method does, fold by fold, as it becomes known.

    Args:
        kept: a folder for outcomes; what is there already is not worked out again.

    Raises:
        InvalidInput: nothing can be held out by this protocol.
    """
    masks = list(PROTOCOLS[protocol].split(dataset.ratings, folds, seed))
    tries = [(fold, name) for fold in range(len(masks)) for name in contest.methods]
    parts: tuple[int, Training, Training] | None = None
    for fold, name in track(tries, "Methods on folds", len(tries)):
        file = None if kept is None else kept / f"{name}-{fold + 1}.npz"
        if file is not None and file.exists():
            yield Outcome.load(file)
            continue
        if parts is None or parts[0] != fold:  # made once a fold, and only for a method that needs it
            parts = fold, Training.of(dataset, ~masks[fold]), Training.of(dataset, masks[fold])
        outcome = outcome_of(name, contest.methods[name], contest, fold + 1, *parts[1:], seed, track)
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            outcome.save(file)
        yield outcome


def rating_contest(methods: Mapping[str, Method], *, keep_to_scale: bool = True) -> Contest:
    """Rating methods, judged by their errors and intervals.

    Args:
        keep_to_scale: as the server does. Where predictions are scored as they are, a method that predicts near zero
            is seen to.
    """

    def judge(fitted: Any, training: Training, test: Training) -> Judgement:
        predicted = fitted.predict(test.user_rows, test.movie_rows)
        scale = training.ratings.scale
        if keep_to_scale:
            predicted = np.clip(predicted, *scale)
        error = predicted - test.values
        values = {"mse": error**2, "mae": np.abs(error)}
        if isinstance(fitted, ServedModel):
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

    return Contest(methods, judge, RATING_FIGURES)


def outcome_of(
    name: str,
    method: Method,
    contest: Contest,
    fold: int,
    training: Training,
    test: Training,
    seed: int,
    track: Track,
) -> Outcome:
    """What a method does on one fold."""
    rng = np.random.default_rng([seed, fold])
    watched = {"test": test} if method.watches else {}
    begin = perf_counter()
    fitted = method.fit(training, rng, method.settings, track=track, **watched)
    seconds = perf_counter() - begin
    measures, facts = contest.judge(fitted, training, test)
    asked = np.unique(test.user_rows)
    strangers = int(np.isin(asked, training.user_rows, invert=True).sum())
    facts |= {"seconds": seconds, "held_out": int(test.values.size), "users_without_training_ratings": strangers}
    return Outcome(name, fold, training.users.values[asked], measures, facts)


def _by_user(values: Float64Array, test: Training) -> Float64Array:
    """Sums and counts (2, users with anything held out) of values (m,) of the held-out ratings; NaN is no value."""
    there = ~np.isnan(values)
    n = len(test.users)
    sums = np.bincount(test.user_rows[there], weights=values[there], minlength=n)
    counts = np.bincount(test.user_rows[there], minlength=n)
    both: Float64Array = np.stack([sums, counts.astype(np.float64)])[:, np.unique(test.user_rows)]
    return both
