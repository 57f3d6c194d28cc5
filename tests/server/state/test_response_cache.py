from __future__ import annotations

from flask import Flask
from flask.testing import FlaskClient

from server.state.response_cache import ResponseCache
from tests.server.conftest import assert_problem

API = "/api/v1"


def test_a_body_is_of_its_key() -> None:
    cache = ResponseCache()
    assert cache.get("a 1") is None
    cache.set("a 1", b"one")
    cache.set("a 1", b"one")
    assert cache.get("a 1") == b"one"
    assert cache.get("b 1") is None
    assert cache.get("a 2") is None


def test_the_least_recently_used_body_is_evicted() -> None:
    cache = ResponseCache()
    large = bytes(2**16 - 4)
    for number in range(512):  # fills the cache: keys have four letters
        cache.set(f"{number:04}", large)
    assert cache.get("0000") == large
    cache.set("more", large)
    assert cache.get("0001") is None
    assert cache.get("0000") == large
    cache.set("too large", large)
    assert cache.get("too large") is None


def test_long_keys_take_room_though_their_bodies_are_short() -> None:
    cache = ResponseCache()
    keys = [f"{number:04}" + 4000 * "x" for number in range(10_000)]
    for key in keys:
        cache.set(key, b"{}")
    assert sum(cache.get(key) is not None for key in keys) == 2**25 // 4006


def test_a_cached_response_meets_the_same_conditions_as_the_first(app: Flask, client: FlaskClient) -> None:
    first = client.get(f"{API}/movies/1/similar?by=taste")
    again = app.test_client().get(f"{API}/movies/1/similar?by=taste")
    assert first.data == again.data
    assert first.headers["ETag"] == again.headers["ETag"]
    assert again.mimetype == "application/json"
    assert_problem(client.get(f"{API}/movies/1/similar?by=taste", headers={"If-Match": '"x"'}), 412)
    assert (
        client.get(f"{API}/movies/1/similar?by=taste", headers={"If-None-Match": first.headers["ETag"]}).status_code
        == 304
    )
    assert_problem(client.get(f"{API}/movies/1/similar?by=sound"), 400)
    assert_problem(client.get(f"{API}/movies/1/similar?by=sound"), 400)
