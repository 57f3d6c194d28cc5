"""Results of methods on folds, and estimates of their metrics with bootstrap intervals over users."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from index.core.arrays import Float64Array, Int64Array
from index.core.files import replacing
from indexer.metrics.bootstrap import Estimate, interval, resample_totals


@dataclass(frozen=True, slots=True)
class FoldResult:
    """Measures of one method on one fold.

    A measure is (2, n_users): sum and number of a user's values, so that means over resampled users can be computed.
    """

    method: str
    fold: int  # from 1
    users: Int64Array  # (n_users,) ids of users with held-out ratings
    measures: Mapping[str, Float64Array]
    facts: Mapping[str, Any] = field(default_factory=dict)  # JSON values: seconds, a learning curve

    def save(self, file: Path) -> None:
        """Write the result to a file, atomically."""
        named = {f"measure_{name}": values for name, values in self.measures.items()}
        head = json.dumps({"method": self.method, "fold": self.fold, "facts": dict(self.facts)})
        with replacing(file) as fresh, fresh.open("wb") as stream:
            np.savez_compressed(stream, head=np.array(head), users=self.users, **named)  # type: ignore[arg-type]

    @classmethod
    def load(cls, file: Path) -> FoldResult:
        """Read a result that ``save`` wrote."""
        with np.load(file) as arrays:
            head = json.loads(str(arrays["head"]))
            measures = {name.removeprefix("measure_"): arrays[name] for name in arrays if name.startswith("measure_")}
            return cls(head["method"], head["fold"], arrays["users"], measures, head["facts"])


def fold_value(result: FoldResult, metric: str) -> float | None:
    """Return a metric of one fold; None if there are no values."""
    name, root = _measure_of(metric)
    sums, counts = result.measures[name].sum(axis=1)
    if not counts:
        return None
    return float(np.sqrt(sums / counts) if root else sums / counts)


def estimate_metrics(results: Sequence[FoldResult], metrics: Sequence[str]) -> dict[str, Estimate | None]:
    """Return estimates of one method's metrics over all folds; None if the method lacks the metric.

    The bootstrap draws users with replacement, each with all their held-out ratings.
    """
    users, rows = np.unique(np.concatenate([result.users for result in results]), return_inverse=True)
    measures = {_measure_of(metric)[0] for metric in metrics} & set(results[0].measures)
    if not measures:
        return dict.fromkeys(metrics)
    order = sorted(measures)
    per_user = np.zeros((2 * len(order), users.size))
    for at, name in enumerate(order):
        values = np.concatenate([result.measures[name] for result in results], axis=1)
        for part in (0, 1):
            per_user[2 * at + part] = np.bincount(rows, weights=values[part], minlength=users.size)
    totals = np.vstack([per_user.sum(axis=1), resample_totals(per_user)]).reshape(-1, len(order), 2)
    with np.errstate(invalid="ignore"):
        means = totals[..., 0] / totals[..., 1]
    return {
        metric: _estimate(means[:, order.index(_measure_of(metric)[0])], metric)
        if _measure_of(metric)[0] in measures
        else None
        for metric in metrics
    }


def _estimate(means: Float64Array, metric: str) -> Estimate | None:
    if np.isnan(means[0]):
        return None
    if _measure_of(metric)[1]:
        means = np.sqrt(means)
    return Estimate(float(means[0]), *interval(means[1:]))


def _measure_of(metric: str) -> tuple[str, bool]:
    """Return the measure of a metric, and True if the metric is the root of its mean."""
    return ("mse", True) if metric == "rmse" else (metric, False)
