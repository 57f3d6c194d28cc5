"""Ids of movies and users in a text: the one parser for all ways in. A text that it refuses is a title, or nothing."""

from __future__ import annotations

import re

MAX_ID = 2**63 - 1

_NUMBER = "0|[1-9][0-9]{0,18}"
_OTHERS = re.compile(rf"(imdb):\s*(tt[0-9]{{7,10}})|(tmdb):\s*({_NUMBER})", re.ASCII | re.IGNORECASE)


def movie_reference(text: str) -> int | str | None:
    """Return the id of a movie that a text is: a number, or another site's id, ``imdb:tt0113277`` or ``tmdb:949``.

    A number is plain digits without leading zeros, alone or after ``id:``. Letter case and white space around it do not
    matter. None if the text is no id.
    """
    text = text.strip()
    other = _OTHERS.fullmatch(text)
    if other is not None:
        return ":".join(part for part in other.groups() if part is not None).lower()
    scheme, colon, rest = text.partition(":")
    return plain_id(rest.strip() if colon and scheme.lower() == "id" else text)


def is_numbered(text: str) -> bool:
    """Return True for a number after ``id:``, which never is a data set's own id."""
    return ":" in text and isinstance(movie_reference(text), int)


def user_reference(text: str) -> int | None:
    """Return the id of a user that a text is: plain digits without leading zeros; None if it is no id."""
    return plain_id(text.strip())


def plain_id(text: str) -> int | None:
    """Return a number written in the one way; None for others that ``int`` reads: ``1_0``, ``+1``, ``007``."""
    if re.fullmatch(_NUMBER, text, re.ASCII) is None:
        return None
    number = int(text)
    return number if number <= MAX_ID else None
