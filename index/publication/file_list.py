"""The objects of a publication: ``current.json`` names file lists, a file list names files, files are named by SHA-256.

A storage has ``current.json`` and ``files/<sha256>``; file lists are files, too. So a file is stored once for all
snapshots, and a publication appears when ``current.json`` does, the last object that is written.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from index.core.errors import BadSnapshot
from index.publication.storage import Storage
from index.snapshot.store import SNAPSHOT_ID

POINTER = "current.json"
FILES = "files"

_FORMAT = 1
_LARGEST_POINTER = 2**16  # bytes
_LARGEST_LIST = 2**28
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[^/\\\x00]{1,255}")


@dataclass(frozen=True, slots=True)
class File:
    """Size and SHA-256 of a file."""

    size: int  # bytes
    sha256: str

    @property
    def object(self) -> str:
        """Name of its object in the storage."""
        return f"{FILES}/{self.sha256}"


@dataclass(frozen=True, slots=True)
class Publication:
    """Entry of ``current.json``."""

    snapshot: str
    files: File  # size and SHA-256 of its file list
    published: str  # ISO 8601, UTC


@dataclass(frozen=True, slots=True)
class FileList:
    """Every file that a server of one snapshot needs: the snapshot, the posters it names, the weights of VGG16."""

    snapshot: str
    files: Mapping[str, File]  # path, relative to a data directory -> file

    def to_bytes(self) -> bytes:
        """Return the file list as JSON; equal lists have equal bytes."""
        files = {path: asdict(file) for path, file in sorted(self.files.items())}
        return json.dumps({"format": _FORMAT, "snapshot": self.snapshot, "files": files}).encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> FileList:
        """Return a file list from its JSON.

        Raises:
            BadSnapshot: it is no file list, or names a file outside the folders of a data directory.
        """
        document = _parsed(content, "a file list")
        try:
            snapshot, files = str(document["snapshot"]), {path: _file(each) for path, each in document["files"].items()}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadSnapshot("a file list in the storage is damaged: publish again") from error
        for path in files:
            if not _belongs(path, snapshot):
                raise BadSnapshot(
                    f"a file list in the storage names {path!r}, which belongs to no snapshot: publish again"
                )
        return cls(snapshot, files)


def file_of(content: bytes) -> File:
    """Return size and SHA-256 of a content."""
    return File(len(content), hashlib.sha256(content).hexdigest())


def read_pointer(storage: Storage) -> bytes | None:
    """Return the content of ``current.json``; None if nothing was published.

    Raises:
        StorageUnavailable: it cannot be read now.
        BadSnapshot: it is too large.
    """
    return storage.read(POINTER, _LARGEST_POINTER)


def write_pointer(storage: Storage, publications: Sequence[Publication]) -> None:
    """Write ``current.json``: the publications, the current one first."""
    document = {"format": _FORMAT, "publications": [asdict(each) for each in publications]}
    storage.write(POINTER, json.dumps(document, indent=1).encode())


def publications_in(content: bytes) -> list[Publication]:
    """Return the publications of a ``current.json``, the current one first; at least one.

    Raises:
        BadSnapshot: it is damaged, or of a newer version of Posterity.
    """
    document = _parsed(content, POINTER)
    try:
        found = [
            Publication(str(each["snapshot"]), _file(each["files"]), str(each["published"]))
            for each in document["publications"]
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise BadSnapshot(f"{POINTER} in the storage is damaged: publish again") from error
    if not found or not all(SNAPSHOT_ID.fullmatch(each.snapshot) for each in found):
        raise BadSnapshot(f"{POINTER} in the storage is damaged: publish again")
    return found


def read_file_list(storage: Storage, publication: Publication) -> FileList:
    """Return the file list of a publication.

    Raises:
        StorageUnavailable: it cannot be read now.
        BadSnapshot: it is missing or damaged.
    """
    content = storage.read(publication.files.object, _LARGEST_LIST)
    if content is None or file_of(content) != publication.files:
        state = "missing" if content is None else "damaged (its checksum differs)"
        raise BadSnapshot(
            f"{publication.files.object} in the storage, the file list of snapshot {publication.snapshot}, is {state}:"
            " run posterity publish with --again"
        )
    wanted = FileList.from_bytes(content)
    if wanted.snapshot != publication.snapshot:
        raise BadSnapshot(f"{POINTER} in the storage names the file list of another snapshot: publish again")
    return wanted


def _parsed(content: bytes, what: str) -> Any:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadSnapshot(f"{what} in the storage is damaged (no JSON): publish again") from error
    if not isinstance(document, dict) or not isinstance(document.get("format"), int):
        raise BadSnapshot(f"{what} in the storage is not Posterity's: give another address")
    if document["format"] != _FORMAT:
        raise BadSnapshot(
            f"{what} in the storage has format version {document['format']}, this version of Posterity reads {_FORMAT}:"
            " use the version that published it"
        )
    return document


def _file(document: Any) -> File:
    size, sha256 = document["size"], document["sha256"]
    if not isinstance(size, int) or size < 0 or not _SHA256.fullmatch(sha256):
        raise ValueError("no size and SHA-256")
    return File(size, sha256)


def _belongs(path: str, snapshot: str) -> bool:
    """Return True for a path in the snapshot's folder, or directly in posters/ or weights/, and for no other."""
    folder, *names = path.split("/")
    if not names or not all(_NAME.fullmatch(name) and name not in {".", ".."} for name in names):
        return False
    if folder == "snapshots":
        return len(names) > 1 and names[0] == snapshot
    return folder in {"posters", "weights"} and len(names) == 1
