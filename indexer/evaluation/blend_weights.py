"""Choice of the blend's weights, by triplet accuracy on co-liked movies.

Source: Breiman, Friedman, Olshen and Stone, "Classification and Regression Trees", 1984 (the one standard error rule).
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
from indexer.evaluation.similarity import PartialEstimate, co_liked_triplets, correct_triplets, partial_estimate
from indexer.metrics.bootstrap import resample_means

BLENDED = ("poster", "taste", "facts")

_WEIGHTS = (0.0, 0.25, 0.5, 1.0)

Fold = tuple[Mapping[str, CandidateSpace], Training, Training]  # spaces, their training ratings, the held-out ratings


@dataclass(frozen=True, slots=True)
class Trial:
    """Weights of a blend and their triplet accuracy."""

    weights: Mapping[str, float]
    co_liked: PartialEstimate
    behind: float  # accuracy of the best trial minus this one's
    behind_error: float  # its standard error, on paired resamples


@dataclass(frozen=True, slots=True)
class WeightChoice:
    """The chosen weights of a blend, and all trials."""

    weights: Mapping[str, float]  # space -> weight, the largest is 1
    trials: tuple[Trial, ...]  # best first


def choose_weights(folds: Iterable[Fold], rng: np.random.Generator) -> WeightChoice:
    """Choose the weights of poster, taste and facts (those present) by triplet accuracy over all folds.

    Choose the most even weights (largest entropy) within one standard error of the best, so that the blend keeps every
    space that does no harm. The weight of taste is always positive.

    Raises:
        InvalidInput: the test ratings give no triplet, or no blend scores one.
    """
    users, correct = [], []
    for spaces, training, test in folds:
        triplets = co_liked_triplets(training, test, rng)
        parts = [spaces[name] for name in BLENDED if name in spaces]
        grid = _grid([name for name in BLENDED if name in spaces])
        shares = np.array(
            [
                percentiles(pair_scores(part, triplets.anchors, triplets.others), part.space.calibration)
                for part in parts
                if part.space is not None
            ]
        )
        users.append(training.users.values[triplets.users])
        correct.append([correct_triplets(*blended(shares, list(weights.values()))) for weights in grid])
    user_ids, by_trial = np.concatenate(users), np.concatenate(correct, axis=1)
    by_trial[:, np.isnan(by_trial).any(axis=0)] = np.nan
    if np.isnan(by_trial).all():
        raise InvalidInput("no two co-liked movies have a space in common: give more ratings, or genres")
    seed = int(rng.integers(2**31))
    means = resample_means(by_trial, user_ids, seed).T
    values = np.nanmean(by_trial, axis=1)
    behind, errors = values.max() - values, np.nanstd(means[values.argmax()] - means, axis=1)
    trials = [
        Trial(weights, estimate, float(behind[at]), float(errors[at]))
        for at, weights in enumerate(grid)
        if (estimate := partial_estimate(by_trial[at], user_ids, seed)) is not None
    ]
    trials.sort(key=lambda trial: trial.behind)
    within_error = [trial for trial in trials if trial.behind <= trial.behind_error + 1e-9]
    chosen = max(within_error, key=lambda trial: round(_entropy(trial.weights.values()), 9))
    return WeightChoice(chosen.weights, tuple(trials))


def percentiles(scores: Float32Array, calibration: Calibration) -> Float64Array:
    """Return the percentiles of one space's scores, same shape; NaN where a score is missing."""
    return np.where(np.isfinite(scores), calibration.percentile(scores), np.nan)


def blended(shares: Float64Array, weights: Sequence[float]) -> Float64Array:
    """Return blend scores (…) from percentiles (s, …) in each of s spaces; NaN if all are missing."""
    weight = np.tensordot(weights, ~np.isnan(shares), 1)
    total = np.tensordot(weights, np.nan_to_num(shares), 1)
    scores: Float64Array = np.divide(total, weight, out=np.full_like(total, np.nan), where=weight > 0)
    return scores


def _grid(names: Sequence[str]) -> list[dict[str, float]]:
    """Return the weights to try; the largest weight of each is 1."""
    grid = [dict(zip(names, weights, strict=True)) for weights in product(_WEIGHTS, repeat=len(names))]
    return [weights for weights in grid if max(weights.values()) == 1 and weights.get("taste", 1) > 0]


def _entropy(weights: Iterable[float]) -> float:
    shares = np.array([weight for weight in weights if weight > 0])
    shares /= shares.sum()
    return float(-(shares * np.log(shares)).sum())
