"""The map of all posters: a canvas that a script draws, and what is said where it cannot."""

from __future__ import annotations

from flask import render_template, request

from index.core.errors import UnknownMap
from server.state.current_snapshot import movie_index

WAYS = (("poster", "By look"), ("taste", "By taste"))


def map_page() -> str:
    """The posters of all films, near those that are like them."""
    index = movie_index()
    there = index.maps.ways
    asked = request.args.get("by", "")
    by = asked if asked in dict(WAYS) else next((name for name, _ in WAYS if name in there), "poster")
    why = ""
    try:
        index.maps.of(by)
    except UnknownMap as error:
        why = str(error)
    facts = index.manifest.maps.get(by, {})
    return render_template(
        "map.html",
        by=by,
        why=why,
        ways=[(name, words) for name, words in WAYS if name in there],
        facts=facts,
    )
