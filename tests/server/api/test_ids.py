"""An id over HTTP is plain digits or a known prefix and its id; any other text is 404, or ``ignored`` in a list."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient

from index.core.references import MAX_ID
from index.core.source_ids import FIRST_NAMED
from index.library.movies import Library
from server.app import create_app
from tests.conftest import unlimited
from tests.index.core.test_references import NO_IDS, NO_OTHER_IDS
from tests.server.conftest import assert_problem, writer

API = "/api/v1"
TITLES = ["3:10 to Yuma", "2001: A Space Odyssey (1968)", "The Lord of the Rings: The Fellowship of the Ring (2001)"]
TEXTS = [text for text in (*TITLES, *NO_IDS, *NO_OTHER_IDS) if text.strip()]


@pytest.fixture
def app(data: Path) -> Flask:
    return create_app(unlimited(data))


@pytest.fixture
def client(app: Flask, data: Path) -> FlaskClient:
    return writer(app, data)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/movies/{}", None),
        ("GET", "/movies/{}/poster", None),
        ("GET", "/movies/{}/similar", None),
        ("GET", "/movies/{}/explanations/3", None),
        ("GET", "/movies/3/explanations/{}", None),
        ("GET", "/users/1/predictions/{}", None),
        ("PUT", "/movies/{}", {"title": "Renamed"}),
        ("PATCH", "/movies/{}", {"title": "Renamed"}),
        ("DELETE", "/movies/{}", None),
        ("PUT", "/users/1/ratings/{}", {"rating": 4}),
        ("DELETE", "/users/1/ratings/{}", None),
        ("GET", "/users/{}/ratings", None),
        ("GET", "/users/{}/recommendations", None),
        ("GET", "/users/{}/predictions/3", None),
        ("PUT", "/users/{}/ratings/3", {"rating": 4}),
        ("DELETE", "/users/{}/ratings/3", None),
    ],
)
def test_a_path_with_a_text_that_is_no_id_is_404_and_changes_nothing(
    client: FlaskClient, data: Path, method: str, path: str, body: object
) -> None:
    for text in TEXTS:
        assert_problem(client.open(API + path.format(quote(text, safe="")), method=method, json=body), 404)
    assert Library.open(data).version() == 0


def test_a_list_ignores_what_is_no_id_and_returns_it(client: FlaskClient) -> None:
    few = TEXTS[:20]
    rated = [{"movie": text, "rating": 5} for text in few]
    for path, body in (
        ("similar", {"like": [1, *few]}),
        ("similar", {"like": [1], "unlike": few}),
        ("similar", {"like": [1], "exclude": few}),
        ("similar/batch", {"movies": [1, *few]}),
        ("predictions", {"user_ids": [1], "movies": [1, *few]}),
        ("predictions", {"ratings": [{"movie": 1, "rating": 5}, *rated], "movies": [2]}),
        ("recommendations", {"ratings": [{"movie": 1, "rating": 5}, *rated]}),
    ):
        assert client.post(f"{API}/{path}", json=body).get_json()["ignored"] == few, (path, body)
    for text in TEXTS:
        if "," not in text:
            reply = client.get(f"{API}/movies/1/similar", query_string={"exclude": text}).get_json()
            assert reply["ignored"] == [text.strip()]


def test_a_number_in_a_body_is_an_id_only_if_it_is_whole_and_exact(client: FlaskClient) -> None:
    def post(movie: object) -> int:
        return client.post(f"{API}/similar/batch", json={"movies": [movie]}).status_code

    assert [post(movie) for movie in (1, 1.0, -1, MAX_ID, MAX_ID + 1, "id:1")] == [200] * 6
    assert [post(movie) for movie in (1.5, True, None, 1e18, [1])] == [400] * 5
    for user in (1.5, True, 1e18, MAX_ID + 1):
        assert_problem(client.post(f"{API}/predictions", json={"user_ids": [user], "movies": [1]}), 400, "user_ids")


@pytest.mark.parametrize("user", ["1_0", "+1", "01", "٣", "x"])
def test_a_page_says_that_a_text_is_no_user(client: FlaskClient, user: str) -> None:
    response = client.get("/for-you", query_string={"user": user})
    assert response.status_code == 200
    assert f"There is no user {user} here" in response.text


def test_pages_take_no_text_for_an_id(client: FlaskClient) -> None:
    for text in TEXTS:
        assert client.get(f"/movies/{quote(text, safe='')}").status_code == 404
    assert "Starship 3" not in client.get("/for-you", query_string={"rated": "3:10:4"}).text.split("Rate")[0]


def test_the_largest_id_works_everywhere(client: FlaskClient, data: Path) -> None:
    library = Library.open(data)
    largest = str(MAX_ID)
    assert_problem(client.put(f"{API}/movies/{largest}", json={"title": "Last"}), 404, largest)
    assert client.put(f"{API}/users/{largest}/ratings/3", json={"rating": 4}).status_code == 200
    assert client.get(f"{API}/users/{largest}/ratings").get_json()["user_id"] == MAX_ID
    assert client.get(f"{API}/movies?after={largest}").get_json()["results"] == []
    library.next_id(FIRST_NAMED - 3)  # numbers from FIRST_NAMED on stand for texts
    assert client.post(f"{API}/movies", json={"title": "Last"}).get_json()["movie"]["movie_id"] == FIRST_NAMED - 1
    assert client.get(f"{API}/movies/{FIRST_NAMED - 1}").get_json()["movie"]["title"] == "Last"
    assert_problem(client.post(f"{API}/movies", json={"title": "One more"}), 409, "largest id")
