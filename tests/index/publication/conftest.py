"""Data directories with small snapshots, and storages of two kinds to publish them in."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

import pytest

from index.catalogue.catalogue import Catalogue
from index.catalogue.movie import Movie
from index.core.errors import PosterityError
from index.publication.publish import Published, publish_snapshot
from index.publication.storage import Storage
from index.snapshot.store import SnapshotStore


@pytest.fixture(params=["file", pytest.param("s3", marks=pytest.mark.long)])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """An empty storage of each kind."""
    if request.param == "file":
        return Storage(f"file://{tmp_path}/published")
    return Storage(f"{request.getfixturevalue('s3_bucket')}/{uuid4()}")


@pytest.fixture
def folder(tmp_path: Path) -> Storage:
    """An empty storage in a folder."""
    return Storage(f"file://{tmp_path}/published")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The data directory of a publisher, with one snapshot."""
    build(tmp_path / "data", "first")
    return tmp_path / "data"


def build(data: Path, content: str, posters: tuple[int, ...] = (1, 2)) -> str:
    """Publish a snapshot of a few files on this machine; of them only one has the content. Return its id."""
    (data / "posters").mkdir(parents=True, exist_ok=True)
    for movie_id in posters:
        (data / "posters" / f"{movie_id}.jpg").write_bytes(b"poster %d" % movie_id)
    store = SnapshotStore(data)
    movies = [Movie(each, f"Film {each}", 2000, (), None, None) for each in posters]
    n = len(movies)
    catalogue = Catalogue(movies, [0] * n, [None] * n, [f"{each}.jpg" for each in posters])
    with store.writing() as fresh:
        (fresh / "taste").mkdir()
        (fresh / "taste" / "vectors.npy").write_text(content)
        (fresh / "taste" / "same.npy").write_text("the same in all snapshots" * 100)
        (fresh / "movies.json").write_text(json.dumps(catalogue.to_json()))
        nothing: dict[str, object] = {"spaces": {}, "blend": {}, "ratings": {}, "posters": {}, "warnings": ()}
        return store.publish(fresh, version="1", dataset={"name": "tiny"}, **nothing).id


def publish(data: Path, storage: Storage, snapshot_id: str | None = None, **options: object) -> Published:
    """Publish a snapshot; a warning is an error."""

    def fail(line: str) -> None:
        raise PosterityError(line)

    return publish_snapshot(data, storage, snapshot_id, **{"warn": fail, **options})  # type: ignore[arg-type]


def objects(storage: Storage) -> list[str]:
    """Return the names of the files in a storage."""
    return sorted(storage.sizes("files"))


def files_of(data: Path) -> dict[str, bytes]:
    """Return path -> content of what a server reads: the current snapshot and the posters."""
    found = {}
    for folder in (SnapshotStore(data).path(), data / "posters"):
        found |= {str(file.relative_to(data)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    return found
