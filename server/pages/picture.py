"""Search by picture, and a guess of how people will like the movie behind it.

The picture is not stored. The guess needs its compact look alone, which is in the form beside year and genres: these
can be changed without another upload, with scripts or without.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from flask import current_app, render_template
from pydantic import BeforeValidator, Field, WithJsonSchema

from index.catalogue.catalogue import Movie
from index.core.arrays import Float32Array
from index.core.errors import InvalidInput, UnknownMovie
from index.movie_index import MovieIndex
from index.posters.images import decode_image, thumbnail
from index.ratings.content import LOOK, compact_looks
from index.ratings.model import INTERVAL, Prediction
from index.spaces.space import Match
from server.api.parsing import parse_page
from server.api.requests import MAX_GENRES, Genre, RequestModel, Year
from server.media.uploads import UploadQueue, uploaded_picture
from server.middleware.metrics import search_seconds
from server.state.current_snapshot import movie_index

_NEIGHBOURS = 24
_LOVED = 12
_SEEDS = 5  # nearest posters whose taste neighbours are shown by a snapshot without a model of new movies
_ADMIRED = 6  # well-known movies whose admirers' ratings are guessed


def _blank_is_none(value: object) -> object:
    return None if value == "" else value


class GuessQuery(RequestModel):
    """Known facts of a movie."""

    look: Annotated[str, Field(max_length=4 * LOOK)] = ""
    """Compact look of its poster."""
    year: Annotated[Year | None, BeforeValidator(_blank_is_none), WithJsonSchema({"type": "integer"})] = None
    genre: Annotated[tuple[Genre, ...], Field(max_length=MAX_GENRES)] = ()


@dataclass(frozen=True, slots=True)
class Guess:
    """Predicted ratings and taste neighbours of a movie that nobody has rated."""

    look: str  # as in the form
    year: int | None
    genres: Sequence[str]
    by_admirers: Sequence[tuple[Movie, Prediction]]
    loved: Sequence[tuple[Movie, Match]]
    certainty: int  # percent: 100 as of a movie that many rated
    uses_posters: bool


def look_form() -> str:
    """Show the form that takes a picture."""
    return render_template("look.html", matches=None, guess=None)


def look() -> str:
    """Show the nearest posters of an uploaded picture, and how people will like the movie behind it."""
    index = movie_index()
    picture = uploaded_picture()
    queue: UploadQueue = current_app.extensions["upload_queue"]

    def compared() -> tuple[list[Match], bytes, Float32Array]:
        with search_seconds("picture"):
            vector = index.embed(picture)
            matches = index.similar_to_embedding(vector, _NEIGHBOURS, distinct=True)
        return matches, thumbnail(decode_image(picture)), compact_looks(vector[None])[0]

    matches, small, compact = queue.run(compared)
    guess = _guess(index, GuessQuery(look=_as_text(compact)), compact)
    taste = index.spaces.get("taste")  # missing without ratings
    seeds = [match.movie_id for match in matches if taste is not None and match.movie_id in taste.ids][:_SEEDS]
    try:
        loved = index.similar_to(seeds, [], _LOVED, by="taste", distinct=True) if seeds and guess is None else []
    except UnknownMovie:
        loved = []
    return render_template(
        "look.html",
        preview=base64.b64encode(small).decode(),
        matches=[(index.catalogue.movie(match.movie_id), match) for match in matches],
        seeds=[index.catalogue.movie(movie_id) for movie_id in seeds],
        loved=[(index.catalogue.movie(match.movie_id), match) for match in loved],
        guess=guess,
        interval=round(100 * INTERVAL),
    )


def guess_page() -> str:
    """Show how people will like a movie, by the facts in the form."""
    index = movie_index()
    query = parse_page(GuessQuery)
    guess = _guess(index, query, _from_text(query.look) if query.look else None)
    return render_template("look.html", matches=None, guess=guess, interval=round(100 * INTERVAL))


def _guess(index: MovieIndex, query: GuessQuery, compact: Float32Array | None) -> Guess | None:
    new_movies = index.users.new_movies
    if new_movies is None or index.users.implicit:
        return None
    content = new_movies.imagined(query.year, query.genre, compact)
    taste = index.spaces["taste"]
    vector = new_movies.taste_vector(content, taste)
    matches = taste.search(vector, _LOVED) if vector.any() else []
    admired = [movie_id for movie_id in index.to_ask if new_movies.counts([movie_id])[0]][:_ADMIRED]
    return Guess(
        query.look,
        query.year,
        query.genre,
        [
            (index.catalogue.movie(movie_id), found)
            for movie_id in admired
            if (found := new_movies.by_admirers(movie_id, content)) is not None
        ],
        [(index.catalogue.movie(match.movie_id), match) for match in matches],
        round(100 * min(float(np.linalg.norm(vector)) / max(new_movies.usual_length(taste), 1e-9), 1.0)),
        new_movies.cold.uses_posters,
    )


def _as_text(compact: Float32Array) -> str:
    return base64.urlsafe_b64encode(compact.astype("<f2").tobytes()).decode()


def _from_text(text: str) -> Float32Array:
    """Return the compact look (512,) that ``_as_text`` wrote.

    Raises:
        InvalidInput: the text is none.
    """
    try:
        numbers = np.frombuffer(base64.b64decode(text, altchars=b"-_", validate=True), dtype="<f2")
    except (binascii.Error, ValueError):
        numbers = np.empty(0, dtype="<f2")
    if numbers.size != LOOK or not np.isfinite(numbers).all() or numbers.min() < 0:
        raise InvalidInput("look: this is not the look of a picture: drop the picture again")
    return numbers.astype(np.float32)
