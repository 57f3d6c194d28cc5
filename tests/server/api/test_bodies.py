"""JSON bodies as clients of all kinds send them: with a byte-order mark, with nulls, or compressed."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from server.api.operation import operation_of
from server.api.parsing import MAX_JSON
from server.media.body_sizes import MAX_CONTENT_LENGTH
from server.middleware.encoded_bodies import gunzipped
from tests.conftest import World
from tests.server.conftest import assert_problem

API = "/api/v1"
SIMILAR = f"{API}/similar"
UPLOAD = f"{API}/posters/similar"
GZIP = {"Content-Encoding": "gzip"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_body_is_read_in_any_encoding_of_unicode(client: FlaskClient, encoding: str) -> None:
    body = json.dumps({"like": [1]})
    assert client.post(SIMILAR, data=body.encode(encoding)).get_json() == client.post(SIMILAR, data=body).get_json()


@pytest.mark.parametrize("body", [b"\xef\xbb\xbf", b"\xff\xfe\x00", b"\xef\xbb\xbf\xff", b"\x00\x00\xfe\xff1"])
def test_a_mark_before_something_else_is_a_clear_refusal(client: FlaskClient, body: bytes) -> None:
    assert_problem(client.post(SIMILAR, data=body), 400, "the body is not JSON")


BODIES: dict[str, dict[str, Any]] = {
    "similar_to_several": {"like": [1]},
    "similar_to_each": {"movies": [1]},
    "predictions": {"movies": [1], "ratings": [{"movie": 2, "rating": 4}]},
    "recommendations_for_several": {"ratings": [{"movie": 2, "rating": 4}]},
    "recommendations_for_a_group": {"members": [{"user_id": 1}, {"ratings": [{"movie": 2, "rating": 4}]}]},
}


def test_an_optional_member_that_is_null_is_left_out(app: Flask, client: FlaskClient) -> None:
    paths = {rule.endpoint: rule.rule for rule in app.url_map.iter_rules()}
    found = {name: operation_of(view) for name, view in app.view_functions.items() if operation_of(view)}
    reads = {name: each for name, each in found.items() if each and each.body is not None and each.kind == "read"}
    assert {name.removeprefix("api.") for name in reads} == BODIES.keys()
    for name, operation in reads.items():
        needed = BODIES[name.removeprefix("api.")]
        expected = client.post(paths[name], json=needed).get_json()
        assert operation is not None
        assert operation.body is not None
        for member, field in operation.body.model_fields.items():
            if member not in needed and not field.is_required():
                assert client.post(paths[name], json=needed | {member: None}).get_json() == expected, member
        everything = {member: needed.get(member) for member in operation.body.model_fields}
        assert client.post(paths[name], json=everything).get_json() == expected


def test_a_null_says_nothing_about_other_members(client: FlaskClient) -> None:
    weights = {"poster": 1, "taste": None}
    expected = client.post(SIMILAR, json={"like": [1], "weights": {"poster": 1}}).get_json()
    assert client.post(SIMILAR, json={"like": [1], "weights": weights}).get_json() == expected
    assert_problem(client.post(SIMILAR, json={"like": None}), 400, "like: ")
    assert_problem(client.post(SIMILAR, json={"like": [None]}), 400, "like.0: ")
    assert_problem(client.post(SIMILAR, json={"like": [1], "genres": None}), 400, "genres: there is no such parameter")
    assert_problem(client.post(SIMILAR, data=b"null"), 400, "not a JSON object")
    for body in (b'{"genre": null', b'["null"]'):
        assert_problem(client.post(SIMILAR, data=body), 400, "the body is not")


def test_a_compressed_body_is_read(client: FlaskClient, world: World) -> None:
    body = json.dumps({"like": [1]}).encode()
    expected = client.post(SIMILAR, data=body).get_json()
    for encoding in ("gzip", "x-gzip", "GZIP", " gzip "):
        reply = client.post(SIMILAR, data=gzip.compress(body), headers={"Content-Encoding": encoding})
        assert reply.get_json() == expected
    assert client.post(SIMILAR, data=body, headers={"Content-Encoding": "identity"}).get_json() == expected
    picture = (world.posters / "3.jpg").read_bytes()
    reply = client.post(UPLOAD, data=gzip.compress(picture), headers=GZIP)
    assert reply.get_json()["results"][0]["movie"]["movie_id"] == 3
    assert client.get(f"{API}/movies/3", headers=GZIP).status_code == 200


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"like": [1]}', "the body is not gzip"),
        (zlib.compress(b'{"like": [1]}'), "the body is not gzip"),
        (gzip.compress(b'{"like": [1]}')[:-1], "is cut off"),
        (gzip.compress(b'{"like": [1]}')[:-5] + bytes(5), "the body is not gzip"),
        (gzip.compress(b'{"like": [1]}') * 2, "goes on after its end"),
        (b"", "the body is not JSON"),
    ],
    ids=["plain", "deflate", "cut", "another checksum", "twice", "nothing"],
)
def test_what_is_not_gzip_is_a_clear_refusal(client: FlaskClient, body: bytes, words: str) -> None:
    assert_problem(client.post(SIMILAR, data=body, headers=GZIP), 400, words)


def test_a_compressed_body_has_the_limits_of_a_plain_one(client: FlaskClient) -> None:
    large = b'{"like": [1' + b" " * MAX_JSON + b"]}"
    for body, headers in ((large, {}), (gzip.compress(large), GZIP)):
        assert_problem(client.post(SIMILAR, data=body, headers=headers), 413, f"at most {MAX_JSON} are allowed")
    bomb = io.BytesIO()
    with gzip.GzipFile(fileobj=bomb, mode="wb") as stream:
        for _ in range(200):
            stream.write(bytes(2**20))
    for path in (SIMILAR, UPLOAD):
        assert_problem(client.post(path, data=bomb.getvalue(), headers=GZIP), 413, "at most 10 MiB")
    assert len(gunzipped(gzip.compress(bytes(MAX_CONTENT_LENGTH)), MAX_CONTENT_LENGTH)) == MAX_CONTENT_LENGTH


@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "gzip, gzip", "a" * 300])
def test_another_encoding_is_refused_by_name(client: FlaskClient, encoding: str) -> None:
    reply = client.post(SIMILAR, data=b"{}", headers={"Content-Encoding": encoding})
    assert_problem(reply, 415, f"Content-Encoding: {encoding[:100]!r} is not read", "gzip")
    assert reply.headers["Accept-Encoding"] == "gzip"
