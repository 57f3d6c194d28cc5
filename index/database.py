"""The SQLite file behind the library: made whole, opened, its errors told as ours."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from index import durable
from index.errors import BadLibrary, Busy

SCHEMA = 1  # PRAGMA user_version
FIRST_ID = 1_000_000_000  # of added movies: no data set counts so far

_PATIENCE = 30.0  # seconds that one who writes waits for the others

# A removed movie keeps its row, so that no number is given twice. The vector stands last: what is before it can be
# read without it.
_TABLES = """
CREATE TABLE movies (
    movie_id INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL UNIQUE,
    deleted INTEGER NOT NULL CHECK (deleted IN (0, 1)),
    title TEXT CHECK (deleted OR title IS NOT NULL),
    year INTEGER,
    genres TEXT CHECK (deleted OR genres IS NOT NULL),
    imdb_id TEXT,
    tmdb_id INTEGER,
    poster TEXT,
    poster_sha256 TEXT CHECK ((poster IS NULL) = (poster_sha256 IS NULL)),
    weights_sha256 TEXT,
    vector BLOB CHECK ((vector IS NULL) = (weights_sha256 IS NULL) AND length(vector) = 50176)
);
CREATE TABLE ids (last INTEGER NOT NULL);
"""


def connect(file: Path) -> sqlite3.Connection:
    """A connection to a library that is there, without transactions of Python's own making."""
    address = f"{file.absolute().as_uri()}?mode=rw"
    db = sqlite3.connect(address, _PATIENCE, uri=True, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        _check_schema(db, file)
    except BaseException:
        db.close()
        raise
    return db


def _check_schema(db: sqlite3.Connection, file: Path) -> None:
    (schema,) = db.execute("PRAGMA user_version").fetchone()
    if schema > SCHEMA:
        raise BadLibrary(
            f"{file} has schema version {schema}, this version of Posterity reads {SCHEMA}:"
            " use the version that wrote it"
        )
    if schema < 1:
        raise BadLibrary(f"{file} is no library: restore it, or move it away to begin an empty one")


def create(file: Path) -> None:
    """An empty library, unless another process is quicker. It appears whole: nobody sees half a schema."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = durable.fresh_name(file)
    try:
        with closing(sqlite3.connect(fresh, isolation_level=None)) as db:
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA journal_mode = WAL")
            db.executescript(_TABLES)
            db.execute("INSERT INTO ids VALUES (?)", (FIRST_ID - 1,))
            db.execute(f"PRAGMA user_version = {SCHEMA}")
        with suppress(FileExistsError):
            file.hardlink_to(fresh)
        durable.sync(file.parent)
    finally:
        fresh.unlink(missing_ok=True)


@contextmanager
def own_errors(file: Path) -> Iterator[None]:
    """SQLite's errors as ours."""
    try:
        yield
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:  # in any of its variants
            raise Busy(f"{file} is being written to by others: try again") from error
        raise BadLibrary(f"{file} cannot be used ({error}): make room on the disk, or restore the file") from error
