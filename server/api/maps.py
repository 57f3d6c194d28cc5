"""Routes of poster maps: the cell of every movie, and sprite sheets of small posters to draw a map from."""

from __future__ import annotations

from typing import Annotated, Literal

from flask import Response, request
from pydantic import Field

from index.answers.serialize import provenance
from index.core.errors import UnknownSheet
from index.snapshot.maps import ACROSS, DOWN, HEIGHT, WIDTH
from server.api.blueprint import api
from server.api.operation import operation
from server.api.requests import OwnedQuery, RequestModel
from server.api.responses import MapReply
from server.state.current_snapshot import movie_index

_SHEET_AGE = 365 * 24 * 3600  # seconds


class MapQuery(OwnedQuery):
    """A map of posters."""

    by: Literal["poster", "taste"] = "poster"
    """The space whose nearest neighbours are near each other on the map."""


class SheetQuery(RequestModel):
    """A sprite sheet."""

    snapshot: Annotated[str | None, Field(min_length=1, max_length=100)] = None
    """Id of a snapshot, as the map names it. With it the response never changes and may be cached for good."""


@api.get("/map")
@operation()
def poster_map(query: MapQuery) -> MapReply:
    """Return a map of all movies, near their nearest neighbours by poster or by taste."""
    index = movie_index()
    owned = query.known_owned(index.catalogue)
    found = index.maps.of(query.by)
    if owned is not None and index.catalogue.owned is not None:
        found = found.only(index.catalogue.owned, owned=owned)
    slots = found.slots.tolist()
    every, posters = tuple(index.catalogue.movies), tuple(index.catalogue.posters)  # quicker to read all of
    rows = index.catalogue.ids.rows(found.movie_ids.tolist()).tolist()
    movies = [every[row] for row in rows]
    return {
        "by": query.by,
        "columns": found.columns,
        "rows": found.rows,
        "movie_ids": found.movie_ids.tolist(),
        "titles": [movie.title for movie in movies],
        "years": [movie.year for movie in movies],
        "x": found.x.tolist(),
        "y": found.y.tolist(),
        "slots": slots,
        "contents": index.poster_contents((movie.movie_id for movie in movies), (posters[row] for row in rows)),
        "unlisted": [
            movie.movie_id
            for movie, row, slot in zip(movies, rows, slots, strict=True)
            if slot < 0 and posters[row] is not None
        ],
        "sheets": {"count": found.sheets, "across": ACROSS, "down": DOWN, "width": WIDTH, "height": HEIGHT},
        **provenance(index),
    }


@api.get("/map/sheets/<sheet>")
@operation(media="image/webp")
def map_sheet(sheet: str, query: SheetQuery) -> Response:
    """Return a sprite sheet of small posters, as WebP. ``slots`` of a map says where each poster is."""
    index = movie_index()
    if query.snapshot not in {None, index.manifest.id}:
        raise UnknownSheet(f"snapshot {query.snapshot} is not current any more: request the map again")
    if not (sheet.isascii() and sheet.isdecimal() and len(sheet) < 7):
        raise UnknownSheet(f"{sheet!r} is no number of a sheet: give a whole number from 0")
    response = Response(index.maps.sheet(int(sheet)), mimetype="image/webp")
    if query.snapshot is not None:
        response.set_etag(f"{query.snapshot}-{sheet}")
        response.cache_control.max_age = _SHEET_AGE
        response.cache_control.immutable = True
        response.make_conditional(request)
    return response
