"""Rows of input files that are not used, and what else a reader noticed: counted by reason, with the first example."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from index.core.errors import InvalidInput

MAX_INVALID = 0.1  # share of a file's rows; beyond it the file is refused


@dataclass(slots=True)
class Skipped:
    """Counts and first examples, by file and reason."""

    examples: dict[tuple[Path, str], str] = field(default_factory=dict)
    counts: dict[tuple[Path, str], int] = field(default_factory=lambda: defaultdict(int))
    notes: list[str] = field(default_factory=list)
    invalid: dict[Path, int] = field(default_factory=lambda: defaultdict(int))
    first_invalid: dict[Path, str] = field(default_factory=dict)

    def add(self, file: Path, reason: str, example: str, n: int = 1) -> None:
        """Count ``n`` rows of a file that are not used for a reason."""
        self.examples.setdefault((file, reason), example)
        self.counts[file, reason] += n

    def add_invalid(self, file: Path, line: int, problem: str, n: int = 1) -> None:
        """Count ``n`` rows that cannot be read."""
        self.first_invalid.setdefault(file, f"{file}, line {line}: {problem}")
        self.invalid[file] += n
        self.add(file, "skipped rows that cannot be read", f"line {line}: {problem}", n)

    def note(self, text: str) -> None:
        """Add a warning that is about no row, or about rows that are used."""
        self.notes.append(text)

    def check(self, file: Path, rows: int) -> None:
        """Raise InvalidInput if too many of a file's rows cannot be read."""
        if self.invalid[file] > MAX_INVALID * rows:
            raise InvalidInput(self.first_invalid[file])

    def messages(self) -> tuple[str, ...]:
        """Return a warning per file and reason, then the notes."""
        counted = (
            f"{file}: {reason}: {n:,} (such as {self.examples[file, reason]})"
            for (file, reason), n in self.counts.items()
        )
        return (*counted, *self.notes)
