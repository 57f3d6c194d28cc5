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


def several(client: FlaskClient, **files: bytes | str) -> TestResponse:
    sent = [(io.BytesIO(each.encode() if isinstance(each, str) else each), name) for name, each in files.items()]
    return client.post("/for-you", data={"file": sent}, headers=PAGE, content_type="multipart/form-data")


def test_several_files_are_read_at_once_each_on_its_own_scale(client: FlaskClient) -> None:
    ratings, watched = samples.encoded(samples.TRAKT), samples.encoded(samples.TRAKT_WATCHED)
    response = several(client, ratings=ratings, watched=watched, watchlist=samples.encoded(samples.TRAKT_WATCHLIST),
                       mine="title,year,rating\nStarship 5,1975,4\nStarship 3,,4\n",
                       more="title,year,rating\nStarship 4,,4\n")  # fmt: skip
    page = response.text
    assert members(page) == {"ratings": "5:4,3:4.5", "watched": "4", "watchlist": "7", "source": "Trakt and table"}
    choices = re.findall(r'name="(choice[0-9_]+)" value="rated:([0-9]+)', page)
    assert [name for name, _ in choices] == ["choice4_1", "choice5_1"]  # a name for each film
    assert re.findall(r"<strong>(\w+)</strong></p>", page) == ["ratings", "watched", "watchlist", "mine", "more"]


def test_a_file_that_is_no_export_leaves_the_others(client: FlaskClient) -> None:
    page = several(client, broken=b"PK\x03\x04broken", mine=TABLE).text
    assert members(page)["ratings"] == "1:5,2:4.5,12:1"
    assert "broken is a damaged or encrypted archive" in text_of(page)
    none = several(client, first="nothing", second="nothing")
    assert none.status_code == 400
    assert "second has no column of titles or ids" in text_of(none.text)


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
    (value,) = re.findall(r'name="choice1_1" value="(rated:[^"]+)"', page)
    assert value == "rated:3:4.0"
    kept = members(post(client, **members(page), choice1_1=value, choice1_2="").text)
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


def pairs(page: str) -> list[int]:
    return films(page, "picks") if 'class="pick pair"' in page else []


GUEST = "title,year,rating\nStarship 1,1971,1\nThe Wedding 12,2002,5\nThe Wedding 13,2003,4.5\n"


def together(client: FlaskClient, address: str = "/for-you", **members: str) -> str:
    sent: dict[str, object] = dict(members)
    for name in ("file", "with_file"):
        if name in members:
            sent[name] = (io.BytesIO(members[name].encode()), "mine.csv")
    response = client.post(address, data=sent, headers=PAGE, content_type="multipart/form-data")
    assert response.status_code == 200, response.text
    return response.text


def test_two_exports_give_films_for_both_with_both_predictions(client: FlaskClient) -> None:
    page = together(client, file=TABLE, with_file=GUEST)
    mine = [{"movie": 1, "rating": 5}, {"movie": 2, "rating": 4.5}, {"movie": 12, "rating": 1}]
    other = [{"movie": 1, "rating": 1}, {"movie": 12, "rating": 5}, {"movie": 13, "rating": 4.5}]
    body = {"members": [{"ratings": mine}, {"ratings": other}], "limit": 12}
    same = client.post("/api/v1/groups/recommendations", json=body).get_json()["results"]
    assert pairs(page) == [each["movie"]["movie_id"] for each in same]
    text = text_of(page)
    assert "To watch together" in text
    assert "3 films rated by the other" in text
    for part, name in zip(same[0]["predictions"], ("You", "They"), strict=True):
        assert f'aria-label="{name}: Predicted {part["rating"]:.1f} of 5' in page
    # The members that the browser keeps bring both again, in any order of the films.
    kept = members(page)
    assert kept == {"ratings": "1:5,2:4.5,12:1", "source": "table"} | {
        "with_ratings": "1:1,12:5,13:4.5",
        "with_source": "table",
    }
    assert pairs(together(client, **kept)) == pairs(page)
    body["together"] = "fair"
    fair = client.post("/api/v1/groups/recommendations", json=body).get_json()["results"]
    page = together(client, "/for-you?together=mean", **kept, together="fair")
    assert pairs(page) == [each["movie"]["movie_id"] for each in fair]
    assert re.search(r'value="fair" checked', page)
    listed = client.post("/for-you/recommendations.csv?together=fair", data=kept).text.splitlines()
    assert [line.split(",")[-1] for line in listed[1:13]] == [
        str(1000 + movie) if movie != 22 else "" for movie in pairs(page)
    ]


def test_a_user_may_be_the_other_by_address_or_by_the_form(client: FlaskClient) -> None:
    users = client.get("/api/v1/groups/recommendations?user_ids=1,2&limit=12&together=least-misery").get_json()[
        "results"
    ]
    page = client.get("/for-you?user=1&company=2&together=least-misery").text
    assert pairs(page) == [each["movie"]["movie_id"] for each in users]
    assert "User 1: Predicted" in page
    assert "User 2: Predicted" in page
    # Ratings in the address are the visitor's.
    body = {"members": [{"ratings": [{"movie": 1, "rating": 5}]}, {"user_id": 2}], "limit": 12}
    mine = client.post("/api/v1/groups/recommendations", json=body).get_json()["results"]
    assert pairs(together(client, "/for-you?rated=1:5", company="2")) == [each["movie"]["movie_id"] for each in mine]
    assert not pairs(together(client, "/for-you?company=2", file=TABLE, company=""))
    assert "There is no user 4000 here to watch with" in text_of(client.get("/for-you?company=4000").text)


def test_up_to_ten_people_watch_together(client: FlaskClient) -> None:
    kept = {"ratings": "1:5", "with_ratings": "11:5", "with3_ratings": "4:5,12:1"}
    page = together(client, "/for-you?company=1,2", **kept)
    members_of = [{"ratings": [{"movie": 1, "rating": 5}]}, {"ratings": [{"movie": 11, "rating": 5}]}]
    members_of += [{"ratings": [{"movie": 4, "rating": 5}, {"movie": 12, "rating": 1}]}, {"user_id": 1}, {"user_id": 2}]
    body = {"members": members_of, "limit": 12}
    same = client.post("/api/v1/groups/recommendations", json=body).get_json()["results"]
    assert pairs(page) == [each["movie"]["movie_id"] for each in same]
    names = re.findall(r'<p class="who small">([^<]*)</p>', page)[:5]
    assert names == ["You", "Person 2", "Person 3", "User 1", "User 2"]
    assert members(page) == kept | {"company": "2"}  # of two hidden ones the last
    assert 'name="with2_file"' in page  # for one more person
    assert re.findall(r'name="(with3_file|with4_file)"', page) == ["with3_file"]
    # Without scripts, the form has those who are named already, and one more.
    sent = {"company": ["1", "2", "3"], **kept}
    more = client.post("/for-you?company=1,2", data=sent, headers=PAGE, content_type="multipart/form-data").text
    assert re.findall(r'<p class="who small">([^<]*)</p>', more)[5] == "User 3"
    # Of ten, nobody is left to add, and of eleven the request is refused.
    ten = client.get("/for-you?user=1&company=2,3,4,5,6,7,8,9,10").text
    assert len(set(re.findall(r'<p class="who small">([^<]*)</p>', ten))) == 10
    assert 'name="with_file"' not in ten
    assert_problem(client.get("/for-you?company=1,2,3,4,5,6,7,8,9,10"), 400, "company: give at most 9")
    data = {"ratings": "1:5", "with_ratings": "1:5"}
    assert_problem(client.post("/for-you?company=1,2,3,4,5,6,7,8,9", data=data), 400, "at most 10 watch together")
    # A user who is not here is named, and the others watch together.
    without = client.get("/for-you?user=1&company=2,4000").text
    assert pairs(without) == pairs(client.get("/for-you?user=1&company=2").text)
    assert "There is no user 4000 here to watch with" in text_of(without)


def test_films_on_every_watchlist_of_three(client: FlaskClient) -> None:
    kept = {"ratings": "1:5", "watchlist": "3,4,12", "with_ratings": "11:5", "with_watchlist": "4,5", "both": "on"}
    assert pairs(together(client, **kept, with2_ratings="2:5", with2_watchlist="3,4")) == [4]
    page = text_of(together(client, **kept, with2_ratings="2:5", with2_watchlist="3"))
    assert "no film is on every watchlist" in page
    # Someone without a watchlist wants any film on those of the others.
    assert set(pairs(together(client, **kept, with2_ratings="2:5"))) == {3, 4, 5, 12}


def test_watchlists_of_two_and_an_empty_one_says_why(client: FlaskClient) -> None:
    kept = {"ratings": "1:5", "watchlist": "3,4,12", "with_ratings": "11:5", "with_watchlist": "4,5"}
    assert set(pairs(together(client, **kept, only="on"))) == {3, 4, 5, 12}
    assert pairs(together(client, **kept, both="on")) == [4]
    assert "no film is on both watchlists" in text_of(together(client, **{**kept, "with_watchlist": "5"}, both="on"))
    seen = text_of(together(client, **{**kept, "watchlist": "11", "with_watchlist": "11"}, only="on"))
    assert "every film on the watchlists that is here was rated or watched by one of you" in seen


def test_an_empty_watchlist_says_if_it_was_seen_or_is_not_here(client: FlaskClient) -> None:
    seen = text_of(post(client, ratings="1:5,2:3", watched="3", watchlist="1,3", only="on").text)
    assert "every film on your watchlist that is here was rated or watched" in seen
    unknown = text_of(post(client, ratings="1:5", watchlist="777,888", only="on").text)
    assert "none of the films on your watchlist is here" in unknown


def test_watched_films_count_for_the_order_as_over_the_api(client: FlaskClient) -> None:
    page = post(client, ratings="1:5", watched="2,3").text
    body = {"ratings": [{"movie": 1, "rating": 5}], "watched": [2, 3], "limit": 12}
    same = client.post("/api/v1/recommendations", json=body).get_json()["results"]
    assert films(page, "picks") == [each["movie"]["movie_id"] for each in same]


def test_the_other_s_uncertain_films_are_chosen_apart(client: FlaskClient) -> None:
    page = together(client, ratings="1:5", with_file="title,rating\nStarship 4,2\nStarship 5,3\n")
    assert 'name="with_choice1_1" value="rated:4:2.0"' in page
    kept = members(together(client, **members(page), with_choice1_1="rated:4:2.0"))
    assert (kept["ratings"], kept["with_ratings"]) == ("1:5", "4:2")
