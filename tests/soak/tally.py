"""Counts of actions and checks of a run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Tally:
    """Counts and failures of one run."""

    counts: Counter[str] = field(default_factory=Counter)
    checks: int = 0
    failures: list[str] = field(default_factory=list)

    def check(self, passed: bool, failure: str) -> None:
        """Count a check; record the failure if it did not pass."""
        self.checks += 1
        if not passed:
            self.failures.append(failure)

    def lines(self) -> list[str]:
        """Return the report as lines."""
        counted = {**dict(sorted(self.counts.items())), "checks": self.checks, "failures": len(self.failures)}
        return [f"{number:>9,}  {name}" for name, number in counted.items()] + self.failures[:50]
