"""Movie titles: parse "Godfather, The (1972)", as MovieLens writes it."""

from __future__ import annotations

import re

_YEAR = re.compile(r"\s*\((\d{4})(?:\s*[-–]\s*\d{0,4})?\)\s*$")
_ARTICLES = "The|A|An|Le|La|Les|L'|Un|Une|El|Los|Las|Una|Il|Lo|Gli|Der|Die|Das|Den|Det|Ein|Eine|De|Het|En|Ett"
_TRAILING_ARTICLE = re.compile(rf"^(?P<rest>.+), (?P<article>{_ARTICLES})$", re.IGNORECASE)
_PARTS = re.compile(r"\(([^()]*)\)")


def parse_title(text: str) -> tuple[str, int | None]:
    """Return the title with its articles in front, and the year of release (None if absent).

    "Amelie (Fabuleux destin d'Amélie Poulain, Le) (2001)" gives "Amelie (Le Fabuleux destin d'Amélie Poulain)", 2001.
    """
    year = _YEAR.search(text)
    title = (text if year is None else text[: year.start()]).strip()
    if not title:  # the title itself is "(1972)"
        return text.strip(), None
    # Alternative titles follow in parentheses, each with its own article.
    main, bracket, others = title.partition(" (")
    main = _article_first(main)
    others = _PARTS.sub(lambda part: f"({_article_first(part[1])})", bracket[1:] + others)
    return f"{main} {others}".strip(), None if year is None else int(year[1])


def _article_first(title: str) -> str:
    found = _TRAILING_ARTICLE.match(title)
    if found is None:
        return title
    space = "" if found["article"].endswith("'") else " "
    return f"{found['article']}{space}{found['rest']}"
