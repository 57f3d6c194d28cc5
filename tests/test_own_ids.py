"""Data sets whose users and movies have ids that are no numbers, and data sets without ratings, end to end."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient

import posterity
from index.core.source_ids import FIRST_NAMED, numbers_for
from index.library.api_keys import Keys
from index.library.database import Database
from index.snapshot.store import SnapshotStore
from indexer.build import build
from indexer.config import Plan
from indexer.models.factorization_machine import Settings
from posterity import errors
from posterity.cli.main import main
from server.app import create_app
from tests.conftest import poster, shared_folder, unlimited
from tests.server.conftest import assert_problem, writer
from tests.serving import serving

API = "/api/v1"
TINY = Settings(factors=2, chains=1, iterations=40, burn_in=10)
ODD = ["a/b", "a/similar", "/", "%2F", "what? #1", "50% é+ü;=~&:@", "七人の侍\\"]
MOVIES = ["B000000001", "B000000002", *ODD, *(f"B{number:09d}" for number in range(10, 13))]
USERS = ["ann", "bob.b", "Zoë", "A3/x", "a/ratings/b", "%2F", "who? #1", *(f"user{number}" for number in range(13))]
FIRST, SECOND, LAST = MOVIES[0], MOVIES[1], MOVIES[-1]
NUMBERS = numbers_for(MOVIES) | numbers_for(USERS)


def table(*, ratings: bool) -> str:
    """Ratings by users of either of two tastes; nobody watched everything, nor ``ann`` the last movie."""
    rng, rows = np.random.default_rng(0), ["user,item,rating,title"] if ratings else ["user,item"]
    for at, user in enumerate(USERS):
        for number, movie in enumerate(MOVIES[:-1] if user == "ann" else MOVIES):
            liked = at % 2 == number % 2
            if movie in {FIRST, LAST} or rng.random() < (0.8 if liked else 0.5):
                told = f",{rng.integers(3, 6) if liked else rng.integers(1, 4)},Film {number + 1}"
                rows.append(f"{user},{movie}{told if ratings else ''}")
    return "\n".join([*rows, ""])


def plan(folder: Path, data: Path) -> Plan:
    return Plan(folder / "ratings.csv", data, settings=TINY, evaluation=False)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ratings.csv and the data built from it. Read it, never write to it."""
    with shared_folder(tmp_path_factory, "own-ids") as root:
        if not (root / "data").exists():
            (root / "ratings.csv").write_text(table(ratings=True))
            build(plan(root, root / "data"))
    return root


@pytest.fixture
def data(built: Path, tmp_path: Path) -> Path:
    shutil.copytree(built / "data", tmp_path / "data", symlinks=True)
    return tmp_path / "data"


@pytest.fixture
def client(data: Path) -> FlaskClient:
    return writer(create_app(unlimited(data)), data)


@pytest.fixture(scope="session")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory built, by the command, from a table without ratings. Read it, never write to it."""
    with shared_folder(tmp_path_factory, "watched") as root:
        if not (root / "data").exists():
            (root / "views.csv").write_text(table(ratings=False))
            ran = command(
                root / "data", "build", "--ratings", root / "views.csv", "--no-evaluation", "--iterations", 30
            )
            (root / "output.txt").write_text(ran.output)
    return root / "data"


@pytest.fixture
def local(data: Path) -> Iterator[posterity.Index]:
    with posterity.open(data) as index:
        yield index


def command(data: Path, *words: object, **environment: str) -> Result:
    result = CliRunner().invoke(main, [*map(str, words), "--data", str(data)], prog_name="posterity", env=environment)
    assert result.exit_code == 0, result.output
    return result


def test_reads_over_http_take_the_ids_of_the_data_set(client: FlaskClient) -> None:
    movie = client.get(f"{API}/movies/{FIRST}").get_json()["movie"]
    assert (movie["movie_id"], movie["source_id"], movie["title"]) == (NUMBERS[FIRST], FIRST, "Film 1")
    by_name, by_number = (client.get(f"{API}/movies/{each}/similar").get_json() for each in (FIRST, NUMBERS[FIRST]))
    assert by_name == by_number
    assert {match["movie"]["source_id"] for match in by_name["results"]} < set(MOVIES)
    for user in ("ann", "bob.b", "Zo%C3%AB", "A3%2Fx", NUMBERS["A3/x"]):
        reply = client.get(f"{API}/users/{user}/predictions/{LAST}").get_json()
        assert reply["user_id"] == NUMBERS[reply["source_id"]]
        assert reply["movie"]["source_id"] == LAST
    liked = {"like": [FIRST, NUMBERS[SECOND]], "exclude": [LAST, "B00UNKNOWN"]}
    reply = client.post(f"{API}/similar", json=liked).get_json()
    assert reply["ignored"] == ["B00UNKNOWN"]
    assert LAST not in {match["movie"]["source_id"] for match in reply["results"]}
    found = client.get(f"{API}/movies/{FIRST}/similar?exclude={LAST},{SECOND}").get_json()["results"]
    assert not {LAST, SECOND} & {match["movie"]["source_id"] for match in found}
    both = client.post(f"{API}/predictions", json={"user_ids": ["ann", NUMBERS["bob.b"], "nobody"], "movies": [LAST]})
    assert [each["source_id"] for each in both.get_json()["users"]] == ["ann", "bob.b"]


def test_writes_over_http_take_the_ids_of_the_data_set(client: FlaskClient) -> None:
    assert client.put(f"{API}/users/ann/ratings/{LAST}", json={"rating": 5}).status_code == 200
    rated = {
        each["movie"]["source_id"]: each["rating"]
        for each in client.get(f"{API}/users/{NUMBERS['ann']}/ratings").get_json()["results"]
    }
    assert rated[LAST] == 5
    assert client.delete(f"{API}/users/ann/ratings/{LAST}").status_code == 204
    assert client.patch(f"{API}/movies/{SECOND}", json={"title": "Renamed"}).status_code == 200
    movie = client.get(f"{API}/movies/{SECOND}").get_json()["movie"]
    assert (movie["movie_id"], movie["source_id"], movie["title"]) == (NUMBERS[SECOND], SECOND, "Renamed")
    assert client.delete(f"{API}/movies/{SECOND}").status_code == 204
    assert_problem(client.get(f"{API}/movies/{SECOND}"), 404)
    assert client.put(f"{API}/movies/{SECOND}", json={"title": "Again"}).status_code in {200, 201}
    assert client.get(f"{API}/movies/{SECOND}").get_json()["movie"]["source_id"] == SECOND


@pytest.mark.parametrize("movie", ODD)
def test_ids_with_reserved_characters_stand_in_paths_percent_encoded(client: FlaskClient, movie: str) -> None:
    part = quote(movie, safe="")
    for path in ("", "/similar?by=taste", f"/explanations/{FIRST}?by=taste"):
        assert client.get(f"{API}/movies/{part}{path}").get_json()["movie"]["source_id"] == movie
    assert client.get(f"{API}/movies/{FIRST}/explanations/{part}?by=taste").get_json()["other"]["source_id"] == movie
    assert_problem(client.get(f"{API}/movies/{part}/poster"), 409, str(NUMBERS[movie]))
    title = f"Film {1 + MOVIES.index(movie)}"
    assert f"<h1>{title}</h1>" in client.get(f"/movies/{part}").text
    assert title in client.get(f"/embed/movies/{part}?by=taste").text
    for user in ("A3/x", "a/ratings/b", "%2F", "who? #1"):
        rating = f"{API}/users/{quote(user, safe='')}/ratings/{part}"
        assert client.put(rating, json={"rating": 4}).get_json()["source_id"] == user
        assert client.delete(rating).status_code == 204
    assert client.patch(f"{API}/movies/{part}", json={"title": "Renamed"}).get_json()["movie"]["source_id"] == movie
    assert client.delete(f"{API}/movies/{part}").status_code == 204
    assert_problem(client.get(f"{API}/movies/{part}"), 404)
    assert client.put(f"{API}/movies/{part}", json={"title": "Again"}).get_json()["movie"]["source_id"] == movie


def test_a_slash_that_is_not_encoded_stands_between_parts(client: FlaskClient) -> None:
    assert_problem(client.get(f"{API}/movies/a/b"), 404, "in an id, write a slash as %2F")
    for _ in range(2):  # from the cache, too
        assert client.get(f"{API}/movies/a%2Fsimilar").get_json()["movie"]["source_id"] == "a/similar"
        assert_problem(client.get(f"{API}/movies/a/similar"), 404)
    assert_problem(client.get(f"{API}/movies/a%2fc"), 404, "'a/c' is no movie id")
    assert client.get(f"{API}/movies/a%2fb/").headers["Location"] == f"{API}/movies/a%2Fb"
    feed = client.get("/users/A3%2Fx/feed.atom")
    assert '/users/A3%2Fx/feed.atom"' in feed.text


@pytest.mark.parametrize("prefix", ["", "/films"])
@pytest.mark.system
def test_a_server_and_a_client_take_ids_with_reserved_characters(data: Path, prefix: str) -> None:
    _, key = Keys(Database(data)).create("tests")
    options = ["--prefix", prefix] if prefix else []
    with (
        serving("serve", "--data", data, *options) as server,
        posterity.Client(f"{server.address}{prefix}", api_key=key) as client,
    ):
        for movie in ODD:
            assert client.movie(movie)["source_id"] == movie
            assert client.movies(movie)[0]["source_id"] == movie
            assert client.similar(movie, by="taste", exclude=ODD)
        client.rate("a/ratings/b", "a/b", 4)
        assert client.rated("a/ratings/b")[NUMBERS["a/b"]] == 4
        client.delete_rating("a/ratings/b", "a/b")
        client.rate("new/user?", "/", 4)
        assert client.rated("new/user?") == {NUMBERS["/"]: 4}
        assert client.update_movie("a/b", title="Renamed")["source_id"] == "a/b"
        assert client.replace_movie("a/b", title="Replaced")["source_id"] == "a/b"
        client.delete_movie("a/b")
        for dots in (".", ".."):  # that every program removes from addresses
            with pytest.raises(errors.NotFound, match="give a number"):
                client.movie(dots)


def test_the_search_finds_movies_by_the_ids_of_the_data_set(client: FlaskClient) -> None:
    for movie in MOVIES:
        first, *_ = client.get(f"{API}/movies", query_string={"q": f" {movie}"}).get_json()["results"]
        assert (first["movie_id"], first["source_id"]) == (NUMBERS[movie], movie)
    assert "No film fits" not in client.get("/", query_string={"q": FIRST}).text


def test_pages_take_the_ids_of_the_data_set(client: FlaskClient) -> None:
    page = client.get("/for-you?user=ann").text
    assert "As user ann, who rated" in page
    assert "There is no user nobody here" in client.get("/for-you?user=nobody").text
    assert "Film 1" in client.get(f"/movies/{FIRST}", follow_redirects=True).text
    assert "Your ratings" in client.get(f"/for-you?rated={FIRST}:5").text


def test_a_new_name_is_a_user_before_and_after_the_next_build(built: Path, data: Path, client: FlaskClient) -> None:
    assert_problem(client.get(f"{API}/users/newcomer/ratings"), 404, "newcomer")
    for movie in (FIRST, SECOND):
        assert client.put(f"{API}/users/newcomer/ratings/{movie}", json={"rating": 4}).status_code == 200
    before = client.get(f"{API}/users/newcomer/ratings").get_json()
    assert before["source_id"] == "newcomer"
    several = {"ratings": [{"movie": FIRST, "rating": 1}]}
    assert client.post(f"{API}/users/a%2Fnew%20one/ratings", json=several).get_json()["source_id"] == "a/new one"
    assert before["user_id"] == numbers_for(["newcomer"])["newcomer"] >= FIRST_NAMED
    build(plan(built, data))
    client = writer(create_app(unlimited(data)), data)
    assert client.put(f"{API}/users/newcomer/ratings/{LAST}", json={"rating": 2}).status_code == 200
    after = client.get(f"{API}/users/newcomer/ratings").get_json()
    assert after["snapshot"] != before["snapshot"]
    assert (after["user_id"], after["source_id"]) == (before["user_id"], "newcomer")
    assert client.get(f"{API}/users/a%2Fnew%20one/ratings").get_json()["source_id"] == "a/new one"
    assert {each["movie"]["source_id"] for each in after["results"]} == {FIRST, SECOND, LAST}
    assert client.get(f"{API}/users/ann/ratings").get_json()["user_id"] == NUMBERS["ann"]


def test_a_name_goes_with_all_ratings_of_its_user(client: FlaskClient) -> None:
    path = f"{API}/users/newcomer/ratings"
    assert client.put(f"{path}/{FIRST}", json={"rating": 4}).get_json()["source_id"] == "newcomer"
    assert client.delete(path).status_code == 204
    assert_problem(client.get(path), 404, "all their ratings were deleted")
    number = NUMBERS["ann"] + 1
    assert "source_id" not in client.put(f"{API}/users/{number}/ratings/{FIRST}", json={"rating": 4}).get_json()


def test_a_name_goes_with_the_last_rating_of_its_user(client: FlaskClient) -> None:
    path = f"{API}/users/newcomer/ratings"
    for movie in (FIRST, SECOND):
        assert client.put(f"{path}/{movie}", json={"rating": 4}).status_code == 200
    assert client.delete(f"{path}/{FIRST}").status_code == 204
    assert client.get(path).get_json()["source_id"] == "newcomer"
    number = client.get(path).get_json()["user_id"]
    assert client.delete(f"{path}/{SECOND}").status_code == 204
    assert_problem(client.get(path), 404, "all their ratings were deleted")
    assert "source_id" not in client.put(f"{API}/users/{number}/ratings/{FIRST}", json={"rating": 4}).get_json()


def test_a_movie_is_added_under_an_id_of_its_own(client: FlaskClient, built: Path, data: Path, tmp_path: Path) -> None:
    added = client.post(f"{API}/movies", json={"title": "Night Train", "year": 2021, "id": "N/1"})
    movie = added.get_json()["movie"]
    assert (added.status_code, movie["movie_id"], movie["source_id"]) == (201, numbers_for(["N/1"])["N/1"], "N/1")
    assert client.get(added.headers["Location"]).get_json()["movie"] == movie
    assert client.get(f"{API}/movies/N%2F1").get_json()["movie"] == movie
    assert_problem(client.post(f"{API}/movies", json={"title": "Day Train", "id": "N/1"}), 409, "id N/1 is Night Train")
    assert_problem(client.post(f"{API}/movies", json={"title": "Film", "id": FIRST}), 409, f"id {FIRST} is Film 1 here")
    assert_problem(client.post(f"{API}/movies", json={"title": "Film", "id": "\x1f"}), 400, "id: '\\x1f' is none")
    poster(3).save(tmp_path / "poster.jpg")
    form = {"title": "Form", "id": "N 2", "poster": (tmp_path / "poster.jpg").open("rb")}
    assert client.post(f"{API}/movies", data=form).get_json()["movie"]["source_id"] == "N 2"
    assert client.post(f"{API}/movies", json={"title": "Number", "id": 77}).get_json()["movie"]["movie_id"] == 77
    assert client.delete(f"{API}/movies/N%202").status_code == 204
    again = client.post(f"{API}/movies", json={"title": "Again", "id": "N 2"}).get_json()["movie"]
    assert (again["source_id"], again["has_poster"]) == ("N 2", True)
    assert client.delete(f"{API}/movies/N%202").status_code == 204  # its poster would need VGG16
    assert client.put(f"{API}/users/ann/ratings/N%2F1", json={"rating": 4}).status_code == 200
    build(plan(built, data))
    client = writer(create_app(unlimited(data)), data)
    assert client.get(f"{API}/movies/N%2F1").get_json()["movie"]["source_id"] == "N/1"


def test_commands_take_the_ids_of_the_data_set(data: Path) -> None:
    (found,) = json.loads(command(data, "predict", "ann", LAST, "--json").output)["results"]
    assert found["movie"]["source_id"] == LAST
    assert LAST in command(data, "predict", "ann", LAST).output
    shown = command(data, "similar", FIRST).output
    assert "Movies like Film 1" in shown
    assert SECOND in shown
    assert "Recommended to user Zoë" in command(data, "recommend", "Zoë").output
    assert LAST in command(data, "recommend", "-", "--rated", f"{FIRST}=5").output
    assert command(data, "library", "add", "--title", "Renamed", "--id", SECOND).output == f"{NUMBERS[SECOND]}\n"
    assert "Movies like Renamed" in command(data, "similar", SECOND).output
    assert command(data, "library", "remove", SECOND).output == f"Removed Renamed (id {NUMBERS[SECOND]})\n"
    assert command(data, "library", "add", "--title", "Again", "--id", SECOND).output == f"{NUMBERS[SECOND]}\n"
    assert "Again" in command(data, "library", "list").output


def test_python_takes_the_ids_of_the_data_set(local: posterity.Index) -> None:
    assert local.movie(FIRST)["movie_id"] == NUMBERS[FIRST]
    assert local.similar(FIRST) == local.similar(NUMBERS[FIRST])
    local.rate("ann", LAST, 4)
    assert local.rated("ann")[NUMBERS[LAST]] == 4
    local.delete_rating("ann", LAST)
    assert NUMBERS[LAST] not in local.rated(NUMBERS["ann"])
    with pytest.raises(errors.NotFound, match="newcomer"):
        local.rated("newcomer")
    local.rate("newcomer", FIRST, 5)
    assert local.rated("newcomer") == {NUMBERS[FIRST]: 5}
    assert local.recommend("newcomer")


def test_data_without_ratings_are_ranked_but_not_predicted(watched: Path) -> None:
    told = (watched.parent / "output.txt").read_text()
    assert "Rating scale: none, as there are no ratings, only who watched what" in told
    assert "predicted ratings are off" in told
    assert SnapshotStore(watched).manifest().ratings["implicit_data"]
    client = create_app(unlimited(watched)).test_client()
    reason = "predicted ratings are off: the data set has no ratings, only who watched what"
    assert_problem(client.get(f"{API}/users/ann/predictions/{LAST}"), 404, reason)
    assert_problem(client.post(f"{API}/predictions", json={"user_ids": ["ann"], "movies": [LAST]}), 404, reason)
    results = client.get(f"{API}/users/ann/recommendations").get_json()["results"]
    assert LAST in {each["movie"]["source_id"] for each in results}
    assert {(each["rating"], each["low"], each["high"]) for each in results} == {(None, None, None)}
    assert client.get(f"{API}/movies/{FIRST}/similar?by=taste").get_json()["results"]
    page = client.get("/for-you?user=ann").text
    assert "No ratings are predicted: the data set has none, only who watched what." in page
    assert "Predicted ratings are off" in command(watched, "recommend", "ann").output
    refused = CliRunner().invoke(main, ["predict", "ann", LAST, "--data", str(watched)])
    assert refused.exit_code == 1
    assert reason in refused.stderr


def test_a_scale_given_by_option_or_variable_is_printed_and_holds(built: Path, tmp_path: Path) -> None:
    words = ("build", "--ratings", built / "ratings.csv", "--no-evaluation", "--iterations", 30)
    given = command(tmp_path / "a", *words, "--scale", "0:10")
    assert "Rating scale: 0 to 10\n" in given.output
    off = command(tmp_path / "b", *words, POSTERITY_SCALE="2:5")
    assert "Rating scale: 2 to 5\n" in off.output
    assert "skipped ratings off the scale 2:5" in off.output
    found = CliRunner().invoke(main, [*map(str, words), "--scale", "5:1", "--data", str(tmp_path / "c")])
    assert found.exit_code == 2
    assert "'5:1' is no scale" in found.output
    for other in (("evaluate",), ("tune", "--method", "als")):
        refused = CliRunner().invoke(main, [*other, "--ratings", str(built / "ratings.csv"), "--scale", "6:9"])
        assert refused.exit_code == 1
        assert "no rating can be used, as all are from 1 to 5: give another --scale" in refused.stderr


def test_evaluations_take_the_ids_of_the_data_set(built: Path, tmp_path: Path) -> None:
    judged = tmp_path / "judged.csv"
    judged.write_text(f"a,b,alike\n{FIRST},{SECOND},1\n{FIRST},Heat,0\n")
    words = ("evaluate", "--similarity", "--ratings", built / "ratings.csv", "--judged", judged, "--output", tmp_path)
    for film, message in ((FIRST, "line 3: b 'Heat' is the id of no movie in the data set"), ("Heat", "no movie Heat")):
        refused = CliRunner().invoke(main, [*map(str, words), "--film", film])
        assert refused.exit_code == 1
        assert message in refused.stderr
