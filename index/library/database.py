"""SQLite file of the library: schema and migrations, connections, and SQLite errors as our own."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import weakref
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from index.core.errors import BadLibrary, Busy, CannotStore, PosterityError
from index.core.files import NO_ROOM, creating, locked

FIRST_ID = 1_000_000_000  # of added movies; above the ids of any data set

EXTERNAL_IDS = ("imdb_id", "tmdb_id")  # columns of movies

# SQLite's errors on a disk that is full or read-only. A first reader needs room too, for the -shm file.
_FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR_SHMOPEN, sqlite3.SQLITE_IOERR_SHMSIZE}
_UNWRITABLE = {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}
_MAKE_ROOM = "make room on the disk, and let it be written to"
_LOCK_TIMEOUT = 30.0  # seconds that a writer waits for other writers

# Statements that migrate from each schema version (PRAGMA user_version) to the next.
_MIGRATIONS = (
    # A deleted movie keeps its row, so that no id or sequence number is reused. The vector is the last column, so that
    # SQLite can read the others without it.
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
        "INSERT INTO ids VALUES (999999999)",  # FIRST_ID - 1
    ),
    # A deleted rating keeps its row too: it also deletes the data set's rating. Movies and ratings share one sequence
    # (seq). Only the hash of a key's secret is stored.
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
    # An IMDb or TMDB id belongs to one movie, as for look-ups to that with the lowest id. A changed row gets a new
    # sequence number: its own plus the latest, which no other row has.
    (
        *(
            f"""
            UPDATE movies SET {name} = NULL, seq = seq + max(
                (SELECT max(seq) FROM movies), ifnull((SELECT max(seq) FROM ratings), 0)
            )
            WHERE NOT deleted AND {name} IS NOT NULL AND movie_id NOT IN (
                SELECT min(movie_id) FROM movies WHERE NOT deleted AND {name} IS NOT NULL GROUP BY {name}
            )
            """  # noqa: S608  of our own names
            for name in EXTERNAL_IDS
        ),
        *(f"CREATE UNIQUE INDEX one_{name} ON movies ({name}) WHERE NOT deleted" for name in EXTERNAL_IDS),
    ),
    # Ids of added movies that are no numbers; a number of ``source_ids`` stands for each.
    ("CREATE TABLE own_ids (movie_id INTEGER PRIMARY KEY, own_id TEXT NOT NULL UNIQUE)",),
    # Names of users who rated online before a build knew them; the number of ``source_ids`` stands for each.
    ("CREATE TABLE user_names (user_id INTEGER PRIMARY KEY, name TEXT NOT NULL)",),
)
SCHEMA = len(_MIGRATIONS)
# Sequence number of the latest change of a movie or rating; 0 before the first.
LATEST = "SELECT max(ifnull((SELECT max(seq) FROM movies), 0), ifnull((SELECT max(seq) FROM ratings), 0))"

log = logging.getLogger(__name__)


class Database:
    """SQLite file of a data directory. Threads and processes may share it.

    Every write that has returned survives a kill and a power cut. The first write creates the file. If another file
    takes its place, by a restore say, the next read or write is of that one. Create this object after a fork, not
    before: SQLite connections do not survive a fork.
    """

    def __init__(self, data: Path) -> None:
        self.file = data / "library.db"
        self._path = str(self.file)
        self.generation = 0  # of the file that was read last; another file has another number
        self._lock = threading.Lock()  # guards the reading connection; every write opens its own
        self._reader: sqlite3.Connection | None = None
        self._opened: _Opened | None = None  # as of the reading connection

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection | None]:
        """Yield the reading connection inside a read transaction; None if the file does not exist yet.

        Raises:
            BadLibrary: the file cannot be read.
        """
        if self._is_missing():
            yield None
            return
        with self._shared_reader() as db:
            db.execute("BEGIN")
            try:
                yield db
            finally:
                db.rollback()

    def read_number(self, query: str) -> int:
        """Return the result of a query for one integer; 0 if the file does not exist yet.

        Unlike ``reading`` it begins no transaction: every request calls it, and each further call of SQLite releases
        the GIL to another thread.

        Raises:
            BadLibrary: the file cannot be read.
        """
        if self._is_missing():
            return 0
        with self._shared_reader() as db:
            (found,) = db.execute(query).fetchone()
            return int(found)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection in an exclusive write transaction: committed durably at the end, rolled back on errors.

        Raises:
            CannotStore, BadLibrary, Busy: the file could not be written; nothing changed.
        """
        with _translated_errors(self.file, writing=True):
            with self._lock:
                self._leave_replaced_file()
                was_open = self._reader is not None  # asked first: another thread may create and open it meanwhile
            if not self.file.exists():
                if was_open:
                    raise BadLibrary(f"{self.file.name} was moved away: put it back, or start again with an empty one")
                _create(self.file)
            with closing(_connect(self.file)) as db:
                db.execute("BEGIN IMMEDIATE")
                yield db
                db.commit()

    def _is_missing(self) -> bool:
        return self._reader is None and not os.path.exists(self._path)  # noqa: PTH110  as every request asks

    @contextmanager
    def _shared_reader(self) -> Iterator[sqlite3.Connection]:
        """Yield the reading connection to one thread at a time."""
        with self._lock, _translated_errors(self.file):
            self._leave_replaced_file()
            if self._reader is None:
                with closing(_connect(self.file)):
                    pass  # it is migrated now
                reader = _connect_reader(self.file)
                self._opened = _Opened.of(self.file, reader)
                self._reader = reader
                self.generation = self._opened.inode
                weakref.finalize(self, _close_reader, self._reader, self.file, self._opened.inode)
            yield self._reader

    def _leave_replaced_file(self) -> None:
        """Close the reading connection if another file has taken the place of its own.

        SQLite would apply the old file's WAL to the new one, so the first process to notice removes it. A file that
        claims to be the same library gets an identity of its own: its sequence numbers are counted anew.
        """
        opened = self._opened
        if self._reader is None or opened is None or _inode(self._path) in {opened.inode, 0}:
            return
        log.warning("%s was replaced by another file, which is read and written from now on", self.file.name)
        with locked(self.file.parent / ".library.lock", busy=None):
            if _inode(_wal(self.file)) == opened.wal_inode:
                _wal(self.file).unlink(missing_ok=True)
                _shm(self.file).unlink(missing_ok=True)
            with closing(_connect(self.file)) as db:
                same = _library_id(db) == opened.library_id
            if same:
                renew_identity(self.file)
        self._reader.close()
        self._reader = self._opened = None


@dataclass(frozen=True, slots=True)
class _Opened:
    """A library file as it was opened."""

    inode: int
    wal_inode: int
    library_id: str

    @classmethod
    def of(cls, file: Path, db: sqlite3.Connection) -> _Opened:
        """Return the state of an open file."""
        library_id = _library_id(db)  # first: SQLite opens the WAL at the first read
        return cls(_inode(file), _inode(_wal(file)), library_id)


def _inode(file: Path | str) -> int:
    """Return the number of a file on its disk; 0 if it does not exist."""
    try:
        return os.stat(file).st_ino  # noqa: PTH116  as every request asks
    except FileNotFoundError:
        return 0


def _wal(file: Path) -> Path:
    return file.with_name(f"{file.name}-wal")


def _shm(file: Path) -> Path:
    return file.with_name(f"{file.name}-shm")


def _library_id(db: sqlite3.Connection) -> str:
    return str(db.execute("SELECT library_id FROM identity").fetchone()[0])


def next_seq(db: sqlite3.Connection) -> int:
    """Return the sequence number of the change being written."""
    return latest(db) + 1


def latest(db: sqlite3.Connection) -> int:
    """Return the sequence number of the latest change; 0 before the first."""
    (seq,) = db.execute(LATEST).fetchone()
    return int(seq)


@contextmanager
def connection(file: Path) -> Iterator[sqlite3.Connection]:
    """Yield a new connection to an existing library, and close it.

    Raises:
        BadLibrary, Busy: the library cannot be opened, or SQLite raised an error within the block.
    """
    with _translated_errors(file), closing(_connect(file)) as db:
        yield db


def migrate(data: Path) -> None:
    """Migrate the library of a data directory, if there is one, so that errors show before the server forks.

    Raises:
        BadLibrary, Busy: the library cannot be opened.
    """
    file = Database(data).file
    if file.exists():
        with connection(file):
            pass


def check(file: Path) -> None:
    """Raise BadLibrary if the file is no library of this version, or fails SQLite's integrity check."""
    with connection(file) as db:
        found = [row[0] for row in db.execute("PRAGMA integrity_check(1)")]
        if found != ["ok"]:
            raise BadLibrary(f"{file.name} is damaged ({found[0]}): restore it")
        for name in EXTERNAL_IDS:
            twice = f"SELECT {name} FROM movies WHERE NOT deleted GROUP BY {name} HAVING count({name}) > 1"  # noqa: S608
            for (value,) in db.execute(twice):
                raise BadLibrary(f"{file.name} has two movies of {name} {value}: it was tampered with, restore it")


def copy(source: Path, target: Path) -> None:
    """Copy a library, consistently while others write to it, to a single file without WAL."""
    with connection(source) as db, closing(sqlite3.connect(target)) as into:
        db.backup(into)
        into.execute("PRAGMA journal_mode = DELETE")


def renew_identity(file: Path) -> None:
    """Give a copied library its own id, so that no snapshot mistakes its sequence numbers for the original's."""
    with connection(file) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("UPDATE identity SET library_id = lower(hex(randomblob(16)))")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _connect(file: Path) -> sqlite3.Connection:
    """Open a connection to an existing library, in autocommit mode, and migrate the schema if it is old."""
    address = f"{file.absolute().as_uri()}?mode=rw"
    db = sqlite3.connect(address, _LOCK_TIMEOUT, uri=True, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        if _schema(db, file) < SCHEMA:
            db.execute("BEGIN IMMEDIATE")
            before = _schema(db, file)  # again: another process may have migrated it meanwhile
            _apply_migrations(db, before)
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


def _connect_reader(file: Path) -> sqlite3.Connection:
    """Open a connection that cannot write: to close it leaves the WAL alone, which may be another file's by then."""
    address = f"{file.absolute().as_uri()}?mode=ro"
    return sqlite3.connect(address, _LOCK_TIMEOUT, uri=True, isolation_level=None, check_same_thread=False)


def _close_reader(reader: sqlite3.Connection, file: Path, inode: int) -> None:
    """Close a reading connection. The last one of its file leaves it whole, without a WAL."""
    reader.close()
    if _inode(file) == inode:
        with suppress(sqlite3.Error, PosterityError), closing(_connect(file)) as db:
            _library_id(db)  # SQLite opens the WAL at the first read


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


def _apply_migrations(db: sqlite3.Connection, schema: int) -> None:
    for migration in _MIGRATIONS[schema:]:
        for statement in migration:
            db.execute(statement)
    db.execute(f"PRAGMA user_version = {SCHEMA}")


def _create(file: Path) -> None:
    """Create an empty library atomically, unless another process has created it meanwhile."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with (
        suppress(FileExistsError),
        creating(file) as fresh,
        closing(sqlite3.connect(fresh, isolation_level=None)) as db,
    ):
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA journal_mode = WAL")
        _apply_migrations(db, 0)


@contextmanager
def _translated_errors(file: Path, *, writing: bool = False) -> Iterator[None]:
    """Raise SQLite errors, and those of a disk that cannot be written to, as ours.

    Messages name the file without its folder: users may see them.
    """
    try:
        yield
    except OSError as error:  # of a poster's file
        if error.errno not in NO_ROOM:
            raise
        raise CannotStore(f"{file.name} and its posters cannot be written ({error.strerror}): {_MAKE_ROOM}") from error
    except sqlite3.Error as error:
        extended = getattr(error, "sqlite_errorcode", 0)
        code = extended & 0xFF
        if code == sqlite3.SQLITE_BUSY:
            raise Busy(f"{file.name} is being written to by others: try again") from error
        if {code, extended} & _FULL or (writing and code in _UNWRITABLE):
            raise CannotStore(f"{file.name} cannot be written ({error}): {_MAKE_ROOM}") from error
        raise BadLibrary(f"{file.name} cannot be used ({error}): make room on the disk, or restore the file") from error
