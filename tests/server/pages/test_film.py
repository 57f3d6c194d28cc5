from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from flask.testing import FlaskClient

from index.spaces.blend import BlendExplanation, Part
from server.app import create_app
from server.pages.film import bar
from tests.conftest import World, unlimited


def explained(**contributions: float) -> BlendExplanation:
    parts = [Part(space, 1, 0.5, 0.9, contribution) for space, contribution in contributions.items()]
    parts.sort(key=lambda part: -part.contribution)
    return BlendExplanation(1, 2, sum(contributions.values()), 0.99, tuple(parts))


def test_a_bar_says_its_numbers_and_they_add_up() -> None:
    shown = bar(explained(facts=1.004, taste=3.006, poster=0.5))
    assert shown.words == "Score 4.51: taste 3.01 + facts 1.00 + look 0.50"
    assert [share.space for share in shown.shares] == ["poster", "taste", "facts"]
    assert sum(share.width for share in shown.shares) == pytest.approx(100, abs=0.02)
    assert shown.shares[1].start == shown.shares[0].width


def test_a_contribution_below_0_is_subtracted_and_has_no_width() -> None:
    shown = bar(explained(taste=3, poster=-0.25))
    assert shown.words == "Score 2.75: taste 3.00 − look 0.25"
    assert [share.width for share in shown.shares] == [0, 100]
    assert bar(explained(taste=-1.5)).words == "Score −1.50: − taste 1.50"


def test_every_film_of_the_blend_has_a_bar_of_the_weights_that_are_set(client: FlaskClient) -> None:
    for query, spaces in (("", {"look", "taste", "facts"}), ("?taste=100", {"taste"})):
        page = client.get(f"/movies/3{query}").text
        words = re.findall(r'class="shares" role="img" aria-label="Score (−?[\d.]+): ([^"]+)"', page)
        assert len(words) == 12
        for score, terms in words:
            found = re.findall(r"(− )?([a-z]+) (\d+\.\d+)", terms)
            total = sum((-1 if sign else 1) * float(number) for sign, _, number in found)
            assert total == pytest.approx(float(score.replace("−", "-")), abs=0.001)
        assert {word for _, terms in words for word in re.findall("[a-z]+", terms)} == spaces
        legend = page.partition("of-shares")[2].partition("</p>")[0]
        assert {name.lower() for name in re.findall(r"</svg>(\w+)", legend)} == spaces


class Tags(HTMLParser):
    """The tags of a page's head by which links are shown."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name = given.get("property") or given.get("name")
        if tag == "meta" and name and given.get("content"):
            self.found[name] = str(given["content"])


def test_a_shared_link_shows_the_title_the_facts_and_the_poster_as_a_jpeg(client: FlaskClient) -> None:
    tags = Tags(client.get("/movies/3").text).found
    assert tags["og:title"] == tags["twitter:title"] == "Starship 3 (1973)"
    assert tags["og:url"] == "http://localhost/movies/3"
    assert tags["og:type"] == "video.movie"
    assert re.match(r"1973 · Sci-Fi, Action · ★ \d\.\d from \d+ ratings\. ", tags["og:description"])
    assert tags["description"] == tags["og:description"] == tags["twitter:description"]
    assert tags["og:image"] == tags["twitter:image"]
    poster = client.get(tags["og:image"])
    assert (poster.status_code, poster.mimetype) == (200, tags["og:image:type"])
    assert poster.cache_control.immutable
    without = Tags(client.get("/movies/20").text).found
    assert not [name for name in without if "image" in name]
    assert Tags(client.get("/movies/22").text).found["og:description"].startswith("Films that look like it")


def test_addresses_of_previews_are_those_that_a_proxy_forwards(world: World) -> None:
    client = create_app(unlimited(world.data, proxies=1)).test_client()
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "a.example", "X-Forwarded-Prefix": "/films"}
    tags = Tags(client.get("/movies/3", headers=forwarded).text).found
    assert tags["og:url"] == "https://a.example/films/movies/3"
    assert tags["og:image"].startswith("https://a.example/films/api/v1/movies/3/poster?width=480&format=jpeg&content=")
    under = create_app(unlimited(world.data, prefix="/films")).test_client()
    assert Tags(under.get("/movies/3").text).found["og:url"] == "http://localhost/films/movies/3"
