from __future__ import annotations

import io
import re
from html import unescape

import pytest
from flask.testing import FlaskClient

from index.answers.serialize import UNTRAINED_NOTICE
from index.core.errors import SearchUnavailable
from index.movie_index import MovieIndex
from server.pages.home import TMDB_NOTICE
from tests.conftest import SPACE, WEDDINGS, World
from tests.server.conftest import assert_problem

PAGE = {"Accept": "text/html"}
ADMIRERS = r'<tr data-movie="(\d+)">.*?<td>([0-9.]+)</td>'


def section(page: str, heading: str) -> list[int]:
    """Return the ids of the movies in a section, in order."""
    (part,) = re.findall(rf"<h2[^>]*>{heading}</h2>(.*?)</section>", page, re.DOTALL)
    return [int(found) for found in re.findall(r'href="/movies/(\d+)"', part)]


def loved_like_it(page: str) -> list[int]:
    """Return the ids of the taste neighbours that are guessed for a picture."""
    return [int(found) for found in re.findall(r'href="/movies/(\d+)"', page.split("Loved by the same people")[1])]


def test_home_shows_the_best_known_films_with_posters_first(client: FlaskClient) -> None:
    page = client.get("/").text
    shown = [int(found) for found in re.findall(r'href="/movies/(\d+)"', page)]
    assert len(shown) == 23
    assert set(shown[-2:]) == {20, 22}
    assert page.count('src="/api/v1/movies/') == 21


def test_search_shows_what_fits_and_says_when_nothing_does(client: FlaskClient) -> None:
    page = client.get("/?q=wedding+12").text
    assert "/movies/12" in page
    assert "/movies/13" not in page
    assert "No film is called “zzz”" in client.get("/?q=zzz").text
    near = client.get("/?q=weding+12").text
    assert "No film is called “weding 12”" in near
    assert "Perhaps one of these" in near
    assert "/movies/12" in near


def test_a_film_shows_look_and_taste_side_by_side(client: FlaskClient) -> None:
    page = client.get("/movies/3").text
    for heading, by in (("Looks like it", "poster"), ("Loved like it", "taste"), ("Both, and more", "blend")):
        reply = client.get(f"/api/v1/movies/3/similar?by={by}&limit=12").get_json()
        assert section(page, heading) == [match["movie"]["movie_id"] for match in reply["results"]]
    assert "Starship 3" in page
    assert "1973 · Sci-Fi, Action" in page


def test_a_film_without_poster_or_ratings_says_so(client: FlaskClient) -> None:
    assert "This film has no poster here" in client.get("/movies/20").text
    assert "Nobody had rated this film at the last update" in client.get("/movies/22").text
    page = client.get("/movies/21").text
    assert "Not yet rated at the last update" in page
    assert set(section(page, "Loved like it, in all likelihood")[:5]) <= set(SPACE)


def test_a_film_is_shown_while_the_search_does_not_answer(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise SearchUnavailable("milvus://search does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(MovieIndex, "explain_blend", away)  # the neighbours are stored
        page = client.get("/movies/3")
        assert page.status_code == 200
        assert section(page.text, "Both, and more")
    monkeypatch.setattr(MovieIndex, "similar", away)
    page = client.get("/movies/3?genre=Sci-Fi")
    assert page.status_code == 200
    assert page.text.count("The search does not answer just now: try again in a minute.") == 3


def test_a_film_that_nothing_is_known_of_says_so(client: FlaskClient) -> None:
    page = client.get("/movies/22").text
    assert "There is no poster, no rating and no fact of this film to go by." in page
    assert 'class="blank hue4"' in page


def test_weights_and_filters_are_in_the_address(client: FlaskClient) -> None:
    page = client.get("/movies/3?poster=100&taste=0&facts=0&genre=&year_from=").text
    assert section(page, "Both, and more") == section(page, "Looks like it")
    narrowed = client.get("/movies/3?genre=Romance&year_from=2003&year_to=2006").text
    for heading in ("Looks like it", "Loved like it", "Both, and more"):
        assert sorted(section(narrowed, heading)) == [13, 14, 15, 16]
    nothing = client.get("/movies/3?year_to=1900").text
    assert nothing.count("No film fits") == 3


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("taste=101", "taste"),
        ("taste=much", "taste: write a whole number"),
        ("genre=Opera", "no movie is &#39;Opera&#39;"),
        ("year_from=2000&year_to=1990", "year_from 2000 is after year_to 1990"),
    ],
)
def test_what_cannot_be_asked_of_a_film_is_said(client: FlaskClient, query: str, words: str) -> None:
    reply = client.get(f"/movies/3?{query}", headers=PAGE)
    assert reply.status_code in {400, 422}
    assert words in reply.text
    assert "That does not work" in reply.text
    assert reply.headers["X-Request-Id"] in reply.text


def test_the_drop_page_says_what_can_be_dropped(client: FlaskClient) -> None:
    assert "JPEG, PNG, WebP, GIF, AVIF" in client.get("/look").text


def test_a_dropped_poster_shows_its_neighbours(client: FlaskClient, world: World) -> None:
    data = (world.posters / "3.jpg").read_bytes()
    page = client.post("/look", data={"poster": (io.BytesIO(data), "p.jpg")}).text
    assert section(page, "Looks like it")[0] == 3
    assert 'src="data:image/jpeg;base64,' in page


def test_a_dropped_poster_is_guessed_from_what_is_known(client: FlaskClient, world: World) -> None:
    data = (world.posters / "3.jpg").read_bytes()
    dropped = client.post("/look", data={"poster": (io.BytesIO(data), "p.jpg")}).text
    look = re.search(r'name="look" value="([^"]+)"', dropped)
    assert look
    known = {"look": look[1], "year": "1975", "genre": "Sci-Fi"}
    page = client.get("/look/guess", query_string=known).text
    admirers = {int(movie): float(given) for movie, given in re.findall(ADMIRERS, page, re.DOTALL)}
    space = [given for movie, given in admirers.items() if movie in SPACE]
    weddings = [given for movie, given in admirers.items() if movie in WEDDINGS]
    assert space
    assert weddings
    assert min(space) > max(weddings) + 0.5
    assert set(loved_like_it(page)[:3]) <= {*SPACE, 21}
    other = client.get("/look/guess", query_string=known | {"genre": "Romance"}).text
    assert set(loved_like_it(other)[:3]) <= {*WEDDINGS, 23}
    assert look[1] in page  # the form goes on without the picture


@pytest.mark.parametrize("look", ["AAAA", "%20", "____" * 342])
def test_what_is_no_look_of_a_picture_is_refused(client: FlaskClient, look: str) -> None:
    reply = client.get(f"/look/guess?look={look}", headers=PAGE)
    assert reply.status_code == 400
    assert "drop the picture again" in reply.text


def test_what_goes_wrong_is_a_page_for_people_and_a_problem_for_programs(client: FlaskClient) -> None:
    missing = client.get("/movies/999", headers=PAGE)
    assert missing.status_code == 404
    assert missing.mimetype == "text/html"
    assert "there is no movie 999 here" in missing.text
    assert_problem(client.get("/movies/999"), 404, "no movie 999")
    bad = client.post("/look", data={"poster": (io.BytesIO(b"text"), "p.jpg")}, headers=PAGE)
    assert bad.status_code == 422
    assert "no JPEG, PNG, WebP, GIF, AVIF, TIFF, BMP or HEIC" in bad.text


def test_every_page_says_which_weights_and_whose_data(client: FlaskClient, world: World) -> None:
    for path in ("/", "/movies/3", "/?q=x"):
        page = unescape(client.get(path).text)
        assert UNTRAINED_NOTICE in page
        assert TMDB_NOTICE in page
        assert world.manifest.id in page


def test_titles_are_escaped(client: FlaskClient) -> None:
    assert "<script>alert" not in client.get("/?q=%3Cscript%3Ealert(1)%3C/script%3E").text


@pytest.mark.parametrize("name", ["style.css", "theme.js", "page.js", "icon.svg", "fonts/figtree.woff2"])
def test_what_pages_load_is_there(client: FlaskClient, name: str) -> None:
    assert f"/static/{name}" in client.get("/").text
    with client.get(f"/static/{name}") as reply:
        assert reply.status_code == 200


@pytest.mark.parametrize("path", ["/", "/movies/3", "/for-you?rated=1:5", "/map", "/quality", "/look"])
def test_a_link_that_others_added_parameters_to_still_works(client: FlaskClient, path: str) -> None:
    added = "fbclid=abc&utm_source=news&utm_source=again&poster.x=1"
    plain, shared = client.get(path), client.get(f"{path}{'&' if '?' in path else '?'}{added}")
    assert shared.status_code == 200
    assert shared.text == plain.text


def test_the_api_refuses_what_it_does_not_know(client: FlaskClient) -> None:
    assert_problem(client.get("/api/v1/movies/3?fbclid=abc"), 400, "fbclid: there is no such parameter")
