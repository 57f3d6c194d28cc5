"""Ratings from elsewhere on the page "For you": dropped, kept by the browser, cleared; and without scripts."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from index.library.api_keys import Keys
from index.library.database import Database
from index.library.rating_log import RatingLog
from tests.browser.conftest import Site, Visit, assert_accessible, looks
from tests.browser.test_for_you import assert_seen, picked
from tests.index.imports.samples import packed
from tests.serving import get

pytestmark = pytest.mark.system

HEAD = "Date,Name,Year,Letterboxd URI"
DROP = """([content, name]) => {
    const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([bytes], name, { type: "application/zip" }));
    for (const type of ["dragover", "drop"]) {
        document.body.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer }));
    }
}"""


@pytest.fixture(scope="module")
def export(site: Site) -> bytes:
    """Letterboxd's archive: 60 films of the sample, 20 on the watchlist, 938 others, one with a typing error."""
    movies = get(f"{site.address}/api/v1/movies?limit=100")["results"]
    rows = [f'2021-01-0{1 + at % 9},"{movie["title"]}",{movie["year"]},u' for at, movie in enumerate(movies)]
    rated = [f"{row},{1 + at % 9 / 2}" for at, row in enumerate(rows[:60])]
    others = [f"2020-01-01,Nobody Has Film {at},{1950 + at % 60},u,3" for at in range(938)]
    wrong = f'2020-01-01,"{movies[90]["title"]}x",{movies[90]["year"]},u,4'
    return packed(
        ratings_csv="\n".join([f"{HEAD},Rating", *rated, *others, wrong, "2020-01-01,Broken,1999,u,17"]),
        watched_csv="\n".join([HEAD, *rows[:70]]),
        watchlist_csv="\n".join([HEAD, *rows[70:90]]),
    )


def drop(page: Page, content: bytes, name: str = "letterboxd-me.zip") -> None:
    page.evaluate(DROP, [base64.b64encode(content).decode(), name])


def test_a_dropped_export_gives_recommendations_that_outlast_a_reload_until_cleared(
    visit: Visit, export: bytes
) -> None:
    page = visit("/for-you")
    nobody = picked(page)
    drop(page, export)
    counts = page.locator("#kept .counts")
    expect(counts).to_contain_text("60 films rated, 10 films watched, 20 films on your watchlist", timeout=60_000)
    expect(page.get_by_role("heading", name="To watch next")).to_be_visible()
    by_ratings = picked(page)
    assert by_ratings != nobody
    assert_seen(page)
    assert page.url.endswith("/for-you")
    expect(page.locator("#found")).to_contain_text("938 films are not here")
    expect(page.locator("#found")).to_contain_text("1 row was left out")
    expect(page.locator(".uncertain li")).to_have_count(1)
    page.reload()
    expect(counts).to_contain_text("60 films rated", timeout=60_000)
    expect(page.get_by_role("heading", name="To watch next")).to_be_visible()
    assert picked(page) == by_ratings
    page.get_by_role("button", name="Clear my ratings").click()
    expect(page.get_by_text("Choose the file")).to_be_visible(timeout=60_000)
    assert picked(page) == nobody
    page.reload()
    expect(page.get_by_text("Choose the file")).to_be_visible()
    kept = "indexedDB.databases().then(([{ name }]) => new Promise((found) => { indexedDB.open(name).onsuccess = (e) =>"
    kept += " { e.target.result.transaction('imports').objectStore('imports').count().onsuccess = (c) =>"
    kept += " found(c.target.result); }; }))"
    assert page.evaluate(kept) == 0


def test_several_files_are_dropped_at_once(visit: Visit, site: Site) -> None:
    movies = get(f"{site.address}/api/v1/movies?limit=100")["results"]
    rows = [f'2021-01-01,"{movie["title"]}",{movie["year"]},u' for movie in movies]
    files = {
        "ratings.csv": [f"{HEAD},Rating", *(f"{row},4" for row in rows[:30])],
        "watched.csv": [HEAD, *rows[:40]],
        "watchlist.csv": [HEAD, *rows[40:45]],
        "notes.txt": ["nothing of films"],
    }
    page = visit("/for-you")
    page.locator("#import input[name=file]").set_input_files(
        [{"name": name, "mimeType": "text/csv", "buffer": "\n".join(lines).encode()} for name, lines in files.items()]
    )
    counts = page.locator("#kept .counts")
    expect(counts).to_contain_text("30 films rated, 10 films watched, 5 films on your watchlist", timeout=60_000)
    expect(page.locator("#found").get_by_role("alert")).to_contain_text("notes.txt has no column of titles")
    page.reload()
    drop(page, "\n".join(files["ratings.csv"][:3]).encode(), "one.csv")
    expect(counts).to_contain_text("30 films rated", timeout=60_000)


def test_uncertain_films_are_chosen_by_poster_and_the_watchlist_filters(visit: Visit, export: bytes) -> None:
    page = visit("/for-you")
    drop(page, export)
    page.locator(".uncertain label").first.click(timeout=60_000)
    expect(page.locator("#kept .counts")).to_contain_text("61 films rated", timeout=60_000)
    expect(page.locator(".uncertain")).to_have_count(0)
    page.get_by_label("Only my watchlist").check()
    expect(page.locator("#import[aria-busy]")).to_have_count(0, timeout=60_000)
    listed = picked(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the list").click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert len(lines) == 1 + 20
    assert lines[0] == "Title,Year,imdbID,tmdbID"
    assert len(listed) == 12
    # A film that is rated here joins those of the file.
    page.locator('.deck > li label[title="5 stars"]').first.click()
    expect(page.locator(".given > li")).to_have_count(1, timeout=60_000)
    expect(page.locator("#kept .counts")).to_contain_text("61 films rated")


def listed(page: Page) -> list[str]:
    """Return the films for two, with the names in front of their predictions."""
    expect(page.get_by_role("heading", name="To watch together")).to_be_visible(timeout=60_000)
    expect(page.locator("#import[aria-busy], .picking[aria-busy]")).to_have_count(0, timeout=60_000)
    return page.locator(".pair h3 a").all_inner_texts()


def test_someone_to_watch_with_brings_an_export_that_stays_until_they_leave(visit: Visit, export: bytes) -> None:
    page = visit("/for-you")
    drop(page, export)
    expect(page.locator("#kept .counts")).to_contain_text("60 films rated", timeout=60_000)
    movies = get(f"{page.url.split('/for-you')[0]}/api/v1/movies?limit=100")["results"]
    rows = [f'"{movie["title"]}",{movie["year"]},{1 + at * 7 % 9 / 2}' for at, movie in enumerate(movies[50:75])]
    other = "\n".join(["title,year,rating", *rows, f'"{movies[95]["title"]}x",{movies[95]["year"]},4'])
    page.locator(".company > summary").click()
    page.locator("#import input[name=with_file]").set_input_files(
        {"name": "theirs.csv", "mimeType": "text/csv", "buffer": other.encode()}
    )
    by_mean = listed(page)
    assert len(by_mean) == 12
    expect(page.locator(".company .others")).to_contain_text("25 films rated by the other")
    expect(page.locator("#found")).to_contain_text("938 films are not here")  # of the first file, which was read before
    assert page.locator(".pair").first.locator(".who").all_inner_texts() == ["You", "They"]
    page.get_by_label("Take turns").check()
    expect(page).to_have_url(re.compile("together=fair$"))
    assert listed(page) != by_mean
    expect(page.locator(".other .found .uncertain li")).to_have_count(1)
    page.locator(".other .found label").first.click()
    expect(page.locator(".company .others")).to_contain_text("26 films rated by the other", timeout=60_000)
    fair = listed(page)
    assert_accessible(page)
    page.reload()
    assert listed(page) == fair
    page.go_back()
    expect(page.get_by_label("Best on average")).to_be_checked(timeout=60_000)
    page.get_by_role("button", name="Without them").click()
    expect(page.get_by_role("heading", name="To watch next")).to_be_visible(timeout=60_000)
    expect(page.locator("#kept .counts")).to_contain_text("60 films rated")
    page.reload()
    expect(page.locator("#kept .counts")).to_contain_text("60 films rated", timeout=60_000)
    expect(page.locator(".pair")).to_have_count(0)


def test_a_user_of_the_server_may_be_the_other(visit: Visit) -> None:
    page = visit("/for-you?user=7")
    page.locator(".company > summary").click()
    page.get_by_label("Or user", exact=True).fill("12")
    page.get_by_role("button", name="Together").click()
    films = listed(page)
    assert page.locator(".pair").first.locator(".who").all_inner_texts() == ["User 7", "User 12"]
    expect(page).to_have_url(re.compile("user=7&company=12$"))
    page.get_by_role("button", name="Without them").click()
    expect(page).to_have_url(re.compile("user=7$"))
    page.go_back()
    assert listed(page) == films


def test_imported_ratings_are_kept_on_the_server_and_deleted_again(visit: Visit, site: Site, export: bytes) -> None:
    _, key = Keys(Database(site.data)).create("tests")
    page = visit("/for-you", refused=True)
    drop(page, export)
    expect(page.locator("#kept .counts")).to_contain_text("60 films rated", timeout=60_000)
    page.get_by_text("Keep these ratings on this server").click()
    page.get_by_label("For user").fill("7070")
    page.get_by_label("API key").fill("pst_wrong")
    page.get_by_role("button", name="Keep", exact=True).click()
    expect(page.locator(".keep .state.wrong")).to_contain_text("API key is unknown", timeout=60_000)
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Keep", exact=True).click()
    expect(page.locator(".keep .said")).to_contain_text("Kept 60 ratings for user 7070", timeout=60_000)
    assert len(get(f"{site.address}/api/v1/users/7070/ratings?limit=100")["results"]) == 60
    page.get_by_role("button", name="Delete them again").click()
    page.get_by_role("button", name="Delete all ratings of user 7070").click()
    expect(page.locator(".keep .said")).to_contain_text("has no ratings on this server any more", timeout=60_000)
    stored = RatingLog(Database(site.data)).of(7070)
    assert len(stored) == 60
    assert set(stored.values()) == {None}


def test_what_is_no_export_is_said_and_another_file_may_be_chosen(visit: Visit, export: bytes) -> None:
    page = visit("/for-you", refused=True)
    drop(page, b"PK\x03\x04broken", "mine.zip")
    alert = page.locator("#import").get_by_role("alert")
    expect(alert).to_contain_text("is a damaged or encrypted archive", timeout=60_000)
    page.locator("#import input[name=file]").set_input_files(
        {"name": "letterboxd.zip", "mimeType": "application/zip", "buffer": export}
    )
    expect(page.locator("#kept .counts")).to_contain_text("60 films rated", timeout=60_000)


def test_it_works_without_scripts(visit: Visit, export: bytes) -> None:
    page = visit("/for-you", scripts=False)
    page.locator("#import input[name=file]").set_input_files(
        {"name": "letterboxd.zip", "mimeType": "application/zip", "buffer": export}
    )
    page.get_by_role("button", name="Read it").click()
    expect(page.locator("#kept .counts")).to_contain_text("60 films rated", timeout=60_000)
    page.locator(".uncertain input").first.check()
    page.get_by_role("button", name="Use what I chose").click()
    expect(page.locator("#kept .counts")).to_contain_text("61 films rated", timeout=60_000)
    page.get_by_label("Only my watchlist").check()
    page.get_by_role("button", name="Show", exact=True).last.click()
    expect(page.get_by_label("Only my watchlist")).to_be_checked(timeout=60_000)
    page.locator(".company > summary").click()
    page.get_by_label("Or user", exact=True).fill("12")
    page.locator(".company").get_by_role("button", name="Together").click()
    expect(page.get_by_role("heading", name="To watch together")).to_be_visible(timeout=60_000)
    page.get_by_label("Take turns").check()
    page.locator(".company").get_by_role("button", name="Show").click()
    expect(page.get_by_label("Take turns")).to_be_checked(timeout=60_000)
    expect(page.locator(".pair").first.locator(".who").first).to_have_text("You")
    page.get_by_role("link", name="Clear my ratings").click()
    expect(page.get_by_role("button", name="Read it")).to_be_visible()


@pytest.mark.parametrize(("width", "theme"), looks((360, "dark")))
def test_it_is_accessible(visit: Visit, export: bytes, width: int, theme: str) -> None:
    page = visit("/for-you", width=width, theme=theme)
    drop(page, export)
    expect(page.locator("#found")).to_be_visible(timeout=60_000)
    page.evaluate("document.querySelectorAll('#found details').forEach((each) => { each.open = true; })")
    assert_accessible(page)
