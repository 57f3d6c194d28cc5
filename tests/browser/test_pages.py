"""Every page, at every width and in both themes."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Visit, assert_accessible, looks

pytestmark = pytest.mark.system

MISSING = "/movies/999"
PATHS = ("/", "/?q=nobody-calls-a-film-so", "/movies/73", "/look", MISSING)


@pytest.mark.parametrize(("width", "theme"), looks((360, "dark")))
def test_every_page_is_accessible_and_fits(visit: Visit, width: int, theme: str) -> None:
    for path in PATHS:
        page = visit(path, width=width, theme=theme, refused=path == MISSING)
        assert_accessible(page)


def test_every_page_fits_a_telephone_without_scripts(visit: Visit) -> None:
    for path in ("/", "/movies/73", "/look", "/for-you", "/map", "/quality"):
        page = visit(path, width=360, scripts=False)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
