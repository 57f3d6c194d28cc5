"""The SQLite file behind what came in online: made whole, brought up to date, read and written; its errors as ours."""

from __future__ import annotations

import logging
import sqlite3
import threading
import weakref
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from index.core.errors import BadLibrary, Busy
from index.core.files import creating

FIRST_ID = 1_000_000_000  # of added movies: no data set counts so far

_PATIENCE = 30.0  # seconds that one who writes waits for the others

# What leads from one schema version (PRAGMA user_version) to the next, statement by statement.
_STEPS = (
    # A removed movie keeps its row, so that no number is given twice. The vector stands last: what is before it can be
    # read without it.
    (
        """
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
        )
        """,
        "CREATE TABLE ids (last INTEGER NOT NULL)",
        "INSERT INTO ids VALUES (999999999)",  # FIRST_ID comes next
    ),
    # A rating that was taken back keeps its row, too: it takes back what a data set says. Numbers (seq) are shared with
    # movies. Of a key only a hash is kept.
    (
        """
        CREATE TABLE ratings (
            user_id INTEGER NOT NULL,
            movie_id INTEGER NOT NULL,
            seq INTEGER NOT NULL UNIQUE,
            rating REAL,
            rated INTEGER NOT NULL,
            PRIMARY KEY (user_id, movie_id)
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE keys (
            key_id TEXT PRIMARY KEY,
            name TEXT NOT NULL,
            scope TEXT NOT NULL CHECK (scope IN ('read', 'write')),
            secret_sha256 BLOB NOT NULL CHECK (length(secret_sha256) = 32),
            created INTEGER NOT NULL,
            revoked INTEGER
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE requests (
            request_id TEXT PRIMARY KEY,
            content_sha256 TEXT NOT NULL,
            movie_id INTEGER NOT NULL,
            made INTEGER NOT NULL
        ) WITHOUT ROWID
        """,
        "CREATE TABLE identity (library_id TEXT NOT NULL)",
        "INSERT INTO identity VALUES (lower(hex(randomblob(16))))",
    ),
)
SCHEMA = len(_STEPS)
# The number of the latest change of anything; 0 before the first.
LATEST = "SELECT max(ifnull((SELECT max(seq) FROM movies), 0), ifnull((SELECT max(seq) FROM ratings), 0))"

log = logging.getLogger(__name__)


class Database:
    """The file of one data directory. Threads may share it, and other processes read and write beside it.

    What a call has acknowledged survives a kill and a power cut. Where nobody has written yet there is no file. Open it
    after a fork, not before: SQLite's connections do not survive one.
    """

    def __init__(self, data: Path) -> None:
        self.file = data / "library.db"
        self._lock = threading.Lock()  # over the connection that reads; whoever writes has one of their own
        self._reader: sqlite3.Connection | None = None

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection | None]:
        """The connection that is kept, which sees one state; None where nobody has written yet.

        Raises:
            BadLibrary: the file cannot be read.
        """
        if self._is_missing():
            yield None
            return
        with self._kept() as db:
            db.execute("BEGIN")
            try:
                yield db
            finally:
                db.rollback()

    def number(self, query: str) -> int:
        """What a query for one number finds; 0 where nobody has written yet.

        Every request asks for one, so this does not begin a transaction as ``reading`` does: each call of SQLite lets
        another thread go first.

        Raises:
            BadLibrary: the file cannot be read.
        """
        if self._is_missing():
            return 0
        with self._kept() as db:
            (found,) = db.execute(query).fetchone()
            return int(found)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A connection that alone may write; what was written is on the disk afterwards, or undone by an error.

        Raises:
            BadLibrary, Busy: nothing was changed.
        """
        with _own_errors(self.file):
            if not self.file.exists():
                _create(self.file)
            with closing(_connect(self.file)) as db:
                db.execute("BEGIN IMMEDIATE")
                yield db
                db.commit()

    def _is_missing(self) -> bool:
        return self._reader is None and not self.file.exists()

    @contextmanager
    def _kept(self) -> Iterator[sqlite3.Connection]:
        """The connection that is kept, for one thread alone."""
        with self._lock, _own_errors(self.file):
            if self._reader is None:
                self._reader = _connect(self.file)
                weakref.finalize(self, self._reader.close)
            yield self._reader


def next_seq(db: sqlite3.Connection) -> int:
    """The number of the change that is being written: one sequence for movies and ratings."""
    return latest(db) + 1


def latest(db: sqlite3.Connection) -> int:
    """The number of the latest change of anything; 0 before the first."""
    (seq,) = db.execute(LATEST).fetchone()
    return int(seq)


@contextmanager
def opened(file: Path) -> Iterator[sqlite3.Connection]:
    """A connection of one's own to a library that is there, closed afterwards.

    Raises:
        BadLibrary, Busy: it cannot be used; SQLite's errors meanwhile, too.
    """
    with _own_errors(file), closing(_connect(file)) as db:
        yield db


def bring_up_to_date(data: Path) -> None:
    """Opens the library of a data directory, if there is one, and closes it: what is wrong shows before a server forks.

    Raises:
        BadLibrary, Busy: it cannot be used.
    """
    file = Database(data).file
    if file.exists():
        with opened(file):
            pass


def check(file: Path) -> None:
    """Raises BadLibrary unless the file is a library that this version reads, and SQLite finds nothing wrong in it."""
    with opened(file) as db:
        found = [row[0] for row in db.execute("PRAGMA integrity_check(1)")]
        if found != ["ok"]:
            raise BadLibrary(f"{file.name} is damaged ({found[0]}): restore it")


def copy(source: Path, target: Path) -> None:
    """A consistent copy of a library, also while others write to it, as one file."""
    with opened(source) as db, closing(sqlite3.connect(target)) as into:
        db.backup(into)
        into.execute("PRAGMA journal_mode = DELETE")


def renew_identity(file: Path) -> None:
    """Makes a library another one: no snapshot may take its numbers for those of the one that it was copied from."""
    with opened(file) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("UPDATE identity SET library_id = lower(hex(randomblob(16)))")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _connect(file: Path) -> sqlite3.Connection:
    """A connection to a library that is there and up to date, without transactions of Python's own making."""
    address = f"{file.absolute().as_uri()}?mode=rw"
    db = sqlite3.connect(address, _PATIENCE, uri=True, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        if _schema(db, file) < SCHEMA:
            db.execute("BEGIN IMMEDIATE")
            before = _schema(db, file)  # again: another process may have been quicker
            _take_steps(db, before)
            db.commit()
            if before < SCHEMA:
                log.warning(
                    "%s was brought from schema version %d to %d: versions of Posterity before cannot read it any more",
                    file.name,
                    before,
                    SCHEMA,
                )
    except BaseException:
        db.close()
        raise
    return db


def _schema(db: sqlite3.Connection, file: Path) -> int:
    (schema,) = db.execute("PRAGMA user_version").fetchone()
    if schema > SCHEMA:
        raise BadLibrary(
            f"{file.name} has schema version {schema}, this version of Posterity reads {SCHEMA}:"
            " use the version that wrote it, or a newer one"
        )
    if schema < 1:
        raise BadLibrary(f"{file.name} is no library: restore it, or move it away to begin an empty one")
    return int(schema)


def _take_steps(db: sqlite3.Connection, schema: int) -> None:
    for step in _STEPS[schema:]:
        for statement in step:
            db.execute(statement)
    db.execute(f"PRAGMA user_version = {SCHEMA}")


def _create(file: Path) -> None:
    """An empty library, unless another process is quicker. It appears whole: nobody sees half a schema."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with (
        suppress(FileExistsError),
        creating(file) as fresh,
        closing(sqlite3.connect(fresh, isolation_level=None)) as db,
    ):
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA journal_mode = WAL")
        _take_steps(db, 0)


@contextmanager
def _own_errors(file: Path) -> Iterator[None]:
    """SQLite's errors as ours. They name the file alone: such a message may be a reply."""
    try:
        yield
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:  # in any of its variants
            raise Busy(f"{file.name} is being written to by others: try again") from error
        raise BadLibrary(f"{file.name} cannot be used ({error}): make room on the disk, or restore the file") from error
