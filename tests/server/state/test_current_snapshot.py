from __future__ import annotations

import gc
import os
import resource
import threading
import weakref
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from flask.testing import FlaskClient

from index.catalogue import title_forms
from index.catalogue.catalogue import Movie
from index.core.errors import BadSnapshot, UnknownSnapshot
from index.library.movies import Library
from index.movie_index import MovieIndex
from index.snapshot.store import SnapshotStore
from indexer.build import build
from indexer.config import Plan
from server.app import create_app
from server.state.current_snapshot import Refused, SnapshotWatcher
from tests.conftest import QUICK, World, unlimited
from tests.soak.editions import Edition


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


def test_a_worker_that_begins_again_does_not_trust_a_check_of_files_that_have_changed_since(
    data: Path, world: World
) -> None:
    store = SnapshotStore(data)
    newer = Edition("the world", store.path(), world.manifest).publish(store)
    checked = store.check()
    assert SnapshotWatcher(data, checked=checked).index().manifest.id == newer
    file = store.path() / "taste" / "neighbour_scores.npy"
    os.truncate(file, file.stat().st_size - 1)
    watcher = SnapshotWatcher(data, checked=checked)
    assert watcher.index().manifest.id == world.manifest.id
    refused = watcher.refused()
    assert refused is not None
    assert "neighbour_scores.npy is damaged" in refused.reason


def too_many_files(_: Path) -> ExitStack:
    """Let the system refuse every further open file of this process."""
    limits, stack = resource.getrlimit(resource.RLIMIT_NOFILE), ExitStack()
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
    stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
    return stack


def unreadable_library(data: Path) -> ExitStack:
    stack = ExitStack()
    (data / "library.db").write_bytes(b"no database, but long enough to look like the header of one" * 20)
    stack.callback((data / "library.db").unlink)
    return stack


def failing_faiss(kind: type[Exception]) -> Callable[[Path], ExitStack]:
    def fail(_: Path) -> ExitStack:
        stack = ExitStack()
        stack.enter_context(patch("faiss.read_index", side_effect=kind("from Faiss")))
        return stack

    return fail


@pytest.mark.parametrize(
    "fault",
    [too_many_files, unreadable_library, failing_faiss(RuntimeError), failing_faiss(MemoryError)],
    ids=["EMFILE", "library", "RuntimeError", "MemoryError"],
)
def test_a_snapshot_that_cannot_be_opened_for_a_while_is_served_soon_after(
    world: World, data: Path, fault: Callable[[Path], ExitStack]
) -> None:
    store, clock = SnapshotStore(data), Clock()
    watcher = SnapshotWatcher(data, clock)
    newer = Edition("the world", store.path(), world.manifest).publish(store)
    with fault(data):
        for _ in range(30):
            clock.now += 1.5
            watcher.latest()
            wait_for_opening()
        assert watcher.latest().manifest.id == world.manifest.id
    refused = watcher.refused()
    assert refused is not None
    assert refused == Refused(newer, "it cannot be opened now and is tried again: the log says why")
    for _ in range(6):  # 9 seconds
        clock.now += 1.5
        watcher.latest()
        wait_for_opening()
    assert watcher.latest().manifest.id == newer
    assert watcher.refused() is None


def test_an_open_snapshot_is_not_pruned_before_it_is_closed(world: World, data: Path) -> None:
    store = SnapshotStore(data)
    edition = Edition("the world", store.path(), world.manifest)
    index = MovieIndex.open(data)
    Library.open(data).put(Movie(3, "Between", 2000, ("Sci-Fi",), None, None))
    index = index.refreshed()  # keeps open what the index before it had
    edition.publish(store)
    assert store.prune(keep=1) == []
    assert index.similar(1, 3, by="poster")
    del index
    assert store.prune(keep=1) == [world.manifest.id]


def test_the_first_search_finds_the_tables_of_titles_made(world: World) -> None:
    index = SnapshotWatcher(world.data).index()
    compared: list[str] = []
    with patch.object(title_forms, "every_word", lambda title: compared.append(title) or title.split()):
        index.catalogue.search("starship")
    assert set(compared) == {"starship"}
