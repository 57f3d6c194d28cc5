"""Films embedded in pages of another site: by an element, and in a frame; from an origin that is listed, and not."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import OtherSite, Site, Visit, assert_accessible, looks
from tests.conftest import DEMO_POSTERS

pytestmark = pytest.mark.system

ELEMENT = """<!doctype html><html lang="en"><head><title>A film</title><meta name="viewport" content="width=device-width">
<script src="{site}/static/embed.js" defer></script></head><body><main><h1>A film</h1>
<posterity-similar movie="28" by="poster" limit="4" link="https://example.org/films/{{movie_id}}">
<p>See more <a href="/films">films</a>.</p></posterity-similar></main></body></html>"""
FRAME = """<!doctype html><html lang="en"><head><title>A film</title></head><body>
<iframe title="Films like it" src="{site}/embed/movies/28?by=poster&amp;limit=4" width="600" height="400"></iframe></body></html>"""
STRICT = "default-src 'none'; script-src {site}; connect-src {site}; img-src {site}"

Open = Callable[[str], Page]


@pytest.fixture
def on(browser: Browser, site: Site, other_site: OtherSite) -> Iterator[Open]:
    """Return a function that opens an address of the other site in a new window."""
    for path, page, policy in (
        ("/element", ELEMENT, ""),
        ("/strict", ELEMENT, STRICT),
        ("/frame", FRAME, ""),
        ("/unknown", ELEMENT.replace('movie="28"', 'movie="imdb:tt9999999"'), ""),
    ):
        other_site.pages[path] = (page.format(site=site.address), policy.format(site=site.address))
    context = browser.new_context(viewport={"width": 600, "height": 800})

    def open_at(address: str) -> Page:
        page = context.new_page()
        page.goto(address)
        return page

    yield open_at
    context.close()


def loaded(page: Page) -> int:
    """Return the number of posters that the browser has, once none is on its way."""
    page.wait_for_function(
        "() => { const found = [...document.querySelector('posterity-similar').shadowRoot.querySelectorAll('img')];"
        " return found.length && found.every((image) => image.complete); }"
    )
    widths = page.evaluate(
        "[...document.querySelector('posterity-similar').shadowRoot.querySelectorAll('img')].map((i) => i.naturalWidth)"
    )
    return sum(width > 0 for width in widths)


@pytest.mark.parametrize("path", ["/element", "/strict"])
def test_an_element_on_a_listed_origin_shows_posters_with_links_of_its_site(
    on: Open, other_site: OtherSite, path: str
) -> None:
    page = on(other_site.listed + path)
    links = page.locator("posterity-similar a[target=_top]")
    expect(links).to_have_count(4)
    assert loaded(page) == 4
    assert all(
        address.startswith("https://example.org/films/")
        for address in links.evaluate_all("all => all.map(a => a.href)")
    )
    expect(page.get_by_text("See more")).to_be_hidden()
    assert page.locator("posterity-similar ul").evaluate("list => getComputedStyle(list).display") == "grid"
    if path == "/element":
        assert_accessible(page)
        page.locator("posterity-similar").evaluate("element => element.setAttribute('limit', '2')")
        expect(links).to_have_count(2)


@pytest.mark.parametrize(("listed", "path"), [(False, "/element"), (True, "/unknown")])
def test_an_origin_that_is_not_listed_and_a_film_that_is_not_there_show_what_the_page_says(
    on: Open, other_site: OtherSite, listed: bool, path: str
) -> None:
    page = on((other_site.listed if listed else other_site.unlisted) + path)
    with page.expect_console_message(lambda said: said.text.startswith("posterity-similar:")):
        page.reload()
    expect(page.get_by_text("See more")).to_be_visible()
    expect(page.locator("posterity-similar img")).to_have_count(0)


def test_a_frame_shows_films_on_a_listed_origin_and_nothing_on_another(on: Open, other_site: OtherSite) -> None:
    frame = on(f"{other_site.listed}/frame").frame_locator("iframe")
    expect(frame.locator("li img")).to_have_count(4)
    expect(frame.get_by_role("heading", name="Films like")).to_be_attached()
    refused = on(f"{other_site.unlisted}/frame")
    refused.wait_for_load_state("networkidle")
    expect(refused.frame_locator("iframe").locator("li")).to_have_count(0)


@pytest.mark.parametrize(("width", "theme"), looks((360, "dark")))
def test_it_is_readable_in_both_themes_at_every_width(visit: Visit, width: int, theme: str) -> None:
    page = visit("/embed/movies/28?limit=12", width=width, theme=theme, scripts=True)
    expect(page.locator("li")).to_have_count(12)
    assert_accessible(page)


def test_a_film_without_a_poster_says_that_nothing_is_like_it(visit: Visit) -> None:
    without = min(set(range(1, 150)) - set(DEMO_POSTERS))
    page = visit(f"/embed/movies/{without}?by=poster")
    expect(page.get_by_text("There is nothing yet to find films like")).to_be_visible()
    assert_accessible(page)
