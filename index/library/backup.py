"""Export and import of the library as one file, for backup and migration.

The file is an uncompressed tar of ``library.db`` and ``posters/<name>`` for each poster that the database names. An
import treats it as untrusted: it validates the whole archive before it installs any of it.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from index.core.errors import BadLibrary, InvalidInput
from index.core.files import locked, replacing, sha256_of, sync
from index.library.database import check, connection, copy, renew_identity

_DATABASE = "library.db"
_POSTERS = "posters"
_SIDECARS = ("-wal", "-shm", "-journal")  # SQLite would apply them to the imported database
_POSTER_NAME = re.compile(r"(-?[0-9]{1,19}-[0-9a-f]{16})\.(?:jpg|png|webp|gif|avif)", re.ASCII)
_CHECKSUM = "POSTERITY.sha256"  # of the database, in its tar header: SQLite does not detect every damaged byte
_STAGE = ".import-"


@dataclass(frozen=True, slots=True)
class Contents:
    """Numbers of records in a library, deleted movies and ratings and revoked keys included."""

    movies: int
    ratings: int
    keys: int
    posters: int


@dataclass(frozen=True, slots=True)
class _PosterFile:
    """Poster that a library names."""

    name: str
    sha256: str
    movie: str  # title and id, for error messages

    @property
    def member(self) -> str:
        return f"{_POSTERS}/{self.name}"


def export_library(data: Path, file: Path, *, replace: bool = False) -> Contents:
    """Write a consistent copy of the library to ``file``, while others may write to it; return its contents.

    Args:
        data: data directory.
        file: archive to write.
        replace: overwrite an existing file, atomically.

    Raises:
        InvalidInput: there is no library, or ``file`` exists or cannot be written.
        BadLibrary: the library is damaged, or a poster is missing or was modified; the message names the movie.
    """
    database = data / _DATABASE
    if not database.exists():
        raise InvalidInput(f"{data} holds no library to export: add a movie, a rating or a key first")
    try:
        _expect_free(file, database, replace=replace)
        with replacing(file) as fresh, TemporaryDirectory(prefix=".export-", dir=file.parent) as folder:
            copied = Path(folder) / _DATABASE
            copy(database, copied)
            check(copied)
            posters = _posters_of(copied)
            with tarfile.open(fresh, "w") as tar:
                member = _member(_DATABASE, copied.stat().st_size)
                member.pax_headers = {_CHECKSUM: sha256_of(copied)}
                with copied.open("rb") as stream:
                    tar.addfile(member, stream)
                for poster in posters:
                    content = _read(data / _POSTERS / poster.name, poster)
                    tar.addfile(_member(poster.member, len(content)), io.BytesIO(content))
            contents = _contents(copied, posters)
            _expect_free(file, database, replace=replace)
    except OSError as error:
        raise InvalidInput(f"{data} cannot be exported to {file} ({error.strerror}): give another file") from error
    return contents


def import_library(file: Path, data: Path) -> Contents:
    """Import an archive into a data directory without a library; return its contents.

    A kill at any moment leaves no library or the whole one. The imported library has a new identity, so snapshots built
    from the original see all of its content as new.

    Raises:
        InvalidInput: there is a library already, or the archive is invalid; nothing was imported.
        BadLibrary: the archive's database is damaged, or of a newer version of Posterity; nothing was imported.
        PosterityError: another import is running there.
    """
    _expect_no_library(data)
    try:
        data.mkdir(parents=True, exist_ok=True)
        with _staging_folder(data) as stage:
            posters = _unpack(file, stage)
            database = stage / _DATABASE
            contents = _contents(database, posters)
            renew_identity(database)
            sync(database)
            _install_posters(stage / _POSTERS, data / _POSTERS, posters)
            _expect_no_library(data)
            (data / _DATABASE).hardlink_to(database)
            sync(data)
    except OSError as error:
        raise InvalidInput(f"{file} cannot be imported into {data} ({error.strerror}): fix that and retry") from error
    return contents


def _expect_free(file: Path, database: Path, *, replace: bool) -> None:
    parts = {database.resolve().with_name(database.name + end) for end in ("", *_SIDECARS)}
    if file.resolve() in parts or (file.exists() and file.samefile(database)):
        raise InvalidInput(f"{file} is the library itself: give another name")
    if file.exists() and not replace:
        raise InvalidInput(f"{file} exists already: give another name, or --force to replace it")


def _expect_no_library(data: Path) -> None:
    """Raise InvalidInput if there is a library, or a file that SQLite would take for a part of one."""
    existing = [name for name in (_DATABASE, *(_DATABASE + end for end in _SIDECARS)) if (data / name).exists()]
    if existing:
        raise InvalidInput(f"{data} holds {', '.join(existing)} already: move it away to import a library")


def _posters_of(database: Path) -> list[_PosterFile]:
    """Return the posters that a library names; raise BadLibrary for a name that we would not give."""
    with connection(database) as db:
        query = "SELECT movie_id, title, poster, poster_sha256 FROM movies WHERE poster IS NOT NULL ORDER BY movie_id"
        rows = db.execute(query).fetchall()
    posters = []
    for movie_id, title, name, sha256 in rows:
        stem = _POSTER_NAME.fullmatch(str(name))
        if stem is None or stem[1] != f"{movie_id}-{str(sha256)[:16]}":
            raise BadLibrary(
                f"{database.name} names {name!r} as the poster of movie {movie_id}: it was tampered with, restore it"
            )
        posters.append(_PosterFile(name, sha256, f"{title} (id {movie_id})"))
    return posters


def _contents(database: Path, posters: list[_PosterFile]) -> Contents:
    with connection(database) as db:
        query = "SELECT (SELECT count(*) FROM movies), (SELECT count(*) FROM ratings), (SELECT count(*) FROM keys)"
        movies, ratings, keys = db.execute(query).fetchone()
    return Contents(movies, ratings, keys, len(posters))


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = size
    return member


def _read(file: Path, poster: _PosterFile) -> bytes:
    """Return the content of a poster; raise BadLibrary if the file is missing or was modified."""
    try:
        content = file.read_bytes()
    except FileNotFoundError as error:
        raise BadLibrary(f"the poster of {poster.movie}, {file}, is missing: restore it, or add another") from error
    if hashlib.sha256(content).hexdigest() != poster.sha256:
        raise BadLibrary(f"the poster of {poster.movie}, {file}, is another picture: restore it, or add another")
    return content


@contextmanager
def _staging_folder(data: Path) -> Iterator[Path]:
    """Yield an empty folder in the data directory, under the import lock; delete it afterwards."""
    with locked(data / ".import.lock", f"another import is running in {data}: wait until it ends"):
        # No other import is running, so every staging folder is from one that was killed.
        for abandoned in data.glob(f"{_STAGE}*"):
            shutil.rmtree(abandoned)
        stage = data / f"{_STAGE}{os.getpid()}"
        stage.mkdir()
        try:
            yield stage
        finally:
            shutil.rmtree(stage, ignore_errors=True)


def _unpack(file: Path, stage: Path) -> list[_PosterFile]:
    """Validate an archive and extract it into ``stage``; return its posters."""
    try:
        with tarfile.open(file, "r:", encoding="utf-8") as tar:
            members = _regular_members(tar, file)
            if _DATABASE not in members:
                raise InvalidInput(f"{file} holds no {_DATABASE}: give a file that posterity library export wrote")
            tar.extract(members[_DATABASE], stage, set_attrs=False, filter="data")
            if members[_DATABASE].pax_headers.get(_CHECKSUM, found := sha256_of(stage / _DATABASE)) != found:
                raise InvalidInput(f"{_DATABASE} in {file} is damaged (its checksum differs): export it again")
            check(stage / _DATABASE)
            posters = _posters_of(stage / _DATABASE)
            for name in members.keys() - {_DATABASE, *(poster.member for poster in posters)}:
                raise InvalidInput(f"{file} holds {name!r}, which its library does not name: export it again")
            for poster in posters:
                if poster.member not in members:
                    raise InvalidInput(f"{file} lacks the poster of {poster.movie}: export it again")
                tar.extract(members[poster.member], stage, set_attrs=False, filter="data")
                if sha256_of(stage / poster.member) != poster.sha256:
                    raise InvalidInput(f"the poster of {poster.movie} in {file} is another picture: export it again")
    # For malformed headers tarfile also raises errors of other modules.
    except (tarfile.TarError, ValueError, EOFError, OverflowError, RecursionError) as error:
        raise InvalidInput(f"{file} is no whole archive of a library ({error}): export it again") from error
    return posters


def _regular_members(tar: tarfile.TarFile, file: Path) -> dict[str, tarfile.TarInfo]:
    """Return name -> member; raise InvalidInput unless all are regular files with unique, unchecked names."""
    members: dict[str, tarfile.TarInfo] = {}
    for member in tar:
        if member.type != tarfile.REGTYPE or member.issparse() or member.name in members:
            raise InvalidInput(f"{file} holds {member.name!r} as no export writes it: nothing was imported")
        members[member.name] = member
    return members


def _install_posters(stage: Path, folder: Path, posters: list[_PosterFile]) -> None:
    """Link the posters from ``stage`` into ``folder``, durably; raise InvalidInput if one exists with other content."""
    if not folder.is_dir():
        folder.mkdir()
        sync(folder.parent)
    existing = [poster for poster in posters if (folder / poster.name).exists()]
    for poster in existing:
        if sha256_of(folder / poster.name) != poster.sha256:
            raise InvalidInput(f"{folder / poster.name} exists with other content: move it away to import a library")
    for poster in posters:
        if poster not in existing:
            sync(stage / poster.name)
            (folder / poster.name).hardlink_to(stage / poster.name)
    sync(folder)
