"""Two real servers that follow one storage."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from index.core.errors import StorageUnavailable
from index.library.api_keys import Keys
from index.library.database import Database
from index.publication.file_list import file_of
from index.publication.publish import publish_snapshot
from index.publication.storage import Storage
from index.snapshot.store import SnapshotStore
from server.app import create_app
from tests.conftest import S3_SECRET, World, unlimited
from tests.server.conftest import assert_problem
from tests.serving import Serving, free_port, get, serving
from tests.soak.editions import Edition

pytestmark = pytest.mark.system

SIMILAR = "/api/v1/movies/3/similar?by=taste&limit=5"


@pytest.fixture(params=["file", pytest.param("s3", marks=pytest.mark.long)])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """An empty storage."""
    if request.param == "s3":
        return Storage(f"{request.getfixturevalue('s3_bucket')}/servers")
    return Storage(f"file://{tmp_path}/published")


@pytest.fixture
def publisher(world: World, tmp_path: Path) -> Path:
    """A data directory to publish from, without weights, which are large."""
    data = tmp_path / "publisher"
    shutil.copytree(world.data, data, symlinks=True, ignore=shutil.ignore_patterns("weights", "embeddings"))
    return data


def publish_without_weights(data: Path, storage: Storage, **options: bool) -> str:
    return publish_snapshot(
        data, storage, warn=lambda line: pytest.fail(line) if "posters" in line else None, **options
    ).snapshot


@contextmanager
def following(storage: Storage, data: Path, log: Path) -> Iterator[Serving]:
    with log.open("w") as stream:
        arguments = ("serve", "--follow", storage.shown, "--data", data, "--writer", "https://films.example")
        with serving(*arguments, stderr=stream) as server:
            yield server


def until(seen: Callable[[], bool]) -> None:
    """Wait for what comes by itself; a test that waits in vain is ended by its timeout."""
    while not seen():
        time.sleep(0.05)


def response(server: Serving, path: str = SIMILAR) -> tuple[str, bytes]:
    with urllib.request.urlopen(server.address + path, timeout=60) as reply:  # noqa: S310
        return reply.headers["ETag"], reply.read()


def parts(server: Serving) -> dict[str, Any]:
    found: dict[str, Any] = get(f"{server.address}/readyz")["parts"]
    return found


def test_two_servers_follow_one_storage_with_the_same_bytes(
    world: World, publisher: Path, storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = publish_without_weights(publisher, storage)
    logs = [tmp_path / "one.log", tmp_path / "two.log"]
    with following(storage, tmp_path / "one", logs[0]) as one, following(storage, tmp_path / "two", logs[1]) as two:
        assert get(one.address + SIMILAR)["snapshot"] == get(two.address + SIMILAR)["snapshot"] == first
        until(lambda: parts(one)["storage"]["status"] == parts(two)["storage"]["status"] == "ok")
        assert response(one) == response(two)
        assert response(one, "/api/v1/movies/3/poster") == response(two, "/api/v1/movies/3/poster")

        # Half of a snapshot is there: neither serves it.
        store = SnapshotStore(publisher)
        second = Edition("the world", store.path(), world.manifest).publish(store)
        manifest = file_of((publisher / "current" / "manifest.json").read_bytes())

        def cut(name: str, content: bytes) -> None:  # noqa: ARG001
            raise StorageUnavailable("the line was cut")

        with monkeypatch.context() as patch:
            patch.setattr(storage, "write", cut)
            with pytest.raises(StorageUnavailable, match="the line was cut"):
                publish_without_weights(publisher, storage)
        assert manifest.sha256 in storage.sizes("files")
        assert {get(each.address + SIMILAR)["snapshot"] for each in (one, two)} == {first}

        # All of it is there: both do.
        assert publish_without_weights(publisher, storage) == second
        for each in (one, two):
            until(lambda each=each: get(each.address + SIMILAR)["snapshot"] == second)
        assert response(one) == response(two)

        # A file of it is damaged in the storage: both refuse it, and serve on until it is put right.
        third = Edition("the world", store.path(), world.manifest).publish(store)
        manifest = (publisher / "current" / "manifest.json").read_bytes()
        storage.write(file_of(manifest).object, manifest.swapcase())
        publish_without_weights(publisher, storage)
        for each in (one, two):
            until(lambda each=each: parts(each)["storage"]["status"] == "degraded")
            assert "manifest.json) is damaged" in parts(each)["storage"]["reason"]
            assert get(each.address + SIMILAR)["snapshot"] == second
        publish_without_weights(publisher, storage, again=True)
        for each in (one, two):
            until(lambda each=each: get(each.address + SIMILAR)["snapshot"] == third)
    for log in logs:
        assert f"snapshot {third} is here" in log.read_text()
        assert "is damaged" in log.read_text()
        assert S3_SECRET not in log.read_text()


def test_a_server_follows_on_after_damage_an_outage_and_the_death_of_its_process(
    world: World, publisher: Path, tmp_path: Path
) -> None:
    storage, published = Storage(f"file://{tmp_path}/published"), tmp_path / "published"
    first = publish_without_weights(publisher, storage)
    store = SnapshotStore(publisher)
    with following(storage, tmp_path / "copy", tmp_path / "log") as server:
        until(lambda: parts(server)["storage"]["status"] == "ok")

        published.rename(tmp_path / "away")
        until(lambda: parts(server)["storage"]["status"] == "degraded")
        assert get(f"{server.address}/readyz")["status"] == "degraded"
        assert get(server.address + SIMILAR)["snapshot"] == first
        (tmp_path / "away").rename(published)
        until(lambda: parts(server)["storage"]["status"] == "ok")

        second = Edition("the world", store.path(), world.manifest).publish(store)
        followers = [each for each in server.workers() if "follow" in arguments(each)]
        for each in followers:
            os.kill(each, signal.SIGKILL)
        publish_without_weights(publisher, storage)
        until(lambda: get(server.address + SIMILAR)["snapshot"] == second)
        assert len(followers) == 1
        assert followers[0] not in server.workers()


def arguments(process: int) -> list[str]:
    return Path(f"/proc/{process}/cmdline").read_text().split("\0")


def test_a_server_that_follows_refuses_writes_and_names_the_writer(data: Path, tmp_path: Path) -> None:
    """With any key, as no build would ever merge them."""
    path = "/api/v1/movies/3%0A%C3%A9?a=b%20c"
    key = {"Authorization": f"Bearer {Keys(Database(data)).create('tests')[1]}"}
    storage = f"file://{tmp_path}"
    client = create_app(unlimited(data, follow=storage, writer="https://films.example/base")).test_client()
    refused = client.delete(path, headers=key)
    assert_problem(refused, 403, f"this server only reads: send the request to https://films.example/base{path}")
    assert refused.headers["Link"] == f'<https://films.example/base{path}>; rel="edit"'
    client = create_app(unlimited(data, follow=storage)).test_client()
    assert_problem(client.delete(path, headers=key), 403, "send the request to the server that publishes")
    client = create_app(unlimited(data, writes=False, writer="https://films.example")).test_client()
    assert_problem(client.delete(path, headers=key), 403, "send the request to https://films.example/api/v1")
    assert b"Add a film" not in client.get("/movies/3").data


def test_a_server_with_nothing_to_follow_says_so_and_ends(world: World, tmp_path: Path) -> None:
    """The data directory is one that builds, so it is left as it is."""
    command = [sys.executable, "-m", "posterity", "serve", "--follow", f"file://{tmp_path}", "--port", str(free_port())]
    (tmp_path / "data" / "snapshots" / world.manifest.id).mkdir(parents=True)
    ended = subprocess.run([*command, "--data", tmp_path / "data"], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "has snapshots that were built there" in ended.stderr
    assert "none can be followed: see above" in ended.stderr
