"""Objects under an address of fsspec: an object storage, or a folder that several machines see."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import fsspec
from fsspec.implementations.local import LocalFileSystem
from fsspec.registry import known_implementations

from index.core.addresses import split_address, without_user
from index.core.errors import BadSnapshot, InvalidInput, StorageUnavailable
from index.core.files import NO_ROOM, replacing

_WITHOUT_FOLDERS = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oss", "oci"}  # makedirs would make a bucket there
# A follower must notice soon that a storage is down: botocore's own limits are a minute each, several times over.
_S3_LIMITS = {"connect_timeout": 5, "read_timeout": 30, "retries": {"total_max_attempts": 1}}
_S3_TRIES = 2  # of s3fs, each with those limits


def check_address(url: str) -> str:
    """Return the address of a storage, without its last slash; nothing is connected.

    Raises:
        InvalidInput: it is no address, or its kind needs a package that is not installed.
    """
    written = url.strip()
    kind, separator, rest = written.partition("://")
    known = known_implementations.get(kind)
    parts = split_address(written)
    if not separator or "::" in written or not rest.strip("/") or known is None or parts is None:
        raise InvalidInput(
            f"{_without_secrets(written)!r} is no storage: write s3://bucket/prefix, file:///folder or another address"
            " that fsspec knows"
        )
    if kind in {"file", "local"} and not rest.startswith("/"):
        raise InvalidInput(f"{written!r} is no absolute path: write {kind}:///{rest}")
    package = str(known["class"]).partition(".")[0]
    if find_spec(package) is None:
        remedy = "pip install 'posterity[s3]'" if package == "s3fs" else f"pip install {package}"
        raise InvalidInput(f"{_without_secrets(written)!r} needs the Python package {package}: run {remedy}")
    return written.rstrip("/")


class Storage:
    """Objects by name under an address. Threads may share it; forked processes may not.

    Every error of the storage is a StorageUnavailable, whose message has no user name or password of the address.

    Args:
        url: such as ``s3://bucket/prefix``; see ``check_address``.

    Raises:
        InvalidInput: it is no address of a storage.
    """

    def __init__(self, url: str) -> None:
        url = check_address(url)
        self.shown = _without_secrets(url)
        parts = urlsplit(url)
        self._secrets = [re.escape(each) for each in _both_ways(parts.password)]
        self._secrets += [rf"\b{re.escape(each)}\b" for each in _both_ways(parts.username)]  # it may be a syllable
        self._kind = url.partition("://")[0]
        options: dict[str, Any] = {"use_listings_cache": False}
        if self._kind in {"s3", "s3a"}:
            given = fsspec.config.conf.get(self._kind, {}).get("config_kwargs", {})
            options["config_kwargs"] = {**_S3_LIMITS, **given}
        with self._reported("opened"):
            self._files, self._root = fsspec.core.url_to_fs(url, **options)
        if self._kind in {"s3", "s3a"}:
            self._files.retries = _S3_TRIES

    def read(self, name: str, most: int) -> bytes | None:
        """Return the content of an object; None if there is none.

        Raises:
            BadSnapshot: it has more than ``most`` bytes.
            StorageUnavailable: it cannot be read now.
        """
        with self._reported("read"):
            try:
                content: bytes = self._files.cat_file(self._at(name), start=0, end=most + 1)
            except FileNotFoundError:
                return None
        if len(content) > most:
            raise BadSnapshot(f"{name} in the storage has more than {most} bytes: publish again")
        return content

    def write(self, name: str, content: bytes) -> None:
        """Write an object. Readers see the object before or all of the new one.

        Raises:
            StorageUnavailable: it cannot be written now.
        """
        with self._reported("written"):
            if isinstance(self._files, LocalFileSystem):
                with self._replacing(name) as fresh:
                    fresh.write_bytes(content)
            else:
                self._make_folder_of(name)
                self._files.pipe_file(self._at(name), content)

    def upload(self, file: Path, name: str) -> None:
        """Copy a file to an object.

        Raises:
            StorageUnavailable: it cannot be written now.
        """
        with self._reported("written"):
            if isinstance(self._files, LocalFileSystem):
                with self._replacing(name) as fresh:
                    shutil.copyfile(file, fresh)
            else:
                self._make_folder_of(name)
                self._files.put_file(str(file), self._at(name))

    def download(self, name: str, file: Path) -> bool:
        """Copy an object to a file, and return True; False if there is no such object.

        Raises:
            StorageUnavailable: it cannot be read now.
            OSError: the file cannot be written.
        """
        file.touch()  # an error of our own disk is none of the storage's
        with self._reported("read"):
            try:
                self._files.get_file(self._at(name), str(file))
            except FileNotFoundError:
                return False
        return True

    def sizes(self, folder: str) -> Mapping[str, int]:
        """Return name -> bytes of every object in a folder; empty without one.

        Raises:
            StorageUnavailable: it cannot be listed now.
        """
        with self._reported("listed"):
            found = self._files.find(self._at(folder), detail=True)
        return {path.rpartition("/")[2]: int(facts["size"]) for path, facts in found.items()}

    def delete(self, names: Iterable[str]) -> None:
        """Delete objects.

        Raises:
            StorageUnavailable: they cannot be deleted now.
        """
        paths = [self._at(name) for name in names]
        if paths:
            with self._reported("deleted"):
                for path in paths:  # a list of paths would be one of patterns
                    self._files.rm_file(path)

    def _at(self, name: str) -> str:
        return f"{self._root}/{name}"

    @contextmanager
    def _replacing(self, name: str) -> Iterator[Path]:
        file = Path(self._at(name))
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as fresh:
            yield fresh

    def _make_folder_of(self, name: str) -> None:
        if self._kind not in _WITHOUT_FOLDERS:
            self._files.makedirs(self._at(name).rpartition("/")[0], exist_ok=True)

    @contextmanager
    def _reported(self, done: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise StorageUnavailable(f"{self.shown} cannot be {done} (there is no such folder or bucket)") from error
        except Exception as error:  # each library has kinds of its own
            if done == "read" and isinstance(error, OSError) and error.errno in NO_ROOM:
                raise  # our own disk is full
            raise StorageUnavailable(f"{self.shown} cannot be {done} ({self._reason(error)})") from error

    def _reason(self, error: Exception) -> str:
        text = " ".join(str(error).split()) or type(error).__name__
        for secret in self._secrets:
            text = re.sub(secret, "***", text)
        return text[:300]


def _both_ways(text: str | None) -> set[str]:
    """Return a part of an address as it is written and as it is meant; nothing without one."""
    return {text, unquote(text)} if text else set()


def _without_secrets(url: str) -> str:
    """Return an address without user name, password and query."""
    head, separator, rest = without_user(url).partition("://")
    return f"{head}{separator}{rest.partition('?')[0]}"
