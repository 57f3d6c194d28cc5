from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from index.catalogue.catalogue import Movie
from index.core.errors import BadLibrary
from index.library.movies import Library
from index.snapshot.store import SnapshotStore
from indexer.build import build
from indexer.config import Plan
from server.app import create_app
from server.config import ServerConfig
from server.media.uploads import UploadQueue
from server.state.current_snapshot import SnapshotWatcher
from tests.conftest import QUICK, World
from tests.server.conftest import assert_problem
from tests.server.state.test_current_snapshot import Clock, snapshot_part


def test_a_process_that_answers_is_alive(client: FlaskClient) -> None:
    assert client.get("/livez").get_json() == {"status": "alive"}


def test_a_server_that_can_answer_is_ready_and_names_its_parts(client: FlaskClient, world: World) -> None:
    reply = client.get("/readyz")
    assert reply.status_code == 200
    assert reply.get_json() == {
        "status": "ready",
        "parts": {
            "snapshot": {"status": "ok", "id": world.manifest.id, "refused": None},
            "library": {"status": "ok"},
            "uploads": {"status": "ok", "waiting": 0, "size": ServerConfig().upload_queue},
            "rate_limits": {"status": "off"},
            "storage": {"status": "off"},
            "search": {"status": "off"},
        },
    }


def test_a_full_queue_is_shown_and_does_not_matter_to_others(app: Flask, client: FlaskClient) -> None:
    queue: UploadQueue = app.extensions["upload_queue"]
    with ExitStack() as places:
        for _ in range(queue.size):
            places.enter_context(queue.place())
        reply = client.get("/readyz")
        assert reply.status_code == 200
        assert reply.get_json()["parts"]["uploads"] == {"status": "full", "waiting": 4, "size": 4}


def test_without_posters_there_are_no_uploads(world: World, tmp_path: Path) -> None:
    build(Plan(world.ratings, tmp_path, settings=QUICK))
    parts = create_app(ServerConfig(tmp_path)).test_client().get("/readyz").get_json()["parts"]
    assert parts["uploads"]["status"] == "off"
    assert parts["snapshot"]["status"] == "ok"


def test_a_snapshot_that_is_refused_is_named_until_another_is_served(world: World, data: Path) -> None:
    app, clock = create_app(ServerConfig(data)), Clock()
    app.extensions["snapshot_watcher"] = SnapshotWatcher(data, clock)
    client = app.test_client()

    damaged = build(Plan(world.ratings, data, settings=QUICK))
    (SnapshotStore(data).path() / "movies.json").write_text("{}")
    reason = f"snapshots/{damaged.id}/movies.json is damaged (its checksum differs): roll back or build again"
    refused = {"status": "degraded", "id": world.manifest.id, "refused": {"id": damaged.id, "reason": reason}}
    assert snapshot_part(client, clock, data) == snapshot_part(client, clock, data) == refused
    better = build(Plan(world.ratings, data, settings=QUICK))
    assert snapshot_part(client, clock, data) == {"status": "ok", "id": better.id, "refused": None}


def test_a_library_that_cannot_be_read_is_not_ready_and_tells_no_path(
    data: Path, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(ServerConfig(data))
    app.config["PROPAGATE_EXCEPTIONS"] = False
    client = app.test_client()
    (data / "library.db").write_bytes(b"no database, but long enough to look like the header of one" * 20)
    reply = client.get("/readyz")
    assert reply.status_code == 503
    document = reply.get_json()
    assert document["status"] == "not ready"
    assert document["parts"]["library"] == {"status": "failed"}
    assert document["parts"]["snapshot"]["id"] == world.manifest.id
    assert client.get("/livez").status_code == 200
    assert client.get("/metrics").status_code == 200
    problem = client.get("/api/v1/movies/1")
    assert_problem(problem, 500, "the library of added movies cannot be read at the moment", "the log")
    page = client.get("/", headers={"Accept": "text/html"})
    assert page.status_code == 500
    assert "the library of added movies cannot be read" in page.text
    for each in (reply, problem, page):
        assert str(data) not in each.text
        assert "library.db" not in each.text
    assert "library.db cannot be used" in caplog.text


def test_a_library_that_can_be_read_again_is_ready_again(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Library.open(data).put(Movie(1, "Starship 1", 1971, ("Sci-Fi",), None, None))
    app = create_app(ServerConfig(data))
    client = app.test_client()

    def broken(_: Library) -> int:
        raise BadLibrary(f"{data}/library.db cannot be used")

    with monkeypatch.context() as patch:
        patch.setattr(Library, "movies_version", broken)
        assert client.get("/readyz").status_code == 503
    assert client.get("/readyz").status_code == 200
