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
