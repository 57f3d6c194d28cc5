from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from server.app import create_app
from server.config import ServerConfig
from server.middleware.cors import usable_origin
from tests.conftest import World, unlimited

API = "/api/v1"
OURS = "https://films.example"
STRANGE = "https://films.example.evil.example"
PREFLIGHT = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "authorization,if-match"}
READ = ("/movies/3", "/movies/3/similar?by=taste", "/movies/999", "/movies?limit=x", "/map", "/movies/3/poster")


@pytest.fixture(scope="module")
def shared(world: World) -> FlaskClient:
    """Return a client of a server whose API pages of two origins may use."""
    return create_app(unlimited(world.data, cors_origins=f"{OURS},http://localhost:3000")).test_client()


def allowed(client: FlaskClient, path: str, origin: str | None) -> tuple[str | None, bool]:
    """Return the origin that may read a response, and whether caches are told that it depends on the origin."""
    reply = client.get(f"{API}{path}", headers={} if origin is None else {"Origin": origin})
    assert "Access-Control-Allow-Credentials" not in reply.headers
    return reply.headers.get("Access-Control-Allow-Origin"), "Origin" in reply.vary


@pytest.mark.parametrize("path", READ)
def test_pages_of_listed_origins_may_read_the_api_errors_too(shared: FlaskClient, path: str) -> None:
    for origin in (OURS, "http://localhost:3000"):
        assert allowed(shared, path, origin) == (origin, True)
    for origin in (STRANGE, "http://films.example", "https://films.example:8443", "null", "", None):
        assert allowed(shared, path, origin) == (None, True)


def test_what_a_page_may_see_and_send_is_told(shared: FlaskClient) -> None:
    reply = shared.get(f"{API}/movies/3/similar?by=taste", headers={"Origin": OURS, "Accept-Encoding": "gzip"})
    assert {"ETag", "Retry-After", "Location"} <= set(reply.headers["Access-Control-Expose-Headers"].split(", "))
    assert {"Origin", "Accept-Encoding"} == set(reply.vary)
    again = shared.get(
        f"{API}/movies/3/similar?by=taste",
        headers={"Origin": OURS, "Accept-Encoding": "gzip", "If-None-Match": reply.headers["ETag"]},
    )
    assert (again.status_code, again.headers["Access-Control-Allow-Origin"]) == (304, OURS)
    preflight = shared.options(f"{API}/movies/3", headers={"Origin": OURS, **PREFLIGHT})
    assert preflight.status_code == 200
    assert preflight.headers["Access-Control-Allow-Origin"] == OURS
    assert "PUT" in preflight.headers["Access-Control-Allow-Methods"].split(", ")
    sendable = preflight.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert {"authorization", "content-type", "if-match", "idempotency-key"} <= set(sendable)
    strange = shared.options(f"{API}/movies/3", headers={"Origin": STRANGE, **PREFLIGHT})
    assert not [name for name, _ in strange.headers if name.startswith("Access-Control")]


def test_pages_and_metrics_are_shared_with_nobody(shared: FlaskClient) -> None:
    for path in ("/", "/movies/3", "/metrics", "/static/page.js"):
        with shared.get(path, headers={"Origin": OURS}) as reply:
            assert "Access-Control-Allow-Origin" not in reply.headers


def test_it_is_off_by_default_and_open_to_all_if_told_so(world: World, client: FlaskClient) -> None:
    assert allowed(client, "/movies/3", OURS) == (None, False)
    everyone = create_app(unlimited(world.data, cors_origins="*")).test_client()
    assert allowed(everyone, "/movies/3", STRANGE) == ("*", False)


def test_preflights_are_not_counted(world: World) -> None:
    client = create_app(ServerConfig(world.data, cors_origins=OURS, write_limit="1/hour")).test_client()
    for _ in range(3):
        assert client.options(f"{API}/movies/3", headers={"Origin": OURS, **PREFLIGHT}).status_code == 200


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://Films.Example:443", OURS),
        (" http://localhost:3000 ", "http://localhost:3000"),
        ("http://[::1]:80", "http://[::1]"),
        ("http://192.168.0.7:08080", "http://192.168.0.7:8080"),
        ("https://films.example/", None),
        ("films.example", None),
        ("null", None),
        ("https://*.example", None),
        ("https://a.example:0", None),
        ("https://a.example:99999", None),
        ("ftp://a.example", None),
    ],
)
def test_origins_are_read_as_browsers_send_them(text: str, origin: str | None) -> None:
    assert usable_origin(text) == origin
