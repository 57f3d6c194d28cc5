"""Poster maps over HTTP: cells, sheets, and movies added or deleted since the build."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image

from index.catalogue.catalogue import Movie
from index.library.entries import Poster
from index.library.movies import Library
from index.movie_index import MovieIndex
from index.snapshot.store import SnapshotStore
from server.app import create_app
from tests.conftest import World, poster, unlimited
from tests.paths import GOLDEN
from tests.server.conftest import assert_problem

API = "/api/v1"


def test_a_map_says_where_every_film_lies(client: FlaskClient, world: World) -> None:
    look, taste = (client.get(f"{API}/map?by={by}").get_json() for by in ("poster", "taste"))
    assert client.get(f"{API}/map").get_json() == look
    assert look["snapshot"] == world.manifest.id
    assert sorted(look["movie_ids"]) == [*range(1, 20), 21, 23]
    assert sorted(taste["movie_ids"]) == [*range(1, 22), 23]  # nobody has rated 21: its content tells
    for found in (look, taste):
        n = len(found["movie_ids"])
        places = set(zip(found["x"], found["y"], strict=True))
        assert len(places) == n == len(found["titles"]) == len(found["years"])
        assert all(0 <= x < found["columns"] and 0 <= y < found["rows"] for x, y in places)
        assert found["sheets"]["count"] == 1
        assert found["unlisted"] == []
    slot_of = dict(zip(look["movie_ids"], look["slots"], strict=True))
    assert sorted(slot_of.values()) == list(range(21))
    # A poster has the same slot on both maps; movie 20 has none.
    wanted = [slot_of.get(movie_id, -1) for movie_id in taste["movie_ids"]]
    assert taste["slots"] == wanted
    assert wanted.count(-1) == 1


def test_the_sheet_shows_the_posters_where_the_map_says(client: FlaskClient) -> None:
    found = client.get(f"{API}/map").get_json()
    sheet = found["sheets"]
    reply = client.get(f"{API}/map/sheets/0?snapshot={found['snapshot']}")
    assert reply.mimetype == "image/webp"
    assert "immutable" in reply.headers["Cache-Control"]
    picture = np.asarray(Image.open(io.BytesIO(reply.data)).convert("RGB")).astype(int)
    for movie_id, slot in zip(found["movie_ids"], found["slots"], strict=True):
        y, x = divmod(slot, sheet["across"])
        seen = picture[(y + 1) * sheet["height"] - 5, x * sheet["width"] + sheet["width"] // 2]
        true = np.asarray(poster(movie_id))[170, 60]
        assert np.abs(seen - true).max() < 25, movie_id
    again = client.get(
        f"{API}/map/sheets/0?snapshot={found['snapshot']}", headers={"If-None-Match": reply.headers["ETag"]}
    )
    assert again.status_code == 304
    assert "immutable" not in client.get(f"{API}/map/sheets/0").headers["Cache-Control"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("sheets/1", "this snapshot has 1, counted from 0"),
        ("sheets/x", "is no number of a sheet"),
        ("sheets/0?snapshot=earlier", "snapshot earlier is not current any more"),
    ],
)
def test_a_sheet_that_is_not_there_is_404(client: FlaskClient, path: str, words: str) -> None:
    assert words in assert_problem(client.get(f"{API}/map/{path}"), 404)["detail"]


def test_a_map_by_anything_else_is_refused(client: FlaskClient) -> None:
    assert_problem(client.get(f"{API}/map?by=facts"), 400)


def test_films_that_went_are_left_out_and_new_posters_are_on_no_sheet(data: Path) -> None:
    library = Library.open(data)
    index = MovieIndex.open(data)
    library.remove(3)
    content = io.BytesIO()
    poster(15).save(content, "PNG")
    library.put(index.catalogue.movie(4), Poster(content.getvalue()))
    library.add(Movie(0, "Came in Since", 2020, ("Drama",)), above=23)
    client = create_app(unlimited(data)).test_client()
    found = client.get(f"{API}/map").get_json()
    assert sorted(found["movie_ids"]) == [1, 2, *range(4, 20), 21, 23]
    assert found["unlisted"] == [4]
    assert found["slots"][found["movie_ids"].index(4)] == -1
    assert len(set(found["slots"])) == len(found["slots"])


@pytest.mark.parametrize("version", ["v2", "v3"])
def test_a_snapshot_from_before_there_were_maps_says_so(version: str, tmp_path: Path) -> None:
    shutil.copytree(GOLDEN / version, tmp_path / "data", symlinks=True)
    client = create_app(unlimited(tmp_path / "data")).test_client()
    words = "this snapshot was built before there were maps: build again"
    assert assert_problem(client.get(f"{API}/map"), 404)["detail"] == words
    assert client.get(f"{API}/snapshot").get_json()["maps"] == {}
    page = client.get("/map", headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert words[1:] in page.get_data(as_text=True)
    assert "<canvas" not in page.get_data(as_text=True)


def test_the_page_begins_with_the_map_that_there_is(client: FlaskClient) -> None:
    assert 'data-by="poster"' in client.get("/map").get_data(as_text=True)
    assert 'data-by="taste"' in client.get("/map?by=taste").get_data(as_text=True)
    assert 'data-by="poster"' in client.get("/map?by=nonsense").get_data(as_text=True)
    assert "/map?film=3" in client.get("/movies/3").get_data(as_text=True)


def test_every_file_of_a_map_is_checked_on_opening(data: Path) -> None:
    store = SnapshotStore(data)
    names = {name for name in store.manifest().files if name.startswith("map/")}
    assert names == {"map/poster.npy", "map/taste.npy", "map/sheets.npy", "map/sheet-000.webp"}


def test_the_maps_of_a_snapshot_that_was_deleted_by_hand_are_still_there_and_its_sheets_are_404(data: Path) -> None:
    client = create_app(unlimited(data)).test_client()
    shutil.rmtree(data / "snapshots")
    assert len(client.get(f"{API}/map").get_json()["movie_ids"]) == 21
    assert client.get("/map").status_code == 200
    assert_problem(client.get(f"{API}/map/sheets/0"), 404, "build again")
