"""Damage to any file of a snapshot is reported by the file's name, and the snapshot before stays in use."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from index.core.errors import BadSnapshot
from index.movie_index import MovieIndex
from index.snapshot.store import SnapshotStore
from server.app import create_app
from server.state.current_snapshot import SnapshotWatcher
from tests.conftest import World, unlimited
from tests.server.state.test_current_snapshot import Clock, snapshot_part
from tests.soak.editions import Edition, flip

Damage = Callable[[Path], None]


def flipped(place: float) -> Damage:
    return lambda file: flip(file, int(place * (file.stat().st_size - 1)))


def cut(length: Callable[[int], int]) -> Damage:
    def damage(file: Path) -> None:
        with file.open("r+b") as stream:
            stream.truncate(length(file.stat().st_size))

    return damage


# The byte in the middle is random with a fixed seed.
DAMAGES: dict[str, Damage] = {
    "first byte": flipped(0),
    "some byte": flipped(float(np.random.default_rng(0).uniform(0.2, 0.8))),
    "last byte": flipped(1),
    "a byte short": cut(lambda size: size - 1),
    "half": cut(lambda size: size // 2),
    "empty": cut(lambda _: 0),
    "missing": Path.unlink,
}


@pytest.fixture
def data(world: World, tmp_path: Path) -> Path:
    """Return a copy of the film world whose snapshots may be written to."""
    for name in ("posters", "weights"):
        (tmp_path / name).symlink_to(world.data / name)
    shutil.copytree(world.data / "snapshots", tmp_path / "snapshots")
    SnapshotStore(tmp_path).rollback(world.manifest.id)
    return tmp_path


@pytest.mark.parametrize("how", DAMAGES)
def test_any_file_that_is_damaged_is_refused_by_name(data: Path, world: World, how: str) -> None:
    folder = SnapshotStore(data).path()
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    assert {str(file.relative_to(folder)) for file in files} == {*world.manifest.files, "manifest.json"}
    for file in files:
        content = file.read_bytes()
        DAMAGES[how](file)
        with pytest.raises(BadSnapshot) as caught:
            MovieIndex.open(data)
        assert str(caught.value).startswith(f"{file} is {'missing' if how == 'missing' else 'damaged'}")
        assert str(caught.value).endswith("roll back or build again")
        file.write_bytes(content)
    MovieIndex.open(data)


def test_a_server_refuses_each_by_name_and_serves_the_one_before(
    data: Path, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    store, clock = SnapshotStore(data), Clock()
    edition = Edition("the world", store.path(), world.manifest)
    app = create_app(unlimited(data))
    app.extensions["snapshot_watcher"] = SnapshotWatcher(data, clock)
    client = app.test_client()

    names = ("manifest.json", "movies.json", "poster/rows.faiss", "taste/vectors.faiss", "ratings/user_ids.npy")
    for how, name in zip([*DAMAGES, *DAMAGES], itertools.cycle(names), strict=False):
        published = edition.publish(store)
        DAMAGES[how](store.path() / name)  # before the watcher looks
        part = snapshot_part(client, clock, data)
        assert part["id"] == world.manifest.id
        assert part["refused"]["id"] == published
        said = f"snapshots/{published}/{name} is {'missing' if how == 'missing' else 'damaged'}"
        assert part["refused"]["reason"].startswith(said)
        assert f"{data}/{said}" in caplog.text
        reply = client.get("/api/v1/movies/1/similar?by=poster")
        assert reply.get_json()["snapshot"] == world.manifest.id
        assert reply.get_json()["results"]
    store.rollback(world.manifest.id)
    snapshot_part(client, clock, data)
    assert snapshot_part(client, clock, data) == {"status": "ok", "id": world.manifest.id, "refused": None}
