from __future__ import annotations

import io
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image

from index.catalogue.catalogue import Movie
from index.library.movies import Library
from index.ratings.learned_ranker import FeatureContribution, RankExplanation
from index.ratings.users import Users
from server.app import create_app
from server.config import ServerConfig
from server.media.uploads import UploadQueue
from tests.conftest import SPACE, WEDDINGS, World, unlimited
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
    assert_problem(client.get(f"{API}/movies/20/poster"), 409, "id 20", "no poster")


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
    assert page(500, 5) == []
    assert len(page(0, 100)) == 21  # the 20 others with ratings, and film 21 by its content


def test_similar_movies_can_be_narrowed(client: FlaskClient) -> None:
    reply = client.get(
        f"{API}/movies/1/similar?genre=romance,comedy&year_from=2003&year_to=2008&exclude=13,imdb:tt0000014,777&exclude=x"
    ).get_json()
    assert {match["movie"]["movie_id"] for match in reply["results"]} == {15, 16, 17, 18}
    assert reply["ignored"] == ["777", "x"]


def test_an_empty_list_of_the_only_movies_is_refused_instead_of_meaning_all(client: FlaskClient) -> None:
    for path, body in (("similar/batch", {"movies": [1]}), ("similar", {"like": [1]})):
        reply = client.post(f"{API}/{path}", json={**body, "among": []})
        assert (reply.status_code, reply.get_json()["detail"]) == (400, "among: give 1 at least, not []"), path


def test_similar_movies_can_be_kept_among_some(client: FlaskClient) -> None:
    reply = client.get(f"{API}/movies/1/similar?by=poster&among=14,imdb:tt0000003,15,888").get_json()
    assert reply["results"][0]["movie"]["movie_id"] == 3
    assert {match["movie"]["movie_id"] for match in reply["results"]} == {3, 14, 15}
    assert reply["ignored"] == ["888"]
    nobody = client.get(f"{API}/movies/1/similar?among=888").get_json()
    assert (nobody["results"], nobody["ignored"]) == ([], ["888"])


@pytest.mark.parametrize("by", ["poster", "taste", "facts", "blend"])
def test_movies_like_several_and_unlike_others(client: FlaskClient, by: str) -> None:
    body = {"like": [1, "imdb:tt0000002", 777], "unlike": [12, 13], "by": by, "limit": 8}
    reply = client.post(f"{API}/similar", json=body).get_json()
    found = [match["movie"]["movie_id"] for match in reply["results"]]
    assert set(found) <= {*SPACE, 21} - {1, 2}
    assert len(found) == 8
    assert reply["ignored"] == ["777"]
    scores = [match["score"] for match in reply["results"]]
    assert scores == sorted(scores, reverse=True)
    assert all(-1 <= score <= 1 for score in scores)
    second = client.post(f"{API}/similar", json=body | {"offset": 2, "limit": 3, "genre": ["Sci-Fi"]}).get_json()
    assert [match["movie"]["movie_id"] for match in second["results"]] == found[2:5]


def test_one_movie_liked_is_that_movie_asked(client: FlaskClient) -> None:
    for by in ("poster", "taste", "facts"):
        asked = client.get(f"{API}/movies/4/similar?by={by}&limit=5").get_json()["results"]
        liked = client.post(f"{API}/similar", json={"like": [4], "by": by, "limit": 5}).get_json()["results"]
        assert [match["movie"]["movie_id"] for match in liked] == [match["movie"]["movie_id"] for match in asked]
    # In the blend a movie's taste vector is shorter than 1, a mean direction is not: only the order may differ.
    blended = client.post(f"{API}/similar", json={"like": [4], "limit": 5}).get_json()["results"]
    assert {match["movie"]["movie_id"] for match in blended} <= {*SPACE, 21}


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({}, 400, "like: is required"),
        ({"like": []}, 400, "like: "),
        ({"like": [1] * 101}, 400, "at most 100"),
        ({"like": [777, "x"]}, 404, "like: no movie here has the id 777, x"),
        ({"like": [20], "by": "poster"}, 409, "id 20) has no poster"),
        ({"like": [1], "unlike": [20], "by": "poster"}, 409, "id 20) has no poster"),
        ({"like": [22]}, 409, "none of the movies 22 has anything to be compared by"),
        ({"like": [1], "by": "sound"}, 400, "by: "),
        ({"like": [1], "k": 3}, 400, "k: there is no such parameter"),
    ],
)
def test_what_cannot_be_liked_is_named(client: FlaskClient, body: object, status: int, words: str) -> None:
    assert_problem(client.post(f"{API}/similar", json=body), status, words)


def test_movies_like_each_of_several_are_what_each_would_get(client: FlaskClient) -> None:
    body = {"movies": [3, "imdb:tt0000012", 777, 20], "by": "poster", "limit": 4, "year_from": 1975}
    reply = client.post(f"{API}/similar/batch", json=body).get_json()
    assert reply["ignored"] == ["777", "20"]  # unknown, and without a poster
    assert [each["movie"]["movie_id"] for each in reply["results"]] == [3, 12]
    for each in reply["results"]:
        path = f"{API}/movies/{each['movie']['movie_id']}/similar?by=poster&limit=4&year_from=1975"
        assert each["results"] == client.get(path).get_json()["results"]
    lean = client.post(f"{API}/similar/batch", json=body | {"fields": "ids"}).get_json()
    assert [each["movie"] for each in lean["results"]] == [{"movie_id": 3}, {"movie_id": 12}]
    assert lean["results"][0]["results"][0].keys() == {"movie_id", "score", "percentile", "spaces"}


def test_the_lean_form_says_the_same_of_ids(client: FlaskClient) -> None:
    for path in ("movies/1/similar?limit=7", "movies/1/similar?by=poster&explain=true", "movies?q=star"):
        full, lean = (client.get(f"{API}/{path}&fields={fields}").get_json()["results"] for fields in ("all", "ids"))
        for each, short in zip(full, lean, strict=True):
            assert short.pop("movie_id") == each.pop("movie", each)["movie_id"]
            assert short.items() <= each.items()
    full, lean = (
        client.get(f"{API}/users/2/recommendations?fields={fields}").get_json()["results"] for fields in ("all", "ids")
    )
    assert [each["movie_id"] for each in lean] == [each["movie"]["movie_id"] for each in full]
    assert [each["low"] for each in lean] == [each["low"] for each in full]


def test_a_blend_is_weighed_by_the_request(client: FlaskClient) -> None:
    def found(**body: object) -> list[int]:
        reply = client.post(f"{API}/similar", json={"like": [1], "limit": 5, **body}).get_json()
        return [match["movie"]["movie_id"] for match in reply["results"]]

    asked = client.get(f"{API}/movies/1/similar?weights=poster:0,taste:1.5&limit=5").get_json()["results"]
    by_taste = client.get(f"{API}/movies/1/similar?by=taste&limit=5").get_json()["results"]
    assert [match["movie"]["movie_id"] for match in asked] == [match["movie"]["movie_id"] for match in by_taste]
    assert all(match["spaces"] == ["taste"] for match in asked)
    assert found(weights={"facts": 1}) == found(by="facts")
    assert_problem(client.post(f"{API}/similar", json={"like": [1], "weights": {"sound": 1}}), 400, "weights.sound")


def test_several_users_are_answered_as_each_would_be(client: FlaskClient) -> None:
    body: dict[str, object] = {"user_ids": [2, 99, 1], "movies": [3, "tmdb:1012", 777], "explain": True}
    reply = client.post(f"{API}/predictions", json=body).get_json()
    assert (reply["ignored"], reply["ignored_users"]) == (["777"], [99])
    assert [user["user_id"] for user in reply["users"]] == [2, 1]
    one = client.get(f"{API}/users/2/predictions/3?explain=true").get_json()
    (shown, _) = reply["users"][0]["results"]
    assert shown == {name: one[name] for name in shown}
    recommended = client.post(f"{API}/recommendations", json={"user_ids": [1], "limit": 3}).get_json()
    assert (
        recommended["users"][0]["results"] == client.get(f"{API}/users/1/recommendations?limit=3").get_json()["results"]
    )


def test_what_a_user_rated_is_listed(client: FlaskClient, world: World) -> None:
    lines = (world.ratings / "ratings.csv").read_text().splitlines()[1:]
    rated = [
        (int(movie), float(rating)) for user, movie, rating, _ in (line.split(",") for line in lines) if user == "2"
    ]
    reply = client.get(f"{API}/users/2/ratings?limit=100").get_json()
    assert [(each["movie"]["movie_id"], each["rating"]) for each in reply["results"]] == sorted(rated)
    part = client.get(f"{API}/users/2/ratings?limit=2&offset=1&fields=ids").get_json()["results"]
    assert [(each["movie"]["movie_id"], each["rating"]) for each in part] == sorted(rated)[1:3]
    assert_problem(client.get(f"{API}/users/99/ratings"), 404, "no user 99")


def test_what_is_asked_again_comes_byte_for_byte_or_not_at_all(client: FlaskClient, world: World) -> None:
    for path in ("movies/1/similar", "movies?q=star", "users/2/recommendations", "snapshot", "openapi.json"):
        first, second = client.get(f"{API}/{path}"), client.get(f"{API}/{path}")
        assert first.data == second.data
        tag = first.headers["ETag"]
        assert world.manifest.id in tag
        again = client.get(f"{API}/{path}", headers={"If-None-Match": f'"another", W/{tag}'})
        assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)
        other = client.get(f"{API}/{path}", headers={"If-None-Match": '"another"'})
        assert (other.status_code, other.data) == (200, first.data)
        assert client.get(f"{API}/{path}", headers={"If-Match": tag}).status_code == 200
        assert_problem(client.get(f"{API}/{path}", headers={"If-Match": '"another"'}), 412, "start the list again")
    assert_problem(client.get(f"{API}/movies/99", headers={"If-None-Match": tag}), 404)
    assert client.head(f"{API}/movies/1").data == b""


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


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("limit=ten", ["limit", "'ten'"]),
        ("limit=0", ["limit", "not 0"]),
        ("limit=101", ["limit", "100", "not 101"]),
        ("limit=", ["limit"]),
        ("limit=1.5", ["limit", "'1.5'"]),
        ("offset=-1", ["offset", "not -1"]),
        ("limit=3&limit=4", ["limit", "2 times"]),
        ("by=sound", ["by", "'poster', 'taste', 'facts' or 'blend'", "'sound'"]),
        ("k=3", ["k: there is no such parameter", "limit, offset"]),
        ("genre=Jazz", ["genre", "'Jazz'", "Action, Comedy, Romance, Sci-Fi"]),
        ("year_from=MCMXC", ["year_from", "'MCMXC'"]),
        ("limit=1_0", ["limit", "whole number", "'1_0'"]),
        ("explain=yes&by=poster", ["explain", "true or false", "'yes'"]),
        ("fields=title", ["fields", "'all' or 'ids'"]),
        ("weights=look:1", ["weights", "poster:1,taste:1,facts:0.5", "'look:1'"]),
        ("genre=", ["genre"]),
    ],
)
def test_a_parameter_that_cannot_be_used_is_named(client: FlaskClient, query: str, words: list[str]) -> None:
    assert_problem(client.get(f"{API}/movies/1/similar?{query}"), 400, *words)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("year_from=2001&year_to=2000", "year_from 2001 is after year_to 2000"),
        ("by=taste&weights=taste:1", "weights: only a blend has weights, not neighbours by taste"),
        ("weights=poster:0,taste:0", "weights: they are all 0"),
        ("weights=taste:1,taste:2", "weights: a space has two weights"),
    ],
)
def test_parameters_that_contradict_each_other_are_422(client: FlaskClient, query: str, words: str) -> None:
    assert_problem(client.get(f"{API}/movies/1/similar?{query}"), 422, words)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/movies/99", ["no movie 99"]),
        ("/movies/heat", ["'heat' is no movie id"]),
        ("/movies/99999999999999999999999", ["is no movie id"]),
        ("/movies/imdb:tt7777777", ["IMDB id 'tt7777777'"]),
        ("/users/99/recommendations", ["no user 99"]),
        ("/users/999999999999999999/recommendations", ["no user"]),
        ("/users/99999999999999999999999/recommendations", ["is no user id"]),
        ("/users/1/predictions/99", ["no movie 99"]),
        ("/users/x/recommendations", ["'x' is no user id"]),
        ("/nothing", []),
    ],
)
def test_what_is_not_there_is_404(client: FlaskClient, path: str, words: list[str]) -> None:
    assert_problem(client.get(API + path), 404, *words)


@pytest.mark.parametrize(
    ("path", "words"),
    [("20/similar?by=poster", "id 20) has no poster"), ("22/similar", "movie 22"), ("20/explanations/3", "no poster")],
)
def test_a_movie_that_lacks_what_is_compared_is_409(client: FlaskClient, path: str, words: str) -> None:
    assert_problem(client.get(f"{API}/movies/{path}"), 409, words)


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("/movies/1?x=1", "none"),
        ("/movies/1/poster?x=1", "width"),
        ("/users/1/predictions/1?x=1", "explain"),
        ("/snapshot?x=1", "none"),
    ],
)
def test_unknown_parameters_are_refused_everywhere(client: FlaskClient, path: str, known: str) -> None:
    assert_problem(client.get(API + path), 400, f"x: there is no such parameter; there are: {known}")


def test_a_prediction_is_explained_by_what_was_rated(client: FlaskClient) -> None:
    reply = client.get(f"{API}/users/2/predictions/3?explain=true").get_json()
    explanation = reply["explanation"]
    adds = [part["total"] for part in explanation["contributions"]]
    assert len(adds) == 10
    assert adds == sorted(adds, key=abs, reverse=True)
    assert explanation["base"] + sum(adds) + explanation["others"]["total"] == pytest.approx(
        explanation["sum"], abs=0.002
    )
    assert explanation["sum"] == pytest.approx(reply["rating"], abs=0.001) or reply["rating"] in {0.5, 5}
    assert "explanation" not in client.get(f"{API}/users/2/predictions/3").get_json()


def test_recommendations_are_explained_as_predictions_are(client: FlaskClient) -> None:
    shown = client.get(f"{API}/users/2/recommendations?limit=3&offset=1&explain=true").get_json()["results"]
    for each in shown:
        one = client.get(f"{API}/users/2/predictions/{each['movie']['movie_id']}?explain=true").get_json()
        assert each == {name: one[name] for name in each}
    plain = client.get(f"{API}/users/2/recommendations?limit=3&offset=1").get_json()["results"]
    assert plain == [{name: value for name, value in each.items() if name != "explanation"} for each in shown]
    lean = client.get(f"{API}/users/2/recommendations?fields=ids&explain=true").get_json()["results"]
    assert all("explanation" not in each for each in lean)


def test_a_diverse_list_has_the_same_best_movie_and_is_continued_by_pages(client: FlaskClient) -> None:
    def listed(query: str) -> list[int]:
        results = client.get(f"{API}/users/2/recommendations?fields=ids&{query}").get_json()["results"]
        return [each["movie_id"] for each in results]

    plain, diverse = listed("limit=100"), listed("limit=100&diversity=0.9")
    assert sorted(plain) == sorted(diverse)
    assert plain[0] == diverse[0]
    assert plain != diverse
    assert listed("limit=100&diversity=0") == plain
    assert listed("limit=3&offset=2&diversity=0.9") == diverse[2:5]
    for wrong in ("-0.1", "1.1", "nan", "much"):
        assert_problem(client.get(f"{API}/users/2/recommendations?diversity={wrong}"), 400, "diversity")


def test_a_learned_rank_is_explained_by_its_largest_contributions(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = tuple(FeatureContribution(f"feature {n}", float("nan"), 1 / n) for n in range(1, 13))

    def explained(
        _users: Users, _user: object, movie_ids: list[int], _watched: object, *, where: object, new: bool
    ) -> dict[int, RankExplanation]:
        assert where is not None
        return {} if new else {movie_id: RankExplanation(0.5, parts) for movie_id in movie_ids}

    monkeypatch.setattr(Users, "explain_ranks", explained)
    path = f"{API}/users/4/recommendations?limit=2"
    for each in client.get(f"{path}&explain=true").get_json()["results"]:
        ranking = each["ranking"]
        assert ranking["features"][0] == {"feature": "feature 1", "value": None, "contribution": 1}
        assert ranking["others"]["count"] == 2
        named = sum(feature["contribution"] for feature in ranking["features"])
        assert ranking["base"] + named + ranking["others"]["total"] == pytest.approx(ranking["sum"], abs=1e-9)
    for query in ("", "&new=true&explain=true"):  # movies without ratings are ordered otherwise
        found = client.get(path + query).get_json()["results"]
        assert found
        assert all("ranking" not in each for each in found)


def test_recommendations_to_a_stranger_are_explained_by_what_they_rated(client: FlaskClient) -> None:
    body = {"ratings": stranger(1, 2, 3), "limit": 4, "explain": True}
    for each in client.post(f"{API}/recommendations", json=body).get_json()["results"]:
        parts = each["explanation"]["contributions"]
        assert {part["movie"]["movie_id"] for part in parts} == {1, 2, 3, 11, 12, 13, 14}
        whole = each["explanation"]["base"] + sum(part["total"] for part in parts)
        assert whole == pytest.approx(each["explanation"]["sum"], abs=1e-9)  # as rounded
    several = client.post(f"{API}/recommendations", json={"user_ids": [1, 2], "explain": True}).get_json()["users"]
    assert all("explanation" in each for user in several for each in user["results"])


def stranger(*loved: int) -> list[dict[str, object]]:
    """Return the ratings of a user who likes some movies and dislikes the other kind."""
    other = WEDDINGS if loved[0] in SPACE else SPACE
    disliked = [{"movie": movie, "rating": 1} for movie in list(other)[:4]]
    return [{"movie": str(movie), "rating": 5} for movie in loved] + disliked


def test_a_stranger_is_predicted_from_the_ratings_in_the_body(client: FlaskClient) -> None:
    body = {"ratings": stranger(1, 2, 3), "movies": [4, "imdb:tt0000018", 999], "explain": True}
    reply = client.post(f"{API}/predictions", json=body)
    assert reply.status_code == 200
    document = reply.get_json()
    space, wedding = document["results"]
    assert (space["movie"]["movie_id"], wedding["movie"]["movie_id"]) == (4, 18)
    assert space["rating"] > wedding["rating"] + 1
    assert space["low"] < space["rating"] <= space["high"]
    assert document["ignored"] == ["999"]
    assert {part["movie"]["movie_id"] for part in space["explanation"]["contributions"]} == {1, 2, 3, 11, 12, 13, 14}


def test_a_stranger_is_recommended_what_people_like_them_watch(client: FlaskClient) -> None:
    body = {"ratings": [*stranger(11, 12, 13), {"movie": "77", "rating": 3}], "limit": 3, "genre": ["Romance"]}
    document = client.post(f"{API}/recommendations", json=body).get_json()
    assert document["ignored"] == ["77"]
    found = [each["movie"]["movie_id"] for each in document["results"]]
    assert len(found) == 3
    assert set(found) <= {14, 15, 16, 17, 18, 19, 20, 23} - {11, 12, 13}
    rest = client.post(f"{API}/recommendations", json=body | {"offset": 1, "limit": 2}).get_json()["results"]
    assert rest == document["results"][1:]
    assert len(client.post(f"{API}/recommendations", json={"ratings": []}).get_json()["results"]) == 10


@pytest.mark.parametrize(
    ("route", "body", "words"),
    [
        ("predictions", {"ratings": []}, "movies: is required"),
        ("predictions", {"ratings": [], "movies": []}, "movies: "),
        ("predictions", {"ratings": [], "movies": [1] * 101}, "at most 100"),
        ("predictions", {"ratings": [{"movie": 1, "rating": 9}], "movies": [1]}, "rating: 9 is off the scale"),
        ("predictions", {"ratings": [{"movie": 1, "rating": "x"}], "movies": [1]}, "ratings.0.rating: "),
        ("predictions", {"ratings": [{"movie": 1}], "movies": [1]}, "ratings.0.rating: is required"),
        ("predictions", {"ratings": [{"movie": True, "rating": 4}], "movies": [1]}, "ratings.0.movie: "),
        ("recommendations", {"ratings": [], "limit": 0}, "limit: "),
        ("recommendations", {"ratings": [], "colour": 1}, "colour: there is no such parameter"),
        ("recommendations", {"ratings": [], "limit": "3"}, "limit: "),
        ("predictions", {"ratings": [{"movie": 1, "rating": "4"}], "movies": [1]}, "ratings.0.rating: "),
        ("recommendations", [], "not a JSON object"),
        ("recommendations", {"ratings": [], "genre": ["Noir"]}, "no movie is 'Noir'"),
    ],
)
def test_a_body_that_cannot_be_used_is_400(client: FlaskClient, route: str, body: object, words: str) -> None:
    assert_problem(client.post(f"{API}/{route}", json=body), 400, words)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"ratings": [{"movie": 1, "rating": 4}, {"movie": "imdb:tt0000001", "rating": 4}]}, "is rated twice"),
        ({}, "give either ratings, of a new user, or user_ids"),
        ({"ratings": [], "user_ids": [1]}, "give either ratings, of a new user, or user_ids"),
    ],
)
def test_a_body_that_contradicts_itself_is_422(client: FlaskClient, body: object, words: str) -> None:
    assert_problem(client.post(f"{API}/recommendations", json=body), 422, words)


def test_a_body_that_is_no_json_is_400(client: FlaskClient) -> None:
    deep = b'{"ratings": ' + b"[" * 100_000
    for data in (b"", b"{", b"\xff\xfe", b'{"ratings": NaN}', b'{"ratings": "\\ud800"}', deep):
        assert_problem(client.post(f"{API}/recommendations", data=data), 400)


def test_why_two_posters_look_alike_adds_up(client: FlaskClient, world: World) -> None:
    reply = client.get(f"{API}/movies/3/explanations/imdb:tt0000004").get_json()
    assert (reply["movie"]["movie_id"], reply["other"]["movie_id"]) == (3, 4)
    assert [len(row) for row in reply["heat"]] == [len(row) for row in reply["likeness"]] == [7] * 7
    assert sum(map(sum, reply["heat"])) == pytest.approx(reply["score"], abs=1e-5)
    assert 0 <= reply["percentile"] <= 1
    assert 1 <= len(reply["matches"]) <= 8
    assert set(reply["matches"][0]) == {"cell", "other", "strength", "contribution"}
    assert reply["snapshot"] == world.manifest.id
    assert reply["weights"] == "untrained"
    back = client.get(f"{API}/movies/4/explanations/3").get_json()
    assert back["heat"] == reply["heat"]
    assert [match["cell"] for match in back["matches"]] == [match["other"] for match in reply["matches"]]


def test_why_two_posters_look_alike_is_a_picture(client: FlaskClient) -> None:
    reply = client.get(f"{API}/movies/3/explanations/tmdb:1013/picture")
    assert reply.status_code == 200
    assert reply.mimetype == "image/png"
    with Image.open(io.BytesIO(reply.data)) as image:
        assert image.size[0] == 888


def test_drawing_takes_a_place_in_the_queue_of_uploads(app: Flask, client: FlaskClient) -> None:
    queue: UploadQueue = app.extensions["upload_queue"]
    with ExitStack() as places:
        for _ in range(ServerConfig().upload_queue):
            places.enter_context(queue.place())
        assert client.get(f"{API}/movies/3/explanations/4").status_code == 200
        reply = client.get(f"{API}/movies/3/explanations/4/picture")
        assert_problem(reply, 503, "try again")
        assert reply.headers["Retry-After"]


@pytest.mark.system
def test_drawing_needs_no_tensorflow(world: World) -> None:
    code = (
        "import sys; from pathlib import Path; from server.app import create_app; from server.config import ServerConfig;"
        "client = create_app(ServerConfig(Path(sys.argv[1]))).test_client();"
        "assert client.get('/api/v1/movies/3/explanations/4/picture').status_code == 200;"
        "print('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(world.data)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("end", ["", "/picture"])
def test_posters_that_are_not_there_are_not_explained(client: FlaskClient, end: str) -> None:
    assert_problem(client.get(f"{API}/movies/3/explanations/20{end}"), 409, "id 20) has no poster")
    assert_problem(client.get(f"{API}/movies/99/explanations/3{end}"), 404, "no movie 99")
    assert_problem(client.get(f"{API}/movies/3/explanations/heat{end}"), 404, "'heat' is no movie id")
    assert_problem(client.get(f"{API}/movies/3/explanations/4{end}?k=1"), 400, "k: there is no such parameter")


def test_similar_posters_come_with_why_they_are(client: FlaskClient) -> None:
    reply = client.get(f"{API}/movies/1/similar?by=poster&limit=2&offset=1&explain=true").get_json()
    for match in reply["results"]:
        assert sum(map(sum, match["explanation"]["heat"])) == pytest.approx(match["score"], abs=1e-5)
    assert "explanation" not in client.get(f"{API}/movies/1/similar?by=poster").get_json()["results"][0]


def test_a_blended_score_is_explained_by_contributions_that_add_up_to_it(client: FlaskClient) -> None:
    for weights in ("", "&weights=poster:1,taste:0.5,facts:0"):
        results = client.get(f"{API}/movies/1/similar?limit=30&explain=true{weights}").get_json()["results"]
        plain = client.get(f"{API}/movies/1/similar?limit=30{weights}").get_json()["results"]
        assert len(results) == len(plain) == 21
        for match, other in zip(results, plain, strict=True):
            parts = match["explanation"]["parts"]
            assert sum(part["contribution"] for part in parts) == pytest.approx(match["score"], abs=1e-12)
            assert match["explanation"]["score"] == match["score"] == pytest.approx(other["score"], abs=2e-6)
            assert match["percentile"] == other["percentile"]
            # Rounding of a score moves its percentile among the few pairs of this world.
            assert match["percentile"] == pytest.approx(match["explanation"]["percentile"], abs=0.01)
            assert {part["space"] for part in parts} == set(match["spaces"])
        movie_id = results[0]["movie"]["movie_id"]
        one = client.get(f"{API}/movies/1/explanations/{movie_id}?by=blend{weights}").get_json()
        assert {name: one[name] for name in results[0]["explanation"]} == results[0]["explanation"]
        assert (one["movie"]["movie_id"], one["other"]["movie_id"]) == (1, movie_id)
    assert "explanation" not in plain[0]
    assert_problem(client.get(f"{API}/movies/1/explanations/22?by=blend"), 409, "nothing to be compared by")
    assert_problem(client.get(f"{API}/movies/1/explanations/2?weights=taste:1"), 422, "only a blend has weights")
    assert_problem(client.get(f"{API}/movies/1/explanations/2?by=blend&weights=taste:0"), 422, "they are all 0")


@pytest.mark.parametrize("by", ["taste", "facts"])
def test_likeness_by_taste_and_facts_is_not_explained_in_a_list(client: FlaskClient, by: str) -> None:
    words = f"explain: only neighbours by poster or blend are explained, not by {by}: give by=poster"
    assert_problem(client.get(f"{API}/movies/1/similar?by={by}&explain=true"), 422, words)
    assert client.get(f"{API}/movies/1/similar?by={by}&explain=false").status_code == 200


def test_without_words_all_movies_come_by_id(client: FlaskClient) -> None:
    pages = [client.get(f"{API}/movies?limit=10&offset={offset}&fields=ids").get_json() for offset in (0, 10, 20, 30)]
    assert [movie["movie_id"] for page in pages for movie in page["results"]] == list(range(1, 24))
    assert pages[0]["q"] is None
    assert pages[0]["results"][0] == {"movie_id": 1}
    assert_problem(client.get(f"{API}/movies?q="), 400, "q: ")
    assert client.get(f"{API}/movies?q=%20%20").get_json()["results"] == []


def test_a_list_goes_on_by_after_whatever_changes_between_its_pages(data: Path) -> None:
    client, library = create_app(unlimited(data)).test_client(), Library.open(data)
    changes = [lambda: library.remove(2), lambda: library.put(Movie(2, "Again")), lambda: library.remove(22)]
    found, after = [], ""
    while after is not None:
        page = client.get(f"{API}/movies?limit=7&fields=ids{after}").get_json()
        found += [movie["movie_id"] for movie in page["results"]]
        after = None if page["next"] is None else f"&after={page['next']}"
        if changes:
            changes.pop(0)()
    assert found == [number for number in range(1, 24) if number != 22]
    assert client.get(f"{API}/movies?after=23").get_json()["results"] == []
    assert client.get(f"{API}/movies?q=starship").get_json()["next"] is None
    rated = client.get(f"{API}/users/2/ratings?limit=2").get_json()
    following = client.get(f"{API}/users/2/ratings?limit=100&after={rated['next']}").get_json()
    both = [each["movie"]["movie_id"] for each in rated["results"] + following["results"]]
    assert following["next"] is None
    assert both == sorted(set(both))
    assert len(both) == len(client.get(f"{API}/users/2/ratings?limit=100").get_json()["results"])
    assert_problem(client.get(f"{API}/movies?q=heat&after=1"), 422, "after 1: matches of q are listed by rank")
    assert_problem(client.get(f"{API}/movies?offset=1&after=1"), 422, "offset 1 and after 1: give one of them")


MANY = list(range(1, 11))


@pytest.mark.parametrize(
    ("path", "body", "few"),
    [
        ("similar/batch", {"movies": MANY}, {"movies": MANY[:5]}),
        ("predictions", {"user_ids": [1], "movies": MANY, "explain": True}, {"explain": False}),
        ("predictions", {"ratings": [{"movie": 1, "rating": 4}], "movies": MANY, "explain": True}, {"movies": [2]}),
        ("recommendations", {"user_ids": [1], "explain": True}, {"limit": 5}),
        ("recommendations", {"ratings": [], "explain": True}, {"limit": 5}),
        ("users/1/recommendations?explain=true", None, "&limit=5"),
    ],
)
def test_long_requests_wait_for_each_other_in_a_queue(app: Flask, path: str, body: Any, few: Any) -> None:
    client, queue = app.test_client(), app.extensions["long_queue"]

    def ask(path: str, body: object) -> Any:
        return client.get(f"{API}/{path}") if body is None else client.post(f"{API}/{path}", json=body)

    answer = ask(path, body)
    assert answer.status_code == 200
    with ExitStack() as places:
        for _ in range(queue.size):
            places.enter_context(queue.place())
        assert_problem(refused := ask(path, body), 503, "too many long requests are waiting: try again in a moment")
        assert refused.headers["Retry-After"]
        assert ask(path if body else path + few, body and body | few).status_code == 200
    assert ask(path, body).get_json() == answer.get_json()


def test_the_document_is_made_in_the_queue_once(world: World) -> None:
    app = create_app(unlimited(world.data))
    client, queue = app.test_client(), app.extensions["long_queue"]
    with ExitStack() as places:
        for _ in range(queue.size):
            places.enter_context(queue.place())
        assert_problem(client.get(f"{API}/openapi.json"), 503, "too many long requests are waiting")
        places.pop_all().close()
        document = client.get(f"{API}/openapi.json")
        for _ in range(queue.size):
            places.enter_context(queue.place())
        assert client.get(f"{API}/openapi.json").data == document.data


@pytest.mark.parametrize("path", ["movies/1/similar", "users/1/recommendations"])
def test_a_list_by_rank_ends(client: FlaskClient, path: str) -> None:
    assert client.get(f"{API}/{path}?offset=500").get_json()["results"] == []
    assert_problem(client.get(f"{API}/{path}?offset=501"), 400, "offset: Input should be less than or equal to 500")


def test_another_method_is_405_and_says_which_are_allowed(client: FlaskClient) -> None:
    reply = client.delete(f"{API}/movies/1/similar")
    assert_problem(reply, 405)
    assert "GET" in reply.headers["Allow"]


def test_an_accident_is_a_500_without_its_details(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(app.extensions["snapshot_watcher"], "index", broken)
    monkeypatch.setitem(app.config, "PROPAGATE_EXCEPTIONS", False)
    problem = assert_problem(client.get(f"{API}/movies/1"), 500)
    assert "secret" not in str(problem)
