"""Snapshots on disk: immutable, checksummed, published and rolled back by one atomic swap.

A process that has a snapshot open shares the lock of its manifest. Pruning needs that lock for itself, so it never
deletes an open snapshot.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from index.core.errors import BadSnapshot, UnknownSnapshot
from index.core.files import excluding, locked, sha256_of, sharing, sync

FORMAT = 5
# 2 has no two-stage search; 2 and 3 have no evaluation and no maps; up to 4 posters are raw, and the blend is a mean
# of percentiles
READABLE = (2, 3, 4, 5)

_MANIFEST = "manifest.json"
_UNFINISHED = ".unfinished-"
# Time of publication, UTC, to the millisecond; digest of the files
SNAPSHOT_ID = re.compile(r"[0-9]{8}T[0-9]{9}-[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class Manifest:
    """Metadata of a snapshot: its configuration, results and the checksum of every file."""

    id: str
    created: str  # ISO 8601, UTC
    version: str  # of Posterity at build time
    dataset: Mapping[str, Any]  # name, notice, counts
    spaces: Mapping[str, Mapping[str, Any]]  # name -> dimension, metric, movies, build settings
    blend: Mapping[str, float]  # space -> default weight
    ratings: Mapping[str, Any]  # the rating model: scale, noise, hyperparameters
    posters: Mapping[str, Any]  # counts, and unreadable posters with the reason
    warnings: tuple[str, ...]  # from the build: skipped input with the reason
    files: Mapping[str, Mapping[str, Any]]  # path -> size, sha256
    format: int = FORMAT
    evaluation: Mapping[str, Any] = field(default_factory=dict)  # metrics on held-out ratings; may be empty
    maps: Mapping[str, Any] = field(default_factory=dict)  # space -> layout settings; may be empty

    @property
    def weights(self) -> Mapping[str, Any] | None:
        """Name and SHA-256 of the VGG16 weights behind the poster space; None without one."""
        poster = self.spaces.get("poster")
        return None if poster is None else poster["weights"]

    def to_json(self) -> dict[str, Any]:
        """Return the content of ``manifest.json``, its own checksum included."""
        body = {"format": self.format} | {name: getattr(self, name) for name in self.__slots__}
        return body | {"sha256": _digest_of(body)}

    @classmethod
    def from_json(cls, document: Any, source: str) -> Manifest:
        """Return the manifest from a parsed ``manifest.json``.

        Args:
            document: parsed JSON.
            source: file name, for error messages.

        Raises:
            BadSnapshot: not a manifest, another format version, or a wrong checksum.
        """
        if not isinstance(document, dict) or not isinstance(document.get("format"), int):
            raise BadSnapshot(f"{source} is not a snapshot manifest: build the snapshot again")
        if document["format"] not in READABLE:
            remedy = "build the snapshot again"
            if document["format"] > FORMAT:
                writer = f"Posterity {document.get('version')}"
                remedy = f"use {writer}, which wrote it, or a newer one; or roll back, or {remedy}"
            raise BadSnapshot(
                f"{source} has format version {document['format']}, this version of Posterity reads"
                f" {READABLE[0]} to {READABLE[-1]}: {remedy}"
            )
        body = {name: value for name, value in document.items() if name != "sha256"}
        if document.get("sha256") != _digest_of(body):
            raise BadSnapshot(f"{source} is damaged (its checksum differs): roll back or build again")
        fields = {name: body[name] for name in cls.__slots__ if name in body}
        return cls(**fields | {"warnings": tuple(body["warnings"])})


@dataclass(frozen=True, slots=True)
class Checked:
    """A verified snapshot, with the state of its files at that time: another state means that a file has changed."""

    id: str
    states: tuple[tuple[int, ...], ...]


class SnapshotStore:
    """Snapshots of a data directory.

    ``snapshots/<id>/`` is immutable; ``current`` is a symbolic link to the snapshot that is served.
    """

    def __init__(self, data: Path) -> None:
        self.data = data
        self._folder = data / "snapshots"
        self._current = data / "current"

    def current_id(self) -> str | None:
        """Return the id of the current snapshot; None if none was published yet."""
        try:
            return self._current.readlink().name
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            raise BadSnapshot(f"{self._current} is no symbolic link: remove it, then roll back") from error

    def ids(self) -> list[str]:
        """Return the ids of all published snapshots, oldest first; skip files and folders of others."""
        if not self._folder.is_dir():
            return []
        return sorted(
            path.name for path in self._folder.iterdir() if SNAPSHOT_ID.fullmatch(path.name) and path.is_dir()
        )

    def path(self, snapshot_id: str | None = None) -> Path:
        """Return the folder of a snapshot, by default the current one.

        Raises:
            UnknownSnapshot: there is no such snapshot, or none at all.
        """
        wanted = snapshot_id or self.current_id()
        if wanted is None:
            raise UnknownSnapshot(f"{self.data} holds no snapshot yet: run posterity build --data {self.data}")
        if wanted not in self.ids():
            raise UnknownSnapshot(f"{self.data} holds no snapshot {wanted!r}: see posterity snapshots list")
        return self._folder / wanted

    def manifest(self, snapshot_id: str | None = None) -> Manifest:
        """Return the manifest of a snapshot, by default the current one.

        Raises:
            UnknownSnapshot: there is no such snapshot.
            BadSnapshot: the manifest is missing or damaged.
        """
        return _manifest_in(self.path(snapshot_id))

    @contextmanager
    def holding(self, snapshot_id: str | None = None) -> Iterator[Path]:
        """Yield the folder of a snapshot, by default the current one, which no process prunes meanwhile.

        Raises:
            UnknownSnapshot: there is no such snapshot, or it is being pruned.
            BadSnapshot: its manifest is missing.
        """
        folder = self.path(snapshot_id)
        with ExitStack() as stack:
            try:
                held = stack.enter_context(sharing(folder / _MANIFEST))
            except FileNotFoundError as error:
                raise BadSnapshot(f"{folder / _MANIFEST} is missing: roll back or build again") from error
            if not held or not folder.is_dir():
                raise UnknownSnapshot(f"snapshot {folder.name!r} was just deleted: see posterity snapshots list")
            yield folder

    def check(self, snapshot_id: str | None = None) -> Checked:
        """Verify a snapshot, by default the current one, and return it with the state of its files.

        Raises:
            UnknownSnapshot, BadSnapshot: as ``verify``.
        """
        with self.holding(snapshot_id) as folder:
            states = _states(folder)  # taken before, so that changes during the verification show
            self.verify(folder.name)
        return Checked(folder.name, states)

    def check_newest_sound(self) -> tuple[Checked, BadSnapshot | None]:
        """Verify the current snapshot; if it is damaged, the one before it, and so on. Return the first that is sound.

        The error is the current snapshot's; None if it is sound.

        Raises:
            UnknownSnapshot: there is no snapshot.
            BadSnapshot: all are damaged; the error is the current one's.
        """
        try:
            return self.check(), None
        except BadSnapshot as error:
            current = self.path().name
            for earlier in sorted((known for known in self.ids() if known < current), reverse=True):
                with suppress(BadSnapshot, UnknownSnapshot):
                    return self.check(earlier), error
            raise

    def verify(self, snapshot_id: str | None = None, *, checked: Checked | None = None) -> Manifest:
        """Check the size and checksum of every file; return the manifest.

        Args:
            snapshot_id: by default the current snapshot.
            checked: a snapshot whose files need not be read again unless their state has changed.

        Raises:
            UnknownSnapshot: there is no such snapshot.
            BadSnapshot: a file is missing or differs; the message names it.
        """
        folder = self.path(snapshot_id)
        manifest = self.manifest(folder.name)
        if checked is None or checked.id != folder.name or checked.states != _states(folder):
            _verify_files(folder, manifest)
        return manifest

    @contextmanager
    def writing(self) -> Iterator[Path]:
        """Yield an empty folder for a new snapshot, under the build lock; delete it unless it was published.

        Raises:
            PosterityError: another build is writing into the same data directory.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with self.alone():
            folder = self._folder / f"{_UNFINISHED}{os.getpid()}"
            folder.mkdir()
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the build lock, and delete leftovers of killed builds and prunes.

        Raises:
            PosterityError: a build is running on the data directory.
        """
        busy = f"another build is running in {self.data}: wait until it ends"
        with locked(self.data / ".build.lock", busy):
            for abandoned in self._folder.glob(f"{_UNFINISHED}*"):
                shutil.rmtree(abandoned)
            yield

    def publish(self, folder: Path, *, now: datetime | None = None, **fields: Any) -> Manifest:
        """Publish the files in ``folder`` as the current snapshot, durably and atomically; return its manifest.

        Args:
            folder: from ``writing``.
            now: time of creation, by default the current time.
            fields: of ``Manifest``, except id, created and files.
        """
        now = now or datetime.now(UTC)
        files = {
            str(file.relative_to(folder)): {"size": file.stat().st_size, "sha256": sha256_of(file)}
            for file in sorted(folder.rglob("*"))
            if file.is_file()
        }
        # The time sorts ids by age, also after a clock was set back; the digest makes them unique.
        later = [_time_of(newest) + timedelta(milliseconds=1) for newest in self.ids()[-1:]]
        snapshot_id = f"{max([now, *later]):%Y%m%dT%H%M%S%f}"[:18] + f"-{_digest_of(files)[:8]}"
        manifest = Manifest(id=snapshot_id, created=now.isoformat(), files=files, **fields)
        (folder / _MANIFEST).write_text(json.dumps(manifest.to_json(), indent=1, ensure_ascii=False))
        self._make_current(folder, snapshot_id)
        return manifest

    def install(self, folder: Path, snapshot_id: str) -> Manifest:
        """Verify a snapshot of another machine and make it current, durably and atomically; return its manifest.

        One of the same id that is here already is replaced: it may be damaged.

        Args:
            folder: from ``writing``, with all files of the snapshot and its manifest.
            snapshot_id: that the manifest has.

        Raises:
            BadSnapshot: a file is missing or differs; the current snapshot stays.
        """
        manifest = _manifest_in(folder)
        if manifest.id != snapshot_id:
            raise BadSnapshot(f"the files of snapshot {snapshot_id} are those of {manifest.id!r}: publish it again")
        _verify_files(folder, manifest)
        here = self._folder / manifest.id
        if here.exists():
            here.rename(self._folder / f"{_UNFINISHED}{manifest.id}")  # the next writer or pruning deletes it
        self._make_current(folder, manifest.id)
        return manifest

    def _make_current(self, folder: Path, snapshot_id: str) -> None:
        for path in (*folder.rglob("*"), folder):
            sync(path)
        folder.rename(self._folder / snapshot_id)
        sync(self._folder)
        self._set_current(snapshot_id)

    def rollback(self, snapshot_id: str | None = None) -> Manifest:
        """Make an earlier snapshot current again, after verification; by default the one before the current.

        Raises:
            UnknownSnapshot: there is no such snapshot, or none before the current one.
            BadSnapshot: the snapshot is damaged; the current one stays.
        """
        if snapshot_id is None:
            current = self.current_id()
            earlier = [other for other in self.ids() if current is None or other < current]
            if not earlier:
                raise UnknownSnapshot(f"{self.data} holds no snapshot before {current}: nothing to roll back to")
            snapshot_id = earlier[-1]
        with self.holding(snapshot_id):
            manifest = self.verify(snapshot_id)
            self._set_current(manifest.id)
        return manifest

    def prune(self, keep: int) -> list[str]:
        """Delete old snapshots; return the deleted ids.

        Kept are the newest ``keep``, the newest that verifies, the current one, and all that a process has open.

        Raises:
            PosterityError: a build is running on the data directory.
        """
        with self.alone():
            old = self.ids()[:-keep]
            sound = self._newest_sound() if old else None
            return [snapshot_id for snapshot_id in old if snapshot_id != sound and self._delete(snapshot_id)]

    def _newest_sound(self) -> str | None:
        """Return the id of the newest snapshot that verifies; None if none does."""
        for snapshot_id in reversed(self.ids()):
            with suppress(BadSnapshot):
                return self.verify(snapshot_id).id
        return None

    def _delete(self, snapshot_id: str) -> bool:
        """Delete a snapshot unless it is current or open; return True if it was deleted."""
        folder = self._folder / snapshot_id
        with ExitStack() as stack:
            with suppress(FileNotFoundError):  # without a manifest it cannot be open
                if not stack.enter_context(excluding(folder / _MANIFEST)):
                    return False
            if snapshot_id == self.current_id():
                return False
            # Rename first: a half-deleted snapshot must never be visible under its id.
            hidden = self._folder / f"{_UNFINISHED}{snapshot_id}"
            folder.rename(hidden)
            shutil.rmtree(hidden)
        return True

    def _set_current(self, snapshot_id: str) -> None:
        fresh = self.data / f".current-{os.getpid()}"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(Path("snapshots") / snapshot_id)
        fresh.replace(self._current)
        sync(self.data)


def _manifest_in(folder: Path) -> Manifest:
    file = folder / _MANIFEST
    try:
        document = json.loads(file.read_bytes())
    except FileNotFoundError as error:
        raise BadSnapshot(f"{file} is missing: roll back or build again") from error
    except ValueError as error:
        raise BadSnapshot(f"{file} is damaged (no JSON): roll back or build again") from error
    return Manifest.from_json(document, str(file))


def _verify_files(folder: Path, manifest: Manifest) -> None:
    """Raise BadSnapshot unless every file of a snapshot in a folder has its size and checksum."""
    for name, expected in manifest.files.items():
        if not (folder / name).is_file():
            raise BadSnapshot(f"{folder / name} is missing: roll back or build again")
        if (folder / name).stat().st_size != expected["size"]:
            raise BadSnapshot(f"{folder / name} is damaged (its checksum differs): roll back or build again")
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # most of the time to open a large snapshot
        digests = pool.map(sha256_of, (folder / name for name in manifest.files))
        for (name, expected), sha256 in zip(manifest.files.items(), digests, strict=True):
            if sha256 != expected["sha256"]:
                raise BadSnapshot(f"{folder / name} is damaged (its checksum differs): roll back or build again")


def _states(folder: Path) -> tuple[tuple[int, ...], ...]:
    """Return inode, size and times of change of every file in a folder: any write changes one of them."""
    states = (file.stat() for file in sorted(folder.rglob("*")))
    return tuple((each.st_ino, each.st_size, each.st_mtime_ns, each.st_ctime_ns) for each in states)


def _time_of(snapshot_id: str) -> datetime:
    return datetime.strptime(snapshot_id.partition("-")[0], "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC)


def _digest_of(document: Any) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
