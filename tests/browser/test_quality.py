"""The page "How good is it": readable at every width and in both themes, with plots that need no script."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import THEMES, WIDTHS, Visit, assert_accessible, looks
from tests.serving import Serving

pytestmark = pytest.mark.system

PLOTS = ("against", "learning", "calibration", "by-ratings", "ranking", "blend", "recall", "speed")


@pytest.mark.parametrize(("width", "theme"), looks((1280, "light")))
def test_the_page_is_accessible_with_its_tables_closed_and_open(visit: Visit, width: int, theme: str) -> None:
    page = visit("/quality", width=width, theme=theme)
    assert_accessible(page)
    for summary in page.locator("summary").all():
        summary.click()
    for name in PLOTS:
        assert page.locator(f"#{name} table").is_visible()
    assert_accessible(page)


@pytest.mark.parametrize("width", [360, *(pytest.param(width, marks=pytest.mark.long) for width in WIDTHS[1:])])
def test_every_mark_and_word_of_a_plot_is_within_it(visit: Visit, width: int) -> None:
    page = visit("/quality", width=width)
    for name in PLOTS:
        figure = page.locator(f"#{name}")
        frame = figure.bounding_box()
        assert frame is not None
        marks = figure.locator("svg rect.mark, svg circle.dot, svg text").all()
        assert len(marks) > 2
        for mark in marks:
            box = mark.bounding_box()
            if box is not None:  # None for an empty word
                assert frame["x"] - 1 <= box["x"], name
                assert box["x"] + box["width"] <= frame["x"] + frame["width"] + 8, name


@pytest.mark.long
def test_words_in_plots_keep_their_size_at_any_width(visit: Visit) -> None:
    heights = [visit("/quality", width=width).locator("#against text").first.bounding_box() for width in WIDTHS]
    assert len({round(box["height"]) for box in heights if box is not None}) == 1


def test_plots_follow_the_theme(visit: Visit) -> None:
    colours = {
        visit("/quality", theme=theme)
        .locator("#against .ours .mark")
        .first.evaluate("mark => getComputedStyle(mark).fill")
        for theme in THEMES
    }
    assert len(colours) == 2


def test_without_scripts_everything_is_there(browser: Browser, site: Serving) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site.address}/quality")
    for name in PLOTS:
        assert page.locator(f"#{name} svg[role=img]").is_visible()
    page.locator("#against summary").click()
    assert page.locator("#against table").is_visible()
    context.close()
