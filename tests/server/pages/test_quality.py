from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from index.library.movies import Library
from index.movie_index import MovieIndex
from index.snapshot.store import Manifest, SnapshotStore
from server.app import create_app
from tests.conftest import World, unlimited
from tests.paths import GOLDEN

PLOTS = ["against", "learning", "calibration", "by-ratings", "ranking", "diversity", "blend", "recall", "speed"]


def plots(page: str) -> list[str]:
    return re.findall(r'<figure class="plot [a-z]+" id="([a-z-]+)"', page)


@pytest.fixture
def page_of(data: Path, world: World) -> Callable[..., str]:
    """Return a function that renders the page with changes to the film world's manifest."""

    def page(**changes: Any) -> str:
        manifest: Manifest = replace(world.manifest, **changes)
        file = SnapshotStore(data).path() / "manifest.json"
        file.write_text(json.dumps(manifest.to_json()))
        reply = create_app(unlimited(data)).test_client().get("/quality")
        assert reply.status_code == 200
        return unescape(reply.text)

    return page


def test_the_page_leads_with_how_far_off_it_is(client: FlaskClient, world: World) -> None:
    page = unescape(client.get("/quality").text)
    ours, mean = (
        next(each["rmse"]["value"] for each in world.manifest.evaluation["methods"] if each["method"] == method)
        for method in ("factorization-machine", "movie-mean")
    )
    assert f"<b>{ours:.2f}\N{NO-BREAK SPACE}stars</b>. Guessing each film’s mean is off by {mean:.2f}." in page
    assert world.manifest.evaluation["protocol"] in page
    assert "untrained weights</span>" in page
    assert 'href="/quality" aria-current="page"' in page


def test_every_plot_has_a_title_a_caption_a_label_and_its_numbers(client: FlaskClient) -> None:
    page = client.get("/quality").text
    assert plots(page) == PLOTS
    for figure in re.findall(r"<figure.*?</figure>", page, re.DOTALL):
        (name,) = re.findall(r'<figure [^>]*id="([a-z-]+)"', figure)
        for part in (
            f'id="{name}-title"',
            f'<figcaption id="{name}-caption">',
            f'role="img" aria-labelledby="{name}-title" aria-describedby="{name}-caption"',
            "<summary>",
        ):
            assert figure.count(part) == 1
        table = re.findall(r"<tr>.*?</tr>", figure, re.DOTALL)
        cells = {len(re.findall(r"<t[hd]", row)) for row in table}
        assert len(table) > 1
        assert len(cells) == 1  # the same number in each row


def test_no_colour_and_no_style_stands_in_the_page(client: FlaskClient) -> None:
    """Style attributes are forbidden by the policy, and colours must follow the theme."""
    page = client.get("/quality").text
    assert "style=" not in page
    for figure in re.findall(r"<figure.*?</figure>", page, re.DOTALL):
        assert not re.findall(r'(?:fill|stroke|color)="', figure)


def test_the_plots_show_the_manifests_numbers(client: FlaskClient, world: World) -> None:
    page = unescape(client.get("/quality").text)
    for each in world.manifest.evaluation["methods"]:
        assert f"<td>{each['rmse']['value']:.4f}</td>" in page
    for name, score in world.manifest.ratings["ranker"]["validation"]["scores"].items():
        assert f"<td>{score:.4f}</td>" in page, name
    assert f"<td>{world.manifest.spaces['poster']['search']['card']['full_scan_milliseconds']:.2f}</td>" in page


def test_a_snapshot_without_evaluation_says_how_to_get_one(page_of: Callable[..., str]) -> None:
    page = page_of(evaluation={})
    assert "was not evaluated on held-out ratings" in page
    assert "by an older version of Posterity, which did not evaluate its model" in page
    assert "<code>posterity build</code>" in page
    assert plots(page) == [name for name in PLOTS[4:] if name != "diversity"]


def test_a_snapshot_that_was_not_evaluated_says_why(page_of: Callable[..., str]) -> None:
    page = page_of(evaluation={"left_out": "12 ratings are too few to hold some out: at least 200 are needed"})
    assert "12 ratings are too few to hold some out" in page


def test_without_posters_nothing_is_said_of_their_search(page_of: Callable[..., str], world: World) -> None:
    poster = {name: value for name, value in world.manifest.spaces["poster"].items() if name != "search"}
    page = page_of(spaces={**world.manifest.spaces, "poster": poster | {"search": _without_card(world)}})
    assert "was not compared with a full scan" in page
    assert plots(page) == PLOTS[:7]


def test_what_was_left_out_is_listed_with_its_film(page_of: Callable[..., str], world: World) -> None:
    unreadable = {"3": "no picture", "999": "cut off"}
    page = page_of(warnings=("a line was left out",), posters={**world.manifest.posters, "unreadable": unreadable})
    for words in ("a line was left out", "The poster of Starship 3 (1973): no picture", "Movie 999: cut off"):
        assert words in page


def test_where_one_ranker_alone_could_be_tried_there_is_no_comparison(
    page_of: Callable[..., str], world: World
) -> None:
    ranker = {**world.manifest.ratings["ranker"], "validation": {"metric": "nDCG@10", "share": 0.2, "scores": {}}}
    page = page_of(ratings={**world.manifest.ratings, "ranker": ranker})
    assert "Only one way of recommending could be tried here" in page
    assert "ranking" not in plots(page)


def rows(page: str, movie_id: int) -> dict[str, list[int]]:
    """Return method -> ids of the films in its row for a film of the gallery."""
    (film,) = re.findall(rf'<article class="compared" id="film-{movie_id}".*?</article>', page, re.DOTALL)
    ways = re.findall(r'<section class="way" data-by="([a-z-]+)".*?</section>', film, re.DOTALL)
    parts = re.findall(r'<section class="way".*?</section>', film, re.DOTALL)
    return {
        way: [int(each) for each in re.findall(r'href="/movies/([0-9]+)"', part)]
        for way, part in zip(ways, parts, strict=True)
    }


def test_the_gallery_has_a_row_of_four_films_by_every_method(client: FlaskClient, movie_index: MovieIndex) -> None:
    page = client.get("/quality").text
    for movie in movie_index.gallery.movies:
        found = rows(page, movie.movie_id)
        assert list(found) == ["item-cosine", "sgd", "taste", "poster"]
        assert found["sgd"] == list(movie.nearest["sgd"][:4])
        for by in ("taste", "poster"):
            assert found[by] == [match.movie_id for match in movie_index.similar(movie.movie_id, 4, by=by)]


def test_a_deleted_film_leaves_the_gallery_and_its_rows(data: Path, movie_index: MovieIndex) -> None:
    first, second = movie_index.gallery.movies[:2]
    library, gone = Library.open(data), first.nearest["item-cosine"][0]
    client = create_app(unlimited(data)).test_client()
    for movie_id in (second.movie_id, gone):
        library.remove(movie_id)
    page = client.get("/quality").text
    assert f'id="film-{second.movie_id}"' not in page
    found = rows(page, first.movie_id)
    assert not {gone, second.movie_id} & {other for row in found.values() for other in row}
    assert all(len(row) == 4 for row in found.values())


def test_without_posters_the_gallery_has_no_row_of_looks(page_of: Callable[..., str], world: World) -> None:
    spaces = {name: entry for name, entry in world.manifest.spaces.items() if name != "poster"}
    page = page_of(spaces=spaces, blend={"taste": 1.0, "facts": 0.25}, maps={})
    assert 'data-by="taste"' in page
    assert 'data-by="poster"' not in page


def test_a_scale_beyond_five_is_counted_in_points(page_of: Callable[..., str], world: World) -> None:
    page = page_of(ratings={**world.manifest.ratings, "scale": [1.0, 10.0]})
    assert "points</b>" in page
    assert "RMSE in points" in page


def test_the_api_has_the_evaluation_and_the_maps(client: FlaskClient, world: World) -> None:
    reply = client.get("/api/v1/snapshot").get_json()
    assert reply["evaluation"] == world.manifest.evaluation
    assert reply["maps"] == world.manifest.maps
    schemas = client.get("/api/v1/openapi.json").get_json()["components"]["schemas"]
    assert {"evaluation", "maps"} <= set(schemas["SnapshotReply"]["required"])


def _without_card(world: World) -> dict[str, Any]:
    search = dict(world.manifest.spaces["poster"]["search"])
    del search["card"]
    return search


@pytest.mark.parametrize("version", ["v2", "v3"])
def test_older_snapshots_have_the_page_too(tmp_path: Path, version: str) -> None:
    shutil.copytree(GOLDEN / version, tmp_path / "data", symlinks=True)
    reply = create_app(unlimited(tmp_path / "data")).test_client().get("/quality")
    assert reply.status_code == 200
    assert "No held-out figures" in reply.text
    assert "This snapshot has no such comparison" in reply.text
