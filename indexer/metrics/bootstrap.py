"""Estimates with 95% bootstrap intervals.

Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993 (percentile intervals).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from index.core.arrays import Float64Array, Int64Array

RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95% bootstrap interval."""

    value: float
    low: float
    high: float


def interval(resampled: npt.ArrayLike) -> tuple[float, float]:
    """Return the 95% percentile interval of a resampled statistic (r,); NaN is left out."""
    low, high = np.nanquantile(np.asarray(resampled), (0.025, 0.975)).tolist()
    return low, high


def estimate(values: Float64Array, statistic: Callable[[Float64Array], np.floating]) -> Estimate:
    """Return a statistic of values (n,), resampled with replacement; the same resamples at every call."""
    rng = np.random.default_rng(0)
    resampled = [statistic(values[rng.integers(values.size, size=values.size)]) for _ in range(RESAMPLES)]
    return Estimate(float(statistic(values)), *interval(np.array(resampled)))


def resample_totals(totals: Float64Array, seed: int = 0) -> Float64Array:
    """Return totals (RESAMPLES, m) over groups drawn with replacement, of totals (m, n_groups) per group.

    A group is drawn as a whole, such as all held-out ratings of a user. The same seed gives the same resamples.
    """
    rng = np.random.default_rng(seed)
    n = totals.shape[1]
    return np.stack([totals @ np.bincount(rng.integers(n, size=n), minlength=n) for _ in range(RESAMPLES)])


def resample_means(values: Float64Array, groups: Int64Array, seed: int = 0) -> Float64Array:
    """Return means (RESAMPLES, m) of values (m, q), NaN left out, over whole groups (q,) drawn with replacement.

    A mean is NaN if only NaN was drawn.
    """
    names, at = np.unique(groups, return_inverse=True)
    known = (~np.isnan(values)).astype(np.float64)
    totals = [np.bincount(at, weights, names.size) for weights in (*np.nan_to_num(values), *known)]
    sums, counts = np.split(resample_totals(np.array(totals, dtype=np.float64), seed), 2, axis=1)
    with np.errstate(invalid="ignore"):
        means: Float64Array = sums / counts
    return means
