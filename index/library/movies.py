"""The library: movies added, updated and deleted online, with their posters, stored durably in SQLite.

With the ratings and API keys in the same database it is the only state that a build cannot recreate. Every build merges
all of it, so nothing in it expires.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from index.catalogue.catalogue import Catalogue, Movie
from index.core.errors import Conflict, InvalidInput, ReusedRequest, UnknownMovie
from index.core.files import sync, write_durably
from index.core.references import movie_reference
from index.core.source_ids import FIRST_NAMED, candidates, plain_number
from index.library.batch import KnownMovies, Outcome, Row
from index.library.checks import Expected, expect, expect_free_ids
from index.library.database import LATEST, Database, latest, next_seq
from index.library.entries import Entry, MovieChanges, Poster, checked_movie
from index.posters.formats import suffix_of

_LATEST_OF_MOVIES = "SELECT ifnull(max(seq), 0) FROM movies"
_LATEST_OF_RATINGS = "SELECT ifnull(max(seq), 0) FROM ratings"
_VECTOR = np.dtype("<f2")
_REQUEST_LIFETIME = 7 * 24 * 3600  # seconds that a request id is remembered
_NO_POSTER = (None, None, None, None)
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

    def ratings_version(self) -> int:
        """Return the sequence number of the latest change of a rating; 0 before the first. Takes microseconds.

        Raises:
            BadLibrary: the library cannot be read.
        """
        return self.database.read_number(_LATEST_OF_RATINGS)

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
                "SELECT movie_id, deleted, title, year, genres, imdb_id, tmdb_id, own_id, poster, poster_sha256,"
                " weights_sha256, CASE WHEN ? AND NOT deleted THEN vector END"
                " FROM movies LEFT JOIN own_ids USING (movie_id) WHERE seq > ?",
                (vectors, seq),
            ).fetchall()
        # Not ORDER BY: SQLite would then read every row instead of the changed ones.
        rows.sort(key=lambda row: row[0])
        deleted = frozenset(movie_id for movie_id, is_deleted, *_ in rows if is_deleted)
        return MovieChanges(
            version, tuple(_entry(row) for row in rows if row[0] not in deleted), deleted, movies_version
        )

    def known_id(self, catalogue: Catalogue, text: str) -> int:
        """Return the id of a movie that exists or was deleted from the library.

        Args:
            catalogue: the movies that exist.
            text: ``6``, ``imdb:tt0113277``, ``tmdb:949`` or the data set's own id; for a deleted movie its number or
                the data set's own id.

        Raises:
            UnknownMovie: no movie has or had this id.
            BadLibrary: the library cannot be read.
        """
        try:
            return catalogue.identify(text).movie_id
        except UnknownMovie:
            reference = movie_reference(text)
            number = reference if isinstance(reference, int) else next(candidates(text.strip()))
            if self.knows(number):
                return number
            raise

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

    def add(
        self,
        movie: Movie,
        poster: Poster | None = None,
        *,
        own_id: str | None = None,
        above: int = 0,
        catalogue: Catalogue | None = None,
        request: Request | None = None,
    ) -> int:
        """Add a movie under a new id and return the id; a retried request gets the id of the first.

        Args:
            movie: to add; its ``movie_id`` is ignored.
            poster: to store with it.
            own_id: id of one's own, as of ``source_ids.as_written``, whose number is the new id; needs the catalogue.
            above: largest id in the data set, if there is no catalogue.
            catalogue: the movies that exist, of which none may have its IMDb or TMDB id.
            request: makes retries idempotent for a week.

        Raises:
            InvalidInput, BadImage: as ``put``.
            Conflict: another movie has one of the ids, or the movie itself is here under its own id.
            ReusedRequest: the request id was used with other content.
            BadLibrary, Busy: the library could not be written; nothing changed.
        """
        movie = checked_movie(movie)
        if catalogue is not None:
            above = max(above, catalogue.ids.largest_below(FIRST_NAMED))
        with self.database.writing() as db:
            known = None if request is None else _added_by(db, request)
            if known is not None:
                return known
            if own_id is not None and catalogue is not None:
                movie = _under_own_id(KnownMovies.read(db, catalogue, 0), movie, own_id)
            else:
                movie = replace(movie, movie_id=_reserve_id(db, above))
            expect_free_ids(db, movie, None, catalogue)
            if request is not None:
                now = int(time.time())
                db.execute("DELETE FROM requests WHERE made < ?", (now - _REQUEST_LIFETIME,))
                db.execute(
                    "INSERT INTO requests VALUES (?, ?, ?, ?)",
                    (request.id, request.content_sha256, movie.movie_id, now),
                )
            kept = _kept_poster(db, movie.movie_id) if poster is None else self._stored(movie.movie_id, poster)
            db.execute(_REPLACE, (movie.movie_id, next_seq(db), False, *_metadata(movie), *kept))
            _keep_own_id(db, movie)
        return movie.movie_id

    def add_each(
        self, rows: Sequence[Row | InvalidInput], *, catalogue: Catalogue, version: int, update: bool = False
    ) -> list[Outcome]:
        """Add movies that are not here yet, in one transaction; return the outcome of each row.

        A movie is here if its own id is, its IMDb or TMDB id, or without different ids its title and year. A row with
        an own id is added under its number (see ``source_ids``), so that a data set with the same ids has it too.

        Args:
            rows: to add; the error of one that is invalid.
            catalogue: the movies that exist as of a version.
            version: sequence number of the latest change in it.
            update: replace the metadata of movies that are here.

        Raises:
            BadLibrary, Busy: the library could not be written; nothing changed.
        """
        with self.database.writing() as db:
            known = KnownMovies.read(db, catalogue, version)
            return [
                Outcome("refused", reason=str(row))
                if isinstance(row, InvalidInput)
                else self._add_row(db, known, row, update=update)
                for row in rows
            ]

    def _add_row(self, db: sqlite3.Connection, known: KnownMovies, row: Row, *, update: bool) -> Outcome:
        try:
            movie = checked_movie(row.movie)
            here = known.find(replace(row, movie=movie))
            if here is not None:
                movie = replace(movie, movie_id=here.movie_id, source_id=here.source_id)
                if not update or movie == here:
                    return Outcome("exists", here.movie_id)
            elif row.own_id is not None:
                movie = _under_own_id(known, movie, row.own_id)
            else:
                above = known.catalogue.ids.largest_below(FIRST_NAMED)
                movie = replace(movie, movie_id=_reserve_id(db, above), source_id=None)
            expect_free_ids(db, movie, here, known.catalogue)
        except (InvalidInput, Conflict) as error:
            return Outcome("refused", reason=str(error))
        kept = _kept_poster(db, movie.movie_id)
        db.execute(_REPLACE, (movie.movie_id, next_seq(db), False, *_metadata(movie), *kept))
        if here is None:
            _keep_own_id(db, movie)
        known.add(movie)
        return Outcome("created" if here is None else "updated", movie.movie_id)

    def put(
        self,
        movie: Movie,
        poster: Poster | None = None,
        *,
        catalogue: Catalogue | None = None,
        expected: Expected | None = None,
    ) -> int:
        """Add the movie, or update the one of its id; return the sequence number of the change.

        Without ``poster`` the library's poster stays, also that of a deleted movie. If nothing differs, the number is
        that of the earlier change.

        Args:
            movie: its new metadata.
            poster: its new poster.
            catalogue: the movies that exist, of which no other may have its IMDb or TMDB id.
            expected: as for ``edit``.

        Raises:
            InvalidInput: the movie is invalid, see ``entries.checked_movie``.
            BadImage: the poster is not in a supported image format.
            Changed: the movie is not as expected.
            Conflict: another movie has one of the ids.
            BadLibrary, Busy: the library could not be written; nothing changed.
        """
        movie = checked_movie(movie)
        return self.edit(movie.movie_id, lambda _: movie, poster, catalogue=catalogue, expected=expected)

    def edit(
        self,
        movie_id: int,
        change: Callable[[Movie | None], Movie],
        poster: Poster | None = None,
        *,
        catalogue: Catalogue | None = None,
        expected: Expected | None = None,
    ) -> int:
        """Change a movie as it is in the transaction of the write; return the sequence number as ``put`` does.

        Args:
            movie_id: of the movie.
            change: returns the new metadata of the movie from the current ones, None for a deleted movie.
            poster: its new poster; by default it keeps the one it has.
            catalogue: the movies that exist. Those without changes in the library are as they are here.
            expected: tells from the number of the movie's latest change, 0 for none, and its existence if to go on.

        Raises:
            Changed, Conflict, BadImage, BadLibrary, Busy: as ``put``; and the errors of ``change``.
        """
        with self.database.writing() as db:
            row = db.execute(
                "SELECT seq, deleted, title, year, genres, imdb_id, tmdb_id, poster, poster_sha256, weights_sha256,"
                " vector FROM movies WHERE movie_id = ?",
                (movie_id,),
            ).fetchone()
            if row is None:
                exists = catalogue is not None and movie_id in catalogue.ids
                seq, current, stored = 0, catalogue.movie(movie_id) if catalogue and exists else None, _NO_POSTER
            else:
                seq, stored = int(row[0]), tuple(row[7:])
                current = None if row[1] else _movie(movie_id, *row[2:7])
            expect(expected, f"movie {movie_id}", seq, current is not None)
            movie = change(current)
            if movie == current and poster is None:
                return seq
            expect_free_ids(db, movie, current, catalogue)
            columns = (*_metadata(movie), *(stored if poster is None else self._stored(movie_id, poster)))
            if current is not None and row is not None and tuple(row[2:]) == columns:
                return seq
            seq = next_seq(db)
            db.execute(_REPLACE, (movie_id, seq, False, *columns))
        return seq

    def remove(self, movie_id: int, *, expected: Expected | None = None) -> int:
        """Delete a movie, of the library or a data set; return the sequence number as ``put`` does.

        Its row keeps the poster, for a movie that is added again.

        Raises:
            Changed: the movie is not as expected.
            BadLibrary, Busy: the library could not be written; nothing changed.
        """
        with self.database.writing() as db:
            row = db.execute("SELECT seq, deleted FROM movies WHERE movie_id = ?", (movie_id,)).fetchone()
            expect(expected, f"movie {movie_id}", *((0, True) if row is None else (int(row[0]), not row[1])))
            if row is not None and row[1]:
                return int(row[0])
            seq = next_seq(db)
            db.execute(
                "INSERT INTO movies (movie_id, seq, deleted) VALUES (?, ?, TRUE)"
                " ON CONFLICT (movie_id) DO UPDATE SET seq = excluded.seq, deleted = TRUE",
                (movie_id, seq),
            )
        return seq

    def next_id(self, taken_max: int) -> int:
        """Reserve an id for a new movie: at least ``FIRST_ID``, above ``taken_max``, and never returned again.

        Raises:
            BadLibrary, Busy: the library could not be written; no id was reserved.
        """
        with self.database.writing() as db:
            return _reserve_id(db, taken_max)

    def _stored(self, movie_id: int, poster: Poster | None) -> tuple[Any, ...]:
        """Store a poster, and return its columns; no row may name a file that is not written."""
        if poster is None:
            return _NO_POSTER
        sha256 = hashlib.sha256(poster.content).hexdigest()
        name = self._write_poster(f"{movie_id}-{sha256[:16]}", poster.content)
        vector = None if poster.vector is None else poster.vector.astype(_VECTOR).tobytes()
        return (name, sha256, poster.weights_sha256, vector)

    def _write_poster(self, stem: str, content: bytes) -> str:
        """Write a file to the poster folder, and return its name."""
        suffix = suffix_of(content)
        if not self._posters.is_dir():
            self._posters.mkdir(parents=True, exist_ok=True)
            sync(self._posters.parent)
        write_durably(self._posters / f"{stem}{suffix}", content)
        return f"{stem}{suffix}"


def _reserve_id(db: sqlite3.Connection, taken_max: int) -> int:
    (last,) = db.execute("SELECT last FROM ids").fetchone()
    (highest,) = db.execute("SELECT max(movie_id) FROM movies WHERE movie_id < ?", (FIRST_NAMED,)).fetchone()
    movie_id: int = max(last, highest or 0, taken_max) + 1
    if movie_id >= FIRST_NAMED:
        raise Conflict(f"there is a movie with the largest id, {FIRST_NAMED - 1}: replace or restore one, under its id")
    db.execute("UPDATE ids SET last = ?", (movie_id,))
    return movie_id


def _under_own_id(known: KnownMovies, movie: Movie, own_id: str) -> Movie:
    """Return a movie under the number of an id of its own; raise Conflict if another movie has that."""
    number = known.number(own_id)
    here = known.movie(number)
    if here is not None:
        raise Conflict(f"id {own_id} is {here} here: change that one, or give another id")
    return replace(movie, movie_id=number, source_id=own_id if plain_number(own_id) is None else None)


def _keep_own_id(db: sqlite3.Connection, movie: Movie) -> None:
    if movie.source_id is not None:
        db.execute("REPLACE INTO own_ids VALUES (?, ?)", (movie.movie_id, movie.source_id))


def _kept_poster(db: sqlite3.Connection, movie_id: int) -> tuple[Any, ...]:
    """Return the columns of the poster that a movie has in the library."""
    query = "SELECT poster, poster_sha256, weights_sha256, vector FROM movies WHERE movie_id = ?"
    return db.execute(query, (movie_id,)).fetchone() or _NO_POSTER


def _metadata(movie: Movie) -> tuple[Any, ...]:
    """Return the columns from the title to the ids."""
    return (movie.title, movie.year, json.dumps(movie.genres, ensure_ascii=False), movie.imdb_id, movie.tmdb_id)


def _movie(
    movie_id: int,
    title: str,
    year: int | None,
    genres: str,
    imdb_id: str | None,
    tmdb_id: int | None,
    own_id: str | None = None,
) -> Movie:
    return Movie(movie_id, title, year, tuple(json.loads(genres)), imdb_id, tmdb_id, own_id)


def _added_by(db: sqlite3.Connection, request: Request) -> int | None:
    row = db.execute("SELECT content_sha256, movie_id FROM requests WHERE request_id = ?", (request.id,)).fetchone()
    if row is None:
        return None
    if row[0] != request.content_sha256:
        raise ReusedRequest("this Idempotency-Key was used before, with another movie: use one key per movie")
    return int(row[1])


def _entry(row: tuple[Any, ...]) -> Entry:
    movie_id, _, *metadata, poster, poster_sha256, weights_sha256, vector = row
    embedding = None if vector is None else np.frombuffer(vector, _VECTOR)
    return Entry(_movie(movie_id, *metadata), poster, poster_sha256, embedding, weights_sha256)
