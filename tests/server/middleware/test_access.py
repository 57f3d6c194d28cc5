from __future__ import annotations

import logging
from contextlib import ExitStack
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from index.library.api_keys import Keys
from index.library.database import Database
from server.api.operation import operation_of
from server.app import create_app
from server.config import ServerConfig
from server.media.uploads import UploadQueue
from tests.conftest import unlimited
from tests.server.conftest import assert_problem

API = "/api/v1"
WRITES = [
    ("POST", "/movies"),
    ("POST", "/movies/batch"),
    ("PUT", "/movies/1"),
    ("PATCH", "/movies/1"),
    ("PUT", "/movies/1/poster"),
    ("DELETE", "/movies/1"),
    ("PUT", "/users/1/ratings/1"),
    ("DELETE", "/users/1/ratings/1"),
    ("POST", "/users/1/ratings"),
    ("DELETE", "/users/1/ratings"),
]


@pytest.fixture
def client(data: Path) -> FlaskClient:
    return create_app(unlimited(data)).test_client()


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def test_these_are_all_routes_that_write(app: Flask) -> None:
    writing = {
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        if (found := operation_of(app.view_functions[rule.endpoint])) and found.kind == "write"
        for method in rule.methods or ()
        if method != "OPTIONS"
    }
    assert len(writing) == len(WRITES)
    unsafe = {
        rule.rule for rule in app.url_map.iter_rules() if {"PUT", "DELETE", "PATCH"} & set(rule.methods or ())
    } | {f"{API}/movies", f"{API}/movies/batch"}
    assert unsafe == {rule for _, rule in writing}


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_who_writes_needs_a_key_that_may(client: FlaskClient, data: Path, method: str, path: str) -> None:
    reply = client.open(API + path, method=method)
    assert_problem(reply, 401, "an API key is required", "posterity keys create")
    assert reply.headers["WWW-Authenticate"].startswith("Bearer")
    keys = Keys(Database(data))
    key, text = keys.create("website")
    for wrong in (text[:-1] + "!", text.removeprefix("pst_"), "pst_", ""):
        assert_problem(client.open(API + path, method=method, headers=bearer(wrong)), 401, "API key")
    assert_problem(client.open(API + path, method=method, headers={"Authorization": f"Basic {text}"}), 401)
    _, reading = keys.create("screen", "read")
    assert_problem(client.open(API + path, method=method, headers=bearer(reading)), 403, "'screen' may only read")
    assert client.open(API + path, method=method, headers=bearer(text)).status_code in {204, 400, 422}
    keys.revoke(key.key_id)
    assert_problem(client.open(API + path, method=method, headers=bearer(text)), 401)


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_writes_can_be_switched_off(data: Path, method: str, path: str) -> None:
    client = create_app(unlimited(data, writes=False)).test_client()
    _, text = Keys(Database(data)).create("website")
    assert_problem(client.open(API + path, method=method, headers=bearer(text)), 403, "writes are switched off")


def test_reads_can_be_made_to_need_a_key(data: Path) -> None:
    client = create_app(unlimited(data, read_keys=True)).test_client()
    _, text = Keys(Database(data)).create("screen", "read")
    for path in ("/movies/1", "/movies/1/similar", "/users/1/recommendations", "/snapshot", "/openapi.json"):
        assert_problem(client.get(API + path), 401, "an API key is required")
        assert client.get(API + path, headers=bearer(text)).status_code == 200
    assert_problem(client.post(f"{API}/similar", json={"like": [1]}), 401)
    document = client.get(f"{API}/openapi.json", headers=bearer(text)).get_json()
    assert all("security" in each for path in document["paths"].values() for each in path.values())


def test_users_can_be_kept_behind_a_key_while_movies_stay_open(data: Path) -> None:
    client = create_app(unlimited(data, user_keys=True)).test_client()
    _, text = Keys(Database(data)).create("screen", "read")
    for path in ("/users/1/ratings", "/users/1/predictions/1", "/users/1/recommendations"):
        assert_problem(client.get(API + path), 401, "an API key is required")
        assert client.get(API + path, headers=bearer(text)).status_code == 200
    stranger = {"ratings": [{"movie": 1, "rating": 5}]}
    for path, more in (("/predictions", {"movies": [2]}), ("/recommendations", {})):
        assert client.post(API + path, json=stranger | more).status_code == 200
        assert_problem(client.post(API + path, json={"user_ids": [1]} | more), 401)
        assert client.post(API + path, json={"user_ids": [1]} | more, headers=bearer(text)).status_code == 200
    assert client.get(f"{API}/movies/1/similar").status_code == 200
    assert client.get("/for-you?rated=1:5").status_code == 200
    page = client.get("/for-you?user=1", headers={"Accept": "text/html"})
    assert page.status_code == 401
    assert "API key" in page.text
    assert 'name="user" min="0" step="1" placeholder' not in client.get("/for-you").text


def test_a_page_does_not_show_users_when_reads_need_a_key(data: Path) -> None:
    client = create_app(unlimited(data, read_keys=True)).test_client()
    assert client.get("/for-you?user=1").status_code == 401
    assert client.get("/for-you").status_code == 200


def test_the_document_says_which_operations_need_a_key(data: Path) -> None:
    client = create_app(unlimited(data, user_keys=True)).test_client()
    paths = client.get(f"{API}/openapi.json").get_json()["paths"]
    for path, methods in paths.items():
        for method, described in methods.items():
            needed = method in {"put", "delete", "patch"} or path.startswith(f"{API}/users/")
            group = f"{API}/groups/recommendations"
            needed |= (method, path) in {("post", f"{API}/movies"), ("post", f"{API}/movies/batch"), ("get", group)}
            optional = path in {f"{API}/predictions", f"{API}/recommendations", group}
            wanted = [{"key": []}] if needed else [{}, {"key": []}] if optional else None
            assert described.get("security") == wanted, (method, path)
            assert ("401" in described["responses"]) == (wanted is not None)


def test_a_key_is_in_no_reply_and_no_log(client: FlaskClient, data: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    _, text = Keys(Database(data)).create("website")
    secret = text[-43:]
    for sent in (text, text + "x"):
        for method, path in [*WRITES, ("GET", "/nothing"), ("GET", "/movies/1?x=1")]:
            reply = client.open(API + path, method=method, headers=bearer(sent))
            assert secret not in str(reply.headers) + reply.get_data(as_text=True)
    assert secret not in caplog.text


def limited(data: Path, **limits: str) -> FlaskClient:
    none = {"read_limit": "", "write_limit": "", "upload_limit": ""}
    return create_app(ServerConfig(data, **(none | limits))).test_client()  # type: ignore[arg-type]


def test_too_many_requests_are_429_and_say_when_to_come_again(data: Path) -> None:
    client = limited(data, read_limit="3/minute")
    replies = [client.get(f"{API}/movies/{movie}") for movie in (1, 2, 3, 4)]
    assert [reply.status_code for reply in replies] == [200, 200, 200, 429]
    assert_problem(replies[-1], 429, "3 per 1 minute")
    assert 1 <= int(replies[-1].headers["Retry-After"]) <= 60
    assert client.get("/livez").status_code == 200
    other = client.get(f"{API}/movies/1", environ_base={"REMOTE_ADDR": "192.0.2.9"})
    assert other.status_code == 200


def test_nobody_is_asked_to_come_again_later_but_who_was_refused_for_now(data: Path) -> None:
    client = limited(data, read_limit="9/minute", upload_limit="9/minute")
    for path in ("/movies/1", "/movies/999", "/movies/1?limit=x"):
        reply = client.get(API + path)
        assert "Retry-After" not in reply.headers
        assert reply.headers["X-RateLimit-Limit"] == "9"
    queue: UploadQueue = client.application.extensions["upload_queue"]
    with ExitStack() as places:
        for _ in range(queue.size):
            places.enter_context(queue.place())
        form = {"poster": (data / "posters" / "3.jpg").open("rb")}
        full = client.post(f"{API}/posters/similar", data=form)
    assert_problem(full, 503)
    assert full.headers["Retry-After"] == "2"


def test_each_kind_is_counted_apart_and_each_key(data: Path) -> None:
    client = limited(data, read_limit="2/minute", write_limit="1/minute")
    texts = [Keys(Database(data)).create(name)[1] for name in ("one", "two")]
    for text in texts:
        statuses = [client.delete(f"{API}/movies/2", headers=bearer(text)).status_code for _ in range(2)]
        assert statuses == [204, 429]
        statuses = [client.get(f"{API}/movies/1", headers=bearer(text)).status_code for _ in range(3)]
        assert statuses == [200, 200, 429]
    # A request with an invalid key is counted by its address.
    statuses = [client.delete(f"{API}/movies/2", headers=bearer(f"no key {i}")).status_code for i in range(2)]
    assert statuses == [401, 429]
    assert client.post(f"{API}/posters/similar").status_code == 422


def test_uploads_on_the_page_count_as_uploads(data: Path) -> None:
    client = limited(data, upload_limit="2/minute")
    statuses = [client.post(path).status_code for path in ("/look", f"{API}/posters/similar", "/look")]
    assert statuses == [422, 422, 429]
