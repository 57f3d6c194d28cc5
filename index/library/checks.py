"""Checks in the transaction of a change: the movie is as expected, and its ids are free."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TypeAlias

from index.catalogue.catalogue import Catalogue, Movie
from index.core.errors import Changed, Conflict, UnknownMovie

# Number of the latest change of a movie or rating, and True if it exists -> True if it is as expected.
Expected: TypeAlias = Callable[[int, bool], bool]


def existing(movie: Movie | None) -> Movie:
    """Return a movie to be changed.

    Raises:
        UnknownMovie: it is deleted.
    """
    if movie is None:
        raise UnknownMovie("the movie was deleted meanwhile: add it again with its data")
    return movie


def expect(expected: Expected | None, what: str, seq: int, exists: bool) -> None:
    """Raise Changed unless a movie or rating is as expected, by the number of its latest change."""
    if expected is not None and not expected(seq, exists):
        raise Changed(f"{what} has changed since: get it again, and repeat the change with its new ETag")


def expect_free_ids(db: sqlite3.Connection, movie: Movie, current: Movie | None, catalogue: Catalogue | None) -> None:
    """Raise Conflict if another movie of the library or the data set has the movie's IMDb or TMDB id.

    Args:
        db: a write transaction. A unique index of the database holds the rule for the library's own movies.
        movie: to be written.
        current: the movie before; an id that it has already may stay, also if the data set repeats it.
        catalogue: the movies that exist. Those without changes in the library are as they are here.
    """
    for name, value, before in (
        ("imdb_id", movie.imdb_id, None if current is None else current.imdb_id),
        ("tmdb_id", movie.tmdb_id, None if current is None else current.tmdb_id),
    ):
        if value is None:
            continue
        scheme = name.removesuffix("_id")
        query = f"SELECT movie_id, title, year FROM movies WHERE {name} = ? AND NOT deleted AND movie_id <> ?"  # noqa: S608
        row = db.execute(query, (value, movie.movie_id)).fetchone()
        other = None if row is None else Movie(*row)
        if other is None and catalogue is not None and value != before:
            other = _unchanged_holder(db, catalogue, f"{scheme}:{value}", movie.movie_id)
        if other is not None:
            raise Conflict(
                f"{scheme}:{value} is {other} (id {other.movie_id}): replace that one, or give another {name}"
            )


def _unchanged_holder(db: sqlite3.Connection, catalogue: Catalogue, text: str, but: int) -> Movie | None:
    """Return the data set's movie with an id, if the library has not changed it."""
    try:
        found = catalogue.identify(text)
    except UnknownMovie:
        return None
    changed = db.execute("SELECT 1 FROM movies WHERE movie_id = ?", (found.movie_id,)).fetchone() is not None
    return None if changed or found.movie_id == but else found
