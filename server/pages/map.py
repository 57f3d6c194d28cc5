"""The page of the poster map: a canvas drawn by a script, and a text for browsers without scripts."""

from __future__ import annotations

from flask import render_template, request

from index.core.errors import UnknownMap
from server.state.current_snapshot import movie_index

WAYS = (("poster", "By look"), ("taste", "By taste"))


def map_page() -> str:
    """Show the map of all posters, by look or by taste."""
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
        owned=request.args.get("owned") == "true",
    )
