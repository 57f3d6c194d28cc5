from __future__ import annotations

import io
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from server.app import create_app
from server.config import ServerConfig
from server.media.uploads import UploadQueue
from tests.conftest import World

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def app(world: World) -> Flask:
    """Return an application without any counts."""
    return create_app(ServerConfig(world.data))


def scraped(text: str) -> Samples:
    """Return the value of every sample, by name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


def test_requests_are_counted_by_route_and_not_by_path(client: FlaskClient) -> None:
    for movie in (1, 2, 3, 999):
        client.get(f"/api/v1/movies/{movie}?x=1" if movie == 3 else f"/api/v1/movies/{movie}")
    client.get("/one")
    client.get("/two")
    client.open("/livez", method="BREW")
    reply = client.get("/metrics")
    assert reply.content_type == "text/plain; version=0.0.4; charset=utf-8"
    samples = scraped(reply.text)
    route = "/api/v1/movies/<movie>"
    for status, count in (("200", 2), ("400", 1), ("404", 1)):
        assert value(samples, "posterity_requests_total", method="GET", route=route, status=status) == count
    assert value(samples, "posterity_requests_total", method="GET", route="unmatched", status="404") == 2
    assert value(samples, "posterity_requests_total", method="other", route="unmatched", status="405") == 1
    assert value(samples, "posterity_request_seconds_count", route=route) == 4
    assert 0 < value(samples, "posterity_request_seconds_sum", route=route) < 60
    assert "/one" not in reply.text


def test_searches_are_timed_by_what_they_search(client: FlaskClient, world: World) -> None:
    client.get("/api/v1/movies/1/similar?by=taste")
    client.get("/api/v1/movies/99/similar?by=taste")
    client.post("/api/v1/similar", json={"like": [1, 2], "by": "poster"})
    client.get("/movies/1")
    picture = (world.posters / "3.jpg").read_bytes()
    client.post("/api/v1/posters/similar", data=picture)
    client.post("/look", data={"poster": (io.BytesIO(picture), "p.jpg")})
    samples = scraped(client.get("/metrics").text)
    counted = {by: value(samples, "posterity_search_seconds_count", by=by) for by in ("taste", "poster", "picture")}
    assert counted == {"taste": 2, "poster": 2, "picture": 2}


def test_uploads_in_work_or_waiting_are_shown(app: Flask, client: FlaskClient) -> None:
    queue: UploadQueue = app.extensions["upload_queue"]
    with ExitStack() as places:
        for _ in range(3):
            places.enter_context(queue.place())
        assert value(scraped(client.get("/metrics").text), "posterity_uploads") == 3
    assert value(scraped(client.get("/metrics").text), "posterity_uploads") == 0


def test_the_snapshot_and_its_age_are_shown(client: FlaskClient, world: World) -> None:
    samples = scraped(client.get("/metrics").text)
    assert value(samples, "posterity_snapshot_info", snapshot=world.manifest.id) == 1
    age = (datetime.now(UTC) - datetime.fromisoformat(world.manifest.created)).total_seconds()
    assert 0 <= value(samples, "posterity_snapshot_age_seconds") <= age


def test_applications_count_apart(world: World, client: FlaskClient) -> None:
    other = create_app(ServerConfig(world.data)).test_client()
    for _ in range(3):
        other.get("/livez")
    client.get("/livez")
    samples = scraped(client.get("/metrics").text)
    assert value(samples, "posterity_requests_total", method="GET", route="/livez", status="200") == 1


def test_a_worker_that_begins_or_has_just_died_is_no_error(world: World, tmp_path: Path) -> None:
    client = create_app(ServerConfig(world.data), counts=tmp_path).test_client()
    (tmp_path / "counter_1.db").touch()  # for a moment, before prometheus_client makes it larger
    (tmp_path / "gauge_livesum_1.db").symlink_to(tmp_path / "nothing")  # listed, and deleted before it is read
    assert client.get("/metrics").status_code == 200
