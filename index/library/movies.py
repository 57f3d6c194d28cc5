"""What came in while the server runs: movies added, replaced and removed, with their posters. Durable, in SQLite.

The only state that cannot be built again. Every build merges all of it; nothing in it is ever forgotten.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from index.catalogue.catalogue import Movie
from index.core.errors import ReusedRequest
from index.core.files import sync, write_durably
from index.library.database import LATEST, Database, latest, next_seq
from index.library.entries import Changes, Entry, Poster, checked_movie
from index.posters.images import suffix_of
from index.spaces.faiss_index import halved

_LATEST_OF_MOVIES = "SELECT ifnull(max(seq), 0) FROM movies"
_VECTOR = np.dtype("<f2")
_REMEMBERED = 7 * 24 * 3600  # seconds that a request is known again
_REPLACE = "REPLACE INTO movies VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Request:
    """A request that may be made again, by whoever did not hear the answer."""

    id: str  # the same when it is made again
    content_sha256: str  # of what it asked for


@dataclass(frozen=True, slots=True)
class Added:
    """What became of a request to add a movie."""

    movie_id: int
    before: bool = False  # by the same request, made before


class Library:
    """The movies of one data directory's library. Threads may share it, and other processes read and write beside it.

    What a call has acknowledged survives a kill and a power cut.
    """

    def __init__(self, data: Path) -> None:
        self.database = Database(data)
        self._posters = data / "posters"

    @classmethod
    def open(cls, data: Path) -> Library:
        """The library under a data directory.

        Raises:
            BadLibrary: its file is damaged, or of a newer version of Posterity.
        """
        library = cls(data)
        library.version()
        return library

    def version(self) -> int:
        """The number of the latest change of anything, by whichever process; 0 before the first. Takes microseconds.

        Raises:
            BadLibrary: the file cannot be read.
        """
        return self.database.number(LATEST)

    def movies_version(self) -> int:
        """The number of the latest change of a movie; 0 before the first. Takes microseconds.

        Raises:
            BadLibrary: the file cannot be read.
        """
        return self.database.number(_LATEST_OF_MOVIES)

    def identity(self) -> str:
        """What tells this library from any other, such as one that was put in its place; empty before the first change.

        Raises:
            BadLibrary: the file cannot be read.
        """
        with self.database.reading() as db:
            return "" if db is None else db.execute("SELECT library_id FROM identity").fetchone()[0]

    def changes_since(self, seq: int, *, vectors: bool = True) -> Changes:
        """What became of each movie that changed after the change ``seq``, as of one moment; after 0, of all.

        Args:
            vectors: whether to read them, 50 kB each; without, every entry's is None.

        Raises:
            BadLibrary: the file cannot be read.
        """
        with self.database.reading() as db:
            if db is None:
                return Changes(0)
            version = latest(db)
            (movies_version,) = db.execute(_LATEST_OF_MOVIES).fetchone()
            rows = db.execute(
                "SELECT movie_id, deleted, title, year, genres, imdb_id, tmdb_id, poster, poster_sha256,"
                " weights_sha256, CASE WHEN ? THEN vector END FROM movies WHERE seq > ?",
                (vectors, seq),
            ).fetchall()
        # Here: asked to sort, SQLite would read every row instead of the changed ones.
        rows.sort(key=lambda row: row[0])
        removed = frozenset(movie_id for movie_id, deleted, *_ in rows if deleted)
        return Changes(version, tuple(_entry(row) for row in rows if row[0] not in removed), removed, movies_version)

    def knows(self, movie_id: int) -> bool:
        """Whether the movie was ever added, replaced or removed.

        Raises:
            BadLibrary: the file cannot be read.
        """
        with self.database.reading() as db:
            if db is None:
                return False
            return db.execute("SELECT 1 FROM movies WHERE movie_id = ?", (movie_id,)).fetchone() is not None

    def added_by(self, request: Request) -> Added | None:
        """What a request added that was made before; None where it was not.

        Raises:
            ReusedRequest: it was, with other content.
            BadLibrary: the file cannot be read.
        """
        with self.database.reading() as db:
            return None if db is None else _added_by(db, request)

    def add(self, movie: Movie, poster: Poster | None = None, *, above: int, request: Request | None = None) -> Added:
        """The id that the movie was added under, or was before by the same request: that adds it once.

        Args:
            movie: its own id does not count.
            above: the largest id that others have given.
            request: by which it is known again for a week.

        Raises:
            InvalidInput, BadImage: as ``put``.
            ReusedRequest: the request was made before, with other content.
            BadLibrary, Busy: nothing was changed.
        """
        movie = checked_movie(movie)
        known = None if request is None else self.added_by(request)
        if known is not None:
            return known
        movie_id = self.next_id(above)
        facts = self._facts(replace(movie, movie_id=movie_id), poster)
        with self.database.writing() as db:
            if request is not None:
                before = _added_by(db, request)
                if before is not None:
                    return before
                now = int(time.time())
                db.execute("DELETE FROM requests WHERE made < ?", (now - _REMEMBERED,))
                db.execute(
                    "INSERT INTO requests VALUES (?, ?, ?, ?)", (request.id, request.content_sha256, movie_id, now)
                )
            db.execute(_REPLACE, (movie_id, next_seq(db), False, *facts))
        return Added(movie_id)

    def put(self, movie: Movie, poster: Poster | None = None) -> int:
        """The number of the change that added the movie, or replaced whatever the library knew of its id.

        A poster that the library has stays where no other is given. What is so already is no change.

        Raises:
            InvalidInput: the movie cannot be used, see ``entries.checked_movie``.
            BadImage: the poster is in no format that a poster may have.
            BadLibrary, Busy: nothing was changed.
        """
        movie = checked_movie(movie)
        facts = self._facts(movie, poster)
        with self.database.writing() as db:
            known = db.execute(
                "SELECT seq, title, year, genres, imdb_id, tmdb_id, poster, poster_sha256, weights_sha256, vector"
                " FROM movies WHERE movie_id = ? AND NOT deleted",
                (movie.movie_id,),
            ).fetchone()
            if known is not None:
                if poster is None:
                    facts = (*facts[:5], *known[6:])
                if known[1:] == facts:
                    return int(known[0])
            seq = next_seq(db)
            db.execute(_REPLACE, (movie.movie_id, seq, False, *facts))
        return seq

    def remove(self, movie_id: int) -> int:
        """The number of the change that removed the movie, whether it was added or is a data set's.

        Raises:
            BadLibrary, Busy: nothing was changed.
        """
        with self.database.writing() as db:
            known = db.execute("SELECT seq FROM movies WHERE movie_id = ? AND deleted", (movie_id,)).fetchone()
            if known is not None:
                return int(known[0])
            seq = next_seq(db)
            db.execute("REPLACE INTO movies (movie_id, seq, deleted) VALUES (?, ?, TRUE)", (movie_id, seq))
        return seq

    def next_id(self, taken_max: int) -> int:
        """An id for a new movie, from a billion on and above ``taken_max``; no process is given it again.

        Raises:
            BadLibrary, Busy: none was given.
        """
        with self.database.writing() as db:
            (last,) = db.execute("SELECT last FROM ids").fetchone()
            (highest,) = db.execute("SELECT max(movie_id) FROM movies").fetchone()
            movie_id: int = max(last, highest or 0, taken_max) + 1
            db.execute("UPDATE ids SET last = ?", (movie_id,))
        return movie_id

    def _facts(self, movie: Movie, poster: Poster | None) -> tuple[Any, ...]:
        """The columns from the title on. The poster's file is whole before anything names it."""
        genres = json.dumps(movie.genres, ensure_ascii=False)
        told = (movie.title, movie.year, genres, movie.imdb_id, movie.tmdb_id)
        if poster is None:
            return (*told, None, None, None, None)
        sha256 = hashlib.sha256(poster.content).hexdigest()
        name = self._keep(f"{movie.movie_id}-{sha256[:16]}", poster.content)
        vector = None if poster.vector is None else halved(poster.vector).astype(_VECTOR).tobytes()
        return (*told, name, sha256, poster.weights_sha256, vector)

    def _keep(self, stem: str, content: bytes) -> str:
        """The name of the file in the poster folder that now has the content."""
        suffix = suffix_of(content)
        if not self._posters.is_dir():
            self._posters.mkdir(parents=True, exist_ok=True)
            sync(self._posters.parent)
        write_durably(self._posters / f"{stem}{suffix}", content)
        return f"{stem}{suffix}"


def _added_by(db: sqlite3.Connection, request: Request) -> Added | None:
    known = db.execute("SELECT content_sha256, movie_id FROM requests WHERE request_id = ?", (request.id,)).fetchone()
    if known is None:
        return None
    if known[0] != request.content_sha256:
        raise ReusedRequest("this Idempotency-Key came before, with another movie: give every movie a key of its own")
    return Added(known[1], before=True)


def _entry(row: tuple[Any, ...]) -> Entry:
    movie_id, _, title, year, genres, imdb_id, tmdb_id, poster, poster_sha256, weights_sha256, vector = row
    movie = Movie(movie_id, title, year, tuple(json.loads(genres)), imdb_id, tmdb_id)
    numbers = None if vector is None else np.frombuffer(vector, _VECTOR)
    return Entry(movie, poster, poster_sha256, numbers, weights_sha256)
