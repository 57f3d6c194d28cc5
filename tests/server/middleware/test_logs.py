from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from flask import Flask, g
from flask.testing import FlaskClient

from server.app import create_app
from server.config import ServerConfig
from server.media.uploads import UploadQueue
from server.middleware.logs import log_settings
from tests.conftest import World

RECORD = {"time", "level", "logger", "request_id", "message"}
ACCESS = {"method", "path", "route", "status", "ms", "bytes", "client", "key_id"}


@dataclass
class Logged:
    stream: io.StringIO

    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()

    def objects(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.lines()]


@pytest.fixture
def logged(request: pytest.FixtureRequest) -> Iterator[Logged]:
    """Capture the log in the format of the test. (``dictConfig`` would remove pytest's own handlers.)"""
    settings = log_settings(request.param)
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(settings["formatters"][settings["handlers"]["stderr"]["formatter"]]["()"]())
    handler.addFilter(settings["filters"]["request_id"]["()"]())
    levels = {name: logging.getLogger(name).level for name in settings["loggers"]}
    logging.getLogger().addHandler(handler)
    for name, logger in settings["loggers"].items():
        logging.getLogger(name).setLevel(logger["level"])
    yield Logged(stream)
    logging.getLogger().removeHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture(scope="module")
def logging_app(world: World) -> Flask:
    return create_app(ServerConfig(world.data, access_log=True))


@pytest.fixture
def client(logging_app: Flask) -> FlaskClient:
    return logging_app.test_client()


as_text = pytest.mark.parametrize("logged", ["text"], indirect=True)
as_json = pytest.mark.parametrize("logged", ["json"], indirect=True)


@as_text
def test_a_request_is_a_line_of_text(client: FlaskClient, logged: Logged) -> None:
    reply = client.get("/api/v1/movies/1?x=secret", headers={"X-Request-Id": "mine"})
    (line,) = logged.lines()
    assert "INFO server.access [mine] GET /api/v1/movies/1 400 " in line
    assert line.endswith(f" ms {len(reply.data)} bytes to 127.0.0.1")


@as_json
def test_a_request_is_an_object(client: FlaskClient, logged: Logged) -> None:
    reply = client.get("/api/v1/movies/3/similar?limit=1", headers={"X-Request-Id": "mine"})
    (record,) = logged.objects()
    assert set(record) == RECORD | ACCESS
    assert record["request_id"] == "mine"
    assert record["path"] == "/api/v1/movies/3/similar"
    assert record["route"] == "/api/v1/movies/<movie>/similar"
    assert (record["method"], record["status"], record["bytes"]) == ("GET", 200, len(reply.data))
    assert (record["level"], record["logger"], record["key_id"]) == ("INFO", "server.access", None)
    assert isinstance(record["ms"], float)


@pytest.mark.parametrize("logged", ["text", "json"], indirect=True)
def test_neither_a_key_nor_parameters_are_logged(world: World, logged: Logged) -> None:
    app = create_app(ServerConfig(world.data, access_log=True))

    @app.before_request
    def identified() -> None:
        g.key_id = "k17"

    headers = {"Authorization": "Bearer secret-of-somebody", "Cookie": "secret-of-somebody"}
    app.test_client().get("/?q=secret-of-somebody", headers=headers)
    (line,) = logged.lines()
    assert "secret" not in line
    assert "k17" in line


@as_text
def test_no_path_begins_a_line_of_its_own(client: FlaskClient, logged: Logged) -> None:
    client.get("/x%0A2026-01-01 INFO forged%1B[31m")
    (line,) = logged.lines()
    assert "/x%0A2026-01-01%20INFO%20forged%1B" in line
    logging.getLogger("server").error("of %s", "a\nb\x1b[31m")
    assert logged.lines()[1].endswith(r"of a\x0ab\x1b[31m")


@as_json
def test_what_goes_wrong_is_logged_with_the_request_s_id(
    world: World, logged: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = create_app(ServerConfig(world.data))

    def broken() -> None:
        raise RuntimeError("an accident")

    monkeypatch.setattr(app.extensions["snapshot_watcher"], "index", broken)
    reply = app.test_client().get("/?q=secret", headers={"X-Request-Id": "mine"})
    assert reply.status_code == 500
    assert reply.headers["X-Request-Id"] == "mine"
    (record,) = logged.objects()
    assert record["request_id"] == "mine"
    assert record["level"] == "ERROR"
    assert "RuntimeError: an accident" in str(record["exc_info"])
    assert "secret" not in str(record)


@as_json
def test_what_is_said_in_the_queue_has_the_id_of_whoever_waits(logging_app: Flask, logged: Logged) -> None:
    queue = UploadQueue(1)
    with logging_app.test_request_context("/", headers={"X-Request-Id": "mine"}):
        logging_app.preprocess_request()
        queue.run(lambda: logging.getLogger("index").warning("something"))
    assert [record["request_id"] for record in logged.objects()] == ["mine"]


@as_text
def test_a_request_is_no_line_unless_it_was_asked_for(world: World, logged: Logged) -> None:
    create_app(ServerConfig(world.data)).test_client().get("/livez")
    assert logged.lines() == []
