"""Tests of a catalogue with the movies of a shelf marked, over HTTP, in Python, on the pages and by commands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient

import posterity
from index.catalogue.catalogue import Catalogue, Listing, Movie, MovieFilter
from index.core.errors import BadSnapshot, InvalidCombination, InvalidInput
from index.core.ids import Ids
from index.movie_index import MovieIndex
from posterity.cli.main import main
from server.app import create_app
from tests.conftest import ON_SHELF, World, unlimited
from tests.server.conftest import assert_problem


@pytest.fixture(scope="module")
def shelf(shelf_data: Path) -> FlaskClient:
    return create_app(unlimited(shelf_data)).test_client()


@pytest.fixture(scope="module")
def index(shelf_data: Path) -> Iterator[posterity.Index]:
    with posterity.open(shelf_data) as found:
        yield found


@pytest.fixture(scope="module")
def client(app: Flask) -> FlaskClient:
    """Of a server on a data set without a shelf."""
    return app.test_client()


def ids(found: Any) -> list[int]:
    return [each.get("movie", each)["movie_id"] for each in found]


def linked(page: str) -> list[int]:
    return [int(each) for each in re.findall(r'href="/movies/(\d+)"', page)]


LISTS = {
    "movies?limit=100": lambda s, owned: s.movies(limit=100, owned=owned),
    "movies?q=s&limit=100": lambda s, owned: s.movies("s", limit=100, owned=owned),
    "movies?q=weding&limit=100": lambda s, owned: s.movies("weding", limit=100, owned=owned),
    "movies/3/similar?limit=100": lambda s, owned: s.similar(3, limit=100, owned=owned),
    "movies/3/similar?limit=100&by=poster": lambda s, owned: s.similar(3, by="poster", limit=100, owned=owned),
    "users/1/recommendations?limit=100": lambda s, owned: s.recommend(1, limit=100, owned=owned),
    "groups/recommendations?limit=100&user_ids=1,2": lambda s, owned: s.recommend_together(
        [1, 2], limit=100, owned=owned
    ),
}


@pytest.mark.parametrize("path", LISTS)
def test_a_list_is_of_all_of_the_shelf_or_of_the_others(shelf: FlaskClient, index: posterity.Index, path: str) -> None:
    everything, mine, others = (
        ids(shelf.get(f"/api/v1/{path}{owned}").get_json()["results"]) for owned in ("", "&owned=true", "&owned=false")
    )
    assert mine
    assert others
    assert set(mine) <= set(ON_SHELF)
    assert not set(others) & set(ON_SHELF)
    if "groups" not in path:  # which chooses from the best of each alone
        assert [each for each in everything if each in ON_SHELF] == mine
        assert [each for each in everything if each not in ON_SHELF] == others
    for owned, found in ((None, everything), (True, mine), (False, others)):
        assert ids(LISTS[path](index, owned)) == found


def test_bodies_and_uploads_filter_likewise(shelf: FlaskClient, index: posterity.Index) -> None:
    body = {"like": [3, 12], "owned": True, "limit": 50}
    found = ids(shelf.post("/api/v1/similar", json=body).get_json()["results"])
    assert found == ids(index.similar_to([3, 12], limit=50, owned=True))
    assert set(found) == {*ON_SHELF} - {3, 12}
    assert set(ids(index.similar_to_poster(index.poster(3), limit=50, owned=True))) == set(ON_SHELF)
    assert all(set(ids(each)) <= set(ON_SHELF) for each in index.similar_to_each([3, 20], owned=True).values())


def test_movies_tell_whether_they_are_on_the_shelf(shelf: FlaskClient, index: posterity.Index) -> None:
    assert [index.movie(movie)["owned"] for movie in (3, 11)] == [True, False]
    assert shelf.get("/api/v1/movies/3").get_json()["movie"]["owned"] is True
    (match, *_) = index.similar(3, owned=False)
    assert match["movie"]["owned"] is False


def test_pages_of_a_list_by_id_go_through_the_shelf(shelf: FlaskClient) -> None:
    listed, after = [], 0
    while after is not None:
        reply = shelf.get(f"/api/v1/movies?owned=true&limit=3&after={after}").get_json()
        listed += ids(reply["results"])
        after = reply["next"]
    assert listed == [*ON_SHELF]
    assert ids(shelf.get("/api/v1/movies?owned=true&limit=2&offset=3").get_json()["results"]) == [4, 5]


def test_a_map_of_the_shelf_has_its_movies_in_their_cells(shelf: FlaskClient) -> None:
    every, mine = (shelf.get(f"/api/v1/map?by=taste{owned}").get_json() for owned in ("", "&owned=true"))
    places = {each: (x, y) for each, x, y in zip(every["movie_ids"], every["x"], every["y"], strict=True)}
    assert set(mine["movie_ids"]) == set(ON_SHELF)
    assert [(x, y) for x, y in zip(mine["x"], mine["y"], strict=True)] == [places[each] for each in mine["movie_ids"]]
    assert (mine["columns"], mine["rows"], mine["sheets"]) == (every["columns"], every["rows"], every["sheets"])


def test_a_data_set_that_does_not_tell_says_so(client: FlaskClient, world: World) -> None:
    for path in ("movies?owned=true", "movies/3/similar?owned=true", "map?owned=false"):
        assert_problem(client.get(f"/api/v1/{path}"), 422, "does not tell which movies are on the shelf")
    with posterity.open(world.data) as index:
        assert "owned" not in index.movie(3)
        for call in (lambda: index.movies(owned=True), lambda: index.similar(3, owned=True)):
            with pytest.raises(InvalidCombination, match="does not tell"):
                call()
        with pytest.raises(InvalidInput, match="owned: give True or False, not 1"):
            index.similar(3, owned=1)  # type: ignore[arg-type]


def test_the_document_has_the_filter(shelf: FlaskClient) -> None:
    document = shelf.get("/api/v1/openapi.json").get_json()
    parameters = document["paths"]["/api/v1/movies"]["get"]["parameters"]
    assert [each["schema"] for each in parameters if each["name"] == "owned"] == [{"type": "boolean"}]
    for schema in ("BatchBody", "RecommendationsBody", "GroupBody", "PosterForm"):
        assert "owned" in document["components"]["schemas"][schema]["properties"]


def test_marks_survive_an_edit_and_a_removal_and_added_movies_have_none(shelf_data: Path) -> None:
    catalogue = MovieIndex.open(shelf_data).catalogue
    edited = catalogue.changed([Listing(Movie(2, "Renamed"))], deleted=[3])
    assert ids_of(edited, owned=True) == [each for each in ON_SHELF if each != 3]
    again = edited.changed([Listing(Movie(3, "Back")), Listing(Movie(10**9, "Added"))])
    assert ids_of(again, owned=True) == [*ON_SHELF]
    assert not again.owns(10**9)


def ids_of(catalogue: Catalogue, *, owned: bool) -> list[int]:
    return catalogue.ids.values[catalogue.allowed(MovieFilter(owned=owned))].tolist()


def test_marks_are_a_column_of_the_catalogue_that_older_snapshots_lack() -> None:
    movies = (Movie(1, "A"), Movie(2, "B"))
    plain = Catalogue(movies, (0, 0), (None, None), (None, None))
    assert "owned" not in plain.to_json()
    assert Catalogue.from_json(plain.to_json()).owned is None
    marked = Catalogue(movies, (0, 0), (None, None), (None, None), Ids([2]))
    columns = json.loads(json.dumps(marked.to_json()))
    assert columns["owned"] == [False, True]
    assert ids_of(Catalogue.from_json(columns), owned=True) == [2]
    nothing = Catalogue.from_json(columns | {"owned": [False, False]})
    assert ids_of(nothing, owned=False) == [1, 2]
    with pytest.raises(BadSnapshot, match="not a catalogue"):
        Catalogue.from_json(columns | {"owned": [True]})


def test_pages_mark_the_shelf_and_show_it_alone(shelf: FlaskClient, client: FlaskClient) -> None:
    home = shelf.get("/").text
    assert home.count(">Owned<") == len(ON_SHELF)
    assert 'href="/?owned=true"' in home
    mine = shelf.get("/?owned=true").text
    assert set(linked(mine)) == set(ON_SHELF)
    assert ">Owned<" not in mine  # it would be on every poster
    assert '<input type="hidden" name="owned" value="true">' in mine
    assert set(linked(shelf.get("/?q=starship&owned=true").text)) == {1, 2, 3, 4, 5}
    assert "No film is called “starship 9”" in shelf.get("/?q=starship+9&owned=true").text
    film = shelf.get("/movies/3?owned=true").text
    assert re.search(r'name="owned" value="true" checked', film)
    assert set(linked(film.split('class="shelves"')[1])) <= set(ON_SHELF)
    assert ">Owned<" not in client.get("/").text
    assert "Only owned" not in client.get("/?owned=true").text
    assert shelf.get("/map?owned=true").text.count('name="owned" checked') == 1


def test_recommendations_on_the_page_are_of_the_shelf(shelf: FlaskClient) -> None:
    def picks(page: str) -> list[int]:
        return linked(page.split('class="picks"')[1].split("</ol>")[0])

    page = shelf.get("/for-you?rated=1:5,11:1&owned=true").text
    assert set(picks(page)) == {*ON_SHELF} - {1}
    assert set(picks(shelf.get("/for-you?rated=1:5,11:1").text)) - set(ON_SHELF)
    assert 'href="/for-you?rated=1:5,11:1">All films</a>' in page
    assert 'href="/for-you/feed.atom?rated=1:5,11:1&amp;owned=true"' in page
    together = shelf.get("/for-you?user=1&company=2&owned=true").text
    assert set(picks(together)) <= set(ON_SHELF)
    feed = shelf.get("/for-you/feed.atom?rated=1:5,11:1&owned=true").text
    assert set(map(int, re.findall(r'href="http://localhost/movies/(\d+)"', feed))) == {*ON_SHELF} - {1}
    sent = {"ratings": "1:5"}
    listed = shelf.post("/for-you/recommendations.csv?owned=true", data=sent).text.splitlines()
    assert len(listed) == len(ON_SHELF)  # a header, and all but the rated one


def test_commands_show_the_shelf_alone(shelf_data: Path, world: World) -> None:
    def run(*arguments: str) -> Any:
        result = CliRunner().invoke(main, [*arguments, "--json", "-k", "50"])
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)["results"]

    data = f"--data={shelf_data}"
    assert set(ids(run("similar", "3", "--owned", data))) == {*ON_SHELF} - {3}
    assert set(ids(run("recommend", "1", "--owned", data))) <= set(ON_SHELF)
    assert set(ids(run("recommend", "1", "2", "--owned", data))) <= set(ON_SHELF)
    refused = CliRunner().invoke(main, ["similar", "3", "--owned", f"--data={world.data}"])
    assert refused.exit_code == 2
    assert "does not tell which movies are on the shelf" in refused.output
