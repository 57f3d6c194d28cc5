"""Why two posters of a catalogue look alike, against what its random pairs are like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from index.explain.cells import Baseline, Comparison, baseline, compare
from index.spaces.space import Space

_USUAL = 256  # posters that say what random pairs are like


@dataclass(frozen=True, slots=True)
class LookExplanation:
    """Why two posters look alike."""

    movie_id: int
    other_id: int
    score: float  # inner product, what ``similar`` by poster says
    percentile: float  # share of random pairs of this catalogue that are less alike, 0 to 1
    usual_score: float  # mean of random pairs
    comparison: Comparison  # cell by cell; its heat adds up to the score


def baseline_look(space: Space) -> Baseline:
    """What random pairs of a poster space are like."""
    rows = np.linspace(0, len(space) - 1, min(_USUAL, len(space)), dtype=np.int64)
    return baseline(list(space.vectors.rows(rows)))


def explain_look(space: Space, usually: Baseline, movie_id: int, other_id: int) -> LookExplanation:
    """Why two posters look alike, part by part.

    Args:
        space: the poster space.
        usually: what ``usual_look`` says of it.

    Raises:
        UnknownMovie: a movie has no poster there.
    """
    comparison = compare(space.vector(movie_id), space.vector(other_id), usually)
    share = space.calibration.percentile(np.array([comparison.score], dtype=np.float32))
    return LookExplanation(movie_id, other_id, comparison.score, float(share[0]), usually.score, comparison)
