from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.conftest import SPACE, World
from tests.server.conftest import assert_problem

API = "/api/v1"


def test_movies_are_searched_by_title(client: FlaskClient, world: World) -> None:
    reply = client.get(f"{API}/movies?q=starship&limit=3&offset=1").get_json()
    assert len(reply["results"]) == 3
    assert all(movie["title"].startswith("Starship") for movie in reply["results"])
    assert reply["limit"] == 3
    assert reply["offset"] == 1
    assert reply["snapshot"] == world.manifest.id
    assert reply["weights"] == "untrained"


@pytest.mark.parametrize("ref", ["3", "imdb:tt0000003", "tmdb:1003"])
def test_a_movie_is_found_by_every_kind_of_id(client: FlaskClient, ref: str) -> None:
    reply = client.get(f"{API}/movies/{ref}").get_json()
    assert reply["movie"]["movie_id"] == 3
    assert reply["movie"]["title"] == "Starship 3"
    assert reply["movie"]["year"] == 1973
    assert reply["movie"]["genres"] == ["Sci-Fi", "Action"]
    assert reply["movie"]["imdb_id"] == "tt0000003"
    assert reply["movie"]["rating_count"] > 10
    assert reply["spaces"] == ["poster", "taste", "facts"]


def test_a_poster_is_the_file_that_was_built_from(client: FlaskClient, world: World) -> None:
    with client.get(f"{API}/movies/3/poster") as reply:
        assert reply.mimetype == "image/jpeg"
        assert reply.data == (world.posters / "3.jpg").read_bytes()
    with client.get(f"{API}/movies/5/poster") as other:
        assert other.mimetype == "image/png"
    with client.get(f"{API}/movies/3/poster", headers={"If-None-Match": reply.headers["ETag"]}) as again:
        assert again.status_code == 304
    assert_problem(client.get(f"{API}/movies/20/poster"), 404, "id 20", "no poster")


@pytest.mark.parametrize("by", ["poster", "taste", "facts", "blend"])
def test_similar_movies_come_best_first(client: FlaskClient, by: str, world: World) -> None:
    reply = client.get(f"{API}/movies/1/similar?by={by}&limit=5").get_json()
    assert reply["by"] == by
    assert reply["movie"]["movie_id"] == 1
    found = [match["movie"]["movie_id"] for match in reply["results"]]
    assert len(found) == 5
    assert set(found) <= {*SPACE, 21}
    scores = [match["score"] for match in reply["results"]]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= match["percentile"] <= 1 for match in reply["results"])
    assert reply["snapshot"] == world.manifest.id
    assert reply["weights"] == "untrained"
    assert reply["ignored"] == []


def test_pages_of_a_list_follow_each_other(client: FlaskClient) -> None:
    def page(offset: int, limit: int) -> list[int]:
        reply = client.get(f"{API}/movies/1/similar?by=taste&offset={offset}&limit={limit}").get_json()
        return [match["movie"]["movie_id"] for match in reply["results"]]

    assert page(0, 4) + page(4, 4) == page(0, 8)
    assert page(1000, 5) == []
    assert len(page(0, 100)) == 20


def test_similar_movies_can_be_narrowed(client: FlaskClient) -> None:
    reply = client.get(
        f"{API}/movies/1/similar?genre=romance,comedy&year_from=2003&year_to=2008&exclude=13,imdb:tt0000014,777&exclude=x"
    ).get_json()
    assert {match["movie"]["movie_id"] for match in reply["results"]} == {15, 16, 17, 18}
    assert reply["ignored"] == ["777", "x"]


def test_a_user_s_rating_is_predicted_with_an_interval(client: FlaskClient) -> None:
    reply = client.get(f"{API}/users/2/predictions/3").get_json()
    assert reply["user_id"] == 2
    assert reply["movie"]["movie_id"] == 3
    assert reply["low"] < reply["rating"] < reply["high"]
    assert reply["interval"] == 0.8
    assert reply["rating"] > client.get(f"{API}/users/1/predictions/3").get_json()["rating"]


def test_recommendations_are_new_to_the_user(client: FlaskClient, world: World) -> None:
    lines = (world.ratings / "ratings.csv").read_text().splitlines()
    rated = {int(line.split(",")[1]) for line in lines[1:] if line.startswith("2,")}
    reply = client.get(f"{API}/users/2/recommendations?limit=100").get_json()
    found = [match["movie"]["movie_id"] for match in reply["results"]]
    assert set(found) == set(range(1, 24)) - rated
    assert all(match["low"] <= match["rating"] <= match["high"] for match in reply["results"])
    second = client.get(f"{API}/users/2/recommendations?limit=3&offset=2").get_json()
    assert [match["movie"]["movie_id"] for match in second["results"]] == found[2:5]
    narrowed = client.get(f"{API}/users/2/recommendations?limit=100&genre=Sci-Fi").get_json()
    assert {match["movie"]["movie_id"] for match in narrowed["results"]} == {*SPACE, 21} - rated


def test_the_snapshot_shows_its_manifest(client: FlaskClient, world: World) -> None:
    reply = client.get(f"{API}/snapshot").get_json()
    assert reply["id"] == reply["snapshot"] == world.manifest.id
    assert reply["dataset"]["ratings"] == world.manifest.dataset["ratings"]
    assert reply["spaces"]["poster"]["weights"]["name"] == "untrained"
    assert "files" not in reply


def test_health(client: FlaskClient, world: World) -> None:
    assert client.get("/livez").get_json() == {"status": "alive"}
    assert client.get("/readyz").get_json() == {"status": "ready", "snapshot": world.manifest.id}


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("limit=ten", ["limit", "'ten'"]),
        ("limit=0", ["limit", "'0'"]),
        ("limit=101", ["limit", "100", "'101'"]),
        ("limit=", ["limit"]),
        ("limit=1.5", ["limit", "'1.5'"]),
        ("offset=-1", ["offset", "'-1'"]),
        ("limit=3&limit=4", ["limit", "2 times"]),
        ("by=sound", ["by", "'poster', 'taste', 'facts' or 'blend'", "'sound'"]),
        ("k=3", ["k: there is no such parameter", "limit, offset"]),
        ("genre=Jazz", ["genre", "'Jazz'", "Action, Comedy, Romance, Sci-Fi"]),
        ("year_from=MCMXC", ["year_from", "'MCMXC'"]),
        ("year_from=2001&year_to=2000", ["year_from 2001 is after year_to 2000"]),
        ("genre=", ["genre"]),
    ],
)
def test_a_parameter_that_cannot_be_used_is_named(client: FlaskClient, query: str, words: list[str]) -> None:
    assert_problem(client.get(f"{API}/movies/1/similar?{query}"), 400, *words)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/movies/99", ["no movie 99"]),
        ("/movies/heat", ["'heat' is no movie id"]),
        ("/movies/99999999999999999999999", ["is no movie id"]),
        ("/movies/imdb:tt7777777", ["IMDB id 'tt7777777'"]),
        ("/movies/20/similar?by=poster", ["id 20) has no poster"]),
        ("/movies/22/similar", ["movie 22"]),
        ("/users/99/recommendations", ["no user 99"]),
        ("/users/99999999999999999999999/recommendations", ["no user"]),
        ("/users/1/predictions/99", ["no movie 99"]),
        ("/users/x/recommendations", []),
        ("/nothing", []),
    ],
)
def test_what_is_not_there_is_404(client: FlaskClient, path: str, words: list[str]) -> None:
    assert_problem(client.get(API + path), 404, *words)


@pytest.mark.parametrize(
    "path", ["/movies/1?x=1", "/movies/1/poster?x=1", "/users/1/predictions/1?x=1", "/snapshot?x=1"]
)
def test_unknown_parameters_are_refused_everywhere(client: FlaskClient, path: str) -> None:
    assert_problem(client.get(API + path), 400, "x: there is no such parameter; there are: none")


def test_a_search_needs_words(client: FlaskClient) -> None:
    assert_problem(client.get(f"{API}/movies"), 400, "q: is needed")
    assert client.get(f"{API}/movies?q=%20%20").get_json()["results"] == []


def test_another_method_is_405_and_says_which_are_allowed(client: FlaskClient) -> None:
    reply = client.delete(f"{API}/movies/1")
    assert_problem(reply, 405)
    assert "GET" in reply.headers["Allow"]


def test_every_reply_is_protected(client: FlaskClient) -> None:
    for path in ("/", f"{API}/movies/1", f"{API}/nothing"):
        headers = client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'self'" in headers["Content-Security-Policy"]


def test_an_accident_is_a_500_without_its_details(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(app.extensions["served"], "index", broken)
    monkeypatch.setitem(app.config, "PROPAGATE_EXCEPTIONS", False)
    problem = assert_problem(client.get(f"{API}/movies/1"), 500)
    assert "secret" not in str(problem)
