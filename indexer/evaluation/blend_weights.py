"""Choice of the blend's weights, by triplet accuracy on all evidence of likeness in the data.

Source: Breiman, Friedman, Olshen and Stone, "Classification and Regression Trees", 1984 (the one standard error rule).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from index.core.arrays import BoolArray, Float32Array, Float64Array, Int64Array
from index.core.errors import InvalidInput
from index.spaces.blend import RowMaps
from index.spaces.random_pairs import RandomPairs, coefficients
from index.spaces.space import Space
from indexer.datasets.training import Training
from indexer.evaluation.candidates import CandidateSpace, pair_scores
from indexer.evaluation.evidence import Triplets, evidence
from indexer.evaluation.similarity import PartialEstimate, co_liked_triplets, correct_triplets, partial_estimate
from indexer.metrics.bootstrap import resample_means
from indexer.spaces.facts import Labels

BLENDED = ("poster", "taste", "facts")

_ROUNDING = 1e-9
_WEIGHTS = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)

Fold = tuple[Mapping[str, CandidateSpace], Training, Training]  # spaces, their training ratings, the held-out ratings


@dataclass(frozen=True, slots=True)
class Trial:
    """Weights of a blend and their triplet accuracy."""

    weights: Mapping[str, float]
    co_liked: PartialEstimate
    accuracy: Mapping[str, float]  # kind of evidence -> triplet accuracy
    behind: float  # mean accuracy of the best trial, over the kinds of evidence, minus this one's
    behind_error: float  # its standard error, on paired resamples


@dataclass(frozen=True, slots=True)
class WeightChoice:
    """The chosen weights of a blend, and all trials."""

    weights: Mapping[str, float]  # space -> weight, the largest is 1
    trials: tuple[Trial, ...]  # best first


def choose_weights(
    folds: Iterable[Fold],
    rng: np.random.Generator,
    *,
    tags: Mapping[int, Sequence[str]] | None = None,
    labels: Labels | None = None,
) -> WeightChoice:
    """Choose the weights of poster, taste and facts (those present) by triplet accuracy over all folds.

    Every kind of evidence counts the same: co-liked movies and those of ``evidence``, each of spaces made without it.
    Choose the most even weights (largest entropy) that are within one standard error of the best by every kind and on
    average, so that the blend keeps every space that does no harm. The weight of taste is always positive.

    Args:
        folds: the spaces made from training ratings, these, and the held-out ratings.
        rng: for triplets and resamples.
        tags: movie id -> tags.
        labels: kind -> movie id -> labels.

    Raises:
        InvalidInput: the test ratings give no triplet, or no blend scores one.
    """
    correct: dict[str, list[Float64Array]] = defaultdict(list)
    groups: dict[str, list[Int64Array]] = defaultdict(list)
    grid: list[dict[str, float]] = []
    for spaces, training, test in folds:
        grid = _grid([name for name in BLENDED if name in spaces])
        asked = {
            "co_liked": co_liked_triplets(training, test, rng),
            **evidence(training, tags or {}, labels or {}, rng),
        }
        for kind, triplets in asked.items():
            correct[kind].append(_correct(spaces, triplets, kind, grid, training))
            names = training.users.values if kind == "co_liked" else training.movie_ids.values
            groups[kind].append(names[triplets.groups])
    by_kind = {kind: np.concatenate(parts, axis=1) for kind, parts in correct.items()}
    for values in by_kind.values():
        values[:, np.isnan(values).any(axis=0)] = np.nan
    if np.isnan(by_kind["co_liked"]).all():
        raise InvalidInput("no two co-liked movies have a space in common: give more ratings, or genres")
    by_kind = {kind: values for kind, values in by_kind.items() if not np.isnan(values).all()}
    seed = int(rng.integers(2**31))
    of_group = {kind: np.concatenate(groups[kind]) for kind in by_kind}
    means = {kind: resample_means(values, of_group[kind], seed).T for kind, values in by_kind.items()}
    accuracy = {kind: np.nanmean(values, axis=1) for kind, values in by_kind.items()}
    behind, errors = losses(np.mean(list(accuracy.values()), axis=0), np.mean(list(means.values()), axis=0))
    trials = [
        Trial(
            weights,
            estimate,
            {kind: float(found[at]) for kind, found in accuracy.items()},
            float(behind[at]),
            float(errors[at]),
        )
        for at, weights in enumerate(grid)
        if (estimate := partial_estimate(by_kind["co_liked"][at], of_group["co_liked"], seed)) is not None
    ]
    trials.sort(key=lambda trial: trial.behind)
    kept = np.flatnonzero(harmless(accuracy, means))
    ordered = kept[np.argsort(behind[kept], kind="stable")].tolist()
    chosen = max((grid[at] for at in ordered), key=lambda weights: round(_entropy(weights.values()), 9))
    return WeightChoice(chosen, tuple(trials))


def losses(accuracy: Float64Array, means: Float64Array, best: int | None = None) -> tuple[Float64Array, Float64Array]:
    """Return how far each trial is behind the best, and the standard errors of that, (trials,) each.

    Args:
        accuracy: (trials,).
        means: (trials, resamples) of paired resamples.
        best: the trial to compare with; by default that of the largest accuracy.
    """
    best = int(accuracy.argmax()) if best is None else best
    return accuracy[best] - accuracy, np.asarray(np.nanstd(means[best] - means, axis=1))


def harmless(accuracy: Mapping[str, Float64Array], means: Mapping[str, Float64Array]) -> BoolArray:
    """Return the mask (trials,) of those within one standard error of the best, by every kind and on average.

    Args:
        accuracy: kind of evidence -> (trials,).
        means: the same kinds -> (trials, resamples) of paired resamples.
    """
    average = np.mean(list(accuracy.values()), axis=0)
    best = int(average.argmax())
    compared = [
        (average, np.mean(list(means.values()), axis=0)),
        *((accuracy[kind], means[kind]) for kind in accuracy),
    ]
    lost = (losses(*each, best) for each in compared)
    mask: BoolArray = np.all([behind <= errors + _ROUNDING for behind, errors in lost], axis=0)
    return mask


def _correct(
    spaces: Mapping[str, CandidateSpace],
    triplets: Triplets,
    kind: str,
    grid: Sequence[Mapping[str, float]],
    training: Training,
) -> Float64Array:
    """Return if each blend (weights of ``grid``) has each triplet in order, (trials, q); NaN without a score."""
    names = [name for name in BLENDED if name in spaces]
    parts = {name: spaces[name].without.get(kind, spaces[name]) for name in names}
    searchable = {name: part.space for name, part in parts.items() if part.space is not None}
    rows = RowMaps.of(searchable, training.movie_ids).catalogue_rows
    pairs = RandomPairs.draw(searchable, rows, len(training.movie_ids))
    scores = np.array(
        [
            standardised(pair_scores(part, triplets.anchors, triplets.others), searchable[name])
            for name, part in parts.items()
        ]
    )
    correlated = pairs.correlations(names)
    return np.array([correct_triplets(*blended(scores, [each[name] for name in names], correlated)) for each in grid])


def standardised(scores: Float32Array, space: Space) -> Float64Array:
    """Return the standardised scores of one space, same shape; NaN where a score is missing."""
    return np.where(np.isfinite(scores), space.calibration.standardised(scores), np.nan)


def blended(scores: Float64Array, weights: Sequence[float], correlated: Float64Array) -> Float64Array:
    """Return blended scores (…) of standardised scores (s, …) in each of s spaces; NaN if all are missing.

    Args:
        scores: NaN where a score is missing.
        weights: (s,) of the spaces.
        correlated: (s, s) correlations of the spaces' scores.
    """
    used = np.flatnonzero(np.array(weights) > 0)
    factors = coefficients([weights[at] for at in used.tolist()], correlated[np.ix_(used, used)])
    known = ~np.isnan(scores[used])
    patterns = np.tensordot(1 << np.arange(used.size), known, 1)
    total = (np.moveaxis(factors[patterns], -1, 0) * np.nan_to_num(scores[used])).sum(axis=0)
    return np.where(patterns > 0, total, np.nan)


def _grid(names: Sequence[str]) -> list[dict[str, float]]:
    """Return the weights to try; the largest weight of each is 1."""
    grid = [dict(zip(names, weights, strict=True)) for weights in product(_WEIGHTS, repeat=len(names))]
    return [weights for weights in grid if max(weights.values()) == 1 and weights.get("taste", 1) > 0]


def _entropy(weights: Iterable[float]) -> float:
    shares = np.array([weight for weight in weights if weight > 0])
    shares /= shares.sum()
    return float(-(shares * np.log(shares)).sum())
