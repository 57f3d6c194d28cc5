"""Many movies added at once: each row is added, found to be here already, or refused. Sent again, it adds nothing."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, field, replace
from typing import Literal

from index.catalogue.catalogue import Catalogue
from index.catalogue.movie import Movie
from index.catalogue.title_forms import verbatim
from index.core.errors import Conflict, UnknownMovie
from index.core.source_ids import candidates, plain_number


@dataclass(frozen=True, slots=True)
class Row:
    """A movie to add; its ``movie_id`` is ignored."""

    movie: Movie
    own_id: str | None = None  # as of ``source_ids.as_written``


@dataclass(frozen=True, slots=True)
class Outcome:
    """Outcome of a row."""

    outcome: Literal["created", "exists", "updated", "refused"]
    movie_id: int | None = None  # None if it was refused
    reason: str | None = None  # of the refusal


@dataclass(slots=True)
class KnownMovies:
    """The movies that exist in a write transaction: a catalogue with the library's changes since.

    Args:
        catalogue: of some version.
        since: movie id -> movie of each one that was changed since; None for a deleted one.
    """

    catalogue: Catalogue
    since: dict[int, Movie | None]
    _keys: dict[object, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Index the changed movies."""
        for movie in list(self.since.values()):
            if movie is not None:
                self.add(movie)

    @classmethod
    def read(cls, db: sqlite3.Connection, catalogue: Catalogue, version: int) -> KnownMovies:
        """Return the movies that exist now.

        Args:
            db: a transaction.
            catalogue: the movies as of a version.
            version: sequence number of the latest change in it.
        """
        rows = db.execute(
            "SELECT movie_id, deleted, title, year, genres, imdb_id, tmdb_id, own_id FROM movies"
            " LEFT JOIN own_ids USING (movie_id) WHERE seq > ?",
            (version,),
        )
        since: dict[int, Movie | None] = {}
        for movie_id, deleted, title, year, genres, *ids in rows:
            since[movie_id] = None if deleted else Movie(movie_id, title, year, tuple(json.loads(genres)), *ids)
        return cls(catalogue, since)

    def add(self, movie: Movie) -> None:
        """Add a movie, or replace the one of its id."""
        self.since[movie.movie_id] = movie
        for key in _keys(movie):
            self._keys.setdefault(key, []).append(movie.movie_id)

    def movie(self, movie_id: int) -> Movie | None:
        """Return the movie with an id; None without one."""
        if movie_id in self.since:
            return self.since[movie_id]
        return self.catalogue.movie(movie_id) if movie_id in self.catalogue.ids else None

    def number(self, own_id: str) -> int:
        """Return the number that stands for an id of one's own."""
        for number in candidates(own_id):
            movie = self.movie(number)
            if movie is None or movie.source_id in {own_id, None}:
                return number
        raise AssertionError  # there are candidates without end

    def find(self, row: Row) -> Movie | None:
        """Return the movie that a row is: by its own id, by IMDb or TMDB id, else by title and year.

        Raises:
            Conflict: its ids are of different movies.
        """
        movie = row.movie
        if row.own_id is not None:
            here = self.movie(self.number(row.own_id))
            if here is not None and here.source_id is None and not _same_film(here, movie):
                raise Conflict(f"id {row.own_id} is {here} here: leave the id out, or give another")
            if here is not None:
                return here
        found = {
            each.movie_id: each
            for reference in (movie.imdb_id and f"imdb:{movie.imdb_id}", movie.tmdb_id and f"tmdb:{movie.tmdb_id}")
            if reference and (each := self._with(reference)) is not None
        }
        if len(found) > 1:
            first, second = found.values()
            raise Conflict(f"its IMDb id is of {first} (id {first.movie_id}), and its TMDB id of {second}"
                           f" (id {second.movie_id}): give those of one")  # fmt: skip
        if found:
            return next(iter(found.values()))
        return next((each for each in self._titled(movie) if self._may_be(each, row)), None)

    def _with(self, reference: str) -> Movie | None:
        for movie_id in reversed(self._keys.get(reference, [])):
            movie = self.movie(movie_id)
            if movie is not None and reference in _keys(movie):
                return movie
        try:
            found = self.catalogue.identify(reference)
        except UnknownMovie:
            return None
        return None if found.movie_id in self.since else found

    def _titled(self, movie: Movie) -> list[Movie]:
        """Return the movies of this title and year."""
        (key,) = _keys(replace(movie, imdb_id=None, tmdb_id=None))
        found = [self.movie(movie_id) for movie_id in self._keys.get(key, [])]
        listed = (each for each in self.catalogue.whole(str(movie), movie.year) if each.movie_id not in self.since)
        return [each for each in (*found, *listed) if each is not None and key in _keys(each)]

    def _may_be(self, here: Movie, row: Row) -> bool:
        """Return False if an id tells a movie of the same title and year from a row."""
        numbered = row.own_id is not None and plain_number(row.own_id) is not None
        own = row.own_id is None or (here.source_id is None and not numbered)
        return own and _same_film(here, row.movie)


def _keys(movie: Movie) -> list[object]:
    ids: list[object] = [f"imdb:{movie.imdb_id}"] if movie.imdb_id else []
    ids += [f"tmdb:{movie.tmdb_id}"] if movie.tmdb_id else []
    return [*ids, (verbatim(movie.title), movie.year)]


def _same_film(one: Movie, other: Movie) -> bool:
    """Return True if two movies share an id, or have the same title and year and no different ids."""
    pairs = [(one.imdb_id, other.imdb_id), (one.tmdb_id, other.tmdb_id)]
    known = [a == b for a, b in pairs if a is not None and b is not None]
    titled = verbatim(one.title) == verbatim(other.title) and one.year == other.year
    return any(known) or (titled and all(known))
