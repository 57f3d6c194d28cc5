from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from posterity.client import Client
from tests.browser.conftest import Site, Visit, assert_accessible
from tests.serving import ROOT

pytestmark = pytest.mark.system

FILM = "/movies/73"


@pytest.fixture(scope="session")
def key(site: Site) -> str:
    """Create an API key with the scope write."""
    command = [sys.executable, "-m", "posterity", "keys", "create", "browser", "--data", str(site.data)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    return printed.strip()


def shown(page: Page, by: str) -> list[str]:
    return page.locator(f"#by-{by} .name").all_text_contents()


def slide(page: Page, name: str, value: int) -> None:
    page.locator(f"input[name={name}]").evaluate(
        "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input', {bubbles: true})); }", value
    )


def test_three_ways_stand_side_by_side(visit: Visit) -> None:
    page = visit(FILM, width=1920)
    boxes = [page.locator(f"#by-{by}").bounding_box() for by in ("poster", "taste", "blend")]
    assert len({round(box["y"]) for box in boxes if box}) == 1
    assert all(len(shown(page, by)) == 12 for by in ("poster", "taste", "blend"))
    expect(page.locator("#by-poster .score").first).to_have_text(re.compile(r"closer than \d+(\.\d+)?% of pairs"))


def test_the_blend_follows_the_weights_and_the_address_tells_them(visit: Visit) -> None:
    page = visit(FILM)
    usual, look, taste = (shown(page, by) for by in ("blend", "poster", "taste"))
    slide(page, "taste", 0)
    slide(page, "facts", 0)
    expect(page.locator("#by-blend .name")).to_have_text(look)
    assert shown(page, "taste") == taste
    expect(page).to_have_url(re.compile("taste=0"))
    again = visit(page.url.removeprefix(page.evaluate("location.origin")))
    assert shown(again, "blend") == look
    again.get_by_role("link", name="As it was").click()
    expect(again.locator("#by-blend .name").first).to_have_text(usual[0])


def test_filters_narrow_all_three(visit: Visit) -> None:
    page = visit(FILM)
    page.locator("select[name=genre]").select_option("Romance")
    page.get_by_label("From", exact=True).fill("2000")
    page.get_by_label("From", exact=True).press("Tab")
    expect(page).to_have_url(re.compile("genre=Romance&year_from=2000"))
    page.wait_for_function("document.querySelector('.shelves').ariaBusy !== 'true'")
    for by in ("poster", "taste", "blend"):
        years = page.locator(f"#by-{by} .detail").all_text_contents()
        assert years
        assert all(int(year) >= 2000 for year in years)
    page.get_by_label("To", exact=True).fill("1900")
    page.get_by_label("To", exact=True).press("Tab")
    assert page.evaluate("document.querySelector('[name=year_to]').validity.rangeUnderflow")
    assert "year_to" not in page.url
    wrong = visit(f"{FILM}?year_from=2000&year_to=1900", refused=True)
    expect(wrong.get_by_role("heading", level=1)).to_have_text("That does not work")
    expect(wrong.locator("main")).to_contain_text("year_from 2000 is after year_to 1900")
    expect(wrong.locator("main")).to_contain_text("Request")


def test_hovering_shows_where_posters_are_alike(visit: Visit) -> None:
    page = visit(FILM)
    page.locator("#by-poster li .card").first.hover()
    why = page.locator("#why")
    expect(why).to_contain_text("Their posters are closer than")
    expect(why).to_contain_text("The 49 parts add up to the score")
    expect(page.locator("canvas.heat")).to_have_count(2)
    page.mouse.move(5, 5)
    expect(page.locator("canvas.heat")).to_have_count(0)
    expect(why).to_be_empty()


def test_the_focus_shows_who_loves_both(visit: Visit) -> None:
    page = visit(FILM)
    first = page.locator("#by-taste li").first
    other = first.get_attribute("data-movie")
    first.locator("a.card").focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    taste = page.evaluate(f"fetch('/api/v1/movies/73/explanations/{other}?by=taste').then((reply) => reply.json())")
    words = f"{taste['lovers_of_both']} of the {taste['lovers_who_rated']} who love Dear Stranger, Dear Heart"
    expect(page.locator("#why")).to_contain_text(words)


def test_a_touch_pins_the_reason_until_it_is_closed(visit: Visit) -> None:
    page = visit(FILM, width=360)
    with_poster = page.locator("#by-blend li").filter(has=page.locator("img"))
    with_poster.first.get_by_role("button", name="Why").click()
    why = page.locator("#why")
    expect(why).to_contain_text("Their posters are closer than")
    expect(why).to_contain_text("People who love one love the other")
    assert_accessible(page)
    page.mouse.move(5, 5)
    expect(why).not_to_be_empty()
    why.get_by_role("button", name="Close").click()
    page.wait_for_timeout(600)  # the film that was below the panel is below the pointer now
    expect(why).to_be_empty()


def test_without_scripts_the_form_weighs_and_narrows(visit: Visit) -> None:
    page = visit(FILM, scripts=False)
    page.locator("select[name=genre]").select_option("Drama")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**genre=Drama**")
    expect(page.locator("#by-taste .name").first).to_be_visible()


def test_a_film_is_changed_and_removed_with_a_key(visit: Visit, site: Site, key: str) -> None:
    movie = Client(site.address, api_key=key).add_movie("To Be Changed", genres=["Drama"])["movie_id"]
    page = visit(f"/movies/{movie}", refused=True)
    page.get_by_text("Change or remove this film").click()
    assert_accessible(page)
    form = page.locator("form.movie-form")
    form.get_by_label("API key").fill("pst_wrong")
    form.get_by_label("Title").fill("Another Title")
    form.get_by_label("IMDb id").fill("tt98765432")
    form.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("unknown or revoked")
    form.get_by_label("API key").fill(key)
    form.get_by_label("Remember").check()
    form.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Another Title")
    expect(page.get_by_role("link", name="IMDb")).to_have_attribute("href", "https://www.imdb.com/title/tt98765432/")
    assert Client(site.address).movie(movie)["genres"] == ["Drama"]  # nothing else was changed
    page.get_by_text("Change or remove this film").click()
    expect(page.locator("form.movie-form").get_by_label("API key")).to_have_value(key)
    page.get_by_role("button", name="Remove the film").click()
    page.get_by_role("button", name="Remove it, with its ratings").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Which film do you have in mind?")
    page.goto(f"{page.url}movies/{movie}")
    expect(page.locator(".state.wrong")).to_contain_text(f"there is no movie {movie} here")


def test_a_dropped_poster_is_compared_and_added(visit: Visit, site: Site, key: str) -> None:
    page = visit("/movies/73")
    picture = (site.data / "posters" / "7.jpg").read_bytes()
    page.evaluate(
        """(bytes) => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], "poster.jpg", {type: "image/jpeg"}));
            for (const name of ["dragover", "drop"]) {
                document.dispatchEvent(new DragEvent(name, {dataTransfer: data, bubbles: true, cancelable: true}));
            }
        }""",
        list(picture),
    )
    expect(page.get_by_role("heading", level=1)).to_have_text("Your picture")
    expect(page.get_by_role("heading", name="Looks like it")).to_be_visible(timeout=60_000)
    assert page.locator("[data-by=poster] li").first.get_attribute("data-movie") == "7"
    guess = page.locator(".guess")
    expect(guess.get_by_role("heading", name="How people will like it")).to_be_visible()
    expect(guess.locator("tbody tr")).to_have_count(6)
    before = guess.locator("tbody").inner_text()
    guess.get_by_label("Genres").select_option("Musical")
    expect(guess.locator("tbody")).not_to_have_text(before, use_inner_text=True)
    expect(guess.locator("li")).to_have_count(12)
    page.get_by_text("Add it to the library").click()
    assert_accessible(page)
    page.get_by_label("Title", exact=True).fill("Dropped In")
    page.locator(".movie-form").get_by_label("Year").fill("2026")
    page.locator(".movie-form").get_by_label("Genres").fill("Musical, Drama")
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Add it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Dropped In", timeout=60_000)
    expect(page.locator("#by-taste li").first).to_be_visible()  # its taste is guessed from its content
    assert page.locator("#by-poster li").first.get_attribute("data-movie") == "7"


def test_going_back_from_a_picture_leads_to_where_one_was(visit: Visit, site: Site) -> None:
    page = visit("/movies/73")
    page.locator("form.upload input").set_input_files(site.data / "posters" / "7.jpg")
    expect(page.get_by_role("heading", name="Looks like it")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("heading", level=1)).to_have_text("Your picture")
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Dear Stranger, Dear Heart")


def test_what_is_no_picture_is_said_and_a_large_one_is_not_sent(visit: Visit, tmp_path: Path) -> None:
    page = visit("/", refused=True)
    page.locator("form.upload input").set_input_files(
        {"name": "p.jpg", "mimeType": "image/jpeg", "buffer": b"no picture"}
    )
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("This is no JPEG, PNG, WebP, GIF, AVIF, TIFF, BMP or HEIC picture")
    expect(alert).to_contain_text("Request")
    (tmp_path / "large.jpg").write_bytes(b"\xff\xd8\xff" + bytes(11 * 2**20))
    page.locator("form.upload input").set_input_files(tmp_path / "large.jpg")
    expect(alert).to_contain_text("This picture is too large")
