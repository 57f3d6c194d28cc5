"""A server whose vectors are in a real Milvus answers as one that has them in files, and says so when it cannot."""

from __future__ import annotations

import io
import re
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from index.core.errors import SearchUnavailable
from index.milvus.service import milvus_at
from index.snapshot.collections import check_collections, collections_of, missing_aliases, point_aliases, prune
from index.snapshot.store import Manifest, SnapshotStore
from index.spaces.vectors import ROWS_FILE
from indexer.build import build
from indexer.config import Plan
from server.app import create_app
from tests.conftest import QUICK, World, unlimited
from tests.milvus_server import Given, MilvusProcess
from tests.server.api.test_library import API, form, picture, similar
from tests.server.conftest import assert_problem, writer
from tests.server.state.test_current_snapshot import Clock, snapshot_part

pytestmark = pytest.mark.long

Question = tuple[str, dict[str, Any] | None]  # path, and the body of a POST
POSTER: Question = ("/similar", {"like": [3, 4], "unlike": [12], "by": "poster", "limit": 5})
TASTE: Question = ("/similar", {"like": [3, 4], "by": "taste", "limit": 5, "genre": ["Romance"]})
QUESTIONS: list[Question] = [
    POSTER,
    TASTE,
    ("/similar", {"like": [3, 12], "by": "facts", "year_from": 1995}),
    ("/similar", {"like": [3, 12]}),
    ("/movies/3/similar?by=poster&limit=5&genre=Romance", None),
    ("/movies/3/similar?weights=poster:1,taste:1", None),
]


@pytest.fixture(scope="module")
def built(world: World, milvus: Given | MilvusProcess, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The film world, built a second time, into Milvus. Never write to it."""
    data = tmp_path_factory.mktemp("milvus-world") / "data"
    shutil.copytree(world.data, data, symlinks=True)
    build(Plan(world.ratings, data, world.posters, "untrained", QUICK, search=milvus.address))
    return data


@pytest.fixture
def data(built: Path, tmp_path: Path) -> Path:
    shutil.copytree(built, tmp_path / "data", symlinks=True)
    return tmp_path / "data"


@pytest.fixture
def app(data: Path, milvus: Given | MilvusProcess) -> Flask:
    return create_app(unlimited(data, search=milvus.address))


@pytest.fixture
def client(app: Flask, data: Path) -> FlaskClient:
    return writer(app, data)


def manifest_of(data: Path) -> Manifest:
    return SnapshotStore(data).manifest()


def ask(client: FlaskClient, question: Question) -> TestResponse:
    path, body = question
    return client.get(f"{API}{path}") if body is None else client.post(f"{API}{path}", json=body)


def results(client: FlaskClient, question: Question) -> tuple[list[int], list[float]]:
    reply = ask(client, question)
    assert reply.status_code == 200, reply.text
    found = reply.get_json()["results"]
    return [each["movie"]["movie_id"] for each in found], [each["score"] for each in found]


def uploaded(client: FlaskClient) -> Any:
    return client.post(f"{API}/posters/similar", data={"poster": (io.BytesIO(picture()), "any.png")})


def test_whole_posters_are_in_milvus_alone_and_the_manifest_names_every_collection(
    built: Path, milvus: Given | MilvusProcess
) -> None:
    manifest = manifest_of(built)
    assert not any(ROWS_FILE in name for name in manifest.files)
    found = collections_of(manifest, milvus_at(milvus.address))
    assert set(found) == {"poster", "poster_short", "taste", "facts"}
    check_collections(manifest, milvus.address)
    assert missing_aliases(manifest, milvus.address) == []


@pytest.mark.parametrize("question", QUESTIONS, ids=str)
def test_answers_are_those_of_a_snapshot_in_files(world: World, client: FlaskClient, question: Question) -> None:
    in_files = create_app(unlimited(world.data)).test_client()
    expected, found = results(in_files, question), results(client, question)
    assert found[0] == expected[0]
    np.testing.assert_allclose(found[1], expected[1], atol=1e-3)


def test_a_picture_and_an_explanation_are_answered_as_from_files(world: World, client: FlaskClient) -> None:
    in_files = create_app(unlimited(world.data)).test_client()
    expected, found = (uploaded(each).get_json()["results"] for each in (in_files, client))
    assert [each["movie"] for each in found] == [each["movie"] for each in expected]
    path = f"{API}/movies/3/explanations/4"
    expected, found = (each.get(path).get_json() for each in (in_files, client))
    assert found["score"] == pytest.approx(expected["score"], abs=1e-3)


def test_additions_changes_and_removals_are_in_the_answers_at_once(client: FlaskClient) -> None:
    added = client.post(f"{API}/movies", data=form(year="2020")).get_json()["movie"]["movie_id"]
    assert similar(client, 4, by="poster")[0] == added
    assert added in similar(client, 4, by="poster", genre="Sci-Fi", year_from=2015)
    client.delete(f"{API}/movies/5")
    assert 5 not in similar(client, 4, by="poster", limit=30)
    changed = client.put(f"{API}/movies/11", data=form(title="Wedding"))
    assert changed.status_code == 200, changed.text
    assert 11 in similar(client, 4, by="poster", limit=2)
    assert set(similar(client, added, by="poster", limit=5, genre="Sci-Fi")) <= {*range(1, 12), 21}


def test_without_milvus_searches_get_503_and_all_else_is_answered(
    client: FlaskClient, milvus: Given | MilvusProcess
) -> None:
    if isinstance(milvus, Given):
        pytest.skip("POSTERITY_TEST_MILVUS is a server that others use")
    expected = results(client, POSTER)
    milvus.kill()
    try:
        for question in (POSTER, TASTE, POSTER, TASTE):
            problem = ask(client, question)
            assert_problem(problem, 503, "the service that has the vectors does not answer")
            assert problem.headers["Retry-After"] == "2"
            assert "127.0.0.1" not in problem.text
        assert_problem(uploaded(client), 503)
        assert len(results(client, ("/movies/3/similar", None))[0]) == 10  # stored neighbours
        page = client.get("/movies/3", headers={"Accept": "text/html"})
        assert page.status_code == 200
        assert page.text.count("The search does not answer just now") == 0
        added = client.post(f"{API}/movies", data=form(year="2020"))  # a write needs no Milvus
        assert added.status_code == 201
        ready = client.get("/readyz")
        assert ready.status_code == 200
        assert ready.get_json()["status"] == "degraded"
        assert ready.get_json()["parts"]["search"]["status"] == "degraded"
    finally:
        milvus.start()
    until_answered(client)
    new = added.get_json()["movie"]["movie_id"]
    assert similar(client, 4, by="poster")[0] == new
    assert [each for each in results(client, POSTER)[0] if each != new] == expected[0][:4]
    assert client.get("/readyz").get_json()["parts"]["search"] == {"status": "ok", "reason": None}


def test_a_server_that_starts_without_milvus_answers_what_it_can(data: Path) -> None:
    client = create_app(unlimited(data, search="milvus://127.0.0.1:1")).test_client()
    assert len(results(client, ("/movies/3/similar", None))[0]) == 10
    assert_problem(ask(client, POSTER), 503)


def test_a_missing_collection_is_503_until_a_build_writes_it_again(
    world: World, data: Path, client: FlaskClient, milvus: Given | MilvusProcess
) -> None:
    expected = results(client, TASTE)
    manifest = manifest_of(data)
    service = milvus_at(milvus.address)
    taste = collections_of(manifest, service)["taste"]
    service.call("drop_alias", taste.name.rpartition("_")[0], patience=60)
    assert "lacks the alias" in client.get("/readyz").get_json()["parts"]["search"]["reason"]
    assert results(client, TASTE) == expected  # aliases are for others
    service.call("drop_collection", taste.name, patience=60)
    assert_problem(ask(client, TASTE), 503)
    assert client.get("/readyz").get_json()["parts"]["search"]["status"] == "degraded"
    assert results(client, POSTER)  # other spaces are answered
    with pytest.raises(SearchUnavailable, match="lacks a collection"):
        check_collections(manifest, milvus.address)
    again = build(Plan(world.ratings, data, world.posters, "untrained", QUICK, search=milvus.address))
    assert again.spaces["taste"]["milvus"] == manifest.spaces["taste"]["milvus"]  # equal vectors, equal names
    assert results(client, TASTE) == expected


def test_a_snapshot_without_its_collections_is_not_followed(
    world: World, data: Path, app: Flask, milvus: Given | MilvusProcess, caplog: pytest.LogCaptureFixture
) -> None:
    from server.state.current_snapshot import SnapshotWatcher

    clock, before = Clock(), manifest_of(data)
    app.extensions["snapshot_watcher"] = SnapshotWatcher(data, clock, search=milvus.address)
    client = app.test_client()
    newer = build(Plan(world.ratings, data, world.posters, "untrained", QUICK, seed=1, search=milvus.address))
    taste = collections_of(newer, milvus_at(milvus.address))["taste"]
    service = milvus_at(milvus.address)
    point_aliases(before, milvus.address)
    service.call("release_collection", taste.name, patience=60)
    part = snapshot_part(client, clock, data)
    assert part["id"] == before.id
    assert re.search("is tried again: .*lacks a collection", part["refused"]["reason"])
    (said,) = {
        (record.exc_info, "lacks a collection" in record.message)
        for record in caplog.records
        if record.name == SnapshotWatcher.__module__
    }
    assert said == (None, True)  # a sentence in the log, no traceback
    service.call("load_collection", taste.name, patience=60)
    for _ in range(5):
        part = snapshot_part(client, clock, data)
    assert part == {"status": "ok", "id": newer.id, "refused": None}


def test_prune_drops_the_collections_that_no_snapshot_names(
    world: World, data: Path, milvus: Given | MilvusProcess
) -> None:
    service = milvus_at(milvus.address)
    (data / ".search-id").unlink()  # so that collections of other tests are those of others
    build(Plan(world.ratings, data, world.posters, "untrained", QUICK, search=milvus.address))
    before = collections_of(manifest_of(data), service)
    build(Plan(world.ratings, data, world.posters, "untrained", QUICK, seed=2, search=milvus.address))
    after = collections_of(manifest_of(data), service)
    assert after["poster"] == before["poster"]
    assert after["taste"] != before["taste"]
    prune(SnapshotStore(data), 1, "")
    assert service.call("has_collection", before["taste"].name, patience=60)  # without an address nothing is dropped
    prune(SnapshotStore(data), 1, milvus.address)
    assert not service.call("has_collection", before["taste"].name, patience=60)
    check_collections(manifest_of(data), milvus.address)
    assert missing_aliases(manifest_of(data), milvus.address) == []


def until_answered(client: FlaskClient) -> None:
    for _ in range(600):
        if ask(client, POSTER).status_code == 200 and ask(client, TASTE).status_code == 200:
            return
        time.sleep(0.1)
    pytest.fail("Milvus was not found again within a minute")
