"""Text files as people have them: compressed or not, in any usual encoding, with any line ends."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TextIO

from index.core.encodings import encoding_of
from index.core.errors import InvalidInput

COMPRESSED = (".gz", ".bz2", ".xz")

_HEAD = 2**12  # bytes that tell compression and encoding
_CHUNK = 2**20


def _only_member(file: Path) -> IO[bytes]:
    """Open the only file in a zip archive."""
    archive = zipfile.ZipFile(file)
    return archive.open(_member(archive, file))


def _member(archive: zipfile.ZipFile, file: Path) -> zipfile.ZipInfo:
    members = [each for each in archive.infolist() if not each.is_dir() and "__MACOSX" not in each.filename]
    if len(members) != 1:
        raise InvalidInput(f"{file} holds {len(members)} files: give an archive of one, or unzip it")
    return members[0]


_OPENERS: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": gzip.GzipFile,
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
    b"PK\x03\x04": _only_member,
}
_DAMAGED = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, zipfile.BadZipFile, NotImplementedError,
            RuntimeError)  # fmt: skip
_MIXED = "posterity-windows-1252"


def _windows_1252(error: UnicodeError) -> tuple[str, int]:
    """Decode bytes that are not UTF-8 as Windows-1252, and those it does not define as Latin-1."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    wrong = error.object[error.start : error.end]
    return "".join(
        bytes([byte]).decode("cp1252", "ignore") or bytes([byte]).decode("latin-1") for byte in wrong
    ), error.end


codecs.register_error(_MIXED, _windows_1252)


def plain_suffix(file: Path) -> str:
    """Return the suffix of a file in lower case, without that of its compression: ``.csv`` of Films.CSV.gz.

    Raises:
        InvalidInput: it is a zip archive that is damaged, or holds another number of files than one.
    """
    name = Path(file.name.lower())
    if name.suffix == ".zip" and file.is_file():
        with _reading(file), zipfile.ZipFile(file) as archive:
            return Path(_member(archive, file).filename.lower()).suffix
    return Path(name.stem).suffix if name.suffix in COMPRESSED else name.suffix


@contextmanager
def open_text(file: Path) -> Iterator[TextIO]:
    """Open a file as text, with its line ends as they are.

    Text is UTF-8, or UTF-16 by its mark or its zeros; bytes that are not UTF-8 are Windows-1252.

    Raises:
        InvalidInput: the file is missing or damaged, here or while it is read.
    """
    with _reading(file), _open_bytes(file) as content:
        encoding = encoding_of(content.peek(_HEAD)[:_HEAD])  # type: ignore[attr-defined]
        yield io.TextIOWrapper(content, encoding, _MIXED if encoding.startswith("utf-8") else "replace", newline="")


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise InvalidInput(f"there is no file {file}") from error
    except (
        EOFError,
        zlib.error,
        lzma.LZMAError,
        gzip.BadGzipFile,
        zipfile.BadZipFile,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise InvalidInput(f"{file} is damaged ({error}): copy or download it again") from error
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror or error}") from error


@contextmanager
def _open_bytes(file: Path) -> Iterator[IO[bytes]]:
    with file.open("rb") as content:
        head = content.read(6)
    opener = next((opener for magic, opener in _OPENERS.items() if head.startswith(magic)), None)
    with file.open("rb") if opener is None else io.BufferedReader(opener(file)) as opened:
        yield opened


def is_plain(file: Path) -> bool:
    """Return True if a file can be split at every delimiter and line end: it has no quotes and no zeros.

    Raises:
        InvalidInput: the file cannot be read.
    """
    with _reading(file), _open_bytes(file) as content:
        while chunk := content.read(_CHUNK):
            if b'"' in chunk or b"\0" in chunk:
                return False
    return True


def first_not_utf8(file: Path) -> int | None:
    """Return the number of the first line with bytes that are not UTF-8; None without any, or in UTF-16.

    Raises:
        InvalidInput: the file cannot be read.
    """
    with _reading(file), _open_bytes(file) as content:
        if not encoding_of(content.peek(_HEAD)[:_HEAD]).startswith("utf-8"):  # type: ignore[attr-defined]
            return None
        decoder, line = codecs.getincrementaldecoder("utf-8")(), 1
        while True:
            chunk = content.read(_CHUNK)
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                return line + error.object[: error.start].count(b"\n")
            if not chunk:
                return None
            line += chunk.count(b"\n")
