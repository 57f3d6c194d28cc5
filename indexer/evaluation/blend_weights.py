"""The weights of the blend, by which blend best tells what people liked together.

Source: Breiman, Friedman, Olshen and Stone, "Classification and Regression Trees", 1984, for the rule of one standard
error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from index.core.arrays import Float32Array, Float64Array
from index.core.errors import InvalidInput
from index.spaces.space import Calibration
from indexer.datasets.training import Training
from indexer.evaluation.candidates import CandidateSpace, pair_scores
from indexer.evaluation.similarity import Estimate, co_liked, figure_of, resampled, right_answers

BLENDED = ("poster", "taste", "facts")

_WEIGHTS = (0.0, 0.25, 0.5, 1.0)

Fold = tuple[
    Mapping[str, CandidateSpace], Training, Training
]  # spaces, the ratings they were made from, those held out


@dataclass(frozen=True, slots=True)
class Trial:
    """Weights of a blend, and how it did."""

    weights: Mapping[str, float]
    co_liked: Estimate
    behind: float  # how far the best trial is ahead
    behind_error: float  # the standard error of that, both on the same resamples


@dataclass(frozen=True, slots=True)
class WeightChoice:
    """The weights that a blend should have, and all that were tried."""

    weights: Mapping[str, float]  # space -> weight, of which the largest is 1
    trials: tuple[Trial, ...]  # best first


def choose_weights(folds: Iterable[Fold], rng: np.random.Generator) -> WeightChoice:
    """Weights of poster, taste and facts, as far as there are such spaces, by co-liked movies of all folds.

    Of the blends that are no more than one standard error behind the best the most even is chosen: a blend is to show
    each of its sides unless that does harm. The taste space always has a weight.

    Raises:
        InvalidInput: no questions can be made of the test ratings, or no blend can answer any.
    """
    users, answers = [], []
    for spaces, training, test in folds:
        asked = co_liked(training, test, rng)
        parts = [spaces[name] for name in BLENDED if name in spaces]
        grid = _grid([name for name in BLENDED if name in spaces])
        shares = np.array(
            [
                percentiles(pair_scores(part, asked.first, asked.second), part.space.calibration)
                for part in parts
                if part.space is not None
            ]
        )
        users.append(training.users.values[asked.users])
        answers.append([right_answers(*blended(shares, list(weights.values()))) for weights in grid])
    asking, right = np.concatenate(users), np.concatenate(answers, axis=1)
    right[:, np.isnan(right).any(axis=0)] = np.nan
    if np.isnan(right).all():
        raise InvalidInput(
            "no movies that people liked together have any space in common: give more ratings, or genres"
        )
    seed = int(rng.integers(2**31))
    means = np.array([resampled(row, asking, seed) for row in right])
    values = np.nanmean(right, axis=1)
    behind, errors = values.max() - values, (means[values.argmax()] - means).std(axis=1)
    trials = [
        Trial(weights, figure, float(behind[at]), float(errors[at]))
        for at, weights in enumerate(grid)
        if (figure := figure_of(right[at], asking, seed)) is not None
    ]
    trials.sort(key=lambda trial: trial.behind)
    near = [trial for trial in trials if trial.behind <= trial.behind_error + 1e-9]
    chosen = max(near, key=lambda trial: round(_entropy(trial.weights.values()), 9))
    return WeightChoice(chosen.weights, tuple(trials))


def percentiles(scores: Float32Array, calibration: Calibration) -> Float64Array:
    """What a blend makes of one space's scores, same shape; NaN where the space cannot compare."""
    return np.where(np.isfinite(scores), calibration.percentile(scores), np.nan)


def blended(shares: Float64Array, weights: Sequence[float]) -> Float64Array:
    """The scores of a blend (…), from percentiles in each of its spaces (s, …); NaN where none can compare."""
    weight = np.tensordot(weights, ~np.isnan(shares), 1)
    total = np.tensordot(weights, np.nan_to_num(shares), 1)
    scores: Float64Array = np.divide(total, weight, out=np.full_like(total, np.nan), where=weight > 0)
    return scores


def _grid(names: Sequence[str]) -> list[dict[str, float]]:
    """The weights that are tried: those in which the largest is 1."""
    grid = [dict(zip(names, weights, strict=True)) for weights in product(_WEIGHTS, repeat=len(names))]
    return [weights for weights in grid if max(weights.values()) == 1 and weights.get("taste", 1) > 0]


def _entropy(weights: Iterable[float]) -> float:
    shares = np.array([weight for weight in weights if weight > 0])
    shares /= shares.sum()
    return float(-(shares * np.log(shares)).sum())
