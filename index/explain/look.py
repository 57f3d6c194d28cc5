"""Poster similarity of two movies, against random pairs of the catalogue."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from index.explain.cells import Baseline, Comparison, compare, fit_baseline
from index.spaces.space import Space

_BASELINE_POSTERS = 256  # sample size


@dataclass(frozen=True, slots=True)
class LookExplanation:
    """Comparison of two posters with the baseline of the catalogue."""

    movie_id: int
    other_id: int
    score: float  # inner product, as in ``similar`` by poster
    percentile: float  # share of random pairs of the catalogue with a lower score, 0 to 1
    baseline_score: float  # mean of random pairs
    comparison: Comparison


def poster_baseline(space: Space) -> Baseline:
    """Return the baseline of a poster space, from evenly spaced rows."""
    rows = np.linspace(0, len(space) - 1, min(_BASELINE_POSTERS, len(space)), dtype=np.int64)
    return fit_baseline(list(space.vectors.rows(rows)))


def explain_look(space: Space, baseline: Baseline, movie_id: int, other_id: int) -> LookExplanation:
    """Compare the posters of two movies of the poster space.

    Raises:
        UnknownMovie: a movie has no poster in the space.
    """
    comparison = compare(space.vector(movie_id), space.vector(other_id), baseline)
    (percentile,) = space.calibration.percentile(np.array([comparison.score], dtype=np.float32))
    return LookExplanation(movie_id, other_id, comparison.score, float(percentile), baseline.score, comparison)
