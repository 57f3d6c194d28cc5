"""Writes beside writes and reads: nothing is lost, nothing is stale, and an id belongs to one movie."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from index.library.backup import export_library
from index.library.database import FIRST_ID, Database
from index.library.movies import Library
from index.library.rating_log import RatingLog
from index.movie_index import MovieIndex
from index.snapshot.poster_files import SHOWN
from index.snapshot.store import SnapshotStore
from server.api import users
from server.app import create_app
from tests.conftest import SPACE, unlimited
from tests.server.api.test_library import API, picture
from tests.server.conftest import Interleave, assert_problem, writer


@pytest.fixture
def app(data: Path) -> Flask:
    """The server on a snapshot that does not compare posters, so that none is embedded."""
    without_poster_space(data)
    return create_app(unlimited(data))


@pytest.fixture
def client(app: Flask, data: Path) -> FlaskClient:
    return writer(app, data)


def without_poster_space(data: Path) -> None:
    store = SnapshotStore(data)
    manifest = store.manifest()
    changed = replace(
        manifest,
        spaces={name: space for name, space in manifest.spaces.items() if name != "poster"},
        blend={name: weight for name, weight in manifest.blend.items() if name != "poster"},
        maps={},
    )
    (store.path() / "manifest.json").write_text(json.dumps(changed.to_json()))


def movie(client: FlaskClient, movie_id: object) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"{API}/movies/{movie_id}").get_json()["movie"]
    return found


def test_a_poster_does_not_undo_a_change_of_the_title_meanwhile(client: FlaskClient, interleave: Interleave) -> None:
    interleave(MovieIndex, "prepared", lambda: client.put(f"{API}/movies/3", json={"title": "Renamed", "tmdb_id": 5}))
    assert client.put(f"{API}/movies/3/poster", data=picture()).status_code == 200
    assert (movie(client, 3)["title"], movie(client, 3)["tmdb_id"]) == ("Renamed", 5)
    interleave(MovieIndex, "prepared", lambda: client.delete(f"{API}/movies/3"))
    assert_problem(client.put(f"{API}/movies/3/poster", data=picture(5)), 404, "deleted meanwhile")


def test_a_patch_changes_what_it_names_and_deletes_what_is_null(client: FlaskClient, interleave: Interleave) -> None:
    before = movie(client, 3)
    reply = client.patch(f"{API}/movies/3", json={"title": " Renamed "}, content_type="application/merge-patch+json")
    assert reply.get_json()["movie"] == before | {"title": "Renamed"} == movie(client, 3)
    deleted = client.patch(f"{API}/movies/3", json={"year": None, "genres": None, "imdb_id": None, "tmdb_id": None})
    nothing: dict[str, Any] = {"year": None, "genres": [], "imdb_id": None, "tmdb_id": None}
    assert deleted.get_json()["movie"] == before | {"title": "Renamed"} | nothing
    assert client.patch(f"{API}/movies/3", json={}).data == deleted.data
    interleave(Library, "edit", lambda: client.patch(f"{API}/movies/3", json={"year": 2001}))
    client.patch(f"{API}/movies/3", json={"genres": ["Drama"]})
    assert (movie(client, 3)["year"], movie(client, 3)["genres"]) == (2001, ["Drama"])
    for body, words in (
        ({"title": None}, "title: "),
        ({"title": " "}, "title: "),
        ({"stars": 5}, "stars: "),
        ({"year": "2000"}, "year: "),
    ):
        assert_problem(client.patch(f"{API}/movies/3", json=body), 400, words)
    assert_problem(client.patch(f"{API}/movies/3", json={"tmdb_id": 1004}), 409, "tmdb:1004 is Starship 4")
    client.delete(f"{API}/movies/3")
    assert_problem(client.patch(f"{API}/movies/3", json={"title": "Back"}), 404)


def test_of_requests_at_once_with_one_id_one_adds_a_movie(client: FlaskClient, app: Flask) -> None:
    key = client.environ_base["HTTP_AUTHORIZATION"]

    def add(number: int) -> int:
        body = {"title": f"Meadow {number}", "imdb_id": "tt9999999"}
        return app.test_client().post(f"{API}/movies", json=body, headers={"Authorization": key}).status_code

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(add, range(4))) == [201, 409, 409, 409]
    assert len(client.get(f"{API}/movies?q=meadow").get_json()["results"]) == 1


@pytest.mark.parametrize("rival", ["post", "put", "patch"])
def test_an_id_that_was_taken_meanwhile_is_refused(client: FlaskClient, interleave: Interleave, rival: str) -> None:
    taken = {"title": "Taken", "tmdb_id": 77}
    address = f"{API}/movies" if rival == "post" else f"{API}/movies/5"
    requests: dict[str, Any] = {
        "add": lambda: client.post(f"{API}/movies", json=taken),
        "put": lambda: client.put(f"{API}/movies/4", json=taken),
        "edit": lambda: client.patch(f"{API}/movies/4", json={"tmdb_id": 77}),
    }
    for seam, request in requests.items():
        interleave(Library, seam, lambda: client.open(address, method=rival.upper(), json=taken))
        assert_problem(request(), 409, "tmdb:77 is Taken")
    # Of a movie of the data set, an id is taken and given back.
    client.patch(f"{API}/movies/6", json={"tmdb_id": None})
    assert client.patch(f"{API}/movies/7", json={"tmdb_id": 1006}).status_code == 200
    assert_problem(client.patch(f"{API}/movies/6", json={"tmdb_id": 1006}), 409, "(id 7)")


def test_a_movie_that_comes_back_has_its_poster(client: FlaskClient) -> None:
    added = client.post(f"{API}/movies", json={"title": "Meadow"}).get_json()["movie"]["movie_id"]
    for movie_id in (added, 20, 3):
        client.put(f"{API}/movies/{movie_id}/poster", data=picture(7))
        client.delete(f"{API}/movies/{movie_id}")
        assert_problem(client.get(f"{API}/movies/{movie_id}/poster"), 404)
        assert client.put(f"{API}/movies/{movie_id}", json={"title": "Back"}).get_json()["movie"]["has_poster"]
        assert client.get(f"{API}/movies/{movie_id}/poster").data == picture(7)


def test_a_movie_can_be_added_where_every_other_one_was_deleted(client: FlaskClient) -> None:
    for each in client.get(f"{API}/movies?limit=100&fields=ids").get_json()["results"]:
        client.delete(f"{API}/movies/{each['movie_id']}")
    for path in (
        f"{API}/movies",
        f"{API}/movies?q=star",
        "/",
        "/for-you",
        "/?q=star",
        f"{API}/users/1/recommendations",
    ):
        assert client.get(path).status_code in {200, 404}, path
    reply = client.post(f"{API}/movies", json={"title": "The First", "tmdb_id": 1003})
    assert (reply.status_code, reply.get_json()["movie"]["movie_id"]) == (201, FIRST_ID)
    assert client.get("/").status_code == 200


WRITES: dict[str, Any] = {
    "put": lambda client, **options: client.put(f"{API}/movies/3", json={"title": "Meadow"}, **options),
    "patch": lambda client, **options: client.patch(f"{API}/movies/3", json={"title": "Hill"}, **options),
    "poster": lambda client, **options: client.put(f"{API}/movies/3/poster", data=picture(), **options),
    "delete": lambda client, **options: client.delete(f"{API}/movies/3", **options),
}


@pytest.mark.parametrize("write", WRITES)
def test_a_write_on_condition_is_refused_once_the_movie_has_changed(
    client: FlaskClient, interleave: Interleave, write: str
) -> None:
    shown = client.get(f"{API}/movies/3", headers={"Accept-Encoding": "gzip"})
    condition = {"headers": {"If-Match": shown.headers["ETag"]}}
    client.patch(f"{API}/movies/4", json={"title": "Another movie does not matter"})
    changed = client.patch(f"{API}/movies/3", json={"year": 1901})
    assert_problem(WRITES[write](client, **condition), 412, "movie 3 has changed since")
    assert movie(client, 3)["year"] == 1901
    assert_problem(WRITES[write](client, headers={"If-Match": '"nothing known"'}), 412)
    interleave(Database, "writing", lambda: client.patch(f"{API}/movies/3", json={"year": 1902}))
    assert_problem(WRITES[write](client, headers={"If-Match": changed.headers["ETag"]}), 412)
    now = client.get(f"{API}/movies/3").headers["ETag"]
    assert WRITES[write](client, headers={"If-Match": now}).status_code in {200, 204}


def test_a_condition_that_any_movie_meets_is_not_met_by_a_deleted_one(client: FlaskClient) -> None:
    assert client.patch(f"{API}/movies/3", json={"year": 1901}, headers={"If-Match": "*"}).status_code == 200
    client.delete(f"{API}/movies/3")
    assert_problem(client.put(f"{API}/movies/3", json={"title": "Back"}, headers={"If-Match": "*"}), 412)


def test_a_rating_on_condition_is_refused_once_it_has_changed(client: FlaskClient, interleave: Interleave) -> None:
    path, rating = f"{API}/users/2/ratings", f"{API}/users/2/ratings/3"

    def matching(tag: str) -> dict[str, str]:
        return {"If-Match": tag}

    before = client.get(path, headers={"Accept-Encoding": "gzip"}).headers["ETag"]
    other = client.put(f"{API}/users/2/ratings/4", json={"rating": 1})
    assert (
        client.put(rating, json={"rating": 2}, headers=matching(before)).status_code == 200
    )  # another does not matter
    for tag in (before, other.headers["ETag"], '"nothing known"', client.get(f"{API}/movies/3").headers["ETag"]):
        refused = client.put(rating, json={"rating": 3}, headers=matching(tag))
        assert_problem(refused, 412, "user 2's rating of movie 3 has changed since")
        assert_problem(client.delete(rating, headers=matching(tag)), 412)
    now = client.get(path).headers["ETag"]
    interleave(Database, "writing", lambda: client.put(rating, json={"rating": 4}))
    assert_problem(client.delete(rating, headers=matching(now)), 412)
    assert {each["movie"]["movie_id"]: each["rating"] for each in client.get(path).get_json()["results"]}[3] == 4
    written = client.put(rating, json={"rating": 5})
    assert written.headers["ETag"] == client.get(path).headers["ETag"]
    interleave(RatingLog, "put", lambda: client.put(rating, json={"rating": 1}))
    last = client.put(rating, json={"rating": 2})
    assert client.delete(rating, headers=matching(last.headers["ETag"])).status_code == 204


def test_a_condition_that_any_rating_meets_needs_one(client: FlaskClient) -> None:
    rated = {each["movie"]["movie_id"] for each in client.get(f"{API}/users/2/ratings?limit=100").get_json()["results"]}
    unrated = min({*SPACE} - rated)
    for movie_id, status in ((min(rated), 200), (unrated, 412)):
        path = f"{API}/users/2/ratings/{movie_id}"
        assert client.put(path, json={"rating": 2}, headers={"If-Match": "*"}).status_code == status
    path = f"{API}/users/2/ratings/{min(rated)}"
    assert client.delete(path, headers={"If-Match": "*"}).status_code == 204
    assert_problem(client.delete(path, headers={"If-Match": "*"}), 412)


@pytest.mark.parametrize("path", ["users/2/ratings", "users/2/recommendations", "users/2/predictions/22"])
def test_an_answer_with_ratings_is_not_stale_for_ever(client: FlaskClient, interleave: Interleave, path: str) -> None:
    if "predictions" in path:
        path = "users/2/predictions/12"
        interleave(users, "present_predictions", lambda: client.put(f"{API}/users/2/ratings/1", json={"rating": 0.5}))
    else:
        seam = "list_page" if path == "users/2/ratings" else "page"
        interleave(users, seam, lambda: client.put(f"{API}/users/2/ratings/1", json={"rating": 0.5}))
    between = client.get(f"{API}/{path}")
    now = client.get(f"{API}/{path}")
    again = client.get(f"{API}/{path}", headers={"If-None-Match": between.headers["ETag"]})
    assert now.data != between.data
    assert (again.status_code, again.data) == (200, now.data)


def test_a_movie_that_is_changed_while_ratings_are_read_is_not_stale(
    client: FlaskClient, interleave: Interleave
) -> None:
    interleave(users, "list_page", lambda: client.patch(f"{API}/movies/23", json={"title": "Renamed"}))
    between = client.get(f"{API}/users/2/ratings?limit=100")
    again = client.get(f"{API}/users/2/ratings?limit=100", headers={"If-None-Match": between.headers["ETag"]})
    assert again.status_code == 200
    assert "Renamed" in again.text


def test_a_poster_has_an_address_per_content(client: FlaskClient, data: Path) -> None:
    fixed = f"{API}/movies/3/poster"
    for _ in range(2):
        page = client.get("/movies/3").text
        addresses = set(re.findall(r"/api/v1/movies/3/poster\?[^ \"]+", page.replace("&amp;", "&")))
        original = client.get(fixed)
        assert original.headers["Cache-Control"] == "no-cache"
        content = hashlib.sha256(original.data).hexdigest()[:SHOWN]
        known = client.get(f"{fixed}?content={content}")
        assert (known.data, known.headers["ETag"]) == (original.data, original.headers["ETag"])
        assert {"immutable", "max-age=31536000"} <= set(known.headers["Cache-Control"].split(", "))
        small = client.get(f"{fixed}?width=120&content={content}")
        assert "immutable" in small.headers["Cache-Control"]
        assert client.get(f"{fixed}?width=120").headers["Cache-Control"] == "no-cache"
        assert len(addresses) >= 4
        again = client.get(fixed, headers={"If-None-Match": original.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")
        assert client.put(f"{fixed}", data=picture(8)).status_code == 200
        if original.data != picture(8):
            assert all(
                content not in address for address in re.findall(r"poster\?[^ \"]+", client.get("/movies/3").text)
            )
            changed = client.get(f"{fixed}?width=120&content={content}")
            assert changed.headers["Cache-Control"] == "no-cache"
            assert changed.data != small.data
            assert client.get(fixed, headers={"If-None-Match": original.headers["ETag"]}).data == picture(8)
    now = hashlib.sha256(picture(8)).hexdigest()[:SHOWN]
    assert addresses
    assert all(f"content={now}" in address for address in addresses)
    # A build may replace the file of a poster: its address is checked against the content.
    (file,) = (data / "posters").glob("4.*")
    content = hashlib.sha256(file.read_bytes()).hexdigest()[:SHOWN]
    file.write_bytes(picture(9))
    assert client.get(f"{API}/movies/4/poster?content={content}").headers["Cache-Control"] == "no-cache"
    assert_problem(client.get(f"{fixed}?content=other"), 400, "content")


def test_a_library_that_is_restored_under_a_running_server_is_read_and_written(
    client: FlaskClient, data: Path, tmp_path: Path
) -> None:
    client.patch(f"{API}/movies/3", json={"title": "Before the backup"})
    with (
        closing(sqlite3.connect(data / "library.db")) as source,
        closing(sqlite3.connect(tmp_path / "backup.db")) as to,
    ):
        source.backup(to)
    for number in range(3):
        client.patch(f"{API}/movies/4", json={"title": f"After the backup {number}"})
    seen = client.get(f"{API}/movies/4").headers["ETag"]
    (tmp_path / "backup.db").replace(data / "library.db")
    assert movie(client, 3)["title"] == "Before the backup"
    assert movie(client, 4)["title"] == "Starship 4"
    for number in range(3):  # the same sequence numbers again
        assert client.patch(f"{API}/movies/4", json={"title": f"Restored {number}"}).status_code == 200
        assert movie(client, 4)["title"] == f"Restored {number}"
    assert client.get(f"{API}/movies/4", headers={"If-None-Match": seen}).status_code == 200
    assert_problem(client.delete(f"{API}/movies/4", headers={"If-Match": seen}), 412)
    assert create_app(unlimited(data)).test_client().get(f"{API}/movies/4").get_json()["movie"]["title"] == "Restored 2"
    assert Library.open(data).version() == 4
    assert export_library(data, tmp_path / "library.db").movies == 2
    with closing(sqlite3.connect(data / "library.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_the_form_of_a_film_has_its_ids_and_sends_a_patch(client: FlaskClient) -> None:
    page = client.get("/movies/3").text
    assert 'data-method="PATCH"' in page
    for name, value in (("title", "Starship 3"), ("imdb_id", "tt0000003"), ("tmdb_id", "1003")):
        assert re.search(rf'name="{name}"[^>]*value="{value}"', page)
