"""What became of each film whose poster was wanted: a SQLite file beside the posters."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal

from index.core.errors import InvalidInput

_TABLE = """
    CREATE TABLE IF NOT EXISTS outcomes (
        movie_id INTEGER PRIMARY KEY,
        outcome TEXT NOT NULL CHECK (outcome IN ('found', 'missing', 'failed')),
        why TEXT NOT NULL,
        link TEXT NOT NULL,
        size TEXT,
        at REAL NOT NULL
    )
"""


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one film."""

    movie_id: int
    outcome: Literal["found", "missing", "failed"]
    why: str  # empty where it was found
    link: str  # by which ids it was asked for: another data set may mean another film by the same movie_id
    size: str | None  # as which it was asked for; None of one from a folder
    at: float  # seconds since 1970


class Ledger:
    """The file, for one thread.

    Raises:
        InvalidInput: the file is damaged.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        file.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(file, isolation_level=None)
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute(_TABLE)
            self._rows = [Row(*row) for row in self._db.execute("SELECT * FROM outcomes")]
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise InvalidInput(f"{file} is damaged ({error}): delete it, and posters are fetched again") from error

    def __enter__(self) -> Ledger:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the file."""
        self._db.close()

    def rows(self) -> dict[int, Row]:
        """What there was on opening, by movie_id."""
        return {row.movie_id: row for row in self._rows}

    def put(self, row: Row) -> None:
        """Keeps what became of a film now."""
        values = (row.movie_id, row.outcome, row.why, row.link, row.size, row.at)
        self._db.execute("REPLACE INTO outcomes VALUES (?, ?, ?, ?, ?, ?)", values)
