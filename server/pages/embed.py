"""Pages for frames and pages of other sites: the films like a film, without scripts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import quote

from flask import Response, render_template, request, url_for
from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from index.catalogue.movie import Movie
from index.core.errors import NotComparable, UnknownSpace
from index.movie_index import MovieIndex
from index.spaces.space import Match
from server.api.parsing import parse_page
from server.api.requests import By, Flag, Number, RequestModel
from server.middleware.access import authorise
from server.middleware.metrics import search_seconds
from server.state.current_snapshot import movie_index

_AGE = 300  # seconds for which browsers and proxies may use a response again
_HOST = r"https?://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?"
_FIELDS = ("movie_id", "imdb_id", "tmdb_id")
# ASCII that may stand in an address, and fields after the host: neither can change the site that a link leads to.
_TEMPLATE = re.compile(
    rf"{_HOST}([/?#]([\w/?#\[\]@!$&'()*+,;=:.~%-]|{{({'|'.join(_FIELDS)})}})*)?", re.ASCII | re.IGNORECASE
)


def _as_template(value: object) -> object:
    if _TEMPLATE.fullmatch(str(value)) is None:
        fields = ", ".join(f"{{{name}}}" for name in _FIELDS)
        raise PydanticCustomError(
            "link",
            "write an address of http or https, as in https://example.org/films/{example}; fields are {fields}",
            {"example": "{imdb_id}", "fields": fields},
        )
    return value


class EmbedQuery(RequestModel):
    """Neighbours of a movie, and the links of their posters."""

    by: By = "blend"
    limit: Annotated[int, Field(ge=1, le=24), Number] = 6
    link: Annotated[str, Field(max_length=500), BeforeValidator(_as_template)] | None = None
    distinct: Flag = True


def embed_page(movie: str) -> Response:
    """Show the films like a movie, for a frame or a page of another site."""
    authorise("read")
    index = movie_index()
    found = index.catalogue.identify(movie)
    query = parse_page(EmbedQuery)
    films = [index.catalogue.movie(match.movie_id) for match in _similar(index, found, query)]
    page = render_template("embed.html", movie=found, films=[(film, film_address(film, query.link)) for film in films])
    response = Response(page, mimetype="text/html")
    response.cache_control.max_age = _AGE
    response.add_etag()
    response.make_conditional(request)
    return response


def _similar(index: MovieIndex, movie: Movie, query: EmbedQuery) -> list[Match]:
    """Return the nearest neighbours; none if there is nothing to compare the movie by."""
    try:
        with search_seconds(query.by):
            return index.similar(movie.movie_id, query.limit, by=query.by, distinct=query.distinct)
    except (NotComparable, UnknownSpace):
        return []


def film_address(movie: Movie, template: str | None) -> str | None:
    """Return the address that a movie links to: its page here, or of a template; None if it lacks the template's id."""
    if template is None:
        return url_for("pages.film", movie=movie.movie_id, _external=True)
    fields: Mapping[str, object] = {
        "movie_id": movie.source_id or movie.movie_id,
        "imdb_id": movie.imdb_id,
        "tmdb_id": movie.tmdb_id,
    }
    named = re.findall(r"\{(\w+)\}", template)
    if any(fields[name] is None for name in named):
        return None
    return re.sub(r"\{(\w+)\}", lambda field: quote(str(fields[field[1]]), safe=""), template)
