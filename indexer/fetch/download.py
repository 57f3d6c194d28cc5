"""Download of one file from a URL or a path: resumable, with its type and checksum verified."""

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
from index.core.files import locked, remove_temporaries, sync, write_durably
from index.core.progress import Count, uncounted
from indexer.datasets.sources import FETCHED
from indexer.fetch.web import HttpClient, Retries, TransientError, html_error, is_html, is_url, redacted

_CHUNK = 2**20
_MIN_FREE = 2**26  # bytes to leave free on the disk


@dataclass(frozen=True, slots=True)
class FileType:
    """A file type by its first bytes."""

    name: str
    magic: bytes


ZIP = FileType("a zip file", b"PK")
WEIGHTS = FileType("a Keras weights file", b"\x89HDF\r\n\x1a\n")


@dataclass(frozen=True, slots=True)
class _Origin:
    """The version of a file that a partial download is from."""

    url: str
    validator: str | None  # a strong ETag or Last-Modified; None if the server sends neither


@contextmanager
def download_folder(data: Path, name: str) -> Iterator[Path]:
    """Yield the folder of partial downloads of one kind, locked for this process.

    Raises:
        PosterityError: another process is fetching the same.
    """
    folder = data / FETCHED / ".unfinished" / name
    folder.mkdir(parents=True, exist_ok=True)
    busy = f"another process is fetching {name} into {data}: wait until it ends"
    with locked(folder.with_name(f"{name}.lock"), busy):
        remove_temporaries(folder)
        yield folder


def download(
    client: HttpClient,
    source: str,
    folder: Path,
    name: str,
    file_type: FileType,
    *,
    md5: str | None = None,
    count: Count = uncounted,
) -> Path:
    """Download or copy a file and return it, complete and verified; continue a partial download of the same file.

    The caller moves the file away, or deletes it with ``discard``.

    Args:
        client: for a URL.
        source: a URL or a path.
        folder: of the partial file.
        name: of the file.
        file_type: the expected type.
        md5: the expected MD5 in hexadecimal digits; None skips the check.
        count: reports the bytes on disk and the total.

    Raises:
        SourceUnavailable: the download failed.
        Busy: the server asks to come back much later.
        InvalidInput: the type or the MD5 is wrong; the file was deleted.
        PosterityError: the disk is too small.
    """
    part = folder / f"{name}.part"
    origin = _origin_file(part)
    if is_url(source):
        _download(client, source, part, origin, file_type, count)
    else:
        origin.unlink(missing_ok=True)
        _copy(Path(source), part, count)
    try:
        _verify(part, redacted(source) if is_url(source) else source, file_type, md5)
    except InvalidInput:
        discard(part)
        raise
    sync(part)
    return part


def discard(part: Path) -> None:
    """Delete a file from ``download``, if it is still there, and its origin."""
    part.unlink(missing_ok=True)
    _origin_file(part).unlink(missing_ok=True)


def check_space(folder: Path, needed: int) -> None:
    """Raise PosterityError if the disk of ``folder`` has too little space for ``needed`` bytes."""
    free = shutil.disk_usage(folder).free
    if needed + _MIN_FREE > free:
        raise PosterityError(
            f"the disk of {folder} has {free / 1e6:,.0f} MB free, and {(needed + _MIN_FREE) / 1e6:,.0f} MB are needed:"
            " make room, or give another --data"
        )


def md5_of(file: Path) -> str:
    """Return the MD5 of a file, in hexadecimal digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _download(client: HttpClient, url: str, part: Path, origin: Path, file_type: FileType, count: Count) -> None:
    retries = Retries(client, url)
    largest = _size(part)
    while True:
        try:
            _attempt(client, url, part, origin, file_type, count)
        except TransientError as error:
            retries.wait(error, progressed=_size(part) > largest)
            largest = max(largest, _size(part))
        else:
            return


def _attempt(client: HttpClient, url: str, part: Path, origin: Path, file_type: FileType, count: Count) -> None:
    """Complete the partial file; start anew if the server's file changed."""
    known = _read_origin(origin)
    resumable = known is not None and known.url == url and known.validator is not None
    at = _size(part) if resumable else 0
    headers = {"Range": f"bytes={at}-", "If-Range": str(known and known.validator)} if at else {}
    with closing(client.stream(url, headers=headers)) as response:
        status = response.status_code
        span = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+)", response.headers.get("Content-Range", ""))
        if at and status == 416 and span and int(span[2]) == at:
            return  # already complete
        if at and (status == 416 or (status == 206 and (not span or span[1] != str(at)))):
            origin.unlink()
            raise TransientError("the requested range was refused")
        if status not in {200, 206}:
            raise SourceUnavailable(
                f"{redacted(url)} answers {status} {response.reason}: name a mirror or a local copy with --from"
            )
        if is_html(response):
            raise html_error(url, file_type.name)
        if status == 200:
            at = 0
            part.unlink(missing_ok=True)  # before the new origin, so that old bytes never get it
            write_durably(origin, json.dumps(asdict(_Origin(url, _validator(response)))).encode())
        length = response.headers.get("Content-Length", "")
        total = at + int(length) if length.isdecimal() else None
        check_space(part.parent, 0 if total is None else total - at)
        with part.open("ab") as stream:
            for chunk in client.chunks(response):
                stream.write(chunk)
                at += len(chunk)
                count(at, total)
    if total is not None and at != total:
        raise TransientError(f"the connection broke off after {at:,} of {total:,} bytes")


def _copy(source: Path, part: Path, count: Count) -> None:
    if not source.is_file():
        raise InvalidInput(f"there is no file {source}: give the path of an existing file")
    total = source.stat().st_size
    part.unlink(missing_ok=True)
    check_space(part.parent, total)
    with source.open("rb") as reader, part.open("wb") as writer:
        while chunk := reader.read(_CHUNK):
            writer.write(chunk)
            count(writer.tell(), total)


def _verify(part: Path, source: str, file_type: FileType, md5: str | None) -> None:
    with part.open("rb") as stream:
        start = stream.read(len(file_type.magic))
    if start != file_type.magic:
        raise InvalidInput(f"{source} is not {file_type.name} and was deleted: name another source with --from")
    actual = None if md5 is None else md5_of(part)
    if actual != md5:
        raise InvalidInput(
            f"{source} has the MD5 {actual}, but {md5} is expected, and was deleted: run the command again, or name"
            " another source with --from"
        )


def _read_origin(file: Path) -> _Origin | None:
    try:
        return _Origin(**json.loads(file.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def _validator(response: requests.Response) -> str | None:
    """Return the validator of a file's version; a weak ETag does not identify its bytes."""
    etag: str | None = response.headers.get("ETag")
    modified: str | None = response.headers.get("Last-Modified")
    return etag if etag and not etag.startswith("W/") else modified


def _origin_file(part: Path) -> Path:
    return part.with_suffix(".json")


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0
