"""The page "For you" with ratings from elsewhere, as a browser without scripts sends and gets it."""

from __future__ import annotations

import io
import re

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.index.imports import samples
from tests.server.conftest import assert_problem
from tests.server.pages.test_for_you import PAGE, films, text_of

TABLE = "title,year,rating\nStarship 1,1971,5\nStarship 2,1972,4.5\nThe Wedding 12,2002,1\nStarship 3,,4\nGone,1950,3\n"


def post(
    client: FlaskClient, *, file: bytes | str | None = None, name: str = "mine.csv", **members: str
) -> TestResponse:
    content = file.encode() if isinstance(file, str) else file
    sent = {} if content is None else {"file": (io.BytesIO(content), name)}
    return client.post("/for-you", data={**members, **sent}, headers=PAGE, content_type="multipart/form-data")


def members(page: str) -> dict[str, str]:
    """Return the hidden members of the form, which a browser sends with the next request."""
    form = page[page.index('id="kept"') : page.index("</form>", page.index('id="kept"'))]
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))


def test_an_export_gives_recommendations_and_says_what_was_read(client: FlaskClient) -> None:
    page = post(client, file=TABLE).text
    assert members(page) == {"ratings": "1:5,2:4.5,12:1", "source": "table"}
    text = text_of(page)
    assert "3 films rated." in text
    assert "1 film is not certain: which is it?" in text
    assert "mine.csv, row 5: without a year it may be another" in text
    assert "1 film is not here Gone (1950)" in text
    assert "Ratings from 0.5 to 5 (the highest rating is 5), the same as here." in text
    ratings = [{"movie": 1, "rating": 5}, {"movie": 2, "rating": 4.5}, {"movie": 12, "rating": 1}]
    same = client.post("/api/v1/recommendations", json={"ratings": ratings, "limit": 12}).get_json()["results"]
    assert films(page, "picks") == [each["movie"]["movie_id"] for each in same]


def test_another_scale_is_shown_with_an_example(client: FlaskClient) -> None:
    assert "here 10 is 5, 8 is 4" in text_of(post(client, file=samples.IMDB_2024).text)


def test_what_the_browser_kept_is_enough_for_the_next_answer(client: FlaskClient) -> None:
    first = post(client, file=samples.letterboxd(), name="a.zip").text
    kept = members(first)
    assert kept["watched"] == "6,4"  # the latest first
    assert kept["watchlist"] == "7"
    second = post(client, **kept).text
    assert films(second, "picks") == films(first, "picks")
    assert members(second) == kept
    assert 'id="found"' not in second
    assert {3, 4, 5, 6, 12}.isdisjoint(films(second, "picks"))
    only = post(client, **kept, only="on").text
    assert films(only, "picks") == [7]
    assert 'name="only" checked' in only


def test_a_chosen_film_joins_the_others_and_a_second_file_too(client: FlaskClient) -> None:
    page = post(client, file=TABLE).text
    (value,) = re.findall(r'name="choice1" value="(rated:[^"]+)"', page)
    assert value == "rated:3:4.0"
    kept = members(post(client, **members(page), choice1=value, choice2="").text)
    assert kept["ratings"] == "3:4,1:5,2:4.5,12:1"
    more = members(post(client, **kept, file=samples.LETTERBOXD_WATCHLIST, name="watchlist.csv").text)
    assert more == kept | {"watchlist": "7", "source": "table and Letterboxd"}
    newer = members(post(client, **kept, file="title,year,rating\nStarship 1,1971,2\n").text)
    assert newer["ratings"] == "1:2,3:4,2:4.5,12:1"


def test_the_list_is_a_table_to_download(client: FlaskClient) -> None:
    kept = members(post(client, file=samples.letterboxd(), name="a.zip").text)
    response = client.post("/for-you/recommendations.csv?rated=1:5", data=kept)
    assert response.headers["Content-Disposition"] == 'attachment; filename="recommendations.csv"'
    lines = response.text.splitlines()
    assert lines[0] == "Title,Year,imdbID,tmdbID"
    assert not any(line.startswith(("Starship 1,", "Starship 3,", "Starship 4,")) for line in lines)
    assert any(line == "Starship 7,1977,tt0000007,1007" for line in lines)


def test_ratings_of_other_data_are_clipped_and_unknown_films_left_out(client: FlaskClient) -> None:
    assert members(post(client, ratings="3:10,9999:4", watched="8888,4", watchlist="7777").text) == {
        "ratings": "3:5",
        "watched": "4",
    }


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        ({}, "no file was sent"),
        ({"ratings": "3:good"}, "'3:good'"),
        ({"watched": "three"}, "'three'"),
        ({"watchlist": "1,x"}, "'x'"),
        ({"ratings": "3:4", "choice1": "loved:3:4"}, "'loved:3:4'"),
        ({"file": "no table"}, "no column of titles or ids"),
    ],
)
def test_what_cannot_be_read_is_400_and_says_what(client: FlaskClient, sent: dict[str, str], problem: str) -> None:
    response = post(client, **sent)  # type: ignore[arg-type]
    assert response.status_code == 400
    assert problem in text_of(response.text)
    assert_problem(client.post("/for-you", data={"ratings": "3:good"}), 400, "3:good")
