"""Loading and error states. The browser's requests are intercepted, to fail or to wait."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import Visit
from tests.browser.test_film import slide

pytestmark = pytest.mark.system

SHELVES = "**/movies/73?*"


def test_a_server_that_is_gone_is_said_and_tried_again(visit: Visit) -> None:
    page = visit("/movies/73", refused=True)
    page.route(SHELVES, lambda route: route.abort("connectionrefused"))
    slide(page, "taste", 0)
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("The server cannot be reached")
    expect(page.locator("#by-blend li")).to_have_count(12)  # the shelf stays
    page.unroute(SHELVES)
    alert.get_by_role("button", name="Try again").click()
    expect(alert).to_have_count(0)
    assert "taste=0" in page.url


def test_a_limit_is_waited_for_and_then_it_goes_on_by_itself(visit: Visit) -> None:
    page = visit("/movies/73", refused=True)
    told = []

    def once(route: Route) -> None:
        told.append(route.request.url)
        if len(told) > 1:
            route.continue_()
            return
        problem = {"title": "Too Many Requests", "status": 429, "detail": "too many requests: wait and ask again"}
        route.fulfill(
            status=429,
            headers={"Retry-After": "1", "X-Request-Id": "abc123", "Content-Type": "application/problem+json"},
            body=json.dumps(problem),
        )

    page.route(SHELVES, once)
    slide(page, "taste", 0)
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("Too Many Requests")
    expect(alert).to_contain_text("abc123")
    expect(alert.get_by_role("button")).to_have_text("Trying again in 1 s")
    expect(alert).to_have_count(0)
    assert len(told) == 2


def test_a_mistake_of_the_server_names_the_request(visit: Visit) -> None:
    page = visit("/movies/73", refused=True)
    problem = {"title": "Internal Server Error", "status": 500, "detail": "Something went wrong here; it was logged."}
    page.route(
        "**/explanations/**",
        lambda route: route.fulfill(status=500, headers={"X-Request-Id": "def456"}, body=json.dumps(problem)),
    )
    page.locator("#by-poster li .card").first.hover()
    expect(page.locator("#why")).to_contain_text("Something went wrong here")
    expect(page.locator("#why")).to_contain_text("def456")


def test_a_device_without_network_says_so_and_keeps_what_is_there(visit: Visit) -> None:
    page = visit("/movies/73", refused=True)
    page.context.set_offline(True)
    expect(page.get_by_role("status").filter(has_text="cannot be reached")).to_be_visible()
    page.locator("#by-taste li .card").nth(2).hover()
    expect(page.locator("#why")).to_contain_text("This device is offline")
    page.context.set_offline(False)
    expect(page.locator("#why")).to_contain_text("People who love one love the other")


def test_light_or_dark_is_remembered(visit: Visit) -> None:
    page = visit("/", theme="dark")
    root = page.locator("html")
    expect(root).to_have_attribute("data-theme", "dark")
    page.get_by_role("button", name="Light or dark").click()
    expect(root).to_have_attribute("data-theme", "light")
    page.reload()
    expect(root).to_have_attribute("data-theme", "light")
