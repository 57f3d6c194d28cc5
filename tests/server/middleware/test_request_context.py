from __future__ import annotations

import re

import pytest
from flask import Flask, abort
from flask.testing import FlaskClient

from server.middleware.request_context import register_request_ids, request_id


@pytest.mark.parametrize("given", ["a", "Az09._-", "x" * 64])
def test_the_id_that_a_client_sent_is_kept(client: FlaskClient, given: str) -> None:
    assert client.get("/livez", headers={"X-Request-Id": given}).headers["X-Request-Id"] == given


@pytest.mark.parametrize("given", [None, "", "x" * 65, "a b", "é", "a;b", "<b>"])
def test_anything_else_becomes_a_fresh_one(client: FlaskClient, given: str | None) -> None:
    headers = {} if given is None else {"X-Request-Id": given}
    ids = {client.get("/livez", headers=headers).headers["X-Request-Id"] for _ in range(3)}
    assert len(ids) == 3
    assert all(re.fullmatch("[0-9a-f]{16}", each) for each in ids)


@pytest.mark.parametrize("path", ["/nothing", "/api/v1/movies/1/similar?limit=x", "/api/v1/movies/99"])
def test_errors_name_it_too(client: FlaskClient, path: str) -> None:
    reply = client.get(path, headers={"X-Request-Id": "mine"})
    assert reply.status_code >= 400
    assert reply.headers["X-Request-Id"] == "mine"


def test_whoever_refuses_first_names_it_too() -> None:
    app = Flask(__name__)
    app.before_request(lambda: abort(401))
    register_request_ids(app)
    assert app.test_client().get("/", headers={"X-Request-Id": "mine"}).headers["X-Request-Id"] == "mine"


def test_outside_of_a_request_there_is_none() -> None:
    assert request_id() == "-"
