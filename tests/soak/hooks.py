"""Schemathesis hooks: ids of movies in the test catalogue, and images that can be decoded."""

from __future__ import annotations

import io
from typing import Any

import schemathesis
from hypothesis import strategies as st

from tests.conftest import poster


def picture(movie: int, kind: str) -> bytes:
    stream = io.BytesIO()
    poster(movie).save(stream, kind)
    return stream.getvalue()


IDS = st.integers(1, 24)
MOVIES = IDS.map(str) | IDS.map(lambda movie: f"imdb:tt{movie:07d}") | IDS.map(lambda movie: f"tmdb:{1000 + movie}")
PICTURES = st.builds(picture, st.sampled_from([1, 5, 11]), st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "BMP"]))

schemathesis.openapi.format("movie", MOVIES | st.from_regex("(0|[1-9][0-9]{0,17}|imdb:tt[0-9]{7,10})", fullmatch=True))
schemathesis.openapi.format("binary", PICTURES | st.binary(max_size=200))


@schemathesis.hook
def filter_case(context: schemathesis.HookContext, case: schemathesis.Case) -> bool:  # noqa: ARG001
    """Return False for a form with a member that the query has, too: it is refused, which no schema can say."""
    return not (isinstance(case.body, dict) and set(case.body) & set(case.query or {}))


@schemathesis.hook
def filter_body(context: schemathesis.HookContext, body: Any) -> bool:  # noqa: ARG001
    """Return False for a form whose only invalid value is an empty list: it is not sent, so the form is valid."""
    is_form = isinstance(body, dict) and any(isinstance(value, bytes) for value in body.values())
    return not (is_form and any(value in ([], {}) for value in body.values()))
