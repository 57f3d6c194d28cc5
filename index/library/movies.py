"""The library: movies added, updated and deleted online, with their posters, stored durably in SQLite.

With the ratings and API keys in the same database it is the only state that a build cannot recreate. Every build merges
all of it, so nothing in it expires.
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
from index.library.entries import Entry, MovieChanges, Poster, checked_movie
from index.posters.images import suffix_of

_LATEST_OF_MOVIES = "SELECT ifnull(max(seq), 0) FROM movies"
_VECTOR = np.dtype("<f2")
_REQUEST_LIFETIME = 7 * 24 * 3600  # seconds that a request id is remembered
_REPLACE = "REPLACE INTO movies VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Request:
    """Identity of a request to add a movie, so that a retry adds it once."""

    id: str  # the same for every retry
    content_sha256: str  # of the movie and its poster


class Library:
    """Movies in the library of a data directory. Threads and processes may share it.

    Every write that has returned survives a kill and a power cut.
    """

    def __init__(self, data: Path) -> None:
        self.database = Database(data)
        self._posters = data / "posters"

    @classmethod
    def open(cls, data: Path) -> Library:
        """Return the library of a data directory, after a first read.

        Raises:
            BadLibrary: its file is damaged, or of a newer version of Posterity.
        """
        library = cls(data)
        library.version()
        return library

    def version(self) -> int:
        """Return the sequence number of the latest change by any process; 0 before the first. Takes microseconds.

        Raises:
            BadLibrary: the library cannot be read.
        """
        return self.database.read_number(LATEST)

    def movies_version(self) -> int:
        """Return the sequence number of the latest change of a movie; 0 before the first. Takes microseconds.

        Raises:
            BadLibrary: the library cannot be read.
        """
        return self.database.read_number(_LATEST_OF_MOVIES)

    def identity(self) -> str:
        """Return the unique id of this library, which an imported copy does not share; empty before the first change.

        Raises:
            BadLibrary: the library cannot be read.
        """
        with self.database.reading() as db:
            return "" if db is None else db.execute("SELECT library_id FROM identity").fetchone()[0]

    def changes_since(self, seq: int, *, vectors: bool = True) -> MovieChanges:
        """Return the changes after sequence number ``seq``, in one consistent read.

        Args:
            seq: 0 for all changes.
            vectors: read the embeddings, 50 kB each; otherwise they are None.

        Raises:
            BadLibrary: the library cannot be read.
        """
        with self.database.reading() as db:
            if db is None:
                return MovieChanges(0)
            version = latest(db)
            (movies_version,) = db.execute(_LATEST_OF_MOVIES).fetchone()
            rows = db.execute(
                "SELECT movie_id, deleted, title, year, genres, imdb_id, tmdb_id, poster, poster_sha256,"
                " weights_sha256, CASE WHEN ? THEN vector END FROM movies WHERE seq > ?",
                (vectors, seq),
            ).fetchall()
        # Not ORDER BY: SQLite would then read every row instead of the changed ones.
        rows.sort(key=lambda row: row[0])
        deleted = frozenset(movie_id for movie_id, is_deleted, *_ in rows if is_deleted)
        return MovieChanges(
            version, tuple(_entry(row) for row in rows if row[0] not in deleted), deleted, movies_version
        )

    def knows(self, movie_id: int) -> bool:
        """Return True if the movie was ever added, updated or deleted here.

        Raises:
            BadLibrary: the library cannot be read.
        """
        with self.database.reading() as db:
            if db is None:
                return False
            return db.execute("SELECT 1 FROM movies WHERE movie_id = ?", (movie_id,)).fetchone() is not None

    def added_by(self, request: Request) -> int | None:
        """Return the id of the movie that this request has added; None if it has not yet.

        Raises:
            ReusedRequest: the request id was used with other content.
            BadLibrary: the library cannot be read.
        """
        with self.database.reading() as db:
            return None if db is None else _added_by(db, request)

    def add(self, movie: Movie, poster: Poster | None = None, *, above: int, request: Request | None = None) -> int:
        """Add a movie under a new id and return the id; a retried request gets the id of the first.

        Args:
            movie: to add; its ``movie_id`` is ignored.
            poster: to store with it.
            above: largest id in the data set.
            request: makes retries idempotent for a week.

        Raises:
            InvalidInput, BadImage: as ``put``.
            ReusedRequest: the request id was used with other content.
            BadLibrary, Busy: the library could not be written; nothing changed.
        """
        movie = checked_movie(movie)
        known = None if request is None else self.added_by(request)
        if known is not None:
            return known
        movie_id = self.next_id(above)
        columns = self._columns(replace(movie, movie_id=movie_id), poster)
        with self.database.writing() as db:
            if request is not None:
                known = _added_by(db, request)  # again: another thread may have been quicker
                if known is not None:
                    return known
                now = int(time.time())
                db.execute("DELETE FROM requests WHERE made < ?", (now - _REQUEST_LIFETIME,))
                db.execute(
                    "INSERT INTO requests VALUES (?, ?, ?, ?)", (request.id, request.content_sha256, movie_id, now)
                )
            db.execute(_REPLACE, (movie_id, next_seq(db), False, *columns))
        return movie_id

    def put(self, movie: Movie, poster: Poster | None = None) -> int:
        """Add the movie, or update the one of its id; return the sequence number of the change.

        Without ``poster`` the library's poster stays. If nothing differs, the number is that of the earlier change.

        Raises:
            InvalidInput: the movie is invalid, see ``entries.checked_movie``.
            BadImage: the poster is not in a supported image format.
            BadLibrary, Busy: the library could not be written; nothing changed.
        """
        movie = checked_movie(movie)
        columns = self._columns(movie, poster)
        with self.database.writing() as db:
            known = db.execute(
                "SELECT seq, title, year, genres, imdb_id, tmdb_id, poster, poster_sha256, weights_sha256, vector"
                " FROM movies WHERE movie_id = ? AND NOT deleted",
                (movie.movie_id,),
            ).fetchone()
            if known is not None:
                if poster is None:
                    columns = (*columns[:5], *known[6:])
                if known[1:] == columns:
                    return int(known[0])
            seq = next_seq(db)
            db.execute(_REPLACE, (movie.movie_id, seq, False, *columns))
        return seq

    def remove(self, movie_id: int) -> int:
        """Delete a movie, of the library or a data set; return the sequence number as ``put`` does.

        Raises:
            BadLibrary, Busy: the library could not be written; nothing changed.
        """
        with self.database.writing() as db:
            known = db.execute("SELECT seq FROM movies WHERE movie_id = ? AND deleted", (movie_id,)).fetchone()
            if known is not None:
                return int(known[0])
            seq = next_seq(db)
            db.execute("REPLACE INTO movies (movie_id, seq, deleted) VALUES (?, ?, TRUE)", (movie_id, seq))
        return seq

    def next_id(self, taken_max: int) -> int:
        """Reserve an id for a new movie: at least ``FIRST_ID``, above ``taken_max``, and never returned again.

        Raises:
            BadLibrary, Busy: the library could not be written; no id was reserved.
        """
        with self.database.writing() as db:
            (last,) = db.execute("SELECT last FROM ids").fetchone()
            (highest,) = db.execute("SELECT max(movie_id) FROM movies").fetchone()
            movie_id: int = max(last, highest or 0, taken_max) + 1
            db.execute("UPDATE ids SET last = ?", (movie_id,))
        return movie_id

    def _columns(self, movie: Movie, poster: Poster | None) -> tuple[Any, ...]:
        """Store the poster, and return the columns from the title on; no row may name a file that is not written."""
        genres = json.dumps(movie.genres, ensure_ascii=False)
        metadata = (movie.title, movie.year, genres, movie.imdb_id, movie.tmdb_id)
        if poster is None:
            return (*metadata, None, None, None, None)
        sha256 = hashlib.sha256(poster.content).hexdigest()
        name = self._write_poster(f"{movie.movie_id}-{sha256[:16]}", poster.content)
        vector = None if poster.vector is None else poster.vector.astype(_VECTOR).tobytes()
        return (*metadata, name, sha256, poster.weights_sha256, vector)

    def _write_poster(self, stem: str, content: bytes) -> str:
        """Write a file to the poster folder, and return its name."""
        suffix = suffix_of(content)
        if not self._posters.is_dir():
            self._posters.mkdir(parents=True, exist_ok=True)
            sync(self._posters.parent)
        write_durably(self._posters / f"{stem}{suffix}", content)
        return f"{stem}{suffix}"


def _added_by(db: sqlite3.Connection, request: Request) -> int | None:
    row = db.execute("SELECT content_sha256, movie_id FROM requests WHERE request_id = ?", (request.id,)).fetchone()
    if row is None:
        return None
    if row[0] != request.content_sha256:
        raise ReusedRequest("this Idempotency-Key was used before, with another movie: use one key per movie")
    return int(row[1])


def _entry(row: tuple[Any, ...]) -> Entry:
    movie_id, _, title, year, genres, imdb_id, tmdb_id, poster, poster_sha256, weights_sha256, vector = row
    movie = Movie(movie_id, title, year, tuple(json.loads(genres)), imdb_id, tmdb_id)
    embedding = None if vector is None else np.frombuffer(vector, _VECTOR)
    return Entry(movie, poster, poster_sha256, embedding, weights_sha256)
