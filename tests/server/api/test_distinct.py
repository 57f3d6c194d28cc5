"""``distinct`` on every path that lists matches, with eleven copies of one poster."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from index.library.database import FIRST_ID
from index.movie_index import MovieIndex
from server.app import create_app
from tests.conftest import unlimited
from tests.server.conftest import assert_problem

API = "/api/v1"
UPLOAD = f"{API}/posters/similar"


@pytest.fixture(scope="module")
def copied(copied_data: Path) -> FlaskClient:
    return create_app(unlimited(copied_data)).test_client()


def of_one_picture(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the matches with the poster of Starship 3."""
    return [match for match in results if match["movie"]["movie_id"] == 3 or match["movie"]["movie_id"] >= FIRST_ID]


def assert_once(results: list[dict[str, Any]], copies: int, n: int = 10) -> None:
    """Assert that of n matches one has the poster of Starship 3, with a number of copies, and the others none."""
    assert len(results) == n
    (match,) = of_one_picture(results)
    assert match["copies"] == copies
    assert {each["copies"] for each in results if each is not match} <= {0}


def test_neighbours_of_a_movie_show_each_picture_once(copied: FlaskClient) -> None:
    path = f"{API}/movies/3/similar?by=poster"
    plain = copied.get(path).get_json()["results"]
    assert len(of_one_picture(plain)) == 10
    assert all("copies" not in match for match in plain)
    assert copied.get(f"{path}&distinct=false").get_json()["results"] == plain
    found = copied.get(f"{path}&distinct=true").get_json()["results"]
    assert_once(found, 10)
    assert_once(copied.get(f"{API}/movies/3/similar?distinct=true").get_json()["results"], 10)  # blend
    # Pages are parts of one list, and lean matches have their number too.
    pages = [copied.get(f"{path}&distinct=true&limit=5&offset={at}").get_json()["results"] for at in (0, 5)]
    assert [*pages[0], *pages[1]] == found
    lean = copied.get(f"{path}&distinct=true&fields=ids").get_json()["results"]
    assert [match["copies"] for match in lean] == [match["copies"] for match in found]
    assert_once(copied.get(f"{path}&distinct=true&genre=drama").get_json()["results"], 6, 1)
    assert_problem(copied.get(f"{path}&distinct=perhaps"), 400, "distinct")


def test_several_movies_and_each_of_several_show_each_picture_once(copied: FlaskClient) -> None:
    body = {"by": "poster", "distinct": True}
    assert_once(copied.post(f"{API}/similar", json={"like": [4, 5], **body}).get_json()["results"], 11)
    assert_once(copied.post(f"{API}/similar", json={"like": [4, 5], "distinct": True}).get_json()["results"], 11)
    each = copied.post(f"{API}/similar/batch", json={"movies": [3, 4], **body}).get_json()["results"]
    for reply, copies in zip(each, (10, 11), strict=True):
        assert_once(reply["results"], copies)
    assert_problem(copied.post(f"{API}/similar", json={"like": [4], "distinct": "yes"}), 400, "distinct")


def test_an_upload_shows_each_picture_once(
    copied: FlaskClient, copied_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vector = MovieIndex.open(copied_data).spaces["poster"].vector(3)
    monkeypatch.setattr(MovieIndex, "embed", lambda *_: vector)

    def form(**members: str) -> dict[str, object]:
        return {"poster": (io.BytesIO(b"a picture"), "x.jpg"), **members}

    plain = copied.post(UPLOAD, data=form()).get_json()["results"]
    assert len(of_one_picture(plain)) == 10
    in_query = copied.post(f"{UPLOAD}?distinct=true", data=form()).get_json()["results"]
    assert_once(in_query, 11)
    assert copied.post(UPLOAD, data=form(distinct="true")).get_json()["results"] == in_query
    as_body = copied.post(f"{UPLOAD}?distinct=true", data=b"a picture", content_type="image/jpeg")
    assert as_body.get_json()["results"] == in_query
    assert_problem(copied.post(f"{UPLOAD}?distinct=true", data=form(distinct="true")), 400, "distinct: given in the")
