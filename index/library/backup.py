"""The library as one file, for backup and for moving: all that cannot be built again.

The file is a plain tar of ``library.db`` and ``posters/<name>`` for each poster that the database names. Whoever reads
one takes it for a stranger's: nothing of it is put in place before all of it was checked.
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
from index.core.files import locked, sha256_of, sync
from index.library.database import check, copy, opened, renew_identity

_DATABASE = "library.db"
_POSTERS = "posters"
_SIDECARS = ("-wal", "-shm", "-journal")  # SQLite would take them for those of whatever database it finds beside them
_POSTER_NAME = re.compile(r"(-?[0-9]{1,19}-[0-9a-f]{16})\.(?:jpg|png|webp|gif)", re.ASCII)
_CHECKSUM = "POSTERITY.sha256"  # of the database, in its header: SQLite does not notice every byte that is wrong
_STAGE = ".import-"


@dataclass(frozen=True, slots=True)
class Contents:
    """How many of each a library holds; what was removed, taken back or revoked is remembered, and counts too."""

    movies: int
    ratings: int
    keys: int
    posters: int


@dataclass(frozen=True, slots=True)
class _Kept:
    """A poster that a library names."""

    name: str
    sha256: str
    movie: str  # whose it is, for people

    @property
    def member(self) -> str:
        return f"{_POSTERS}/{self.name}"


def export_library(data: Path, file: Path, *, replace: bool = False) -> Contents:
    """What was written to ``file``: the library as of one moment, whoever else writes meanwhile.

    Args:
        replace: whether a file that is there may be replaced; until the new one is whole, it stays.

    Raises:
        InvalidInput: there is no library, or the file is there or cannot be written.
        BadLibrary: the library is damaged, or a poster is missing or another picture; the message names the movie.
    """
    database = data / _DATABASE
    if not database.exists():
        raise InvalidInput(f"{data} holds no library to export: nothing was added to it yet")
    try:
        _expect_free(file, database, replace=replace)
        with TemporaryDirectory(prefix=".export-", dir=file.parent) as folder:
            copied, fresh = Path(folder) / _DATABASE, Path(folder) / file.name
            copy(database, copied)
            check(copied)
            kept = _kept_posters(copied)
            with tarfile.open(fresh, "w") as tar:
                member = _member(_DATABASE, copied.stat().st_size)
                member.pax_headers = {_CHECKSUM: sha256_of(copied)}
                with copied.open("rb") as stream:
                    tar.addfile(member, stream)
                for poster in kept:
                    content = _read(data / _POSTERS / poster.name, poster)
                    tar.addfile(_member(poster.member, len(content)), io.BytesIO(content))
            contents = _contents(copied, kept)
            sync(fresh)
            _expect_free(file, database, replace=replace)
            fresh.replace(file)
        sync(file.parent)
    except OSError as error:
        raise InvalidInput(f"{data} cannot be exported to {file} ({error.strerror}): put that right first") from error
    return contents


def import_library(file: Path, data: Path) -> Contents:
    """What was read from ``file`` into a data directory that has no library yet.

    Killed at any moment it leaves no library, or the whole one. It is another library from then on, with the same in
    it: a snapshot that was built from the old one takes all of it for new.

    Raises:
        InvalidInput: there is a library already, or the file is not what an export writes; nothing was imported.
        BadLibrary: the file's database is damaged, or of a newer version of Posterity; nothing was imported.
        PosterityError: another import is running there.
    """
    _expect_no_library(data)
    try:
        data.mkdir(parents=True, exist_ok=True)
        with _staging(data) as stage:
            kept = _unpacked(file, stage)
            database = stage / _DATABASE
            contents = _contents(database, kept)
            renew_identity(database)
            sync(database)
            _place_posters(stage / _POSTERS, data / _POSTERS, kept)
            _expect_no_library(data)
            (data / _DATABASE).hardlink_to(database)
            sync(data)
    except OSError as error:
        raise InvalidInput(f"{file} cannot be imported into {data} ({error.strerror}): put that right first") from error
    return contents


def _expect_free(file: Path, database: Path, *, replace: bool) -> None:
    if file.exists() and file.samefile(database):
        raise InvalidInput(f"{file} is the library itself: give another name")
    if file.exists() and not replace:
        raise InvalidInput(f"{file} is there already: give another name, or --force to replace it")


def _expect_no_library(data: Path) -> None:
    """Raises InvalidInput where there is a library, or what SQLite would take for a part of one."""
    there = [name for name in (_DATABASE, *(_DATABASE + end for end in _SIDECARS)) if (data / name).exists()]
    if there:
        raise InvalidInput(f"{data} holds {', '.join(there)} already: move it away to import a library")


def _kept_posters(database: Path) -> list[_Kept]:
    """Every poster that a library names, none of them by a name that leads elsewhere."""
    with opened(database) as db:
        query = "SELECT movie_id, title, poster, poster_sha256 FROM movies WHERE poster IS NOT NULL ORDER BY movie_id"
        rows = db.execute(query).fetchall()
    kept = []
    for movie_id, title, name, sha256 in rows:
        form = _POSTER_NAME.fullmatch(str(name))
        if form is None or form[1] != f"{movie_id}-{str(sha256)[:16]}":
            raise BadLibrary(f"{database.name} names {name!r} as the poster of movie {movie_id}: it was tampered with")
        kept.append(_Kept(name, sha256, f"{title} (id {movie_id})"))
    return kept


def _contents(database: Path, kept: list[_Kept]) -> Contents:
    with opened(database) as db:
        query = "SELECT (SELECT count(*) FROM movies), (SELECT count(*) FROM ratings), (SELECT count(*) FROM keys)"
        movies, ratings, keys = db.execute(query).fetchone()
    return Contents(movies, ratings, keys, len(kept))


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = size
    return member


def _read(file: Path, poster: _Kept) -> bytes:
    """A poster's content, which is as it was when it was kept."""
    try:
        content = file.read_bytes()
    except FileNotFoundError as error:
        raise BadLibrary(f"the poster of {poster.movie}, {file}, is missing: restore it, or add another") from error
    if hashlib.sha256(content).hexdigest() != poster.sha256:
        raise BadLibrary(f"the poster of {poster.movie}, {file}, is another picture: restore it, or add another")
    return content


@contextmanager
def _staging(data: Path) -> Iterator[Path]:
    """An empty folder in the data directory, for this import alone; gone afterwards."""
    with locked(data / ".import.lock", f"another import is running in {data}: wait until it ends"):
        # Under the lock nobody else imports, so whatever is there was left by an import that was killed.
        for left in data.glob(f"{_STAGE}*"):
            shutil.rmtree(left)
        stage = data / f"{_STAGE}{os.getpid()}"
        stage.mkdir()
        try:
            yield stage
        finally:
            shutil.rmtree(stage, ignore_errors=True)


def _unpacked(file: Path, stage: Path) -> list[_Kept]:
    """The posters of an archive, after it was unpacked into ``stage`` and found to be what an export writes."""
    try:
        with tarfile.open(file, "r:", encoding="utf-8") as tar:
            members = _plain_members(tar, file)
            if _DATABASE not in members:
                raise InvalidInput(
                    f"{file} holds no {_DATABASE}: give a file that posterity library export has written"
                )
            tar.extract(members[_DATABASE], stage, set_attrs=False, filter="data")
            if members[_DATABASE].pax_headers.get(_CHECKSUM, found := sha256_of(stage / _DATABASE)) != found:
                raise InvalidInput(f"{_DATABASE} in {file} is damaged (its checksum differs): export it again")
            check(stage / _DATABASE)
            kept = _kept_posters(stage / _DATABASE)
            for name in members.keys() - {_DATABASE, *(poster.member for poster in kept)}:
                raise InvalidInput(f"{file} holds {name!r}, which its library does not name: export it again")
            for poster in kept:
                if poster.member not in members:
                    raise InvalidInput(f"{file} lacks the poster of {poster.movie}: export it again")
                tar.extract(members[poster.member], stage, set_attrs=False, filter="data")
                if sha256_of(stage / poster.member) != poster.sha256:
                    raise InvalidInput(f"the poster of {poster.movie} in {file} is another picture: export it again")
    # What tarfile raises of malformed headers is not all its own.
    except (tarfile.TarError, ValueError, EOFError, OverflowError, RecursionError) as error:
        raise InvalidInput(f"{file} is no whole archive of a library ({error}): export it again") from error
    return kept


def _plain_members(tar: tarfile.TarFile, file: Path) -> dict[str, tarfile.TarInfo]:
    """Name -> member, each a plain file that is there once. What they are called is still to be judged."""
    members: dict[str, tarfile.TarInfo] = {}
    for member in tar:
        if member.type != tarfile.REGTYPE or member.issparse() or member.name in members:
            raise InvalidInput(f"{file} holds {member.name!r} as no export writes it: nothing was imported")
        members[member.name] = member
    return members


def _place_posters(stage: Path, folder: Path, kept: list[_Kept]) -> None:
    """Posters from ``stage``, durably in ``folder``. A file that is there stays, and has to be the same."""
    if not folder.is_dir():
        folder.mkdir()
        sync(folder.parent)
    there = [poster for poster in kept if (folder / poster.name).exists()]
    for poster in there:
        if sha256_of(folder / poster.name) != poster.sha256:
            raise InvalidInput(f"{folder / poster.name} is there with other content: move it away to import a library")
    for poster in kept:
        if poster not in there:
            sync(stage / poster.name)
            (folder / poster.name).hardlink_to(stage / poster.name)
    sync(folder)
