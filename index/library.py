"""What came in while the server runs: movies added, replaced and removed, with their posters. Durable, in SQLite.

The only state that cannot be built again. Every build merges all of it; nothing in it is ever forgotten.
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
import threading
import unicodedata
import weakref
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from index import database, durable
from index.catalogue import Movie
from index.errors import BadData, BadImage
from index.search import halved
from index.vgg16 import DIMENSION

_YEARS = range(1800, 2201)
_MAX_TITLE, _MAX_GENRE = 500, 100  # characters
_VECTOR = np.dtype("<f2")

_SUFFIXES = (
    (re.compile(rb"\xff\xd8\xff"), ".jpg"),
    (re.compile(rb"\x89PNG\r\n"), ".png"),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), ".webp"),
    (re.compile(rb"GIF8"), ".gif"),
)


@dataclass(frozen=True, slots=True)
class Poster:
    """A poster to keep, and its vector where there are weights to make one."""

    content: bytes  # a picture that index.images.decode_image takes
    vector: npt.NDArray[np.floating] | None = None  # (25088,) of length 1
    weights_sha256: str | None = None  # of the weights that made the vector

    def __post_init__(self) -> None:
        """Refuses a vector of another shape, and one without weights or the other way round."""
        if (self.vector is None) != (self.weights_sha256 is None):
            raise ValueError("a vector and the weights that made it belong together")
        if self.vector is not None and self.vector.shape != (DIMENSION,):
            raise ValueError(f"a poster's vector has shape ({DIMENSION},), not {self.vector.shape}")


@dataclass(frozen=True, slots=True)
class Entry:
    """A movie that was added, or that replaces the data set's movie of its id."""

    movie: Movie
    poster: str | None  # file name in the poster folder; None says nothing of a poster that the data set's movie has
    poster_sha256: str | None
    vector: npt.NDArray[np.float16] | None  # (25088,) of length 1; None where the next build has to make it
    weights_sha256: str | None  # of the weights that made the vector


@dataclass(frozen=True, slots=True)
class Changes:
    """What became of each movie that changed after some number."""

    version: int  # the number of the latest change
    movies: tuple[Entry, ...] = ()  # ascending movie_id
    removed: frozenset[int] = frozenset()  # movie ids; some may be of movies that nobody else ever heard of

    def applied_to(self, movies: Iterable[Movie]) -> tuple[Movie, ...]:
        """The movies after the changes, by ascending id."""
        after = {movie.movie_id: movie for movie in movies} | {e.movie.movie_id: e.movie for e in self.movies}
        return tuple(after[movie_id] for movie_id in sorted(after.keys() - self.removed))


class Library:
    """The library of one data directory. Threads may share it, and other processes read and write beside it.

    What a call has acknowledged survives a kill and a power cut. A library that nobody has written to has no file.
    Open it after a fork, not before: SQLite's connections do not survive one.
    """

    def __init__(self, data: Path) -> None:
        self._file = data / "library.db"
        self._posters = data / "posters"
        self._lock = threading.Lock()  # over the connection that reads; whoever writes has one of their own
        self._reader: sqlite3.Connection | None = None

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
        """The number of the latest change, by whichever process; 0 before the first. Takes microseconds.

        Raises:
            BadLibrary: the file cannot be read.
        """
        with self._reading() as db:
            return 0 if db is None else _latest(db)

    def changes_since(self, seq: int, *, vectors: bool = True) -> Changes:
        """What became of each movie that changed after the change ``seq``, as of one moment; after 0, of all.

        Args:
            vectors: whether to read them, 50 kB each; without, every entry's is None.

        Raises:
            BadLibrary: the file cannot be read.
        """
        with self._reading() as db:
            if db is None:
                return Changes(0)
            version = _latest(db)
            rows = db.execute(
                "SELECT movie_id, deleted, title, year, genres, imdb_id, tmdb_id, poster, poster_sha256,"
                " weights_sha256, CASE WHEN ? THEN vector END FROM movies WHERE seq > ?",
                (vectors, seq),
            ).fetchall()
        rows.sort(
            key=lambda row: row[0]
        )  # here: asked to sort, SQLite would read every row instead of the changed ones
        removed = frozenset(movie_id for movie_id, deleted, *_ in rows if deleted)
        return Changes(version, tuple(_entry(row) for row in rows if row[0] not in removed), removed)

    def put(self, movie: Movie, poster: Poster | None = None) -> int:
        """The number of the change that added the movie, or replaced whatever the library knew of its id.

        Raises:
            BadData: the movie cannot be used, see ``checked_movie``.
            BadImage: the poster is in no format that a poster may have.
            BadLibrary, Busy: nothing was changed.
        """
        movie = checked_movie(movie)
        name = sha256 = weights = vector = None
        if poster is not None:
            sha256 = hashlib.sha256(poster.content).hexdigest()
            # The file is whole before anything names it; one that nothing comes to name does no harm.
            name = self._keep(f"{movie.movie_id}-{sha256[:16]}", poster.content)
            weights = poster.weights_sha256
            vector = None if poster.vector is None else halved(poster.vector).astype(_VECTOR).tobytes()
        genres = json.dumps(movie.genres, ensure_ascii=False)
        facts = (movie.title, movie.year, genres, movie.imdb_id, movie.tmdb_id, name, sha256, weights, vector)
        with self._writing() as db:
            seq = _latest(db) + 1
            row = (movie.movie_id, seq, False, *facts)
            db.execute("REPLACE INTO movies VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        return seq

    def remove(self, movie_id: int) -> int:
        """The number of the change that removed the movie, whether it was added or is a data set's.

        Raises:
            BadLibrary, Busy: nothing was changed.
        """
        with self._writing() as db:
            seq = _latest(db) + 1
            db.execute("REPLACE INTO movies (movie_id, seq, deleted) VALUES (?, ?, TRUE)", (movie_id, seq))
        return seq

    def next_id(self, taken_max: int) -> int:
        """An id for a new movie, from a billion on and above ``taken_max``; no process is given it again.

        Raises:
            BadLibrary, Busy: none was given.
        """
        with self._writing() as db:
            (last,) = db.execute("SELECT last FROM ids").fetchone()
            (highest,) = db.execute("SELECT max(movie_id) FROM movies").fetchone()
            movie_id: int = max(last, highest or 0, taken_max) + 1
            db.execute("UPDATE ids SET last = ?", (movie_id,))
        return movie_id

    def _keep(self, stem: str, content: bytes) -> str:
        """The name of the file in the poster folder that now has the content."""
        suffix = next((suffix for pattern, suffix in _SUFFIXES if pattern.match(content)), None)
        if suffix is None:
            raise BadImage("this is no JPEG, PNG, WebP or GIF picture")
        if not self._posters.is_dir():
            self._posters.mkdir(parents=True, exist_ok=True)
            durable.sync(self._posters.parent)
        durable.write(self._posters / f"{stem}{suffix}", content)
        return f"{stem}{suffix}"

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        """The connection that is kept, which sees one state; None where there is no library yet."""
        with self._lock, database.own_errors(self._file):
            if self._reader is None and self._file.exists():
                self._reader = database.connect(self._file)
                weakref.finalize(self, self._reader.close)
            if self._reader is None:
                yield None
                return
            self._reader.execute("BEGIN")
            try:
                yield self._reader
            finally:
                self._reader.rollback()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A connection that alone may write; what was written is on the disk afterwards, or undone by an error."""
        with database.own_errors(self._file):
            if not self._file.exists():
                database.create(self._file)
            with closing(database.connect(self._file)) as db:
                db.execute("BEGIN IMMEDIATE")
                yield db
                db.commit()


def checked_movie(movie: Movie) -> Movie:
    """The movie with the space around its title and genres taken off and every genre once.

    Raises:
        BadData: a title, year, genre or id that cannot be used; the message names it.
    """
    title = _text(movie.title, "title", _MAX_TITLE)
    genres = tuple(dict.fromkeys(_text(genre, "genre", _MAX_GENRE) for genre in movie.genres))
    if movie.year is not None and movie.year not in _YEARS:
        raise BadData(f"the year is {movie.year}; it must be from {_YEARS[0]} to {_YEARS[-1]}")
    if movie.imdb_id is not None and not re.fullmatch(r"tt[0-9]{7,10}", movie.imdb_id, re.ASCII):
        raise BadData(f"{movie.imdb_id!r} is no IMDb id: write tt and at least seven digits, such as tt0113277")
    if movie.tmdb_id is not None and not 0 < movie.tmdb_id < 10**18:
        raise BadData(f"{movie.tmdb_id} is no TMDB id: write a number above 0, such as 949")
    return replace(movie, title=title, genres=genres)


def _text(text: str, what: str, limit: int) -> str:
    text = text.strip()
    if not text:
        raise BadData(f"the {what} is empty")
    if len(text) > limit:
        raise BadData(f"the {what} has {len(text)} characters; at most {limit} are allowed")
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
        raise BadData(f"the {what} {text!r} holds control characters or is no Unicode: write it as plain text")
    return text


def _entry(row: tuple[Any, ...]) -> Entry:
    movie_id, _, title, year, genres, imdb_id, tmdb_id, poster, poster_sha256, weights_sha256, vector = row
    movie = Movie(movie_id, title, year, tuple(json.loads(genres)), imdb_id, tmdb_id)
    numbers = None if vector is None else np.frombuffer(vector, _VECTOR)
    return Entry(movie, poster, poster_sha256, numbers, weights_sha256)


def _latest(db: sqlite3.Connection) -> int:
    (seq,) = db.execute("SELECT max(seq) FROM movies").fetchone()
    return seq or 0
