"""Results in a notebook: a table with posters, and a DataFrame."""

from __future__ import annotations

import copy
import io
import pickle
import re
import sys
from base64 import b64decode
from html.parser import HTMLParser
from typing import Any

import pytest
from PIL import Image

import posterity
from posterity.results import Matches, Movies, Predictions
from tests.conftest import World


def movie(movie_id: int = 1, **members: Any) -> Any:
    return {
        "movie_id": movie_id,
        "title": "Heat",
        "year": 1995,
        "genres": ["Crime", "Thriller"],
        "imdb_id": "tt0113277",
        "tmdb_id": 949,
        "rating_count": 102,
        "rating_mean": 3.946,
        "has_poster": True,
        **members,
    }


def match(movie_id: int = 1, **members: Any) -> Any:
    return {"movie": movie(movie_id, **members), "score": 0.71234, "percentile": 0.9876, "spaces": ["taste"]}


def prediction(movie_id: int = 1, **members: Any) -> Any:
    rated = {"rating": 4.25, "low": 3.05, "high": 5.0, "interval": 0.8}
    return {"movie": movie(movie_id, **members), **rated}


class Page(HTMLParser):
    """Collects what a table shows, and checks that every element ends."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.images: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.images.append(dict(attributes)["src"] or "")
            return
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, text: str) -> None:
        if self.rows and self.open[-1] in {"td", "th"}:
            self.rows[-1][-1] += text


def test_a_table_has_titles_years_scores_or_ratings_with_intervals() -> None:
    assert Page(Matches([match()])._repr_html_()).rows == [
        ["", "Movie", "Genres", "Score", "Percentile"],
        ["", "Heat (1995)", "Crime, Thriller", "0.712", "98.8"],
    ]
    assert Page(Predictions([prediction(year=None)])._repr_html_()).rows[1] == [
        "",
        "Heat",
        "Crime, Thriller",
        "4.25",
        "3.0 to 5.0",
    ]
    unrated = movie(2, rating_count=0, rating_mean=None, genres=[])
    assert Page(Movies([movie(), unrated])._repr_html_()).rows[1:] == [
        ["", "Heat (1995)", "Crime, Thriller", "102", "3.95"],
        ["", "Heat (1995)", "", "0", ""],
    ]
    assert Page(Matches()._repr_html_()).rows == [["", "Movie", "Genres", "Score", "Percentile"]]


def test_what_a_title_holds_is_text() -> None:
    title = "<script>alert(\"1\")</script> & 'Co'"
    html = Matches([match(title=title, genres=["<b>"])], lambda _: '"><script>')._repr_html_()
    page = Page(html)
    assert page.rows[1][1:3] == [f"{title} (1995)", "<b>"]
    assert page.images == ['"><script>']
    assert "<script" not in html


def test_posters_are_those_of_the_first_20_rows_that_have_one() -> None:
    found = Matches([match(number, has_poster=number != 3) for number in range(50)], lambda number: f"/{number}")
    page = Page(found._repr_html_())
    assert page.images == [f"/{number}" for number in range(20) if number != 3]
    assert len(page.rows) == 21
    assert "and 30 more" in found._repr_html_()
    assert not Page(Matches(found, lambda _: None)._repr_html_()).images


def test_thumbnails_are_addresses_of_a_server_or_in_the_page(world: World) -> None:
    client = posterity.Client("http://localhost:8000/films")
    assert client._thumbnail(5) == (  # noqa: SLF001
        "http://localhost:8000/films/api/v1/movies/5/poster?width=120"
    )
    with posterity.open(world.data) as index:
        page = Page(index.similar(3, by="poster", limit=3)._repr_html_())
    assert len(page.images) == 3
    for source in page.images:
        kind, _, content = source.partition(",")
        assert kind == "data:image/webp;base64"
        assert Image.open(io.BytesIO(b64decode(content))).size == (120, 180)


def test_results_of_a_closed_index_still_show(world: World) -> None:
    with posterity.open(world.data) as index:
        found = index.movies("star")
    assert "Starship" in found._repr_html_()


def test_results_are_a_list_and_so_is_a_part_of_them() -> None:
    found = Matches([match(number) for number in range(5)], str)
    assert found == [match(number) for number in range(5)]
    assert type(found[1:3]) is Matches
    assert [each["movie"]["movie_id"] for each in found[1:3]] == [1, 2]
    assert Page(found[::-1]._repr_html_()).images == ["4", "3", "2", "1", "0"]
    assert found[0]["score"] == 0.71234
    for again in (copy.copy(found), copy.deepcopy(found), pickle.loads(pickle.dumps(found))):  # noqa: S301
        assert again == found
        assert type(again) is Matches


def test_a_dataframe_has_a_row_for_each_result() -> None:
    frame = Matches([match(1), match(2, year=None, genres=[])]).to_dataframe()
    assert list(frame) == ["movie_id", "title", "year", "genres", "score", "percentile"]
    assert frame["movie_id"].tolist() == [1, 2]
    assert frame["year"].dtype == "Int64"
    assert frame["year"].isna().tolist() == [False, True]
    assert frame["year"].sum() == 1995
    assert frame["genres"].tolist() == [["Crime", "Thriller"], []]
    assert frame["score"].tolist() == [0.71234, 0.71234]
    frame = Predictions([prediction()]).to_dataframe()
    assert list(frame) == ["movie_id", "title", "year", "genres", "rating", "low", "high"]
    assert frame.loc[0, "high"] == 5
    frame = Movies([movie(), movie(2, tmdb_id=None)]).to_dataframe()
    assert frame["tmdb_id"].sum() == 949
    assert frame["rating_mean"].dtype == float
    assert list(Matches().to_dataframe()) == ["movie_id", "title", "year", "genres", "score", "percentile"]


def test_a_dataframe_without_pandas_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=re.escape("to_dataframe() needs pandas: pip install pandas")):
        Matches([match()]).to_dataframe()
