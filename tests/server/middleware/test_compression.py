from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Any

import brotli
import pytest
from backports import zstd
from flask import Flask
from flask.testing import FlaskClient
from flask_compress import Compress
from werkzeug.test import TestResponse

from tests.server.conftest import assert_problem

API = "/api/v1"
SIMILAR = f"{API}/movies/1/similar?by=taste"
RATINGS = f"{API}/users/1/recommendations"  # never cached
DECOMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": zstd.decompress,
}


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Return a client that closes the files of responses."""

    class Closing(FlaskClient):
        def open(self, *args: Any, **kwargs: Any) -> TestResponse:
            return super().open(*args, **{"buffered": True, **kwargs})

    return Closing(app, app.response_class)


@pytest.mark.parametrize("encoding", DECOMPRESS)
@pytest.mark.parametrize("path", [SIMILAR, f"{API}/movies?limit=20", RATINGS, "/", "/movies/3", "/static/style.css"])
def test_text_is_compressed_as_the_client_accepts(client: FlaskClient, path: str, encoding: str) -> None:
    plain = client.get(path)
    assert "Content-Encoding" not in plain.headers
    assert plain.headers["Vary"] == "Accept-Encoding"
    for _ in range(2):  # cached the second time
        reply = client.get(path, headers={"Accept-Encoding": f"identity;q=0.1, {encoding}"})
        assert reply.headers["Content-Encoding"] == encoding
        assert reply.headers["Vary"] == "Accept-Encoding"
        assert reply.mimetype == plain.mimetype
        assert int(reply.headers["Content-Length"]) == len(reply.data) < len(plain.data)
        assert DECOMPRESS[encoding](reply.data) == plain.data
        assert reply.headers.get("ETag") == plain.headers.get("ETag") or reply.headers["ETag"].endswith(f':{encoding}"')


@pytest.mark.parametrize("encoding", DECOMPRESS)
def test_one_tag_has_the_same_bytes_at_every_time(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    replies = []
    for now in (1e9, 2e9):
        monkeypatch.setattr("gzip.time.time", lambda now=now: now)
        replies.append(client.get(RATINGS, headers={"Accept-Encoding": encoding}))
    assert replies[0].headers["ETag"] == replies[1].headers["ETag"]
    assert replies[0].data == replies[1].data


@pytest.mark.parametrize(
    "path", [SIMILAR, RATINGS, f"{API}/openapi.json", "/static/style.css", f"{API}/docs/swagger-ui.css"]
)
def test_the_etag_of_a_compressed_response_is_recognised(client: FlaskClient, path: str) -> None:
    plain = client.get(path).headers["ETag"]
    headers = {"Accept-Encoding": "gzip"}
    tag = client.get(path, headers=headers).headers["ETag"]
    assert tag == f'{plain[:-1]}:gzip"'
    for condition, answered in ((tag, tag), (f'"another", W/{tag}', tag), (plain, plain)):
        again = client.get(path, headers=headers | {"If-None-Match": condition})
        assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", answered)
        assert "Content-Encoding" not in again.headers
        assert again.headers["Vary"] == "Accept-Encoding"
    other = client.get(path, headers=headers | {"If-None-Match": '"another:gzip"'})
    assert (other.status_code, other.headers["ETag"]) == (200, tag)


def test_the_etag_of_a_compressed_page_of_a_list_is_a_condition_for_the_next(client: FlaskClient) -> None:
    headers = {"Accept-Encoding": "gzip"}
    tag = client.get(f"{API}/movies?limit=10", headers=headers).headers["ETag"]
    assert tag.endswith(':gzip"')
    assert client.get(f"{API}/movies?offset=10", headers=headers | {"If-Match": tag}).status_code == 200
    assert_problem(client.get(f"{API}/movies?offset=10", headers=headers | {"If-Match": '"x:gzip"'}), 412)


def test_head_has_the_headers_of_the_compressed_response(client: FlaskClient) -> None:
    headers = {"Accept-Encoding": "br"}
    for path in (SIMILAR, f"{API}/movies?limit=20", "/static/style.css"):
        head, reply = client.head(path, headers=headers), client.get(path, headers=headers)
        assert head.data == b""
        for name in ("Content-Encoding", "Content-Length", "ETag", "Vary"):
            assert head.headers[name] == reply.headers[name]


@pytest.mark.parametrize("accepted", ["identity", "gzip;q=0", "gzip; q=0.5, identity", "deflate", ""])
def test_nothing_is_compressed_for_a_client_that_does_not_accept_it(client: FlaskClient, accepted: str) -> None:
    reply = client.get(SIMILAR, headers={"Accept-Encoding": accepted})
    assert "Content-Encoding" not in reply.headers
    assert reply.data == client.get(SIMILAR).data


def test_small_responses_and_errors_stay_plain(client: FlaskClient) -> None:
    headers = {"Accept-Encoding": "gzip"}
    small = client.get(f"{API}/movies/1", headers=headers)
    assert 0 < len(small.data) < 1024
    assert "Content-Encoding" not in small.headers
    assert small.headers["Vary"] == "Accept-Encoding"
    assert_problem(client.get(f"{API}/movies/1/similar?genre={200 * 'x'}", headers=headers), 400)


def test_images_are_left_alone(client: FlaskClient) -> None:
    for path in (f"{API}/movies/3/poster", f"{API}/movies/3/poster?width=120"):
        reply = client.get(path, headers={"Accept-Encoding": "gzip"})
        assert "Content-Encoding" not in reply.headers
        assert "Vary" not in reply.headers
        again = client.get(path, headers={"If-None-Match": reply.headers["ETag"]})
        assert again.status_code == 304
        assert "Vary" not in again.headers


def test_a_part_of_a_file_is_a_part_of_the_plain_file(client: FlaskClient) -> None:
    headers = {"Accept-Encoding": "gzip"}
    content = client.get("/static/style.css").data
    whole = client.get("/static/style.css", headers=headers)
    assert "Accept-Ranges" not in whole.headers
    part = client.get("/static/style.css", headers=headers | {"Range": "bytes=10-1999"})
    assert (part.status_code, part.data) == (206, content[10:2000])
    since = {"If-Modified-Since": whole.headers["Last-Modified"]}
    assert client.get("/static/style.css", headers=headers | since).status_code == 304


def test_a_cached_response_is_compressed_once(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    client, headers = app.test_client(), {"Accept-Encoding": "zstd, gzip"}
    first = client.get(f"{SIMILAR}&limit=9", headers=headers)
    monkeypatch.setattr(Compress, "after_request", None)
    again = client.get(f"{SIMILAR}&limit=9", headers=headers)
    assert again.headers["Content-Encoding"] == "zstd"
    assert (again.data, again.headers["ETag"]) == (first.data, first.headers["ETag"])
    assert client.get(f"{SIMILAR}&limit=9").data == zstd.decompress(first.data)
