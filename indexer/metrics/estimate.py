"""What an evaluation finds: measures user by user, and the figures with bootstrap intervals that are made of them."""

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
class Outcome:
    """How one method did on one fold.

    A measure is (2, n_users): each user's sum, and how many values it is of. So any of it can be averaged over any
    users, as often as each was drawn.
    """

    method: str
    fold: int  # from 1
    users: Int64Array  # (n_users,) ids of those with something held out
    measures: Mapping[str, Float64Array]
    facts: Mapping[str, Any] = field(default_factory=dict)  # plain values: seconds, a learning curve

    def save(self, file: Path) -> None:
        """Writes what ``load`` reads; the file is there whole or not at all."""
        named = {f"measure_{name}": values for name, values in self.measures.items()}
        head = json.dumps({"method": self.method, "fold": self.fold, "facts": dict(self.facts)})
        with replacing(file) as fresh, fresh.open("wb") as stream:
            np.savez_compressed(stream, head=np.array(head), users=self.users, **named)  # type: ignore[arg-type]

    @classmethod
    def load(cls, file: Path) -> Outcome:
        """The outcome saved in a file."""
        with np.load(file) as arrays:
            head = json.loads(str(arrays["head"]))
            measures = {name.removeprefix("measure_"): arrays[name] for name in arrays if name.startswith("measure_")}
            return cls(head["method"], head["fold"], arrays["users"], measures, head["facts"])


def value_of(outcome: Outcome, measure: str) -> float | None:
    """The mean of one fold; None where there is nothing to average."""
    name, root = _stored(measure)
    sums, counts = outcome.measures[name].sum(axis=1)
    if not counts:
        return None
    return float(np.sqrt(sums / counts) if root else sums / counts)


def figures(outcomes: Sequence[Outcome], names: Sequence[str]) -> dict[str, Estimate | None]:
    """Figures of one method over all its folds; None where the method has no such measure.

    Users are drawn with replacement, as often as there are users; all ratings of a user come along.
    """
    users, rows = np.unique(np.concatenate([outcome.users for outcome in outcomes]), return_inverse=True)
    stored = {_stored(name)[0] for name in names} & set(outcomes[0].measures)
    if not stored:
        return dict.fromkeys(names)
    order = sorted(stored)
    per_user = np.zeros((2 * len(order), users.size))
    for at, name in enumerate(order):
        values = np.concatenate([outcome.measures[name] for outcome in outcomes], axis=1)
        for part in (0, 1):
            per_user[2 * at + part] = np.bincount(rows, weights=values[part], minlength=users.size)
    totals = np.vstack([per_user.sum(axis=1), resample_totals(per_user)]).reshape(-1, len(order), 2)
    with np.errstate(invalid="ignore"):
        means = totals[..., 0] / totals[..., 1]
    return {
        name: _figure(means[:, order.index(_stored(name)[0])], name) if _stored(name)[0] in stored else None
        for name in names
    }


def _figure(means: Float64Array, name: str) -> Estimate | None:
    if np.isnan(means[0]):
        return None
    if _stored(name)[1]:
        means = np.sqrt(means)
    return Estimate(float(means[0]), *interval(means[1:]))


def _stored(name: str) -> tuple[str, bool]:
    """The measure behind a figure, and whether the figure is its root."""
    return ("mse", True) if name == "rmse" else (name, False)
