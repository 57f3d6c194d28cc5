"""The route that reads an export of ratings and matches it with the catalogue."""

from __future__ import annotations

from index.answers.imports import import_export, present_import
from index.answers.schemas import ImportAnswer
from index.answers.serialize import provenance
from server.api.blueprint import api
from server.api.long_requests import queued
from server.api.operation import operation
from server.api.requests import ImportQuery
from server.api.responses import ImportReply
from server.media.uploads import uploaded_export
from server.state.current_snapshot import movie_index


@api.post("/imports")
@operation(export=True)
def import_ratings(query: ImportQuery) -> ImportReply:
    """Read an export of ratings and match it with the catalogue. Nothing is stored.

    It may be of Letterboxd, IMDb, Trakt, MovieLens, TMDB or Simkl, or a table of titles or ids and ratings; its content
    tells which. An id, or a title with its year, is a certain match; other matches are returned as `uncertain`, with
    candidates, and films that are not here as `unknown`. Ratings are mapped to the scale of the snapshot.
    """
    index = movie_index()
    content, name = uploaded_export()

    def matched() -> ImportAnswer:
        return present_import(index, import_export(index, content, query.name or name))

    return {**queued(matched), **provenance(index)}
