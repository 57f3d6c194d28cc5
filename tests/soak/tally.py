"""What was done and what was found, counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Tally:
    """Of one run."""

    counts: Counter[str] = field(default_factory=Counter)
    checks: int = 0
    failures: list[str] = field(default_factory=list)

    def check(self, right: bool, failure: str) -> None:
        """Counts a check; keeps the failure where it is not right."""
        self.checks += 1
        if not right:
            self.failures.append(failure)

    def lines(self) -> list[str]:
        """The report."""
        counted = {**dict(sorted(self.counts.items())), "checks made": self.checks, "failures": len(self.failures)}
        return [f"{number:>9,}  {name}" for name, number in counted.items()] + self.failures[:50]
