"""A folder that all machines of a cluster see: on a network file system, or under an address of fsspec."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from typing_extensions import override

from index.core.errors import InvalidInput
from index.publication.storage import Storage, check_address
from indexer.spaces.embed import Cache

EMBEDDINGS, PICTURES, WORK = "embeddings", "pictures", "work"  # folders
REMEDY = "let all machines see the data directory under the same path, or give --spark-folder s3://… or another address"
_MOST = 2**31  # bytes of an object that is read into memory


@dataclass(frozen=True, slots=True)
class Shared:
    """Objects by name, for the driver and for workers.

    Args:
        url: of fsspec, such as ``s3://bucket/prefix`` or ``file:///folder``.
        data: the data directory, if all machines see it and ``url`` is its own; else None.
    """

    url: str
    data: Path | None = None

    @classmethod
    def of(cls, place: str | None, data: Path) -> Shared:
        """Return the folder at a path or an address; the data directory itself if ``place`` is None.

        Raises:
            InvalidInput: it is no address of a storage.
        """
        if place is None:
            return cls(f"file://{data.resolve()}", data.resolve())
        return cls(check_address(place) if "://" in place else f"file://{Path(place).resolve()}")

    @property
    def storage(self) -> Storage:
        """The objects, connected once per process."""
        return _storage(self.url)

    def read(self, name: str) -> bytes:
        """Return the content of an object.

        Raises:
            InvalidInput: there is none, as when a folder is not shared by this machine.
            StorageUnavailable: it cannot be read now.
        """
        content = self.storage.read(name, _MOST)
        if content is None:
            raise InvalidInput(f"{self.storage.shown} has no {name} on this machine: {REMEDY}")
        return content

    def copy_of(self, name: str) -> Path:
        """Return the path of an object of the driver's, which is copied to this machine once per process.

        Raises:
            InvalidInput: there is none, as when a folder is not shared by this machine.
            StorageUnavailable: it cannot be read now.
        """
        if self.url.startswith("file://"):
            file = Path(self.url.removeprefix("file://")) / name
            if not file.exists():
                raise InvalidInput(f"there is no {file} on this machine: {REMEDY}")
            return file
        file = _copies() / name
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            if not self.storage.download(name, file):
                file.unlink()
                raise InvalidInput(f"{self.storage.shown} has no {name}: {REMEDY}")
        return file

    def delete(self, names: Iterable[str]) -> None:
        """Delete objects that work is done with."""
        self.storage.delete(names)


class SharedCache(Cache):
    """The cache of embeddings in a shared folder, in the layout that it has on disk."""

    def __init__(self, shared: Shared, weights_sha256: str, path: str) -> None:
        super().__init__(Path(EMBEDDINGS), weights_sha256, path)
        self._shared = shared

    @override
    def read(self, key: str) -> bytes | None:
        return self._shared.storage.read(self.file(key).as_posix(), _MOST)

    @override
    def write(self, key: str, content: bytes) -> None:
        self._shared.storage.write(self.file(key).as_posix(), content)


@lru_cache(maxsize=1)
def _storage(url: str) -> Storage:
    return Storage(url)


@lru_cache(maxsize=1)
def _copies() -> Path:
    return Path(tempfile.mkdtemp(prefix="posterity-"))
