"""A snapshot on disk: written once, checksummed, published by one atomic swap, verified whenever it is opened."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from index.core.errors import BadSnapshot, UnknownSnapshot
from index.core.files import locked, sha256_of, sync

FORMAT = 4
READABLE = (2, 3, 4)  # 2 has poster vectors in memory-mapped float32 alone; 2 and 3 have no evaluation and no maps

_UNFINISHED = ".unfinished-"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a snapshot is, how it was made, and the checksum of every file in it. The authority on all of it."""

    id: str
    created: str  # ISO 8601, UTC
    version: str  # of Posterity, that built it
    dataset: Mapping[str, Any]  # name, notice, counts
    spaces: Mapping[str, Mapping[str, Any]]  # name -> dimension, metric, movies, how it was made
    blend: Mapping[str, float]  # space -> default weight
    ratings: Mapping[str, Any]  # the rating model: scale, noise, hyperparameters
    posters: Mapping[str, Any]  # counts, and the unreadable ones with the reason
    warnings: tuple[str, ...]  # what the build left out and why
    files: Mapping[str, Mapping[str, Any]]  # path -> size, sha256
    format: int = FORMAT
    evaluation: Mapping[str, Any] = field(default_factory=dict)  # how good it is, on held-out ratings; may be empty
    maps: Mapping[str, Any] = field(default_factory=dict)  # space -> how its posters were laid out; may be empty

    @property
    def weights(self) -> Mapping[str, Any] | None:
        """Name and SHA-256 of the VGG16 weights behind the poster space; None without one."""
        poster = self.spaces.get("poster")
        return None if poster is None else poster["weights"]

    def to_json(self) -> dict[str, Any]:
        """What stands in ``manifest.json``, its own checksum included."""
        body = {"format": self.format} | {name: getattr(self, name) for name in self.__slots__}
        return body | {"sha256": _digest_of(body)}

    @classmethod
    def from_json(cls, document: Any, source: str) -> Manifest:
        """The manifest in a parsed ``manifest.json``.

        Raises:
            BadSnapshot: another format version, a wrong checksum, or not a manifest at all.
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
        known = {name: body[name] for name in cls.__slots__ if name in body}
        return cls(**known | {"warnings": tuple(body["warnings"])})


class SnapshotStore:
    """The snapshots under one data directory.

    ``snapshots/<id>/`` never changes once it is there; ``current`` is a symbolic link to the one that is served.
    """

    def __init__(self, data: Path) -> None:
        self.data = data
        self._folder = data / "snapshots"
        self._current = data / "current"

    def current_id(self) -> str | None:
        """The id of the snapshot that is served; None where nothing was published yet."""
        try:
            return self._current.readlink().name
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BadSnapshot(f"{self._current} is no symbolic link: remove it, then roll back") from error

    def ids(self) -> list[str]:
        """Ids of every published snapshot, oldest first."""
        if not self._folder.is_dir():
            return []
        return sorted(path.name for path in self._folder.iterdir() if not path.name.startswith("."))

    def path(self, snapshot_id: str | None = None) -> Path:
        """The folder of a snapshot, the current one by default.

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
        """The manifest of a snapshot, the current one by default.

        Raises:
            UnknownSnapshot: there is no such snapshot.
            BadSnapshot: the manifest is missing or damaged.
        """
        file = self.path(snapshot_id) / "manifest.json"
        try:
            document = json.loads(file.read_bytes())
        except FileNotFoundError as error:
            raise BadSnapshot(f"{file} is missing: roll back or build again") from error
        except ValueError as error:
            raise BadSnapshot(f"{file} is damaged (no JSON): roll back or build again") from error
        return Manifest.from_json(document, str(file))

    def verify(self, snapshot_id: str | None = None) -> Manifest:
        """The manifest, after every file was found there with its size and checksum.

        Raises:
            UnknownSnapshot: there is no such snapshot.
            BadSnapshot: a file is missing or differs; the message names it.
        """
        folder = self.path(snapshot_id)
        manifest = self.manifest(folder.name)
        for name, known in manifest.files.items():
            if not (folder / name).is_file():
                raise BadSnapshot(f"{folder / name} is missing: roll back or build again")
            if (folder / name).stat().st_size != known["size"]:
                raise BadSnapshot(f"{folder / name} is damaged (its checksum differs): roll back or build again")
        with ThreadPoolExecutor(os.cpu_count()) as pool:  # of a large snapshot this takes most of what opening it does
            found = pool.map(sha256_of, (folder / name for name in manifest.files))
            for (name, known), sha256 in zip(manifest.files.items(), found, strict=True):
                if sha256 != known["sha256"]:
                    raise BadSnapshot(f"{folder / name} is damaged (its checksum differs): roll back or build again")
        return manifest

    @contextmanager
    def writing(self) -> Iterator[Path]:
        """An empty folder for the files of a new snapshot; gone afterwards unless it was published.

        Raises:
            PosterityError: another build is writing into the same data directory.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        busy = f"another build is running in {self.data}: wait until it ends"
        with locked(self.data / ".build.lock", busy):
            # Under the lock nobody else writes, so whatever is unfinished was left by a build that was killed.
            for left in self._folder.glob(f"{_UNFINISHED}*"):
                shutil.rmtree(left)
            folder = self._folder / f"{_UNFINISHED}{os.getpid()}"
            folder.mkdir()
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def publish(self, folder: Path, *, now: datetime | None = None, **facts: Any) -> Manifest:
        """Makes the files in ``folder`` the current snapshot and returns its manifest.

        Args:
            folder: what ``writing`` gave.
            facts: the fields of ``Manifest`` besides id, created and files.
        """
        now = now or datetime.now(UTC)
        files = {
            str(file.relative_to(folder)): {"size": file.stat().st_size, "sha256": sha256_of(file)}
            for file in sorted(folder.rglob("*"))
            if file.is_file()
        }
        # By time, so that names sort by age; and by content, so that no two builds share one.
        snapshot_id = f"{now:%Y%m%dT%H%M%S%f}"[:18] + f"-{_digest_of(files)[:8]}"
        manifest = Manifest(id=snapshot_id, created=now.isoformat(), files=files, **facts)
        (folder / "manifest.json").write_text(json.dumps(manifest.to_json(), indent=1, ensure_ascii=False))
        for path in (*folder.rglob("*"), folder):
            sync(path)
        folder.rename(self._folder / snapshot_id)
        sync(self._folder)
        self._point_to(snapshot_id)
        return manifest

    def rollback(self, snapshot_id: str | None = None) -> Manifest:
        """Serves an earlier snapshot again: the one before the current, or the one named. It is verified first.

        Raises:
            UnknownSnapshot: there is no such snapshot, or none before the current one.
            BadSnapshot: it is damaged; the current one stays.
        """
        if snapshot_id is None:
            current = self.current_id()
            earlier = [known for known in self.ids() if current is None or known < current]
            if not earlier:
                raise UnknownSnapshot(f"{self.data} holds no snapshot before {current}: nothing to roll back to")
            snapshot_id = earlier[-1]
        manifest = self.verify(snapshot_id)
        self._point_to(manifest.id)
        return manifest

    def prune(self, keep: int) -> list[str]:
        """Deletes all but the newest ``keep`` snapshots and the current one; the ids of those deleted."""
        current = self.current_id()
        doomed = [known for known in self.ids()[: -keep or None] if known != current]
        for snapshot_id in doomed:
            # Renamed first: a half-deleted snapshot must never be seen under its name.
            grave = self._folder / f"{_UNFINISHED}{snapshot_id}"
            (self._folder / snapshot_id).rename(grave)
            shutil.rmtree(grave)
        return doomed

    def _point_to(self, snapshot_id: str) -> None:
        fresh = self.data / f".current-{os.getpid()}"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(Path("snapshots") / snapshot_id)
        fresh.replace(self._current)
        sync(self.data)


def _digest_of(document: Any) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
