"""Bodies of requests that change the library: movies, one or many, and ratings."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import to_json

from index.answers.schemas import MAX_ADDED
from index.catalogue.movie import Movie
from index.core.errors import InvalidInput
from index.core.references import is_numbered
from index.core.source_ids import as_written
from index.library.batch import Row
from index.library.checks import existing
from index.library.entries import IMDB_ID, MAX_GENRE, MAX_TITLE, MAX_TMDB_ID, checked_movie
from server.api.requests import MAX_GENRES, Flag, Number, RequestModel, UserId, Year
from server.api.validation import LINE, parse_json, short


class RatingBody(RequestModel):
    """A rating."""

    rating: Annotated[float, Field(allow_inf_nan=False)]


class MovieBody(RequestModel):
    """A movie to add, or its new data."""

    title: Annotated[str, Field(max_length=MAX_TITLE, pattern=LINE)]
    """Title without the year."""
    year: Year | None = None
    genres: Annotated[
        tuple[Annotated[str, Field(max_length=MAX_GENRE, pattern=LINE)], ...], Field(max_length=MAX_GENRES)
    ] = ()
    """Genres, spelled as in the data set."""
    imdb_id: Annotated[str | None, Field(pattern=f"^{IMDB_ID}$")] = None
    tmdb_id: Annotated[int | None, Field(ge=1, le=MAX_TMDB_ID), Number] = None

    @field_validator("genres", mode="before")
    @classmethod
    def _without_blanks(cls, genres: object, info: ValidationInfo) -> object:
        """Drop blank genres of a form, such as between two commas."""
        if not isinstance(genres, list):
            return genres
        return tuple(genre for genre in genres if genre or info.mode == "json")

    def movie(self, movie_id: int = 0) -> Movie:
        """Return the movie, with whitespace trimmed.

        Raises:
            InvalidInput: a value cannot be used.
        """
        return checked_movie(Movie(movie_id, self.title, self.year, self.genres, self.imdb_id, self.tmdb_id))


class NewMovieBody(MovieBody):
    """A movie to add."""

    id: UserId | None = None
    """An id of your own, a number or a text, if it has one."""

    def row(self) -> Row:
        """Return the movie with its own id.

        Raises:
            InvalidInput: a value cannot be used.
        """
        own_id = None if self.id is None else as_written(str(self.id))
        if own_id is not None and not (own_id and own_id.isprintable()):
            raise InvalidInput(f"id: {self.id!r} is none: write a number, or printable characters")
        if own_id is not None and is_numbered(own_id):
            raise InvalidInput(f"id: {self.id!r} means the movie of this number: leave the prefix out")
        return Row(self.movie(), own_id)


class MoviesBody(RequestModel):
    """Movies to add."""

    movies: Annotated[tuple[Any, ...], Field(min_length=1, max_length=MAX_ADDED)]
    """Objects with the members of one movie to add (``title``, ``year``, ``genres``, ``imdb_id``, ``tmdb_id``), and an
    ``id`` of your own, a number or a text, if it has one. Anything else is refused by itself, as a movie with an
    invalid member is."""
    update: Flag = False
    """Replace the data of movies that are here already; their ratings and posters stay."""

    def rows(self) -> list[Row | InvalidInput]:
        """Return the rows for the library; in place of an invalid one, its error."""
        return list(map(_row, self.movies))


class MoviePatch(RequestModel):
    """A JSON merge patch of a movie (RFC 7396): members that are left out stay, null deletes one."""

    title: Annotated[str, Field(max_length=MAX_TITLE, pattern=LINE)] = ""
    """Title without the year. It cannot be deleted."""
    year: Year | None = None
    genres: Annotated[
        tuple[Annotated[str, Field(max_length=MAX_GENRE, pattern=LINE)], ...] | None, Field(max_length=MAX_GENRES)
    ] = None
    """Genres, spelled as in the data set; all of them."""
    imdb_id: Annotated[str | None, Field(pattern=f"^{IMDB_ID}$")] = None
    tmdb_id: Annotated[int | None, Field(ge=1, le=MAX_TMDB_ID), Number] = None

    def applied_to(self, movie: Movie | None) -> Movie:
        """Return a movie with the members of the patch.

        Raises:
            UnknownMovie: the movie is deleted.
            InvalidInput: a value cannot be used.
        """
        given = {name: getattr(self, name) for name in self.model_fields_set}
        if given.get("genres", ()) is None:
            given["genres"] = ()
        return checked_movie(replace(existing(movie), **given))


def _row(given: Any) -> Row | InvalidInput:
    if not isinstance(given, dict):
        return InvalidInput(f"give an object with a title, not {short(given)}")
    try:
        return parse_json(NewMovieBody, to_json(given)).row()
    except InvalidInput as error:
        return error
