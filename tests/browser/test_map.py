"""The map of posters in a real browser: its drawing, and every way to move the view."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Visit, assert_accessible, looks

pytestmark = pytest.mark.system

READY = ".map[data-ready=true]"
# Share of the canvas that differs from the background, and the number of colours.
PAINTED = """() => {
  const { data } = copied();
  const pixels = new Uint32Array(data.buffer);
  let painted = 0;
  for (const pixel of pixels) if (pixel !== pixels[0]) painted++;
  return [painted / pixels.length, new Set(pixels).size];
}"""
ACCENT = """() => {
  const { data } = copied();
  let found = 0;
  for (let at = 0; at < data.length; at += 4) if (data[at] === 0xed && data[at + 1] === 0xb9 && data[at + 2] === 0x51) found++;
  return found;
}"""
# Reads a copy: reading the canvas itself would switch the browser to software drawing.
COPIED = """const copied = () => {
  const canvas = document.querySelector(".map canvas");
  const pen = Object.assign(document.createElement("canvas"), { width: canvas.width, height: canvas.height }).getContext("2d", { willReadFrequently: true });
  pen.drawImage(canvas, 0, 0);
  return pen.getImageData(0, 0, canvas.width, canvas.height);
};"""


def pixels(page: Page, function: str) -> Any:
    return page.evaluate(f"() => {{ {COPIED} return ({function})(); }}")


def ready(page: Page) -> Page:
    page.wait_for_selector(READY)
    until_address(page, "by=")
    return page


def state(page: Page) -> dict[str, str]:
    """Return the view in the address."""
    return state_of(page.url)


def state_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def zoom(page: Page) -> float:
    return float(state(page).get("zoom", 1))


def until_address(page: Page, pattern: str) -> None:
    page.wait_for_url(re.compile(pattern))


def until(page: Page, fits: Callable[[dict[str, str]], bool]) -> None:
    """Wait until the view in the address fits."""
    page.wait_for_url(lambda url: fits(state_of(url)))


def middle(page: Page) -> tuple[float, float]:
    box = page.locator(".map canvas").bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


@pytest.mark.parametrize(("width", "theme"), looks((1280, "light")))
def test_the_map_is_accessible_fits_and_is_painted(visit: Visit, width: int, theme: str) -> None:
    page = ready(visit("/map", width=width, theme=theme))
    share, colours = pixels(page, PAINTED)
    assert share > 0.2
    assert colours > 500
    page.locator(".map-middle summary").click()
    assert page.locator(".map-middle a").count() == 8
    assert_accessible(page)
    box = page.locator(".map").bounding_box()
    assert box is not None
    assert abs(box["y"] + box["height"] - 900) < 2  # to the lower edge of the window


def test_wheel_buttons_and_keys_zoom_and_drag_and_arrows_pan(visit: Visit) -> None:
    page = ready(visit("/map?by=poster"))
    assert "zoom" not in state(page)
    page.mouse.move(*middle(page))
    page.mouse.wheel(0, -400)
    until_address(page, "zoom=")
    near = zoom(page)
    assert near > 1.3
    page.get_by_role("button", name="Closer").click()
    until(page, lambda now: float(now["zoom"]) > near * 1.5)
    before = state(page)
    x, y = middle(page)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 120, y - 60, steps=4)
    page.mouse.up()
    until(page, lambda now: now["x"] != before["x"])
    dragged = state(page)
    assert float(dragged["x"]) > float(before["x"])
    assert float(dragged["y"]) > float(before["y"])
    assert "/map" in page.url  # a drag opens nothing
    page.locator(".map canvas").focus()
    page.keyboard.press("ArrowLeft")
    until(page, lambda now: float(now["x"]) < float(dragged["x"]))
    page.keyboard.press("-")
    until(page, lambda now: float(now["zoom"]) < float(dragged["zoom"]))
    page.keyboard.press("0")
    until(page, lambda now: "zoom" not in now)


def test_what_is_drawn_follows_the_view(visit: Visit) -> None:
    page = ready(visit("/map?by=poster"))
    whole = pixels(page, PAINTED)
    page.locator(".map canvas").focus()
    page.keyboard.press("+")
    until_address(page, "zoom=1.5")
    page.wait_for_selector(READY)
    assert pixels(page, PAINTED) != whole


def test_a_look_becomes_a_taste_and_the_address_says_so(visit: Visit) -> None:
    page = ready(visit("/map?by=poster"))
    page.get_by_text("By taste").click()
    until_address(page, "by=taste")
    page.wait_for_selector(READY)
    assert (
        page.locator(".map canvas").get_attribute("aria-label")
        == "Map of 240 posters, films loved alike near each other"
    )
    assert pixels(page, PAINTED)[0] > 0.2


def test_hovering_names_a_film_and_a_click_opens_it(visit: Visit) -> None:
    page = ready(visit("/map?by=poster"))
    page.mouse.move(*middle(page))
    tip = page.locator(".map-tip")
    tip.wait_for()
    title = tip.inner_text()
    assert re.search(r"\(\d{4}\)$", title)
    page.mouse.click(*middle(page))
    page.wait_for_url("**/movies/*")
    assert page.locator("h1").inner_text() == title.rsplit(" (", 1)[0]
    page.get_by_role("link", name="On the map").click()
    ready(page)
    until_address(page, r"film=\d+")


def test_a_link_to_a_film_flies_there_and_enter_opens_it(visit: Visit) -> None:
    page = ready(visit("/map?by=taste&film=73"))
    until_address(page, "zoom=.*film=73")
    assert zoom(page) > 1.5
    assert pixels(page, ACCENT) > 300  # the outline
    page.locator(".map canvas").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/movies/73")


def test_a_window_that_changes_its_size_does_not_stop_the_flight(visit: Visit) -> None:
    page = ready(visit("/map?by=poster"))
    page.evaluate(
        """() => {
      document.querySelector(".map-zoom [data-zoom=in]").click();
      requestAnimationFrame(() => dispatchEvent(new Event("resize")));
    }"""
    )
    until_address(page, "zoom=1.8")


def test_an_address_shows_what_it_showed(visit: Visit) -> None:
    page = ready(visit("/map?by=poster&x=4.00&y=3.50&zoom=2.00"))
    shown = {"by": "poster", "x": "4.00", "y": "3.50", "zoom": "2.00"}
    page.locator(".map-middle a").first.wait_for(state="attached")
    assert state(page) == shown


def test_a_film_is_found_by_its_title(visit: Visit) -> None:
    page = ready(visit("/map?by=poster"))
    page.get_by_role("combobox", name="Find a film on the map").fill("lisbon ciph")
    page.locator(".map-find [role=option]").first.click()
    until_address(page, r"film=\d+")
    assert page.evaluate("document.activeElement.localName") == "canvas"
    expect(page.locator(".map-middle")).to_contain_text("The Lisbon Cipher")
    page.keyboard.press("Escape")
    until(page, lambda now: "film" not in now)


def test_a_finger_on_small_posters_comes_nearer_before_it_opens(visit: Visit) -> None:
    page = ready(visit("/map?by=taste", width=360))
    tap = """([x, y]) => {
      const canvas = document.querySelector(".map canvas");
      for (const type of ["pointerdown", "pointerup"]) canvas.dispatchEvent(new PointerEvent(type, { clientX: x, clientY: y, pointerId: 7, pointerType: "touch", bubbles: true }));
    }"""
    page.evaluate("document.querySelector('.map canvas').setPointerCapture = () => {}")
    page.evaluate(tap, list(middle(page)))
    until_address(page, r"zoom=.*film=\d+")
    page.evaluate(tap, list(middle(page)))
    page.wait_for_url("**/movies/*", wait_until="commit")


def test_two_fingers_pinch(visit: Visit) -> None:
    page = ready(visit("/map?by=poster", width=360))
    x, y = middle(page)
    page.evaluate(
        """([x, y]) => {
      const canvas = document.querySelector(".map canvas");
      canvas.setPointerCapture = () => {};
      const send = (type, pointerId, dx) => canvas.dispatchEvent(new PointerEvent(type, { clientX: x + dx, clientY: y, pointerId, pointerType: "touch", bubbles: true }));
      send("pointerdown", 1, -20); send("pointerdown", 2, 20);
      for (let apart = 20; apart <= 80; apart += 10) { send("pointermove", 1, -apart); send("pointermove", 2, apart); }
      send("pointerup", 1, -80); send("pointerup", 2, 80);
    }""",
        [x, y],
    )
    until_address(page, "zoom=")
    assert zoom(page) == pytest.approx(4, rel=0.2)
    assert "/map" in page.url


def test_whoever_prefers_stillness_is_taken_there_at_once(visit: Visit) -> None:
    page = visit("/map?by=poster")
    page.emulate_media(reduced_motion="reduce")
    ready(page)
    page.get_by_text("By taste").click()
    until_address(page, "by=taste")
    page.get_by_role("button", name="Closer").click()
    until_address(page, "zoom=1.8")


def test_an_error_says_what_is_wrong_and_can_be_tried_again(visit: Visit) -> None:
    page = visit("/look", refused=True)
    failing = [True]

    def answer(route: Route) -> None:
        if failing[0]:
            body = '{"title": "Service Unavailable", "detail": "try again", "status": 500}'
            route.fulfill(
                status=500, body=body, headers={"X-Request-Id": "abc", "Content-Type": "application/problem+json"}
            )
        else:
            route.continue_()

    page.route("**/api/v1/map?*", answer)
    page.goto(page.url.replace("/look", "/map"))
    alert = page.get_by_role("alert")
    alert.wait_for()
    assert "Try again." in alert.inner_text()
    assert "abc" in alert.inner_text()
    failing[0] = False
    page.get_by_role("button", name="Try again").click()
    ready(page)
    assert page.get_by_role("alert").count() == 0
