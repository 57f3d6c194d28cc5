from __future__ import annotations

import errno

import pytest
from flask import Flask
from flask.testing import FlaskClient

from index.core import errors
from tests.server.conftest import assert_problem

FOLDER = "/srv/posterity/data"
PAGE = {"Accept": "text/html"}


@pytest.mark.parametrize(
    ("kind", "status", "words"),
    [
        (errors.BadLibrary, 500, "the library of added movies cannot be read at the moment"),
        (errors.BadSnapshot, 500, "this cannot be answered at the moment"),
        (errors.BadWeights, 503, "pictures cannot be compared at the moment"),
        (errors.WeightsUnavailable, 500, "pictures cannot be compared at the moment"),
        (errors.PosterityError, 500, "this cannot be answered at the moment"),
        (OSError, 500, "Something went wrong here; it was logged."),
    ],
)
def test_what_is_ours_to_mend_names_files_in_the_log_alone(
    app: Flask,
    client: FlaskClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    kind: type[Exception],
    status: int,
    words: str,
) -> None:
    def broken() -> None:
        raise kind(f"{FOLDER}/file is damaged")

    monkeypatch.setattr(app.extensions["snapshot_watcher"], "index", broken)
    monkeypatch.setitem(app.config, "PROPAGATE_EXCEPTIONS", False)
    problem = assert_problem(client.get("/api/v1/movies/1"), status, words)
    page = client.get("/", headers=PAGE)
    assert page.status_code == status
    assert words in page.text
    assert FOLDER not in str(problem) + page.text
    assert caplog.text.count(f"{FOLDER}/file is damaged") == 2


def test_a_full_queue_says_what_to_do(app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy() -> None:
        raise errors.Busy("library.db is being written to by others: try again")

    monkeypatch.setattr(app.extensions["snapshot_watcher"], "index", busy)
    reply = client.get("/api/v1/movies/1")
    assert_problem(reply, 503, "try again")
    assert reply.headers["Retry-After"]


@pytest.mark.parametrize(("number", "status"), [(errno.ENOSPC, 507), (errno.EROFS, 507), (errno.EMFILE, 500)])
def test_no_room_for_anything_is_507_and_other_errors_of_the_system_stay_ours(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch, number: int, status: int
) -> None:
    def broken() -> None:
        raise OSError(number, "broken", FOLDER)

    monkeypatch.setattr(app.extensions["snapshot_watcher"], "index", broken)
    monkeypatch.setitem(app.config, "PROPAGATE_EXCEPTIONS", False)
    problem = assert_problem(client.get("/api/v1/movies/1"), status)
    assert FOLDER not in str(problem)
