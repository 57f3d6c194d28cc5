"""Values of exports as services, spreadsheets and people write them: ratings, years and ids."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime

from index.core.source_ids import as_written
from index.imports.export import Scale

_LOWEST = {5.0: 0.5, 10.0: 1.0}  # of usual scales, by the highest
_OF_THUMBS = "thumbs are 4 and 2 of 5"
_YEAR = re.compile(r"(?<![0-9])(1[89][0-9]{2}|20[0-9]{2})(?![0-9])", re.ASCII)
_IMDB = re.compile(r"tt[0-9]{7,10}", re.ASCII)
_RATING = re.compile(
    r"([0-9]{1,6}(?:[.,][0-9]{1,6})?)\s*(?:(?:/|\bof\b|\bout of\b)\s*([0-9]{1,3})|(%)|stars?|★|⭐)?", re.IGNORECASE
)
_STARS = re.compile(r"([★⭐]*)(½?)[☆✩]*")
_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ]([0-9]{2}:[0-9]{2}(?::[0-9]{2})?))?", re.ASCII)
_UNIX = re.compile(r"([0-9]{9,10})(?:\.[0-9]+|[0-9]{3})?", re.ASCII)  # in seconds or milliseconds
_OF_C = "%a %b %d %H:%M:%S %Y"  # by which IMDb wrote times until 2017


def rating_of(text: str) -> tuple[float, float | None] | None:
    """Return a rating and the highest one that it names; None if the text is none.

    ``4``, ``3.5``, ``3,5``, ``7/10``, ``4 out of 5``, ``80%``, ``4 stars``, ``★★★½`` and ``★★★☆☆``, whose highest is 5.
    """
    text = text.replace("\ufe0f", "").strip()
    stars = _STARS.fullmatch(text)
    if stars and (stars[1] or stars[2]):
        empty = len(text) - len(stars[1]) - len(stars[2])
        return len(stars[1]) + 0.5 * len(stars[2]), float(len(text)) if empty else None
    found = _RATING.fullmatch(text)
    if found is None:
        return None
    highest = 100.0 if found[3] else float(found[2]) if found[2] else None
    return float(found[1].replace(",", ".")), highest or None


def scale_of(ratings: Iterable[str], highest: float | None = None) -> Scale:
    """Return the scale of ratings that no service is named for: the one that they name, else by the highest of them.

    A slip, such as 45 for 4.5, does not make a scale of 100: at least half of its ratings are above 10.

    Args:
        ratings: as written.
        highest: of the scale, if the name of their column has it.
    """
    known = [found for text in ratings if (found := rating_of(text)) is not None]
    named = Counter(of for _, of in known if of is not None)
    if named:
        highest = named.most_common(1)[0][0]
        return Scale(_LOWEST.get(highest, 0.0), highest, f"they are of {highest:g}")
    given = [rating for rating, _ in known]
    limit = 100 if 2 * sum(10 < rating <= 100 for rating in given) >= len(given) else 10
    most = max((rating for rating in given if rating <= limit), default=0.0)
    if highest is not None and most <= highest:
        return Scale(_LOWEST.get(highest, 0.0), highest, "the column says so")
    highest = 100 if most > 10 else 10 if most > 5 else 5
    return Scale(_LOWEST.get(highest, 0.0), highest, f"the highest rating is {most:g}" if most else _OF_THUMBS)


def year_in(text: str) -> int | None:
    """Return the year of a year or a date."""
    found = _YEAR.search(text)
    return None if found is None else int(found[1])


def time_in(text: str) -> str:
    """Return a time as ISO 8601, so that times compare as texts; empty if the text is none.

    ``2024-05-01``, ``2024-05-01T10:00:00.000Z``, ``1714557600`` and ``Wed May  1 10:00:00 2024``.
    """
    text = text.strip()
    found = _TIME.match(text)
    if found is not None:
        return f"{found[1]}T{found[2]}" if found[2] else found[1]
    unix = _UNIX.fullmatch(text)
    if unix is not None:
        return datetime.fromtimestamp(int(unix[1]), UTC).replace(tzinfo=None).isoformat()
    try:
        return datetime.strptime(text, _OF_C).isoformat()
    except ValueError:
        return ""


def imdb_id_in(text: str) -> str | None:
    """Return the IMDb id of an id, an address or bare digits, which MovieLens writes; None without one."""
    found = _IMDB.search(text)
    if found is not None:
        return found[0]
    digits = as_written(text)
    return f"tt{int(digits):07d}" if re.fullmatch("0*[1-9][0-9]{0,9}", digits, re.ASCII) else None


def tmdb_id_in(text: str) -> str | None:
    """Return the TMDB id of an id, also as ``949.0``, or of an address of a film; None without one."""
    found = re.search(r"themoviedb\.org/movie/([0-9]{1,9})", text, re.ASCII)
    digits = found[1] if found else as_written(text)
    return str(int(digits)) if re.fullmatch("0*[1-9][0-9]{0,9}", digits, re.ASCII) else None
