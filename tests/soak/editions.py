"""Editions of the test catalogue; every title names its edition, so that a response shows its snapshot."""

from __future__ import annotations

import csv
import functools
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from index.posters import vgg16
from index.snapshot.store import Manifest, SnapshotStore
from indexer.build import build
from indexer.config import Plan
from tests.conftest import QUICK, write_posters, write_ratings

NAMES = ("Amber", "Basalt", "Cobalt")
OWN = {name: 101 + at for at, name in enumerate(NAMES)}  # id of a movie that only this edition has
NAME = re.compile(rf"\b({'|'.join(NAMES)})")

_FACTS = ("version", "dataset", "spaces", "blend", "ratings", "posters", "warnings")


@dataclass(frozen=True)
class Edition:
    """A built edition, whose copies can be published."""

    name: str
    folder: Path
    manifest: Manifest

    @property
    def digest(self) -> str:
        """Suffix of the ids of its snapshots."""
        return self.manifest.id.rpartition("-")[2]

    def publish(self, store: SnapshotStore) -> str:
        """Publish a copy as the current snapshot, and return its id."""
        with store.writing() as folder:
            without = shutil.ignore_patterns("manifest.json")  # publishing writes a new one
            shutil.copytree(self.folder, folder, dirs_exist_ok=True, ignore=without)
            facts: dict[str, Any] = {name: getattr(self.manifest, name) for name in _FACTS}
            return store.publish(folder, **facts).id


class Damaging(SnapshotStore):
    """A store that flips a byte of every snapshot before it becomes current, so before a server opens it."""

    def __init__(self, data: Path, rng: np.random.Generator) -> None:
        super().__init__(data)
        self._rng = rng
        self.damaged: list[str] = []  # files, relative to the data directory

    def _set_current(self, snapshot_id: str) -> None:
        files = [file for file in sorted(self.path(snapshot_id).rglob("*")) if file.is_file()]
        file = files[self._rng.integers(len(files))]
        flip(file, int(self._rng.integers(file.stat().st_size)))
        self.damaged.append(str(file.relative_to(self.data)))
        super()._set_current(snapshot_id)


def flip(file: Path, position: int) -> None:
    """Invert one byte of a file."""
    with file.open("r+b") as stream:
        stream.seek(position)
        (byte,) = stream.read(1)
        stream.seek(position)
        stream.write(bytes([byte ^ 0xFF]))


def build_editions(root: Path, names: Sequence[str] = NAMES, search: str = "") -> list[Edition]:
    """Build editions into the data directory ``root/data``, and Milvus if given; the last one becomes current."""
    store = SnapshotStore(root / "data")
    if not (root / "posters").exists():
        write_posters(root / "posters")
    editions = []
    with patch.object(vgg16, "load", functools.cache(vgg16.load)):  # load the network once
        for at, name in enumerate(names):
            ratings = root / "ratings" / name
            write_ratings(ratings)
            _rewrite(ratings / "movies.csv", lambda row, name=name: _renamed(row, name), [_own(name)])
            # Each edition lacks another tenth of the ratings.
            _rewrite(ratings / "ratings.csv", lambda row, at=at: None if _left_out(row, at) else row)
            manifest = build(Plan(ratings, store.data, root / "posters", "untrained", QUICK, search=search))
            folder = root / "editions" / name
            shutil.copytree(store.path(manifest.id), folder)
            editions.append(Edition(name, folder, manifest))
    return editions


def _own(name: str) -> list[str]:
    return [str(OWN[name]), f"Own Film {name} (2005)", "Romance"]


def _renamed(row: list[str], name: str) -> list[str]:
    title, year = re.fullmatch(r"(.*?)( \(\d{4}\))?", row[1]).groups(default="")  # type: ignore[union-attr]
    return [row[0], f"{title} {name}{year}", row[2]]


def _left_out(row: list[str], at: int) -> bool:
    return (int(row[0]) + int(row[1])) % 10 == at


def _rewrite(file: Path, change: Any, more: Sequence[list[str]] = ()) -> None:
    with file.open(newline="", encoding="utf-8") as stream:
        header, *rows = csv.reader(stream)
    kept = [changed for row in rows if (changed := change(row)) is not None]
    with file.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([header, *kept, *more])
