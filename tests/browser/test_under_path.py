"""The site under a path of a real nginx, which removes the path from requests or passes it on."""

from __future__ import annotations

import json
import re
import urllib.request
from urllib.error import HTTPError

import pytest
from playwright.sync_api import expect

import posterity
from tests.browser.conftest import Site, UnderPath, Visit
from tests.browser.test_film import key, slide  # noqa: F401  a fixture
from tests.browser.test_map import PAINTED, pixels, ready

pytestmark = pytest.mark.system


@pytest.mark.parametrize("under_path", ["/films", pytest.param("/whole", marks=pytest.mark.long)], indirect=True)
def test_pages_scripts_and_pictures_stay_under_their_path(visit_under_path: Visit, under_path: UnderPath) -> None:
    page = visit_under_path("/")
    page.get_by_role("combobox").fill("coffin wagon")
    expect(page.get_by_role("option").locator("img").first).to_have_attribute(
        "src", re.compile(rf"^{under_path.path}/api/v1/movies/\d+/poster\?width=240&content=[0-9a-f]{{16}}$")
    )
    page.get_by_role("option").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Coffin Wagon")
    page.goto(f"{under_path.address}/movies/73/?genre=Romance")
    assert page.url == f"{under_path.address}/movies/73?genre=Romance"
    slide(page, "taste", 0)
    expect(page).to_have_url(re.compile(r"/movies/73\?.*taste=0"))
    page.locator("#by-poster li .card").first.hover()
    expect(page.get_by_role("link", name="Part by part")).to_have_attribute(
        "href", re.compile(f"^{under_path.path}/api/v1/movies/73/explanations/")
    )
    page.get_by_role("link", name="For you").click()
    page.wait_for_url(f"{under_path.address}/for-you")  # until its scripts run
    page.locator(".deck .stars label").first.click()
    expect(page).to_have_url(re.compile(rf"{under_path.path}/for-you\?rated="))
    expect(page.locator(".given li")).to_have_count(1)
    page.get_by_role("link", name="How good is it").click()
    page.get_by_role("link", name="Posterity, to the first page").click()
    assert page.url == f"{under_path.address}/"
    assert page.locator("main img").first.evaluate("(image) => image.decode().then(() => image.naturalWidth)") > 0


def test_an_encoded_slash_arrives_where_the_path_is_passed_on(nginx: str) -> None:
    for path, reason in (("/whole", "'a/b' is no movie id"), ("/films", "in an id, write a slash as %2F")):
        with pytest.raises(HTTPError) as refused:
            urllib.request.urlopen(f"{nginx}{path}/api/v1/movies/a%2Fb", timeout=60)  # noqa: S310
        assert reason in json.load(refused.value)["detail"]


def test_the_map_draws_its_posters_and_opens_films_under_its_path(
    visit_under_path: Visit, under_path: UnderPath
) -> None:
    page = visit_under_path("/")
    with page.expect_response(re.compile(r"/poster\?width=\d+&content=[0-9a-f]{16}$")) as poster:
        page.goto(f"{under_path.address}/map?by=poster&film=73")
        ready(page)
    assert "immutable" in poster.value.headers["cache-control"]
    assert pixels(page, PAINTED)[0] > 0.2
    page.locator(".map canvas").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"{under_path.address}/movies/73")


def test_films_are_added_changed_and_removed_under_a_path(
    visit_under_path: Visit,
    under_path: UnderPath,
    site: Site,
    key: str,  # noqa: F811
) -> None:
    page = visit_under_path("/")
    page.locator("form.upload input").set_input_files(site.data / "posters" / "7.jpg")
    page.get_by_text("Add it to the library").click(timeout=60_000)
    page.get_by_label("Title", exact=True).fill("Under a Path")
    page.get_by_label("API key").fill(key)
    page.get_by_label("Remember").check()
    page.get_by_role("button", name="Add it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Under a Path", timeout=60_000)
    assert page.url.startswith(f"{under_path.address}/movies/1000000")
    page.get_by_text("Change or remove this film").click()
    page.get_by_role("button", name="Remove the film").click()
    page.get_by_role("button", name="Remove it, with its ratings").click()
    page.wait_for_url(f"{under_path.address}/")


def test_the_document_of_the_api_and_errors_name_the_path(visit_under_path: Visit, under_path: UnderPath) -> None:
    page = visit_under_path("/api/v1/docs")
    expect(page.locator(".servers option")).to_have_text(under_path.path, timeout=30_000)  # Swagger UI is large
    page.locator("#operations-Read_endpoints-snapshot .opblock-summary-control").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    expect(page.locator(".live-responses-table tbody .response-col_status").first).to_contain_text("200")
    missing = visit_under_path("/movies/999", refused=True)
    missing.get_by_role("link", name="Back to the films").click()
    assert missing.url == f"{under_path.address}/"


def test_the_client_asks_a_server_under_a_path(under_path: UnderPath) -> None:
    with posterity.Client(f"{under_path.address}/") as client:
        assert client.movie(73)["movie_id"] == 73
        found = client.similar(73, by="poster", limit=2)
    (address,) = re.findall(r'src="([^"]+)"', found._repr_html_())[:1]
    with urllib.request.urlopen(address.replace("&amp;", "&"), timeout=60) as reply:  # noqa: S310
        assert reply.headers["Content-Type"] == "image/webp"
