"""One file, from an address or a path, on to the disk: goes on where it stopped, and is checked before it counts."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import requests

from index.core.errors import InvalidInput, PosterityError, SourceUnavailable
from index.core.files import locked, sync, write_durably
from index.core.progress import Count, uncounted
from indexer.datasets.sources import FETCHED
from indexer.fetch.web import Attempts, Trouble, Web, is_address, is_page, no_page, shown

_CHUNK = 2**20
_SPARE = 2**26  # bytes of the disk that are left to others


@dataclass(frozen=True, slots=True)
class Kind:
    """What a file should be."""

    name: str
    first: bytes  # what it begins with


ZIP = Kind("a zip file", b"PK")
WEIGHTS = Kind("a Keras weights file", b"\x89HDF\r\n\x1a\n")


@dataclass(frozen=True, slots=True)
class _Note:
    """Whose bytes a partial file holds."""

    url: str
    validator: str | None  # a strong ETag or Last-Modified; None where the server gives neither


@contextmanager
def unfinished(data: Path, what: str) -> Iterator[Path]:
    """The folder of what is on its way, for one process at a time.

    Raises:
        PosterityError: another process is fetching the same.
    """
    folder = data / FETCHED / ".unfinished" / what
    folder.mkdir(parents=True, exist_ok=True)
    busy = f"{what} are being fetched into {data} already: wait until that ends"
    with locked(folder.with_name(f"{what}.lock"), busy):
        yield folder


def download(
    web: Web, source: str, folder: Path, name: str, kind: Kind, *, md5: str | None = None, count: Count = uncounted
) -> Path:
    """The file ``name`` in ``folder``, whole and checked, which the caller moves away or deletes.

    What an earlier call left there of the same file is not fetched again.

    Args:
        source: an address or a path.
        md5: in hexadecimal digits; None where nobody has published one.
        count: is told how many bytes there are, and of how many.

    Raises:
        SourceUnavailable, Busy: it is not to be had.
        InvalidInput: it is not what it should be, and was deleted.
        PosterityError: the disk is too small.
    """
    part = folder / f"{name}.part"
    note = _note_of(part)
    if is_address(source):
        _from_web(web, source, part, note, kind, count)
    else:
        note.unlink(missing_ok=True)
        _copy(Path(source), part, count)
    try:
        _check(part, shown(source) if is_address(source) else source, kind, md5)
    except InvalidInput:
        discard(part)
        raise
    sync(part)
    return part


def discard(part: Path) -> None:
    """Deletes what ``download`` gave, if it is still there, and what it remembers of it."""
    part.unlink(missing_ok=True)
    _note_of(part).unlink(missing_ok=True)


def check_space(folder: Path, needed: int) -> None:
    """Raises PosterityError unless the disk of ``folder`` has room for so many bytes."""
    free = shutil.disk_usage(folder).free
    if needed + _SPARE > free:
        raise PosterityError(
            f"{folder} is on a disk with {free / 1e6:,.0f} MB left, and {(needed + _SPARE) / 1e6:,.0f} MB are needed:"
            " make room, or give another --data"
        )


def md5_of(file: Path) -> str:
    """The MD5 sum of a file."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _from_web(web: Web, url: str, part: Path, note: Path, kind: Kind, count: Count) -> None:
    attempts = Attempts(web, url)
    furthest = _size(part)
    while True:
        try:
            _attempt(web, url, part, note, kind, count)
        except Trouble as trouble:
            attempts.failed(trouble, advanced=_size(part) > furthest)
            furthest = max(furthest, _size(part))
        else:
            return


def _attempt(web: Web, url: str, part: Path, note: Path, kind: Kind, count: Count) -> None:
    """Brings the partial file to its end, from where it is if the server still has the same file."""
    known = _read(note)
    begun = known is not None and known.url == url and known.validator is not None
    at = _size(part) if begun else 0
    headers = {"Range": f"bytes={at}-", "If-Range": str(known and known.validator)} if at else {}
    with closing(web.ask(url, headers=headers)) as response:
        status = response.status_code
        span = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+)", response.headers.get("Content-Range", ""))
        if at and status == 416 and span and int(span[2]) == at:
            return  # nothing is left to send
        if at and (status == 416 or (status == 206 and (not span or span[1] != str(at)))):
            note.unlink()
            raise Trouble("it no longer has the file that was begun")
        if status not in {200, 206}:
            raise SourceUnavailable(
                f"{shown(url)} answers {status} {response.reason}: name a mirror or a local copy with --from"
            )
        if is_page(response):
            raise no_page(url, kind.name)
        if status == 200:
            at = 0
            part.unlink(missing_ok=True)  # before the note says that it is of this file
            write_durably(note, json.dumps(asdict(_Note(url, _validator(response)))).encode())
        length = response.headers.get("Content-Length", "")
        total = at + int(length) if length.isdecimal() else None
        check_space(part.parent, 0 if total is None else total - at)
        with part.open("ab") as stream:
            for chunk in web.chunks(response):
                stream.write(chunk)
                at += len(chunk)
                count(at, total)
    if total is not None and at != total:
        raise Trouble(f"it broke off after {at:,} of {total:,} bytes")


def _copy(source: Path, part: Path, count: Count) -> None:
    if not source.is_file():
        raise InvalidInput(f"there is no file {source}")
    total = source.stat().st_size
    part.unlink(missing_ok=True)
    check_space(part.parent, total)
    with source.open("rb") as reader, part.open("wb") as writer:
        while chunk := reader.read(_CHUNK):
            writer.write(chunk)
            count(writer.tell(), total)


def _check(part: Path, source: str, kind: Kind, md5: str | None) -> None:
    with part.open("rb") as stream:
        first = stream.read(len(kind.first))
    if first != kind.first:
        raise InvalidInput(f"{source} is not {kind.name}, and was not kept")
    found = None if md5 is None else md5_of(part)
    if found != md5:
        raise InvalidInput(
            f"{source} has the MD5 sum {found}, and {md5} is published: it was not kept. Give the command again, or"
            " name another source with --from"
        )


def _read(note: Path) -> _Note | None:
    try:
        return _Note(**json.loads(note.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def _validator(response: requests.Response) -> str | None:
    """What tells this file from a later one at the same address. A weak ETag may stand for other bytes."""
    etag: str | None = response.headers.get("ETag")
    modified: str | None = response.headers.get("Last-Modified")
    return etag if etag and not etag.startswith("W/") else modified


def _note_of(part: Path) -> Path:
    return part.with_suffix(".json")


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0
