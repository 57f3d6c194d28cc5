from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from index.catalogue.catalogue import Movie
from index.library.movies import Library
from index.movie_index import MovieIndex
from server.app import create_app
from server.pages.for_you import State, signed
from tests.conftest import unlimited
from tests.server.conftest import assert_problem

API = "/api/v1"
PAGE = {"Accept": "text/html"}


def films(page: str, part: str) -> list[int]:
    """Return the ids of the movies in a list of the page, in order."""
    found = re.search(rf'class="{part}"(.*?)</[uo]l>', page, re.DOTALL)
    return [int(movie) for movie in re.findall(r'<li[^>]* data-movie="(\d+)"', found[1])] if found else []


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", "", page)))


def test_before_anything_is_rated_it_says_so_and_shows_what_most_people_love(client: FlaskClient) -> None:
    page = client.get("/for-you").text
    assert "Until then: films that most people love" in page
    assert "Nothing is stored" in page
    popular = client.post(f"{API}/recommendations", json={"ratings": [], "limit": 12}).get_json()["results"]
    assert films(page, "picks") == [each["movie"]["movie_id"] for each in popular]
    assert "because" not in page
    assert films(page, "given") == []


def test_a_dozen_is_on_offer_and_what_was_rated_or_skipped_makes_room(
    client: FlaskClient, movie_index: MovieIndex
) -> None:
    order = movie_index.to_ask
    assert films(client.get("/for-you").text, "deck") == order[:12]
    page = client.get(f"/for-you?rated={order[0]}:4.5&skipped={order[2]}").text
    assert films(page, "deck") == [order[1], *order[3:14]]
    assert films(page, "given") == [order[0]]
    every = ",".join(map(str, order))
    assert "No film is left to rate" in client.get(f"/for-you?skipped={every}").text


def test_the_address_is_the_state(client: FlaskClient) -> None:
    page = client.get("/for-you?rated=1:5,11:1&rated=12:1.5").text
    body = {"ratings": [{"movie": 1, "rating": 5}, {"movie": 11, "rating": 1}, {"movie": 12, "rating": 1.5}]}
    reply = client.post(f"{API}/recommendations", json=body | {"limit": 12, "explain": True}).get_json()["results"]
    assert films(page, "picks") == [each["movie"]["movie_id"] for each in reply]
    assert films(page, "given") == [12, 11, 1]  # the latest first
    assert "You rated 3 films" in page
    first = reply[0]
    text = text_of(page)
    assert f"{first['rating']:.1f}" in text
    for part in first["explanation"]["contributions"][:3]:
        assert f"{part['movie']['title']} ({signed(part['total'])})" in text
    assert 'href="/for-you?rated=1:5,11:1"' in page  # the rating of 12 is removed


def test_films_that_nobody_has_rated_are_listed_apart_with_reasons(client: FlaskClient) -> None:
    assert not films(client.get("/for-you").text, "picked")
    page = client.get("/for-you?rated=1:5,2:5,3:4.5,11:1").text
    body = {"ratings": [{"movie": movie, "rating": rating} for movie, rating in ((1, 5), (2, 5), (3, 4.5), (11, 1))]}
    reply = client.post(f"{API}/recommendations", json=body | {"new": True, "limit": 4}).get_json()["results"]
    assert films(page, "picked") == [each["movie"]["movie_id"] for each in reply] == [21, 22]
    assert "Nobody has rated it: mostly because of" in text_of(page.split("New, with few ratings or none")[1])


def test_the_whole_sum_adds_up_and_the_bar_is_on_the_scale(client: FlaskClient) -> None:
    page = client.get("/for-you?rated=1:5,2:4.5,11:1").text
    picks = page.split('<li class="pick"')[1:]
    assert picks
    for pick in picks:
        adds = [float(number) for number in re.findall(r'data-adds="([-0-9.]+)"', pick)]
        (whole,) = re.findall(r'data-sum="([-0-9.]+)"', pick)
        assert len(adds) == 4
        assert sum(adds) == pytest.approx(float(whole), abs=1e-4)
        for number in re.findall(r'(?:x|cx|width)="([-0-9.]+)%"', pick):
            assert 0 <= float(number) <= 100


def test_a_film_is_rated_without_scripts_by_a_form(client: FlaskClient) -> None:
    page = client.get("/for-you?rated=1:5&skipped=2").text
    card = page[page.index('<ul class="deck">') :].split("</form>")[0]
    (movie,) = re.findall(r'data-movie="(\d+)"', card)
    assert '<input type="hidden" name="rated" value="1:5">' in card
    assert '<input type="hidden" name="skipped" value="2">' in card
    steps = re.findall(rf'type="radio" name="rated" value="{movie}:([0-9.]+)"', card)
    assert steps == ["0.5", "1", "1.5", "2", "2.5", "3", "3.5", "4", "4.5", "5"]
    for words in ("half a star", "1 star", "1 and a half stars", "5 stars"):
        assert f'<span class="for-readers">{words}</span>' in card
    # The request of such a form: its hidden fields and the chosen star.
    page = client.get(f"/for-you?rated=1%3A5&skipped=2&rated={movie}%3A4.5").text
    assert films(page, "given") == [int(movie), 1]


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("rated=73", 400, ["rated", "73:4.5", "'73'"]),
        ("rated=1:many", 400, ["rated", "a colon and a rating"]),
        ("rated=1:9", 400, ["9 is off the scale", "0.5 to 5"]),
        ("rated=1:5,1:4", 422, ["rated twice"]),
        ("user=7&user=8", 400, ["user", "give it once"]),
    ],
)
def test_an_address_that_says_nothing_is_refused(
    client: FlaskClient, query: str, status: int, words: list[str]
) -> None:
    page = client.get(f"/for-you?{query}", headers=PAGE)
    assert page.status_code == status
    assert all(word in unescape(page.text).casefold() for word in words)
    assert_problem(client.get(f"/for-you?{query}"), status)


def test_films_that_are_not_there_are_named_and_left_out(client: FlaskClient) -> None:
    page = client.get("/for-you?rated=1:5,777:3&skipped=778").text
    assert "no such film here: 777, 778" in page
    assert films(page, "given") == [1]


def test_an_existing_user_sees_what_they_rated_and_would_watch(client: FlaskClient) -> None:
    page = client.get("/for-you?user=2").text
    reply = client.get(f"{API}/users/2/recommendations?limit=12&explain=true").get_json()["results"]
    assert films(page, "picks") == [each["movie"]["movie_id"] for each in reply]
    rated = client.get(f"{API}/users/2/ratings?limit=100").get_json()["results"]
    assert f"who rated {len(rated)} films" in page
    assert "Ratings of user 2" in page
    assert not set(films(page, "deck")) & {each["movie"]["movie_id"] for each in rated}
    part = reply[0]["explanation"]["contributions"][0]
    assert f"because they rated {part['movie']['title']} ({signed(part['total'])})" in text_of(page)


def test_no_reason_is_named_whose_effect_is_shown_as_nothing(client: FlaskClient, movie_index: MovieIndex) -> None:
    queries = [f"user={user}" for user in range(1, 9)] + [f"rated={movie}:3" for movie in movie_index.to_ask]
    pages = [client.get(f"/for-you?{query}").text for query in queries]
    named = [effect for page in pages for effect in re.findall(r"\(([+−]\d\.\d\d)\)", page)]
    assert named
    assert not {"+0.00", "−0.00"} & set(named)


def test_what_is_rated_on_top_of_a_user_counts_for_this_view(client: FlaskClient) -> None:
    unseen = films(client.get("/for-you?user=2").text, "deck")[0]
    page = client.get(f"/for-you?user=2&rated={unseen}:5").text
    assert "and 1 more by you, for this view alone" in page
    assert films(page, "given") == [unseen]
    assert unseen not in films(page, "picks")
    assert unseen not in {
        each["movie"]["movie_id"] for each in client.get(f"{API}/users/2/ratings?limit=100").get_json()["results"]
    }


def test_an_unknown_user_is_told_who_there_is(client: FlaskClient) -> None:
    page = client.get("/for-you?user=9999&rated=1:5")
    assert page.status_code == 200
    assert "There is no user 9999 here: users here are 1 to 40." in page.text
    assert "You rated 1 film." in page.text
    assert "no user 5 here" not in client.get("/for-you?user=5&rated=").text  # a form sends empty fields, too


def test_films_added_online_are_neither_asked_nor_recommended(data: Path) -> None:
    movie_id = Library.open(data).add(Movie(0, "New", 2024, ("Sci-Fi",)), above=100)
    client = create_app(unlimited(data)).test_client()
    page = client.get(f"/for-you?rated=1:5,{movie_id}:4").text
    assert films(page, "given") == [movie_id, 1]
    assert movie_id not in films(page, "deck") + films(page, "picks")


def test_where_nobody_may_write_nothing_offers_to_keep(data: Path, client: FlaskClient) -> None:
    assert "Keep these ratings" in client.get("/for-you?rated=1:5").text
    closed = create_app(unlimited(data, writes=False)).test_client()
    assert "Keep these ratings" not in closed.get("/for-you?rated=1:5").text


def test_every_page_leads_here(client: FlaskClient) -> None:
    assert '<a href="/for-you" >For you</a>' in client.get("/").text
    assert '<a href="/for-you" aria-current="page">For you</a>' in client.get("/for-you").text


def test_an_address_can_be_read(client: FlaskClient) -> None:
    state = State({73: 4.5, 12: 2.0}, (9,), 7)
    with client.application.test_request_context():
        assert state.address == "/for-you?user=7&rated=73:4.5,12:2&skipped=9"
        assert state.without(73).address == "/for-you?user=7&rated=12:2&skipped=9"
        assert State({}).address == "/for-you"
