from __future__ import annotations

import re

import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import Visit, assert_accessible

pytestmark = pytest.mark.system


def test_search_answers_while_one_types_and_forgives_errors(visit: Visit) -> None:
    page = visit("/")
    box = page.get_by_role("combobox", name="Search films by title")
    for typed in ("coffin wag", "wagon coffin the", "cofin wagon", "coffinwagon"):
        box.fill(typed)
        expect(page.get_by_role("option").first).to_contain_text("Coffin Wagon")
    box.press("ArrowDown")
    expect(page.get_by_role("option").first).to_have_attribute("aria-selected", "true")
    box.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Coffin Wagon")


def test_the_list_is_left_by_escape_and_by_going_elsewhere(visit: Visit) -> None:
    page = visit("/")
    box = page.get_by_role("combobox")
    box.fill("a")
    expect(page.get_by_role("option")).to_have_count(8)
    assert_accessible(page)
    box.focus()
    box.fill("a")
    expect(page.get_by_role("listbox")).to_be_visible()
    box.press("Escape")
    expect(page.get_by_role("listbox")).to_be_hidden()
    expect(box).to_have_value("a")
    box.press("ArrowDown")
    box.fill("b")
    expect(page.get_by_role("listbox")).to_be_visible()
    page.get_by_role("button", name="Light or dark").focus()
    expect(page.get_by_role("listbox")).to_be_hidden()


def test_a_key_leads_to_the_search_and_enter_shows_all_that_fits(visit: Visit) -> None:
    page = visit("/")
    page.keyboard.press("/")
    page.keyboard.type("midnight")
    expect(page.get_by_role("option").first).to_be_visible()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/\?q=midnight$"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("“midnight”")
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Which film do you have in mind?")


def test_what_nobody_calls_a_film_is_said(visit: Visit) -> None:
    page = visit("/")
    page.get_by_role("combobox").fill("zzzzqqqq")
    expect(page.locator(".suggestions")).to_have_text("No film is called “zzzzqqqq”, or anything like it.")


def test_what_is_chosen_while_an_answer_is_on_its_way_stays_chosen_until_one_types_on(visit: Visit) -> None:
    page = visit("/")
    box = page.get_by_role("combobox")
    box.fill("coffin wag")
    option = page.get_by_role("option").first
    expect(option).to_contain_text("Coffin Wagon")
    held: list[Route] = []
    page.route(re.compile(r"/api/v1/movies\?"), lambda route: held.append(route), times=1)
    with page.expect_request(re.compile("q=coffinwagon")):
        box.fill("coffinwagon")
    box.press("ArrowDown")
    expect(option).to_have_attribute("aria-selected", "true")
    old = option.element_handle()
    held[0].continue_()
    page.wait_for_function("(old) => !old.isConnected", arg=old)  # until the result is shown
    expect(option).to_have_attribute("aria-selected", "true")
    box.press("x")
    expect(option).to_have_attribute("aria-selected", "false")
