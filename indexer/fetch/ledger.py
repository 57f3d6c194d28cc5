"""The ledger of a download per movie: the outcome of each, in a SQLite file beside the folder."""

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
        size TEXT,  -- the form
        at REAL NOT NULL
    )
"""


@dataclass(frozen=True, slots=True)
class Row:
    """The latest outcome for one movie."""

    movie_id: int
    outcome: Literal["found", "missing", "failed"]
    reason: str  # empty if found
    link: str  # ids or address of the request; the same movie_id may be another movie in another data set
    form: str | None  # of the request, such as the size of a poster; None for a file from a folder
    at: float  # seconds since 1970


class Ledger:
    """A ledger file, opened for one thread.

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
            raise InvalidInput(f"{file} is damaged ({error}): delete it to fetch all again") from error

    def __enter__(self) -> Ledger:
        """Return the ledger itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._db.close()

    def rows(self) -> dict[int, Row]:
        """Return the rows at opening, by movie id."""
        return {row.movie_id: row for row in self._rows}

    def record(self, row: Row) -> None:
        """Save the outcome for a movie, in place of an older one."""
        values = (row.movie_id, row.outcome, row.reason, row.link, row.form, row.at)
        self._db.execute("REPLACE INTO outcomes VALUES (?, ?, ?, ?, ?, ?)", values)
