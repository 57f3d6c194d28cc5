"""Recommendations for several people together, over HTTP; and many ratings stored at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from index.library.api_keys import Keys
from index.library.database import Database
from index.library.rating_log import RatingLog
from server.app import create_app
from tests.conftest import unlimited
from tests.index.imports import samples
from tests.server.conftest import assert_problem, writer

PATH = "/api/v1/groups/recommendations"
PILOT = {"ratings": [{"movie": 1, "rating": 5}, {"movie": "tmdb:1002", "rating": 4.5}, {"movie": 12, "rating": 1}]}
GUEST = {"ratings": [{"movie": 2, "rating": 1}, {"movie": 11, "rating": 5}], "watched": [13], "watchlist": [15, 5, 777]}


def group(client: FlaskClient, **body: Any) -> dict[str, Any]:
    response = client.post(PATH, json={"members": [PILOT, GUEST], "limit": 100, **body})
    assert response.status_code == 200, response.text
    return dict(response.get_json())


def ids(reply: dict[str, Any]) -> list[int]:
    return [each["movie"]["movie_id"] for each in reply["results"]]


def test_each_result_has_the_prediction_of_every_member(client: FlaskClient) -> None:
    reply = group(client, together="least-misery")
    assert {1, 2, 11, 12, 13}.isdisjoint(ids(reply))
    assert reply["ignored"] == ["777"]
    assert reply["together"] == "least-misery"
    for member, at in ((PILOT, 0), (GUEST, 1)):
        alone = client.post("/api/v1/predictions", json={"ratings": member["ratings"], "movies": ids(reply)}).get_json()
        for each, other in zip(reply["results"], alone["results"], strict=True):
            assert each["predictions"][at] == {name: other[name] for name in ("rating", "low", "high")} | {
                "given": None
            }
    least = [each["least"] for each in reply["results"]]
    assert least == sorted(least, reverse=True)
    lean = group(client, fields="ids", limit=3, offset=1)["results"]
    whole = group(client)["results"][1:4]
    assert lean == [{"movie_id": each["movie"]["movie_id"]} | {k: each[k] for k in list(each)[1:]} for each in whole]


def test_filters_watchlists_and_what_was_seen(client: FlaskClient) -> None:
    assert set(ids(group(client, watchlist="any"))) == {5, 15}
    assert ids(group(client, watchlist="all")) == []
    assert set(ids(group(client, genre=["Romance"], exclude=[14, 15]))) == {16, 17, 18, 19, 20, 23}
    seen = {each["movie"]["movie_id"]: each for each in group(client, seen=True)["results"]}
    assert 2 not in seen  # both rated it
    assert [each["given"] for each in seen[11]["predictions"]] == [None, 5]


def test_users_may_be_asked_for_by_address_and_mixed_with_others(client: FlaskClient) -> None:
    reply = client.get(f"{PATH}?user_ids=1,2&together=fair&limit=5").get_json()
    same = group(client, members=[{"user_id": 1}, {"user_id": 2}], together="fair", limit=5)
    assert reply == same
    assert len(group(client, members=[{"user_id": 1}, PILOT, GUEST])["results"][0]["predictions"]) == 3
    rated = client.get("/api/v1/users/1/ratings?limit=100").get_json()["results"]
    assert {each["movie"]["movie_id"] for each in rated}.isdisjoint(ids(reply))


@pytest.mark.parametrize(
    ("body", "status", "problem"),
    [
        ({"members": [PILOT]}, 400, "members"),
        ({"members": [PILOT] * 11}, 400, "members"),
        ({"members": [PILOT, {"user_id": 4000}]}, 404, "no user 4000"),
        ({"members": [PILOT, {"user_id": 1, **PILOT}]}, 422, "user_id 1 has ratings already"),
        ({"members": [PILOT, {"ratings": [{"movie": 1, "rating": 50}]}]}, 400, "50 is off the scale"),
        ({"members": [PILOT, GUEST], "together": "loudest"}, 400, "together"),
        ({"members": [PILOT, GUEST], "watchlist": "mine"}, 400, "watchlist"),
        ({"members": [PILOT, GUEST], "genre": ["Opera"]}, 400, "Opera"),
    ],
)
def test_what_is_no_group_is_refused(client: FlaskClient, body: dict[str, Any], status: int, problem: str) -> None:
    assert_problem(client.post(PATH, json=body), status, problem)


def test_a_group_by_address_has_two_users_at_least(client: FlaskClient) -> None:
    for query in ("", "?user_ids=1"):
        assert_problem(client.get(PATH + query), 400, "user_ids")


def test_watched_movies_are_left_out_of_recommendations(client: FlaskClient) -> None:
    reply = client.post("/api/v1/recommendations", json={**PILOT, "watched": [3, 14, 777], "limit": 100}).get_json()
    assert reply["ignored"] == ["777"]
    assert {1, 2, 3, 12, 14}.isdisjoint(ids(reply))


@pytest.fixture
def writing(data: Path) -> FlaskClient:
    return writer(create_app(unlimited(data)), data)


def test_an_import_is_stored_for_a_user_at_once_and_cleared_again(writing: FlaskClient, data: Path) -> None:
    found = writing.post("/api/v1/imports", data=samples.letterboxd()).get_json()
    ratings = [{"movie": each["movie"]["movie_id"], "rating": each["rating"]} for each in found["matched"]]
    reply = writing.post("/api/v1/users/5000/ratings", json={"ratings": [*ratings, {"movie": 777, "rating": 3}]})
    assert reply.status_code == 200
    assert (reply.get_json()["stored"], reply.get_json()["ignored"]) == (3, ["777"])
    stored = writing.get("/api/v1/users/5000/ratings?fields=ids")
    assert stored.headers["ETag"] == reply.headers["ETag"]
    assert {each["movie"]["movie_id"]: each["rating"] for each in stored.get_json()["results"]} == {
        3: 5,
        5: 3.5,
        12: 0.5,
    }
    assert RatingLog(Database(data)).of(5000) == {3: 5, 5: 3.5, 12: 0.5}  # as another process reads it
    same = writing.post("/api/v1/recommendations", json={"ratings": ratings}).get_json()["results"]
    assert writing.get("/api/v1/users/5000/recommendations").get_json()["results"] == same
    for _ in range(2):
        assert writing.delete("/api/v1/users/5000/ratings").status_code == 204
    assert_problem(writing.get("/api/v1/users/5000/ratings"), 404, "no user 5000")
    # Of a user of the data set all ratings are deleted.
    assert writing.post("/api/v1/users/1/ratings", json={"ratings": ratings}).status_code == 200
    assert writing.delete("/api/v1/users/1/ratings").status_code == 204
    assert_problem(writing.get("/api/v1/users/1/recommendations"), 404, "no user 1")


def test_ratings_are_stored_all_or_none_and_with_a_key_that_may_write(writing: FlaskClient, data: Path) -> None:
    path = "/api/v1/users/5000/ratings"
    good = {"movie": 3, "rating": 4}
    assert_problem(writing.post(path, json={"ratings": [good, {"movie": 4, "rating": 6}]}), 400, "6 is off the scale")
    assert_problem(writing.post(path, json={"ratings": [good, good]}), 422, "rated twice")
    assert_problem(writing.post(path, json={"ratings": []}), 400, "ratings")
    assert_problem(writing.post(path, json={"ratings": [good] * 10_001}), 400, "ratings")
    _, reads = Keys(Database(data)).create("reader", "read")
    for headers, status, problem in (
        ({"Authorization": ""}, 401, "API key"),
        ({"Authorization": f"Bearer {reads}"}, 403, "may only read"),
    ):
        assert_problem(writing.post(path, json={"ratings": [good]}, headers=headers), status, problem)
        assert_problem(writing.delete(path, headers=headers), status, problem)
    assert RatingLog(Database(data)).of(5000) == {}
    nothing = writing.post(path, json={"ratings": [{"movie": 777, "rating": 3}]}).get_json()
    assert (nothing["stored"], nothing["ignored"]) == (0, ["777"])
