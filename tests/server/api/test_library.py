from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image

from index.library.database import FIRST_ID
from index.movie_index import MovieIndex
from server.app import create_app
from tests.conftest import SPACE, poster, unlimited
from tests.server.conftest import assert_problem, writer

API = "/api/v1"
MEADOW: dict[str, Any] = {"title": "Meadow", "year": 2020, "genres": ["Sci-Fi"], "imdb_id": "tt9999999", "tmdb_id": 77}


@pytest.fixture
def app(data: Path) -> Flask:
    return create_app(unlimited(data))


@pytest.fixture
def client(app: Flask, data: Path) -> FlaskClient:
    return writer(app, data)


def picture(movie: int = 4, kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    poster(movie).resize((150, 200)).save(stream, kind)
    return stream.getvalue()


def form(**members: Any) -> dict[str, Any]:
    return {"title": "Meadow", "genres": "Sci-Fi,Action", "poster": (io.BytesIO(picture()), "any.png"), **members}


def similar(client: FlaskClient, movie: object, **query: object) -> list[int]:
    reply = client.get(f"{API}/movies/{movie}/similar", query_string=query).get_json()
    return [match["movie"]["movie_id"] for match in reply["results"]]


def test_a_movie_that_is_added_is_in_the_answers_at_once(client: FlaskClient, data: Path) -> None:
    reply = client.post(f"{API}/movies", data=form(year="2020"))
    assert reply.status_code == 201
    movie = reply.get_json()["movie"]
    assert movie["movie_id"] == FIRST_ID
    assert (movie["title"], movie["year"], movie["genres"]) == ("Meadow", 2020, ["Sci-Fi", "Action"])
    assert movie["has_poster"]
    assert reply.get_json()["spaces"] == ["poster", "taste"]
    shown = client.get(reply.headers["Location"])
    assert shown.get_json()["movie"] == movie
    assert similar(client, 4, by="poster")[0] == FIRST_ID
    assert set(similar(client, FIRST_ID, by="poster", limit=5)) <= {*SPACE, 21}
    assert client.get(f"{API}/movies?q=meadow").get_json()["results"] == [movie]
    with client.get(f"{API}/movies/{FIRST_ID}/poster") as kept:
        assert kept.data == picture()
    assert MovieIndex.open(data).catalogue.movie(FIRST_ID).title == "Meadow"


def test_a_movie_that_is_added_without_ratings_is_predicted_compared_and_recommended_at_once(
    client: FlaskClient,
) -> None:
    movie_id = client.post(f"{API}/movies", data=form(year="2020")).get_json()["movie"]["movie_id"]
    fan = client.get(f"{API}/users/2/predictions/{movie_id}?explain=true").get_json()
    other = client.get(f"{API}/users/1/predictions/{movie_id}").get_json()
    assert other["rating"] + 1 < fan["rating"]
    assert fan["low"] < fan["rating"] < fan["high"]
    content = fan["explanation"]["content"]
    assert content["share"] == 1
    assert sum(effect for name, effect in content.items() if name != "share") == pytest.approx(
        fan["explanation"]["sum"], abs=1e-3
    )
    assert set(similar(client, movie_id, by="taste", limit=5)) <= {*SPACE, 21}
    new = client.get(f"{API}/users/2/recommendations?new=true&fields=ids").get_json()["results"]
    assert {each["movie_id"] for each in new} == {21, 22, movie_id}
    body = {"ratings": [{"movie": 1, "rating": 5}, {"movie": 12, "rating": 1}], "new": True, "limit": 2}
    stranger = client.post(f"{API}/recommendations", json=body).get_json()["results"]
    assert {each["movie"]["movie_id"] for each in stranger} == {21, movie_id}
    client.put(f"{API}/users/4/ratings/{movie_id}", json={"rating": 0.5})
    assert client.get(f"{API}/users/2/predictions/{movie_id}").get_json()["rating"] < fan["rating"]


def test_what_a_form_leaves_empty_is_not_given(client: FlaskClient) -> None:
    reply = client.post(f"{API}/movies", data=form(year="", genres="", imdb_id="", tmdb_id=""))
    movie = reply.get_json()["movie"]
    assert (movie["year"], movie["genres"], movie["imdb_id"], movie["tmdb_id"]) == (None, [], None, None)
    assert_problem(client.post(f"{API}/movies", data=form(title="")), 400, "title: is required")
    some = client.post(f"{API}/movies", data=form(genres="Drama,, Crime,"))
    assert some.get_json()["movie"]["genres"] == ["Drama", "Crime"]


def test_a_movie_may_come_as_json_without_a_poster(client: FlaskClient) -> None:
    reply = client.post(f"{API}/movies", json=MEADOW)
    assert reply.status_code == 201
    assert reply.get_json()["spaces"] == ["taste"]
    for text in ("imdb:tt9999999", "tmdb:77", str(FIRST_ID)):
        assert client.get(f"{API}/movies/{text}").get_json()["movie"]["title"] == "Meadow"


def test_the_same_request_again_adds_nothing(client: FlaskClient) -> None:
    headers = {"Idempotency-Key": "3f1c"}
    first = client.post(f"{API}/movies", data=form(), headers=headers)
    again = client.post(f"{API}/movies", data=form(), headers=headers)
    assert first.status_code == again.status_code == 201
    assert first.data == again.data
    assert first.headers["Location"] == again.headers["Location"]
    assert_problem(client.post(f"{API}/movies", data=form(title="Hill"), headers=headers), 422, "Idempotency-Key")
    another = client.post(f"{API}/movies", data=form(), headers={"Idempotency-Key": "another"})
    assert another.get_json()["movie"]["movie_id"] == FIRST_ID + 1
    wrong = client.post(f"{API}/movies", data=form(), headers={"Idempotency-Key": "with space"})
    assert_problem(wrong, 400, "Idempotency-Key: 'with space'")


def test_an_id_that_another_movie_has_is_refused(client: FlaskClient) -> None:
    taken = MEADOW | {"imdb_id": "tt0000003"}
    assert_problem(client.post(f"{API}/movies", json=taken), 409, "imdb:tt0000003 is Starship 3 (1973) (id 3)")
    assert_problem(client.put(f"{API}/movies/4", json=taken), 409, "replace that one")
    assert client.put(f"{API}/movies/3", json=taken).status_code == 200


def test_a_movie_that_is_replaced_is_so_at_once_and_once(client: FlaskClient) -> None:
    first = client.put(f"{API}/movies/imdb:tt0000003", json=MEADOW)
    assert first.status_code == 200
    assert first.get_json()["movie"]["title"] == "Meadow"
    assert first.get_json()["movie"]["has_poster"]  # the data set's poster
    again = client.put(f"{API}/movies/3", json=MEADOW)
    assert again.data == first.data
    tags = [client.get(f"{API}/movies/3").headers["ETag"] for _ in range(2)]
    client.put(f"{API}/movies/3", json=MEADOW)
    assert {*tags, client.get(f"{API}/movies/3").headers["ETag"]} == {tags[0]}
    assert 3 in similar(client, 4, by="poster")


def test_a_poster_can_be_changed_alone(client: FlaskClient) -> None:
    before = client.get(f"{API}/movies/13").get_json()["movie"]
    reply = client.put(f"{API}/movies/13/poster", data={"poster": (io.BytesIO(picture(4)), "x")})
    assert reply.get_json()["movie"] | {"poster_content": before["poster_content"]} == before
    assert reply.get_json()["movie"]["poster_content"] != before["poster_content"]
    assert similar(client, 4, by="poster")[0] == 13
    body = client.put(f"{API}/movies/20/poster", data=picture(5), content_type="image/png")
    assert body.get_json()["movie"]["has_poster"]
    assert similar(client, 5, by="poster")[0] == 20
    client.put(f"{API}/movies/20", json={"title": "Still with its poster"})
    assert client.get(f"{API}/movies/20").get_json()["movie"]["has_poster"]


def test_a_movie_that_is_removed_is_in_no_answer(client: FlaskClient) -> None:
    assert 2 in similar(client, 1, limit=30)
    reply = client.delete(f"{API}/movies/2")
    assert (reply.status_code, reply.data) == (204, b"")
    assert client.delete(f"{API}/movies/2").status_code == 204
    assert_problem(client.get(f"{API}/movies/2"), 404)
    assert_problem(client.get(f"{API}/movies/2/similar"), 404)
    for by in ("poster", "taste", "facts", "blend"):
        assert 2 not in similar(client, 1, by=by, limit=30)
    for user in (1, 2):
        listed = [
            client.get(f"{API}/users/{user}/{what}?limit=100").get_json()["results"]
            for what in ("ratings", "recommendations")
        ]
        assert 2 not in {each["movie"]["movie_id"] for results in listed for each in results}
    assert_problem(client.delete(f"{API}/movies/777"), 404)
    back = client.put(f"{API}/movies/2", json={"title": "Starship 2", "year": 1972, "genres": ["Sci-Fi", "Action"]})
    assert back.status_code == 200
    assert 2 in similar(client, 1, by="poster", limit=30)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "title: is required"),
        ({"title": " "}, "title: "),
        ({"title": "a\u0007"}, "title: "),
        ({"title": "x" * 501}, "at most 500"),
        ({"title": "x", "year": 3000}, "year: "),
        ({"title": "x", "year": "2000"}, "year: "),
        ({"title": "x", "genres": "Drama"}, "genres: "),
        ({"title": "x", "imdb_id": "0113277"}, "imdb_id: "),
        ({"title": "x", "tmdb_id": 0}, "tmdb_id: "),
        ({"title": "x", "stars": 5}, "stars: there is no such parameter"),
    ],
)
def test_what_is_no_movie_is_named_and_not_kept(client: FlaskClient, body: object, words: str) -> None:
    assert_problem(client.post(f"{API}/movies", json=body), 400, words)
    assert len(client.get(f"{API}/movies?limit=100").get_json()["results"]) == 23


def test_what_is_no_poster_is_not_kept(client: FlaskClient, data: Path) -> None:
    before = sorted((data / "posters").iterdir())
    for content, status in ((b"no picture", 422), (b"", 422), (picture()[:300], 422)):
        reply = client.post(f"{API}/movies", data=form(poster=(io.BytesIO(content), "x.png")))
        assert_problem(reply, status)
    stream = io.BytesIO()
    Image.new("RGB", (60, 90)).save(stream, "PPM")
    assert_problem(
        client.post(f"{API}/movies", data=form(poster=(io.BytesIO(stream.getvalue()), "x.png"))), 422, "JPEG"
    )
    assert_problem(client.post(f"{API}/movies", data=form(cover="x")), 400, "cover: there is no such parameter")
    back = form(back=(io.BytesIO(picture()), "x.png"))
    assert_problem(client.post(f"{API}/movies", data=back), 400, "back: the form has no such member")
    assert sorted((data / "posters").iterdir()) == before


def test_a_rating_counts_at_once(client: FlaskClient) -> None:
    assert_problem(client.get(f"{API}/users/4000/recommendations"), 404, "no user 4000")
    for movie in (1, "imdb:tt0000002", "tmdb:1003"):
        reply = client.put(f"{API}/users/4000/ratings/{movie}", json={"rating": 5})
        assert reply.status_code == 200
        assert reply.get_json()["rating"] == 5
    rated = client.get(f"{API}/users/4000/ratings?fields=ids").get_json()["results"]
    assert rated == [{"movie": {"movie_id": movie}, "rating": 5} for movie in (1, 2, 3)]
    stars = {m: client.get(f"{API}/users/4000/predictions/{m}").get_json()["rating"] for m in (5, 15)}
    assert stars[5] > stars[15] + 1
    reply = client.get(f"{API}/users/4000/recommendations?limit=3").get_json()
    assert {each["movie"]["movie_id"] for each in reply["results"]} <= {*SPACE} - {1, 2, 3}
    assert client.delete(f"{API}/users/4000/ratings/1").status_code == 204
    assert client.delete(f"{API}/users/4000/ratings/1").status_code == 204
    assert len(client.get(f"{API}/users/4000/ratings").get_json()["results"]) == 2


def test_a_rating_changes_what_rests_on_it_and_nothing_else(client: FlaskClient) -> None:
    paths = (f"{API}/users/2/recommendations", f"{API}/movies/1/similar")
    before = [client.get(path).headers["ETag"] for path in paths]
    client.put(f"{API}/users/2/ratings/1", json={"rating": 1.5})
    after = [client.get(path).headers["ETag"] for path in paths]
    assert before[0] != after[0]
    assert before[1] == after[1]


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("1/ratings/1", {"rating": 5.5}, 400, "rating: 5.5 is off the scale: ratings here are 0.5 to 5"),
        ("1/ratings/1", {"rating": "5"}, 400, "rating: "),
        ("1/ratings/1", {}, 400, "rating: is required"),
        ("1/ratings/777", {"rating": 5}, 404, "no movie 777"),
        ("-1/ratings/1", {"rating": 5}, 404, ""),
    ],
)
def test_what_is_no_rating_is_named(client: FlaskClient, path: str, body: object, status: int, words: str) -> None:
    assert_problem(client.put(f"{API}/users/{path}", json=body), status, words)


def test_the_file_of_the_library_that_breaks_is_told_without_its_path(
    client: FlaskClient, app: Flask, data: Path
) -> None:
    client.delete(f"{API}/movies/2")
    for file in data.glob("library.db*"):
        file.write_bytes(b"no library" * 1000)
    app.extensions["library"].database._reader.close()  # noqa: SLF001  as if by another process
    app.extensions["library"].database._reader = None  # noqa: SLF001
    problem = assert_problem(client.put(f"{API}/movies/3", json=MEADOW), 500)
    assert str(data) not in str(problem)
