"""Rating films and following the recommendations: by mouse, by keys, by address and without scripts."""

from __future__ import annotations

import json
import re

import pytest
from click.testing import CliRunner
from playwright.sync_api import Locator, Page, expect

from posterity.cli.main import main
from tests.browser.conftest import Site, Visit, assert_accessible, looks
from tests.serving import get

pytestmark = pytest.mark.system

GIVEN = ".given > li"
PICKS = ".picks > li"


def card(page: Page, at: int = 0) -> Locator:
    return page.locator(".deck > li").nth(at)


def film(item: Locator) -> str:
    return str(item.get_attribute("data-movie"))


def picked(page: Page) -> list[str]:
    return [str(each) for each in page.locator(PICKS).evaluate_all("films => films.map(each => each.dataset.movie)")]


def assert_seen(page: Page) -> None:
    """Assert that every card becomes opaque: one that never ends fading in counts as visible for the browser."""
    for each in page.locator(".deck > li, .picks > li").all():
        expect(each).to_have_css("opacity", "1", timeout=20_000)


def star(item: Locator, words: str) -> Locator:
    return item.locator(f'label[title="{words}"]')


def test_a_click_on_a_star_rates_and_the_next_film_takes_the_place(visit: Visit) -> None:
    page = visit("/for-you")
    before, rated, second = picked(page), film(card(page)), film(card(page, 1))
    expect(page.get_by_role("heading", name="Until then: films that most people love")).to_be_visible()
    star(card(page), "4 and a half stars").click()
    expect(page.locator(GIVEN)).to_have_count(1)
    assert page.url.endswith(f"/for-you?rated={rated}:4.5")
    assert page.locator(GIVEN).get_attribute("data-rating") == "4.5"
    assert film(card(page)) not in {rated, second}
    assert film(card(page, 1)) == second
    assert page.locator(".deck > li").count() == 12
    expect(page.get_by_role("heading", name="To watch next")).to_be_visible()
    assert picked(page) != before
    assert page.locator("#told").inner_text().startswith("Rated ")
    assert_seen(page)


def test_arrow_keys_choose_half_a_star_at_a_time_and_enter_rates(visit: Visit) -> None:
    page = visit("/for-you")
    rated = film(card(page))
    stars = card(page).get_by_role("radio")
    assert stars.count() == 10
    expect(card(page).get_by_role("radio", name="4 and a half stars")).to_have_count(1)
    stars.nth(0).focus()
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    expect(card(page).get_by_role("radio", name="3 and a half stars")).to_be_checked()
    assert "?" not in page.url  # chosen, not yet rated
    expect(card(page).locator(".chosen")).to_have_text("3 and a half stars: Enter rates")
    page.keyboard.press("Enter")
    expect(page.locator(GIVEN)).to_have_count(1)
    assert page.url.endswith(f"?rated={rated}:3.5")
    # The next film has the focus.
    expect(stars.nth(0)).to_be_focused()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    expect(page.locator(GIVEN)).to_have_count(2)
    assert page.url.endswith(":5")


def test_skipping_brings_the_next_film_and_changes_no_recommendation(visit: Visit) -> None:
    page = visit("/for-you?rated=73:5")
    before, skipped = picked(page), film(card(page, 2))
    card(page, 2).get_by_role("button", name="Skip").click()
    page.wait_for_url(f"**/for-you?rated=73:5&skipped={skipped}")
    expect(page.locator(f'.deck [data-movie="{skipped}"]')).to_have_count(0)
    assert picked(page) == before
    assert page.locator(".deck > li").count() == 12


def test_going_back_takes_one_rating_back_and_forward_gives_it_again(visit: Visit) -> None:
    page = visit("/for-you")
    nobody = picked(page)
    first = film(card(page))
    star(card(page), "5 stars").click()
    expect(page.locator(GIVEN)).to_have_count(1)
    one = picked(page)
    star(card(page, 3), "half a star").click()
    expect(page.locator(GIVEN)).to_have_count(2)
    two = picked(page)
    assert one != two
    page.go_back()
    expect(page.locator(GIVEN)).to_have_count(1)
    assert picked(page) == one
    page.go_back()
    expect(page.locator(GIVEN)).to_have_count(0)
    assert picked(page) == nobody
    expect(page.locator(f'.deck [data-movie="{first}"]')).to_be_visible()
    page.go_forward()
    expect(page.locator(GIVEN)).to_have_count(1)
    assert picked(page) == one


def test_ratings_in_quick_succession_all_count(visit: Visit) -> None:
    page = visit("/for-you")
    for at, words in enumerate(("5 stars", "1 star", "3 stars", "4 and a half stars")):
        star(card(page, at), words).click(no_wait_after=True)
    expect(page.locator(GIVEN)).to_have_count(4)
    assert len(re.findall(r"\d+:[\d.]+", page.url.split("?")[1])) == 4
    assert page.locator(".deck > li").count() == 12


def test_a_link_shows_what_was_rated_and_each_can_be_changed_or_removed(visit: Visit) -> None:
    page = visit("/for-you?rated=73:4.5,12:2&skipped=9")
    expect(page.locator(GIVEN)).to_have_count(2)
    romance = page.locator(f'{GIVEN}[data-movie="73"]')
    expect(romance.get_by_role("radio", name="4 and a half stars")).to_be_checked()
    before = picked(page)
    star(romance, "1 star").click()
    page.wait_for_url("**/for-you?rated=73:1,12:2&skipped=9")
    expect(page.locator(f'{GIVEN}[data-rating="1"]')).to_have_count(1)
    assert picked(page) != before
    page.get_by_role("link", name="Remove").last.click()
    page.wait_for_url("**/for-you?rated=12:2&skipped=9")
    expect(page.locator(GIVEN)).to_have_count(1)
    page.get_by_role("link", name="Start again").click()
    page.wait_for_url("**/for-you")
    expect(page.locator(GIVEN)).to_have_count(0)


def test_the_sum_adds_up_to_the_prediction_shown(visit: Visit) -> None:
    page = visit("/for-you?rated=73:4.5,12:2,88:4")
    pick = page.locator(PICKS).first
    pick.locator("summary").click()
    adds = [
        float(str(each)) for each in pick.locator("[data-adds]").evaluate_all("all => all.map(e => e.dataset.adds)")
    ]
    assert len(adds) == 4
    whole = float(str(pick.locator("[data-sum]").get_attribute("data-sum")))
    assert sum(adds) == pytest.approx(whole, abs=1e-4)
    shown = float(pick.locator(".predicted b").inner_text())
    assert shown == pytest.approx(min(max(whole, 0.5), 5), abs=0.051)
    # The reasons beside the prediction are the largest contributions.
    beside = re.findall(r"\(([+\N{MINUS SIGN}][\d.]+)\)", pick.locator(".because").inner_text())
    largest = sorted(adds[1:], key=abs, reverse=True)
    assert [float(each.replace("\N{MINUS SIGN}", "-")) for each in beside] == pytest.approx(largest, abs=0.0051)
    # Positions of the interval's ends, as shares of the bar's width.
    low, high = map(float, pick.locator(".predicted .detail").inner_text().split(" to "))
    track, band = (pick.locator(f".interval .{name}").first.bounding_box() for name in ("track", "range"))
    assert track is not None
    assert band is not None
    ends = [(edge - track["x"]) / track["width"] * 4.5 + 0.5 for edge in (band["x"], band["x"] + band["width"])]
    assert ends == pytest.approx([low, high], abs=0.06)


def test_any_user_can_be_looked_at_and_rated_for(visit: Visit) -> None:
    page = visit("/for-you?rated=73:5")
    page.get_by_label("As user").fill("7")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**/for-you?user=7&rated=73:5")
    expect(page.locator(".stand")).to_contain_text("As user 7, who rated 102 films, and 1 more by you")
    page.get_by_text("Ratings of user 7").click()
    expect(page.locator(".own li")).to_have_count(48)
    page.get_by_label("As user").fill("9999")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("There is no user 9999 here: users here are 1 to 300.")


def test_ratings_are_kept_only_if_asked_and_with_a_key(visit: Visit, site: Site) -> None:
    key = CliRunner().invoke(main, ["keys", "create", "page", "--data", str(site.data)]).stdout.strip()
    ratings = f"{site.address}/api/v1/users/4001/ratings"
    page = visit("/for-you?rated=73:4.5,12:2", refused=True)
    page.get_by_text("Keep these ratings").click()
    page.get_by_label("For user").fill("4001")
    page.get_by_label("API key").fill("pst_nonsense")
    page.get_by_role("button", name="Keep", exact=True).click()
    alert = page.locator(".keep").get_by_role("alert")
    expect(alert).to_contain_text("unknown or revoked")
    expect(alert).to_contain_text("Request ")
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Keep", exact=True).click()
    expect(page.locator(".keep")).to_contain_text("Kept 2 ratings for user 4001.")
    assert {each["movie"]["movie_id"]: each["rating"] for each in get(ratings)["results"]} == {12: 2, 73: 4.5}
    assert key not in page.url
    assert page.evaluate("sessionStorage.length") == 0
    page.get_by_label("Remember the key until this tab is closed").check()
    page.get_by_role("button", name="Keep", exact=True).click()
    expect(page.locator(".keep")).to_contain_text("Kept 2 ratings")
    assert page.evaluate("[localStorage.getItem('posterity-key'), sessionStorage.getItem('posterity-key')]") == [
        None,
        key,
    ]
    page.get_by_role("link", name="See what user 4001").click()
    expect(page.locator(".stand")).to_contain_text("As user 4001, who rated 2 films")
    for movie in (12, 73):
        page.request.delete(f"{ratings}/{movie}", headers={"Authorization": f"Bearer {key}"})


def test_what_is_typed_to_keep_ratings_stays_while_more_are_rated(visit: Visit) -> None:
    page = visit("/for-you", refused=True)
    star(card(page), "5 stars").click()
    page.get_by_text("Keep these ratings").click()
    page.get_by_label("For user").fill("4002")
    page.get_by_label("API key").fill("pst_nonsense")
    star(card(page), "2 stars").click()
    expect(page.locator(GIVEN)).to_have_count(2)
    expect(page.get_by_label("For user")).to_have_value("4002")
    page.get_by_role("button", name="Keep", exact=True).click()
    expect(page.locator(".keep .said").last).to_have_text("Nothing was kept.")


def test_a_removed_rating_leaves_the_focus_near(visit: Visit) -> None:
    page = visit("/for-you?rated=73:4.5,12:2")
    page.get_by_role("link", name="Remove").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator(GIVEN)).to_have_count(1)
    expect(page.locator(f"{GIVEN} input:checked")).to_be_focused()
    page.get_by_role("link", name="Remove").press("Enter")
    expect(page.locator(GIVEN)).to_have_count(0)
    expect(page.get_by_role("heading", name="How do you like these?")).to_be_focused()


def test_it_works_without_scripts(visit: Visit) -> None:
    page = visit("/for-you", scripts=False)
    rated, next_film = film(card(page)), film(card(page, 1))
    card(page).get_by_role("radio", name="4 and a half stars").check()
    card(page).get_by_role("button", name="Rate").click()
    expect(page.locator(GIVEN)).to_have_attribute("data-rating", "4.5")
    assert film(card(page)) == next_film
    card(page).get_by_role("button", name="Skip").click()
    expect(page.locator(f'.deck [data-movie="{next_film}"]')).to_have_count(0)
    given = page.locator(GIVEN)
    given.get_by_role("radio", name="2 stars", exact=True).check()
    given.get_by_role("button", name="Change").click()
    expect(page.locator(f'{GIVEN}[data-movie="{rated}"]')).to_have_attribute("data-rating", "2")
    page.get_by_label("As user").fill("7")
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".stand")).to_contain_text("As user 7")
    page.get_by_role("link", name="Remove").click()
    expect(page.locator(GIVEN)).to_have_count(0)
    expect(page.get_by_text("Keep these ratings")).to_be_hidden()


def test_a_server_that_is_gone_loses_nothing(visit: Visit) -> None:
    page = visit("/for-you", refused=True)
    page.context.set_offline(True)
    star(card(page), "5 stars").click()
    expect(page.locator(".picking").get_by_role("alert")).to_contain_text("The server cannot be reached")
    page.context.set_offline(False)  # and it is tried again automatically
    expect(page.locator(GIVEN)).to_have_count(1)
    expect(page.locator(".picking .state")).to_have_count(0)


def test_who_asks_too_often_waits_and_is_answered(visit: Visit) -> None:
    page = visit("/for-you", refused=True)
    refused = {
        "type": "about:blank",
        "title": "Too Many Requests",
        "status": 429,
        "detail": "too many",
        "instance": "/",
    }
    page.route(
        re.compile(r"/for-you\?rated"),
        lambda route: route.fulfill(status=429, headers={"Retry-After": "1"}, body=json.dumps(refused)),
        times=1,
    )
    star(card(page), "5 stars").click()
    expect(page.locator(".picking").get_by_role("alert")).to_contain_text("Trying again in 1 s")
    expect(page.locator(GIVEN)).to_have_count(1)


@pytest.mark.parametrize(("width", "theme"), looks((360, "dark")))
def test_it_is_accessible_in_every_state(visit: Visit, width: int, theme: str) -> None:
    for path in (
        "/for-you",
        "/for-you?rated=73:4.5,12:2&skipped=9",
        "/for-you?user=7&rated=73:4",
        "/for-you?user=9999",
    ):
        page = visit(path, width=width, theme=theme)
        for details in page.locator("details").all()[:3]:
            details.locator("summary").click()
        assert_accessible(page)
