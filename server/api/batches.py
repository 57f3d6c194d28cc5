"""Many movies in one request: each row is checked and added by itself, so that one that is refused costs no other."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field
from pydantic_core import to_json

from index.answers.schemas import MAX_ADDED, AddedAnswer
from index.core.errors import InvalidInput
from index.core.source_ids import MAX_SOURCE_ID, as_written
from index.library.batch import Outcome, Row
from index.library.movies import Library
from index.movie_index import MovieIndex
from server.api.requests import Flag, MovieBody, RequestModel
from server.api.validation import parse_json


class MovieRow(MovieBody):
    """A movie to add, with an id of one's own."""

    id: int | str | None = None

    def row(self) -> Row:
        """Return the row for the library.

        Raises:
            InvalidInput: a value cannot be used.
        """
        own_id = None if self.id is None else as_written(str(self.id))
        if own_id is not None and not (0 < len(own_id) <= MAX_SOURCE_ID and own_id.isprintable()):
            raise InvalidInput(f"id: write 1 to {MAX_SOURCE_ID} printable characters, not {own_id[:MAX_SOURCE_ID]!r}")
        if own_id is not None and own_id.startswith("-"):
            raise InvalidInput(f"id: {own_id} is below 0: give a whole number from 0 on, or a text")
        return Row(self.movie(), own_id)


class MoviesBody(RequestModel):
    """Movies to add."""

    movies: Annotated[tuple[dict[str, Any], ...], Field(min_length=1, max_length=MAX_ADDED)]
    """Each with the members of one movie to add (``title``, ``year``, ``genres``, ``imdb_id``, ``tmdb_id``), and an
    ``id`` of your own, a number or a text, if it has one."""
    update: Flag = False
    """Replace the data of movies that are here already; their ratings and posters stay."""


def add_rows(index: MovieIndex, library: Library, body: MoviesBody, first: int = 0) -> list[AddedAnswer]:
    """Add the rows of a request, and return what became of each, in its order, counted from ``first``.

    Raises:
        BadLibrary, Busy: the library could not be written; nothing changed.
    """
    rows: list[Row] = []
    outcomes: dict[int, Outcome] = {}
    for at, given in enumerate(body.movies):
        try:
            rows.append(parse_json(MovieRow, to_json(given)).row())
        except InvalidInput as error:
            outcomes[at] = Outcome("refused", reason=str(error))
    places = [at for at in range(len(body.movies)) if at not in outcomes]
    if rows:
        added = library.add_each(rows, catalogue=index.catalogue, version=index.movies_version, update=body.update)
        outcomes |= dict(zip(places, added, strict=True))
    return [
        {"index": first + at, "outcome": each.outcome, "movie_id": each.movie_id, "reason": each.reason}
        for at, each in sorted(outcomes.items())
    ]
