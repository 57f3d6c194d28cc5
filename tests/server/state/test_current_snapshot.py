from __future__ import annotations

import gc
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from index.core.errors import BadSnapshot, UnknownSnapshot
from index.snapshot.store import SnapshotStore
from indexer.build import build
from indexer.config import Plan
from server.app import create_app
from server.state.current_snapshot import SnapshotWatcher
from tests.conftest import QUICK, World, unlimited


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def wait_for_opening() -> None:
    for thread in threading.enumerate():
        if thread.name == "open-snapshot":
            thread.join()


def snapshot_part(client: FlaskClient, clock: Clock, data: Path) -> dict[str, Any]:
    """Return the snapshot part of /readyz after the next look; assert that no response names the data directory."""
    clock.now += 5
    client.get("/readyz")
    wait_for_opening()
    reply = client.get("/readyz")
    assert reply.status_code == 200
    assert str(data) not in reply.text
    return dict(reply.get_json()["parts"]["snapshot"])


def test_a_new_snapshot_is_followed(world: World, data: Path) -> None:
    clock = Clock()
    watcher = SnapshotWatcher(data, clock)
    old = watcher.index()
    manifest = build(Plan(world.ratings, data, settings=QUICK))
    assert watcher.index() is old  # within the interval between looks
    clock.now = 5
    watcher.index()
    wait_for_opening()
    assert watcher.index().manifest.id == manifest.id
    assert old.similar(1, 3, by="poster")  # the old index still works


def test_a_damaged_new_snapshot_is_not_served(world: World, data: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    watcher = SnapshotWatcher(data, clock)
    manifest = build(Plan(world.ratings, data, settings=QUICK))
    (SnapshotStore(data).path() / "movies.json").write_text("{}")
    for now in (5, 10, 15):
        clock.now = now
        watcher.index()
        wait_for_opening()
    assert watcher.index().manifest.id == world.manifest.id
    assert caplog.text.count(f"snapshot {manifest.id} cannot be opened") == 1
    assert "movies.json is damaged" in caplog.text


def test_a_process_that_begins_while_a_damaged_snapshot_is_current_serves_the_one_before(
    world: World, data: Path
) -> None:
    clock = Clock()
    for _ in range(2):  # the snapshot before may be damaged, too
        damaged = build(Plan(world.ratings, data, settings=QUICK))
        (SnapshotStore(data).path() / "movies.json").write_text("{}")
    watcher = SnapshotWatcher(data, clock)
    assert watcher.index().manifest.id == world.manifest.id
    refused = watcher.refused()
    assert refused is not None
    assert refused.id == damaged.id
    assert refused.reason.startswith(f"snapshots/{damaged.id}/movies.json is damaged")
    better = build(Plan(world.ratings, data, settings=QUICK))
    clock.now = 5
    watcher.index()
    wait_for_opening()
    assert watcher.index().manifest.id == better.id
    assert watcher.refused() is None


def test_a_rollback_is_followed(world: World, data: Path) -> None:
    clock = Clock()
    build(Plan(world.ratings, data, settings=QUICK))
    watcher = SnapshotWatcher(data, clock)
    SnapshotStore(data).rollback()
    clock.now = 5
    watcher.index()
    wait_for_opening()
    assert watcher.index().manifest.id == world.manifest.id


@pytest.mark.parametrize(
    "path", ["/", "/?q=wedding", "/movies/3", "/movies/999", "/api/v1/movies/3", "/api/v1/movies/999", "/readyz"]
)
def test_a_reply_holds_no_snapshot_once_it_is_sent(world: World, path: str) -> None:
    app = create_app(unlimited(world.data))
    client = app.test_client()
    client.get(path, headers={"Accept": "text/html"})
    app.extensions["snapshot_watcher"] = SnapshotWatcher(world.data)
    gone = weakref.ref(app.extensions["snapshot_watcher"].index())
    gc.disable()  # it would free the index in the end, maybe after hours: until then its files would fill the disk
    try:
        client.get(path, headers={"Accept": "text/html"}).close()
        client.get("/livez").close()  # the client itself keeps the last response
        app.extensions["snapshot_watcher"] = None
        assert gone() is None
    finally:
        gc.enable()


def test_nothing_to_serve_is_an_error(tmp_path: Path, data: Path) -> None:
    with pytest.raises(UnknownSnapshot, match="posterity build"):
        SnapshotWatcher(tmp_path / "nowhere")
    (SnapshotStore(data).path() / "movies.json").unlink()
    with pytest.raises(BadSnapshot, match=r"movies\.json is missing"):
        SnapshotWatcher(data)


def test_what_was_checked_is_not_read_again_and_nothing_else_goes_unchecked(data: Path, world: World) -> None:
    file = SnapshotStore(data).path() / "taste" / "neighbour_scores.npy"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert SnapshotWatcher(data, checked=world.manifest.id).index().manifest.id == world.manifest.id
    with pytest.raises(BadSnapshot, match=r"neighbour_scores\.npy is damaged"):
        SnapshotWatcher(data, checked="another")
