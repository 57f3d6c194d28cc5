from __future__ import annotations

import base64
import hashlib
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from index.catalogue.movie import Movie
from server.app import create_app
from server.pages.embed import film_address
from tests.conftest import World, unlimited
from tests.paths import ROOT
from tests.server.conftest import assert_problem

OURS = "https://films.example"
PAGE = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def shared(world: World) -> FlaskClient:
    """Return a client of a server whose films pages of another origin may embed."""
    return create_app(unlimited(world.data, cors_origins=f"{OURS},http://localhost:3000", proxies=1)).test_client()


def policy(client: FlaskClient, path: str = "/embed/movies/3") -> dict[str, str]:
    header = client.get(path).headers["Content-Security-Policy"]
    return dict(part.split(" ", 1) for part in header.split("; "))


def links(client: FlaskClient, template: str) -> list[str]:
    page = client.get("/embed/movies/3", query_string={"link": template, "by": "taste", "limit": 24})
    assert page.status_code == 200, page.text
    return re.findall(r'<a href="([^"]*)"', page.text)


def test_it_has_the_films_that_the_api_has_with_posters_and_links_and_no_script(client: FlaskClient) -> None:
    expected = client.get("/api/v1/movies/3/similar?by=taste&limit=4&distinct=true").get_json()["results"]
    page = client.get("/embed/movies/imdb:tt0000003?by=taste&limit=4").text
    films = [match["movie"]["movie_id"] for match in expected]
    assert re.findall(r'<a href="http://localhost/movies/(\d+)" target="_top" rel="noopener">', page) == [
        str(film) for film in films
    ]
    posters = re.findall(r'<img src="(http://localhost/api/v1/movies/\d+/poster\?width=240[^"]*)"', page)
    assert len(posters) == 4
    assert all(client.get(address.replace("&amp;", "&")).mimetype == "image/webp" for address in posters)
    assert "<h1>Films like Starship 3 (1973)</h1>" in page
    assert not re.search(r"<script|\bon[a-z]+=|style=|<link|@import|url\(", page)


def test_addresses_are_those_that_a_proxy_forwards(shared: FlaskClient) -> None:
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "a.example", "X-Forwarded-Prefix": "/films"}
    page = shared.get("/embed/movies/3?by=taste", headers=forwarded).text
    addresses = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(addresses) == 12
    assert all(address.startswith("https://a.example/films/") for address in addresses)


def test_the_inline_style_is_the_one_that_the_policy_names(client: FlaskClient) -> None:
    style = re.findall(r"<style>(.*?)</style>", client.get("/embed/movies/3").text, re.DOTALL)[0]
    known = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy(client)["style-src"] == f"'sha256-{known}'"
    assert policy(client)["default-src"] == "'none'"
    assert "script-src" not in policy(client)


def test_frames_and_pages_of_listed_origins_may_have_it_and_of_no_other(
    shared: FlaskClient, client: FlaskClient, world: World
) -> None:
    assert policy(client)["frame-ancestors"] == "'self'"
    assert policy(shared)["frame-ancestors"] == f"'self' {OURS} http://localhost:3000"
    assert policy(shared, "/embed/movies/999")["frame-ancestors"] == f"'self' {OURS} http://localhost:3000"
    everyone = create_app(unlimited(world.data, cors_origins="*")).test_client()
    assert policy(everyone)["frame-ancestors"] == "'self' *"
    assert shared.get("/movies/3").headers["X-Frame-Options"] == "DENY"
    for origin, allowed in ((OURS, OURS), ("https://other.example", None)):
        reply = shared.get("/embed/movies/3", headers={"Origin": origin})
        assert (reply.headers.get("Access-Control-Allow-Origin"), "Origin" in reply.vary) == (allowed, True)
    assert "Access-Control-Allow-Origin" not in client.get("/embed/movies/3", headers={"Origin": OURS}).headers


def test_links_lead_to_the_site_that_a_template_names(client: FlaskClient) -> None:
    to_imdb = links(client, "https://example.org/films/{imdb_id}?from=a&b={tmdb_id}#{movie_id}")
    assert len(to_imdb) > 5
    assert all(
        re.fullmatch(r"https://example\.org/films/tt\d{7}\?from=a&amp;b=1\d{3}#\d+", address) for address in to_imdb
    )
    assert set(links(client, "http://[::1]:8096/all")) == {"http://[::1]:8096/all"}
    assert "<a " in client.get("/embed/movies/3?by=taste&link=").text  # an empty one is none


def test_ids_in_links_are_escaped_and_a_film_without_the_id_has_no_link(app: Flask) -> None:
    film = Movie(2**53, "Odd", imdb_id="tt0000001", source_id='a/b"<')
    with app.test_request_context():
        assert film_address(film, "https://a.example/{movie_id}?of={imdb_id}") == (
            "https://a.example/a%2Fb%22%3C?of=tt0000001"
        )
        assert film_address(film, "https://a.example/{tmdb_id}") is None
        assert film_address(film, None) == f"http://localhost/movies/{2**53}"


@pytest.mark.parametrize(
    "template",
    [
        "javascript:alert(1)//{imdb_id}",
        "//example.org/{imdb_id}",
        "/films/{imdb_id}",
        "ftp://example.org/{imdb_id}",
        "https://{imdb_id}.example.org/",
        "https://example.org{imdb_id}",
        "https://user@example.org/{imdb_id}",
        "https://example.org\\@evil.example/{imdb_id}",
        "https://example.org/{title}",
        "https://example.org/{imdb_id",
        "https://example.org/{{imdb_id}}",
        'https://example.org/"onclick="x',
        "https://example.org/<script>",
        "https://example.org/a b",
        "https://example.org/a\nb",
        "https://example.org/\u00e9",
        "https:///films",
        "data:text/html,x",
        "https://example.org/" + "a" * 500,
    ],
)
def test_a_template_of_anything_else_is_refused(client: FlaskClient, template: str) -> None:
    assert_problem(client.get("/embed/movies/3", query_string={"link": template}), 400, "link")


@pytest.mark.parametrize(("query", "words"), [("by=mood", "by"), ("limit=0", "limit"), ("limit=25", "limit")])
def test_other_parameters_are_checked(client: FlaskClient, query: str, words: str) -> None:
    assert_problem(client.get(f"/embed/movies/3?{query}"), 400, words)


def test_a_film_without_anything_to_compare_says_so(client: FlaskClient) -> None:
    page = client.get("/embed/movies/20?by=poster")
    assert page.status_code == 200
    assert "There is nothing yet to find films like Wedding" in page.text.replace("The Wedding", "Wedding")
    assert "<img" not in page.text


def test_an_unknown_film_is_a_small_page_in_a_frame_and_a_problem_to_programs(client: FlaskClient) -> None:
    page = client.get("/embed/movies/999", headers=PAGE)
    assert page.status_code == 404
    assert "999" in page.text
    assert "<header" not in page.text
    assert page.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert_problem(client.get("/embed/movies/999"), 404, "999")


def test_it_is_checked_for_changes_by_its_tag(client: FlaskClient) -> None:
    first = client.get("/embed/movies/3")
    assert first.cache_control.max_age == 300
    again = client.get("/embed/movies/3", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert client.get("/embed/movies/4").headers["ETag"] != first.headers["ETag"]


def test_where_reads_need_a_key_it_needs_one_too(world: World) -> None:
    closed: Flask = create_app(unlimited(world.data, read_keys=True))
    assert_problem(closed.test_client().get("/embed/movies/3"), 401, "API key")


def test_the_element_is_small() -> None:
    assert len((ROOT / "server" / "static" / "embed.js").read_bytes()) < 3000
