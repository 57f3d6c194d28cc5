"""Many movies added to the library at once, and the outcome of each."""

from __future__ import annotations

from collections.abc import Sequence

from index.answers.schemas import AddedAnswer
from index.core.errors import InvalidInput
from index.library.batch import Row
from index.library.movies import Library
from index.movie_index import MovieIndex


def add_rows(
    index: MovieIndex, library: Library, rows: Sequence[Row | InvalidInput], *, update: bool, first: int = 0
) -> list[AddedAnswer]:
    """Add movies in one transaction, and return the outcome of each, in the order given, counted from ``first``.

    Raises:
        BadLibrary, Busy: the library could not be written; nothing changed.
    """
    found = library.add_each(rows, catalogue=index.catalogue, version=index.movies_version, update=update)
    return [
        {"index": first + at, "outcome": each.outcome, "movie_id": each.movie_id, "reason": each.reason}
        for at, each in enumerate(found)
    ]
