"""Files that survive a kill or a power cut: atomic durable writes, locks, checksums."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from index.core.errors import PosterityError

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}  # numbers of the errors of a disk that is full or read-only

_TEMPORARY = re.compile(r"\.[0-9a-f]{16}-.+")


def write_durably(file: Path, content: bytes) -> None:
    """Write a file atomically and durably (temporary file, fsync, rename)."""
    with replacing(file) as fresh:
        fresh.write_bytes(content)


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``file``; then rename it to ``file``, atomically and durably.

    Readers see the old content or all of the new one. If the block raises, the old file stays.
    """
    with _temporary(file) as fresh:
        yield fresh
        move_durably(fresh, file)


def move_durably(source: Path, file: Path) -> None:
    """Rename a file of the same disk to ``file``, atomically and durably."""
    sync(source)
    source.replace(file)
    sync(file.parent)


@contextmanager
def creating(file: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``file``; then hard-link it to ``file``, durably.

    Raises:
        FileExistsError: the file exists, or was created meanwhile; it stays unchanged.
    """
    with _temporary(file) as fresh:
        yield fresh
        sync(fresh)
        file.hardlink_to(fresh)
    sync(file.parent)


@contextmanager
def _temporary(file: Path) -> Iterator[Path]:
    # Hidden, and with the suffix of the file: Keras and numpy choose the format by it.
    fresh = file.with_name(f".{secrets.token_hex(8)}-{file.name}")
    try:
        yield fresh
    finally:
        fresh.unlink(missing_ok=True)


def remove_temporaries(folder: Path, *, age: float = 0.0) -> None:
    """Remove the temporary files that killed processes left in a folder and below it.

    Args:
        folder: may be missing.
        age: seconds since the last change of a file; 0 only where a lock keeps other writers out.
    """
    before = time.time() - age
    for file in folder.rglob(".*"):
        with suppress(FileNotFoundError):  # renamed or removed meanwhile by the process that writes it
            if _TEMPORARY.fullmatch(file.name) and file.lstat().st_mtime <= before:
                file.unlink()


def sync(path: Path) -> None:
    """Flush a file's content, or a folder's names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def sharing(file: Path) -> Iterator[bool]:
    """Hold the shared lock of an existing file, of any number of processes at once; yield False if another excludes it.

    The lock of a killed process is released. On a file system without locks nothing excludes.
    """
    with file.open("rb") as stream:
        try:
            held = _try_lock(stream, fcntl.LOCK_SH)
        except OSError as error:
            if error.errno not in {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS}:
                raise
            held = True
        yield held


@contextmanager
def excluding(file: Path) -> Iterator[bool]:
    """Hold the exclusive lock of an existing file; yield False if any other process, or this one, shares it."""
    with file.open("rb+") as stream:  # a lock over NFS needs a writable file
        yield _try_lock(stream, fcntl.LOCK_EX)


def _try_lock(stream: IO[Any], kind: int) -> bool:
    try:
        fcntl.flock(stream, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def locked(file: Path, busy: str | None) -> Iterator[None]:
    """Hold the exclusive lock of a file, which is created if missing. The lock of a killed process is released.

    Args:
        file: the lock file; its folder exists.
        busy: message of the error if another process holds the lock; None to wait for it.

    Raises:
        PosterityError: another process holds the lock.
    """
    with file.open("w") as stream:
        if busy is None:
            fcntl.flock(stream, fcntl.LOCK_EX)
        elif not _try_lock(stream, fcntl.LOCK_EX):
            raise PosterityError(busy)
        yield


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
