from __future__ import annotations

import gzip
import io
import logging
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from index.imports.read import MAX_BYTES
from server.media.body_sizes import MAX_CONTENT_LENGTH, largest_body
from tests.index.imports import samples
from tests.server.conftest import assert_problem

PATH = "/api/v1/imports"


def send(client: FlaskClient, content: bytes, name: str = "ratings.csv") -> TestResponse:
    return client.post(PATH, data={"file": (io.BytesIO(content), name)})


def imported(client: FlaskClient, content: bytes | str, name: str = "ratings.csv") -> dict[str, Any]:
    response = send(client, content.encode() if isinstance(content, str) else content, name)
    assert response.status_code == 200, response.text
    return dict(response.get_json())


def ids(found: list[dict[str, Any]]) -> dict[int, float | None]:
    return {each["movie"]["movie_id"]: each["rating"] for each in found}


def test_letterboxd_s_archive_is_matched_and_every_film_is_in_one_list(client: FlaskClient) -> None:
    reply = imported(client, samples.letterboxd(), "letterboxd-me.zip")
    assert reply["format"] == "Letterboxd"
    assert reply["scale"] | {"reason": ""} == {"low": 0.5, "high": 5, "reason": "", "mapped_to": [0.5, 5]}
    assert ids(reply["matched"]) == {3: 5, 5: 3.5, 12: 0.5}
    assert ids(reply["watched"]) == {4: None, 6: None}
    assert ids(reply["watchlist"]) == {7: None}
    (unknown,) = reply["unknown"]
    assert (unknown["entry"]["title"], unknown["note"]) == ("A Film Nobody Has", "nothing here is called so")
    assert unknown["entry"]["place"] == "ratings.csv, row 5"
    assert [each["reason"] for each in reply["skipped"]] == ["it is rated again: ratings.csv, row 4"]
    lists = ("matched", "watched", "watchlist", "uncertain", "unknown")
    assert reply["counts"] == {name: len(reply[name]) for name in lists} | {"entries": 7, "skipped": 1}
    assert {"snapshot", "weights"} <= reply.keys()


def test_ratings_are_mapped_to_the_scale_here_and_the_given_ones_stay(client: FlaskClient) -> None:
    reply = imported(client, samples.IMDB_2024)
    assert ids(reply["matched"]) == {3: 4.5, 12: 1}
    assert {each["movie"]["movie_id"]: each["given"] for each in reply["matched"]} == {3: 9, 12: 2}
    assert reply["scale"]["high"] == 10
    (skipped,) = reply["skipped"]
    assert (skipped["place"], skipped["reason"]) == ("ratings.csv, row 4", "a TV Series is no film")
    # They are what recommendations take.
    ratings = [{"movie": each["movie"]["movie_id"], "rating": each["rating"]} for each in reply["matched"]]
    assert client.post("/api/v1/recommendations", json={"ratings": ratings}).status_code == 200


def test_what_is_not_certain_has_candidates_and_what_is_the_same_film_counts_once(client: FlaskClient) -> None:
    table = "title,year,rating\nStarship 3,,4\nStarship 9,1980,2\nStarshp 4,1974,5\nStarship 9,1979,3\n"
    reply = imported(client, table)
    assert [each["entry"]["title"] for each in reply["uncertain"]] == ["Starship 3", "Starshp 4"]
    assert [each["candidates"][0]["movie_id"] for each in reply["uncertain"]] == [3, 4]
    assert [each["entry"]["rating"] for each in reply["uncertain"]] == [4, 5]
    assert ids(reply["matched"]) == {9: 2}
    assert "is here, not 1980" in reply["matched"][0]["note"]
    (twice,) = reply["skipped"]
    assert twice["reason"].startswith("it is the same film as ratings.csv, row 3")


def test_the_body_may_be_the_export_and_the_name_tells_a_watchlist(client: FlaskClient) -> None:
    body = samples.LETTERBOXD_WATCHLIST.encode()
    assert client.post(PATH, data=body).get_json()["counts"]["watched"] == 1
    assert client.post(f"{PATH}?name=watchlist.csv", data=body).get_json()["counts"]["watchlist"] == 1
    assert imported(client, body, "watchlist.csv")["counts"]["watchlist"] == 1
    packed = client.post(f"{PATH}?name=watchlist.csv", data=gzip.compress(body), headers={"Content-Encoding": "gzip"})
    assert packed.get_json()["counts"]["watchlist"] == 1


def test_an_answer_is_not_cached_for_the_next_export(client: FlaskClient) -> None:
    first = client.post(PATH, data=samples.LETTERBOXD_RATINGS.encode()).get_json()
    assert client.post(PATH, data=samples.IMDB_2024.encode()).get_json()["format"] != first["format"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"nothing of the kind", "no column of titles or ids"),
        (b"PK\x03\x04broken", "damaged or encrypted archive"),
        (b"[1, 2", "is no JSON"),
        (b"", "has no export"),
    ],
)
def test_what_is_no_export_is_400_and_says_why(client: FlaskClient, content: bytes, problem: str) -> None:
    assert_problem(send(client, content), 400, problem)


def test_a_form_has_one_file_and_nothing_else(client: FlaskClient) -> None:
    assert_problem(client.post(PATH, data={"poster": (io.BytesIO(b"a"), "a")}), 400, "poster: the form has no such")
    assert_problem(client.post(PATH, data={}, content_type="multipart/form-data; boundary=x"), 400, "has 0 files")
    assert_problem(client.post(f"{PATH}?names=a", data=b"a"), 400, "names")


def test_an_export_may_be_larger_than_a_picture_but_not_endless(client: FlaskClient) -> None:
    large = samples.LETTERBOXD_RATINGS.encode() + b"\n" * (MAX_CONTENT_LENGTH - 100)
    assert client.post(PATH, data=large).status_code == 200
    assert_problem(client.post("/api/v1/posters/similar", data=bytes(MAX_CONTENT_LENGTH + 1)), 413, "10 MiB")
    assert_problem(client.post(PATH, data=b"\n" * (MAX_BYTES + 1)), 400, "at most 52,428,800")
    assert_problem(client.post(PATH, data=b"\n" * (largest_body(PATH) + 1)), 413, "50 MiB")
    assert largest_body("/films/api/v1/imports") == largest_body("/films/for-you") == largest_body(PATH)


def test_nothing_of_an_export_is_logged(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        imported(client, samples.LETTERBOXD_RATINGS)
        send(client, b"Starship 3, but no table")
    assert "Starship" not in caplog.text
