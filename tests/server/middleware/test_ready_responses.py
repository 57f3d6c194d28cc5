from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from index.catalogue.catalogue import Movie
from index.library.api_keys import Keys
from index.library.database import Database
from index.library.movies import Library
from server.app import create_app
from server.config import ServerConfig
from tests.conftest import unlimited

PATHS = (
    "/api/v1/movies/1/similar",
    "/api/v1/movies/imdb:tt0000003/similar?by=poster&limit=3&genre=Sci-Fi",
    "/api/v1/movies/3",
    "/api/v1/movies?q=wedding",
    "/api/v1/map?by=taste",
    "/api/v1/snapshot",
)


class Asked(Exception):
    pass


@pytest.fixture
def served(data: Path) -> Flask:
    return create_app(unlimited(data))


def without_flask(app: Flask, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """Return a client that fails where Flask is asked."""

    def full_dispatch_request() -> None:
        raise Asked

    app.config["PROPAGATE_EXCEPTIONS"] = True
    monkeypatch.setattr(app, "full_dispatch_request", full_dispatch_request)
    return app.test_client()


def seen(response: TestResponse) -> tuple[str, dict[str, str], bytes]:
    headers = {name: value for name, value in response.headers.items() if name != "X-Request-Id"}
    return response.status, headers, response.data


@pytest.mark.parametrize("headers", [{}, {"Accept-Encoding": "gzip"}, {"Accept-Encoding": "br;q=0.5, zstd"}])
@pytest.mark.parametrize("path", PATHS)
def test_a_ready_response_is_the_one_that_flask_gave(
    app: Flask, path: str, headers: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = app.test_client().get(path, headers=headers)
    assert first.status_code == 200
    ready = without_flask(app, monkeypatch).get(path, headers=headers)
    assert seen(ready) == seen(first)
    assert ready.headers["X-Request-Id"] != first.headers["X-Request-Id"]
    named = app.test_client().get(path, headers={**headers, "X-Request-Id": "my-own"})
    assert named.headers.getlist("X-Request-Id") == ["my-own"]


@pytest.mark.parametrize(
    "asked",
    [
        {"method": "HEAD"},
        {"headers": {"If-None-Match": '"x"'}},
        {"headers": {"If-Match": '"x"'}},
        {"headers": {"Content-Encoding": "br"}},
        {"headers": {"Origin": "https://films.example"}},
    ],
)
def test_another_kind_of_request_is_flask_s(
    app: Flask, asked: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    app.test_client().get(PATHS[0])
    with pytest.raises(Asked):
        without_flask(app, monkeypatch).open(PATHS[0], **asked)


@pytest.mark.parametrize(
    "path", ["/api/v1/users/1/recommendations", "/api/v1/movies/999/similar", "/livez", "/movies/1"]
)
def test_what_depends_on_more_than_the_movies_is_never_ready(
    app: Flask, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.test_client().get(path)
    with pytest.raises(Asked):
        without_flask(app, monkeypatch).get(path)


def test_after_a_change_the_new_state_is_answered(served: Flask, data: Path) -> None:
    client, path = served.test_client(), "/api/v1/movies?q=wedding&limit=100"
    before = [client.get(path) for _ in range(2)]
    assert seen(before[0]) == seen(before[1])
    Library.open(data).add(Movie(0, "Wedding of the Year", 2020, ("Romance",)))
    after = [client.get(path) for _ in range(2)]
    assert seen(after[0]) == seen(after[1])
    titles = [each["title"] for each in after[1].get_json()["results"]]
    assert "Wedding of the Year" in titles
    assert after[1].headers["ETag"] != before[1].headers["ETag"]


def test_ready_responses_are_counted_like_others(served: Flask) -> None:
    client = served.test_client()
    for _ in range(5):
        client.get(PATHS[0])
    counted = 'posterity_requests_total{method="GET",route="/api/v1/movies/<movie>/similar",status="200"} 5.0'
    assert counted in client.get("/metrics").text


def test_under_a_path_the_same_is_ready(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = create_app(unlimited(data, prefix="/films"))
    first = app.test_client().get(f"/films{PATHS[0]}")
    assert seen(without_flask(app, monkeypatch).get(f"/films{PATHS[0]}")) == seen(first)


def test_keys_are_asked_for_before_every_response(data: Path) -> None:
    client = create_app(unlimited(data, read_keys=True)).test_client()
    _, key = Keys(Database(data)).create("tests")
    assert client.get(PATHS[0], headers={"Authorization": f"Bearer {key}"}).status_code == 200
    assert client.get(PATHS[0]).status_code == 401


@pytest.mark.parametrize("limits", ["5/minute", "5/minute;4000/hour", "8/hour;5/minute"])
def test_ready_responses_count_among_those_of_flask(data: Path, limits: str, monkeypatch: pytest.MonkeyPatch) -> None:
    app = create_app(ServerConfig(data, read_limit=limits))
    _, key = Keys(Database(data)).create("tests")
    first = app.test_client().get(PATHS[0])
    with monkeypatch.context() as patch:
        ready = without_flask(app, patch)
        second, third = ready.get(PATHS[0]), ready.get(PATHS[0], environ_overrides={"REMOTE_ADDR": "192.0.2.1"})
    fourth = app.test_client().get("/api/v1/movies/2/similar")
    for response in (first, second, fourth):
        assert response.status_code == 200
    assert set(second.headers.keys()) == set(first.headers.keys())
    remaining = [int(each.headers["X-RateLimit-Remaining"]) for each in (first, second, fourth, third)]
    begin = int(first.headers["X-RateLimit-Limit"])
    assert remaining == [begin - 1, begin - 2, begin - 3, begin - 1]
    assert [app.test_client().get(PATHS[0]).status_code for _ in range(3)] == [200, 200, 429]
    refused = app.test_client().get(PATHS[0])
    assert int(refused.headers["Retry-After"]) >= 1
    assert app.test_client().get(PATHS[0], headers={"Authorization": f"Bearer {key}"}).status_code == 200


def test_counts_in_a_store_elsewhere_and_logs_are_flask_s(data: Path) -> None:
    assert not ServerConfig(data, rate_storage="redis://127.0.0.1:1").ready_responses
    assert not ServerConfig(data, access_log=True).ready_responses
    assert ServerConfig(data, read_limit="", rate_storage="redis://127.0.0.1:1").ready_responses
    assert ServerConfig(data).ready_responses
