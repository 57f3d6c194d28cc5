"""Many movies in one request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from index.answers.schemas import MAX_ADDED
from index.core.source_ids import numbers_for
from index.library.database import FIRST_ID
from index.library.movies import Library
from server.app import create_app
from tests.conftest import unlimited
from tests.server.conftest import assert_problem, writer

API = "/api/v1"
BATCH = f"{API}/movies/batch"


@pytest.fixture
def app(data: Path) -> Flask:
    return create_app(unlimited(data))


@pytest.fixture
def client(app: Flask, data: Path) -> FlaskClient:
    return writer(app, data)


def sent(client: FlaskClient, *movies: Any, **members: Any) -> list[dict[str, Any]]:
    reply = client.post(BATCH, json={"movies": movies, **members})
    assert reply.status_code == 200, reply.text
    results: list[dict[str, Any]] = reply.get_json()["results"]
    assert [each["index"] for each in results] == list(range(len(movies)))
    return results


def outcomes(results: list[dict[str, Any]]) -> list[str]:
    return [each["outcome"] for each in results]


ROWS = (
    {"title": "Meadow", "year": 2020, "genres": ["Sci-Fi"], "imdb_id": "tt9999999"},
    {"title": "", "year": 2020},
    {"title": "Nova", "tmdb_id": 77, "id": "B00NOVA"},
    {"title": "Nova", "stars": 5},
    {"title": "Starship 3", "year": 1973, "imdb_id": "tt0000003"},
    {"title": "Meadow", "year": 1995},
    {"title": "Meadow", "year": 1995},
)


def test_a_row_that_is_no_object_is_refused_by_itself(client: FlaskClient, data: Path) -> None:
    results = sent(client, 5, {"title": "Meadow"}, None, "Heat", ["Heat"], True, {"title": "Nova"})
    assert outcomes(results) == ["refused", "created", "refused", "refused", "refused", "refused", "created"]
    assert results[0]["reason"] == "give an object with a title, not 5"
    assert results[2]["reason"] == "give an object with a title, not null"
    assert results[3]["reason"] == "give an object with a title, not 'Heat'"
    assert len(Library.open(data).changes_since(0).movies) == 2
    assert_problem(client.post(BATCH, json={"movies": {"title": "Heat"}}), 400, "movies: ")


def test_each_row_is_added_or_here_or_refused_and_again_adds_nothing(client: FlaskClient, data: Path) -> None:
    first = sent(client, *ROWS)
    assert outcomes(first) == ["created", "refused", "created", "refused", "exists", "created", "exists"]
    assert first[0]["movie_id"] == FIRST_ID
    assert first[4]["movie_id"] == 3
    assert first[5]["movie_id"] == first[6]["movie_id"]
    assert "title" in first[1]["reason"]
    assert "stars" in first[3]["reason"]
    version = Library.open(data).version()
    again = sent(client, *ROWS)
    assert [each["movie_id"] for each in again] == [each["movie_id"] for each in first]
    assert outcomes(again) == ["exists", "refused", "exists", "refused", "exists", "exists", "exists"]
    assert Library.open(data).version() == version
    found = client.get(f"{API}/movies?q=meadow").get_json()["results"]
    assert sorted(movie["year"] for movie in found) == [1995, 2020]


def test_a_row_is_known_by_its_own_id_from_now_on(client: FlaskClient, data: Path) -> None:
    (added,) = sent(client, {"id": "B00NOVA", "title": "Nova", "genres": ["Sci-Fi"]})
    assert added["movie_id"] == numbers_for(["B00NOVA", "x"])["B00NOVA"]
    movie = client.get(f"{API}/movies/B00NOVA").get_json()["movie"]
    assert (movie["source_id"], movie["title"]) == ("B00NOVA", "Nova")
    assert client.get(f"{API}/movies/B00NOVA/similar?by=taste").get_json()["results"]
    assert client.patch(f"{API}/movies/B00NOVA", json={"year": 2003}).status_code == 200
    restarted = create_app(unlimited(data)).test_client()
    assert restarted.get(f"{API}/movies/B00NOVA").get_json()["movie"]["year"] == 2003
    assert client.delete(f"{API}/movies/B00NOVA").status_code == 204
    assert_problem(client.get(f"{API}/movies/B00NOVA"), 404)
    assert sent(client, {"id": "B00NOVA", "title": "Nova"})[0] == added | {"outcome": "created"}
    assert client.get(f"{API}/movies/B00NOVA").get_json()["movie"]["source_id"] == "B00NOVA"


def test_a_numeric_id_of_another_film_is_refused_and_a_free_one_is_kept(client: FlaskClient) -> None:
    results = sent(client, {"id": 3, "title": "Heat"}, {"id": 3, "title": "Starship 3", "year": 1973},
                   {"id": 500, "title": "Heat"}, {"id": "0500", "title": "Cold"}, {"id": -1, "title": "No"},
                   {"id": [1], "title": "No"})  # fmt: skip
    assert outcomes(results) == ["refused", "exists", "created", "created", "refused", "refused"]
    assert "id 3 is Starship 3 (1973) here" in results[0]["reason"]
    assert results[2]["movie_id"] == 500
    assert client.get(f"{API}/movies/500").get_json()["movie"]["title"] == "Heat"


def test_an_own_id_that_means_another_film_is_refused(client: FlaskClient) -> None:
    results = sent(client, {"id": "id:3", "title": "Heat"}, {"id": "ID: 77", "title": "Cold"})
    assert outcomes(results) == ["refused", "refused"]
    assert "'id:3' means the movie of this number: leave the prefix out" in results[0]["reason"]


def test_films_of_one_title_and_year_are_told_apart_by_their_ids(client: FlaskClient) -> None:
    results = sent(client, {"title": "Heat", "year": 1995, "imdb_id": "tt0000777"},
                   {"title": "Heat", "year": 1995, "imdb_id": "tt0000778"},
                   {"title": "Heat", "year": 1995, "imdb_id": "tt0000777", "tmdb_id": 1004},
                   {"title": "HEAT", "year": 1995})  # fmt: skip
    assert outcomes(results) == ["created", "created", "refused", "exists"]
    assert "give those of one" in results[2]["reason"]


def test_update_replaces_what_differs(client: FlaskClient) -> None:
    rows = ({"title": "Starship 3", "year": 1974, "imdb_id": "tt0000003", "genres": ["Sci-Fi"]},
            {"title": "Nova", "id": "n-1"})  # fmt: skip
    assert outcomes(sent(client, *rows)) == ["exists", "created"]
    assert client.get(f"{API}/movies/3").get_json()["movie"]["year"] == 1973
    assert outcomes(sent(client, *rows, update=True)) == ["updated", "exists"]
    movie = client.get(f"{API}/movies/3").get_json()["movie"]
    assert (movie["year"], movie["has_poster"], movie["rating_count"] > 0) == (1974, True, True)
    assert outcomes(sent(client, *rows, update=True)) == ["exists", "exists"]


def test_a_batch_is_bounded_and_needs_a_key(client: FlaskClient, app: Flask) -> None:
    rows = [{"title": f"Film {at}"} for at in range(MAX_ADDED)]
    assert set(outcomes(sent(client, *rows))) == {"created"}
    assert_problem(client.post(BATCH, json={"movies": [*rows, {"title": "One more"}]}), 400, "movies")
    assert_problem(client.post(BATCH, json={"movies": []}), 400, "movies")
    assert_problem(client.post(BATCH, json={"movies": [{"title": "x" * 2**20}]}), 413, "at most")
    assert_problem(app.test_client().post(BATCH, json={"movies": [{"title": "Heat"}]}), 401)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"title": ""}, "title: write one line of text, without control characters and not blank, not ''"),
        ({"title": "A\nB"}, "title: write one line of text, without control characters and not blank, not 'A\\nB'"),
        ({"title": "A", "imdb_id": "113277"}, "imdb_id: write an id of IMDb, such as tt0113277, not '113277'"),
        ({"title": "A", "id": {"a": 1}}, "id: Input should be a valid integer, not {'a': 1}; id: "),
        ({"title": "A", "genres": ["x"] * 1000}, "genres: give at most "),
    ],
)
def test_a_reason_is_in_plain_words(client: FlaskClient, row: dict[str, object], reason: str) -> None:
    (result,) = sent(client, row)
    assert result["reason"].startswith(reason)


def test_no_movies_are_refused_in_plain_words(client: FlaskClient) -> None:
    assert_problem(client.post(BATCH, json={"movies": []}), 400, "movies: give 1 at least, not []")
