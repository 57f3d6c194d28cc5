"""Writes on a disk that is full or read-only: 507, nothing is changed, and they work again once there is room."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from index.core.errors import CannotStore
from index.library import database, movies
from index.library.database import Database
from index.library.rating_log import RatingLog
from server.app import create_app
from tests.conftest import unlimited
from tests.server.api.test_library import API, picture
from tests.server.api.test_writes import without_poster_space
from tests.server.conftest import assert_problem, writer

WORDS = "the disk of the server is full or read-only"


@pytest.fixture
def app(data: Path) -> Flask:
    without_poster_space(data)
    return create_app(unlimited(data))


@pytest.fixture
def client(app: Flask, data: Path) -> FlaskClient:
    return writer(app, data)


WRITES: dict[str, Callable[[FlaskClient], Any]] = {
    "add": lambda client: client.post(f"{API}/movies", json={"title": "Meadow"}),
    "put": lambda client: client.put(f"{API}/movies/3", json={"title": "Meadow"}),
    "patch": lambda client: client.patch(f"{API}/movies/3", json={"title": "Meadow"}),
    "poster": lambda client: client.put(f"{API}/movies/3/poster", data=picture()),
    "delete": lambda client: client.delete(f"{API}/movies/3"),
    "rate": lambda client: client.put(f"{API}/users/2/ratings/3", json={"rating": 1.5}),
    "take back": lambda client: client.delete(f"{API}/users/2/ratings/3"),
}


def connecting(statement: str) -> Callable[[Path], sqlite3.Connection]:
    """Return a function that opens a library for writing as ever, then runs a statement."""
    connect = database._connect  # noqa: SLF001

    def connected(file: Path) -> sqlite3.Connection:
        db = connect(file)
        db.execute(statement)
        return db

    return connected


@pytest.mark.parametrize("write", WRITES)
def test_a_write_on_a_read_only_disk_is_507_and_changes_nothing(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, write: str
) -> None:
    before = client.get(f"{API}/movies?limit=100").data, client.get(f"{API}/users/2/ratings?limit=100").data
    with monkeypatch.context() as broken:
        broken.setattr(database, "_connect", connecting("PRAGMA query_only = ON"))  # SQLITE_READONLY
        assert_problem(WRITES[write](client), 507, WORDS)
    after = client.get(f"{API}/movies?limit=100").data, client.get(f"{API}/users/2/ratings?limit=100").data
    assert before == after
    assert WRITES[write](client).status_code in {200, 201, 204}


def test_a_database_that_cannot_grow_is_507(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_connect", connecting("PRAGMA max_page_count = 1"))  # SQLITE_FULL beyond its size
    replies = (client.post(f"{API}/movies", json={"title": "x" * 500}) for _ in range(50))
    assert_problem(next(reply for reply in replies if reply.status_code != 201), 507, WORDS)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_poster_without_room_is_507_and_leaves_the_movie(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    def full(file: Path, content: bytes) -> None:  # noqa: ARG001
        raise OSError(number, "no room", str(file))

    before = client.get(f"{API}/movies/3").data
    monkeypatch.setattr(movies, "write_durably", full)
    problem = assert_problem(client.put(f"{API}/movies/3/poster", data=picture()), 507, WORDS)
    assert "posters" not in problem["detail"]
    assert "make room on the disk" in caplog.text
    assert client.get(f"{API}/movies/3").data == before


def test_a_library_says_so_without_a_server(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = RatingLog(Database(data))
    log.put(1, 3, 4)
    monkeypatch.setattr(database, "_connect", connecting("PRAGMA query_only = ON"))
    with pytest.raises(CannotStore, match=r"library.db cannot be written \(.*readonly.*\): make room on the disk"):
        log.put(1, 3, 5)
    assert log.of(1) == {3: 4}
