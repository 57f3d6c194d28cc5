"""What may be asked: every parameter with its type and limits; anything else is refused."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from index.answers import schemas
from index.answers.serialize import provenance
from index.catalogue.catalogue import Catalogue, Movie, MovieFilter
from index.core.errors import InvalidCombination, InvalidInput, UnknownMovie
from index.library.entries import (
    IMDB_ID,
    MAX_GENRE,
    MAX_TITLE,
    MAX_TMDB_ID,
    YEARS,
    checked_movie,
)
from index.library.rating_log import MAX_USER_ID
from index.movie_index import MovieIndex
from server.api.validation import as_flag, as_number, as_text
from server.media.thumbnails import Width

MAX_LIMIT = 100
MAX_RATINGS = 2000  # of a stranger
MAX_AMONG = 10_000  # ids that an answer is narrowed to
MAX_EXCLUDED = 10_000
MAX_GENRES = 20
ID = "^([0-9]{1,18}|imdb:tt[0-9]{7,10}|tmdb:[0-9]{1,18})$"  # as a document says it; letter case and space do not matter

# In a list, whatever is nobody's id is told, not refused.
_ID_JSON = {"anyOf": [{"type": "integer"}, {"type": "string", "format": "movie", "minLength": 1, "maxLength": 40}]}

By = Literal["poster", "taste", "facts", "blend"]
Fields = Literal["all", "ids"]
MovieText = Annotated[str, Field(min_length=1, max_length=40), BeforeValidator(as_text), WithJsonSchema(_ID_JSON)]
Genre = Annotated[str, Field(min_length=1, max_length=MAX_GENRE)]
Number = BeforeValidator(as_number)
UserId = Annotated[int, Field(ge=0, le=MAX_USER_ID), Number]
Year = Annotated[int, Field(ge=YEARS[0], le=YEARS[-1]), Number]
Flag = Annotated[bool, BeforeValidator(as_flag)]
Weights = dict[Literal["poster", "taste", "facts"], Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]]
_LINE = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"  # something, on one line
_WEIGHT = r"(poster|taste|facts):[0-9]{1,3}(\.[0-9]{1,6})?"


class Nothing(BaseModel):
    """No parameters."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Page(Nothing):
    """Which part of a list."""

    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT), Number] = 10
    """How many at most."""
    offset: Annotated[int, Field(ge=0, le=10_000), Number] = 0
    """How many are left out at the beginning."""
    fields: Fields = "all"
    """``ids``: the lean form, with ``movie_id`` where a movie would stand."""


def page(index: MovieIndex, query: Page) -> schemas.Page:
    """What an answer says of itself that is a part of a list."""
    return {"limit": query.limit, "offset": query.offset, **provenance(index)}


class SearchQuery(Page):
    """Movies by title."""

    q: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    """Words of a title, or their beginnings; without, all movies come by id."""


class PosterQuery(Nothing):
    """A poster."""

    width: Annotated[Width | None, Number] = None
    """Pixels across at most; without, the file itself."""


class Narrowed(Nothing):
    """Movies of some genres and years."""

    genre: Annotated[tuple[Genre, ...], Field(max_length=MAX_GENRES)] = ()
    """All of these."""
    year_from: Year | None = None
    year_to: Year | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.year_from is not None and self.year_to is not None and self.year_from > self.year_to:
            raise ValueError(f"year_from {self.year_from} is after year_to {self.year_to}")
        return self

    def narrowed(self, catalogue: Catalogue) -> MovieFilter:
        """The filter.

        Raises:
            InvalidInput: a genre that no movie of the catalogue has.
        """
        known = {genre.casefold() for genre in catalogue.genres}
        for genre in self.genre:
            if genre.casefold() not in known:
                raise InvalidInput(f"genre: no movie is {genre!r}; there are {', '.join(catalogue.genres)}")
        return MovieFilter(self.genre, self.year_from, self.year_to)


class FilterQuery(Page, Narrowed):
    """A list of movies that can be narrowed."""

    exclude: Annotated[tuple[MovieText, ...], Field(max_length=MAX_EXCLUDED)] = ()
    """None of these ids."""
    among: Annotated[tuple[MovieText, ...], Field(max_length=MAX_AMONG)] = ()
    """Only these ids."""

    def where(self, catalogue: Catalogue) -> tuple[MovieFilter, list[str]]:
        """The filter, and the ids in it that nobody has.

        Raises:
            InvalidInput: a genre that no movie of the catalogue has.
        """
        excluded, ignored = identified(self.exclude, catalogue)
        among, unknown = identified(self.among, catalogue)
        only = tuple(among) if self.among else None
        where = replace(self.narrowed(catalogue), exclude=tuple(excluded), among=only)
        return where, ignored + unknown


class ExplanationQuery(Nothing):
    """Why two movies are alike."""

    by: Literal["poster", "taste"] = "poster"
    """Their posters part by part, or the people who love both."""


class PredictionQuery(Nothing):
    """One prediction."""

    explain: Flag = False
    """Say what each rated movie adds; in the full form alone."""


class RecommendationsQuery(FilterQuery, PredictionQuery):
    """What one user would pick next."""


class Rating(Nothing):
    """What a stranger rates."""

    movie: MovieText
    rating: Annotated[float, Field(allow_inf_nan=False)]


class Someone(Nothing):
    """A stranger, by what they rate; or several users."""

    ratings: Annotated[tuple[Rating, ...] | None, Field(max_length=MAX_RATINGS)] = None
    """Of someone new. Either these or ``user_ids``."""
    user_ids: Annotated[tuple[UserId, ...] | None, Field(min_length=1, max_length=MAX_LIMIT)] = None
    """Users who rated something here."""

    @model_validator(mode="after")
    def _either(self) -> Self:
        if (self.ratings is None) == (self.user_ids is None):
            raise ValueError("give either ratings, of someone new, or user_ids")
        return self

    def stranger(self, catalogue: Catalogue, scale: tuple[float, float]) -> tuple[dict[int, float], list[str]]:
        """Ratings by movie id, and the ids that nobody has.

        Raises:
            InvalidInput: a rating is off the scale.
            InvalidCombination: a movie is rated twice.
        """
        found: dict[int, float] = {}
        ignored = []
        for each in self.ratings or ():
            check_rating(each.rating, scale)
            try:
                movie = catalogue.identify(each.movie)
            except UnknownMovie:
                ignored.append(each.movie)
                continue
            if movie.movie_id in found:
                raise InvalidCombination(f"ratings: {movie} (id {movie.movie_id}) is rated twice; give one rating")
            found[movie.movie_id] = each.rating
        return found, ignored


class PredictionsBody(Someone, PredictionQuery):
    """Predictions for someone new, or for several users."""

    movies: Annotated[tuple[MovieText, ...], Field(min_length=1, max_length=MAX_LIMIT)]
    fields: Fields = "all"
    """``ids``: the lean form, with ``movie_id`` where a movie would stand."""


class RecommendationsBody(Someone, RecommendationsQuery):
    """Recommendations for someone new, or for several users."""


class Weighing(FilterQuery):
    """A likeness by one space, or by a blend of all."""

    by: By = "blend"
    """What is compared: posters, who loves them, what they are, or all of it."""
    weights: Weights | None = None
    """Of a blend; the snapshot's own where none are given."""

    @property
    def weighed(self) -> dict[str, float] | None:
        """The weights by name of the space."""
        return None if self.weights is None else {str(name): weight for name, weight in self.weights.items()}

    @model_validator(mode="after")
    def _together(self) -> Self:
        weights = self.weights
        if weights is not None and self.by != "blend":
            raise ValueError(f"weights: only a blend is weighed, not likeness by {self.by}: leave one of them out")
        if weights is not None and not any(weights.values()):
            raise ValueError("weights: they are all 0: give at least one that is more")
        return self


class SimilarBody(Weighing):
    """Movies like several and unlike others."""

    like: Annotated[tuple[MovieText, ...], Field(min_length=1, max_length=MAX_LIMIT)]
    unlike: Annotated[tuple[MovieText, ...], Field(max_length=MAX_LIMIT)] = ()


class BatchBody(Weighing):
    """Movies like each of several."""

    movies: Annotated[tuple[MovieText, ...], Field(min_length=1, max_length=MAX_LIMIT)]


class SimilarQuery(Weighing):
    """Movies like one."""

    weights: Annotated[
        Weights | None,
        BeforeValidator(lambda value: _as_weights(value)),
        WithJsonSchema({"type": "string", "pattern": f"^{_WEIGHT}(,{_WEIGHT})*$", "maxLength": 100}),
    ] = None
    """Of a blend, as in ``poster:1,taste:1,facts:0.5``; the snapshot's own where none are given."""
    explain: Flag = False
    """Say why each looks like it; with ``by=poster`` and in the full form alone."""

    @model_validator(mode="after")
    def _only_looks(self) -> Self:
        if self.explain and self.by != "poster":
            raise ValueError(f"explain: only likeness by poster is explained, not by {self.by}: give by=poster")
        return self


def check_rating(rating: float, scale: tuple[float, float]) -> None:
    """Raises InvalidInput for a rating that is off the scale."""
    low, high = scale
    if not low <= rating <= high:
        raise InvalidInput(f"rating: {rating:g} is off the scale: ratings here are {low:g} to {high:g}")


class RatingBody(Nothing):
    """A rating."""

    rating: Annotated[float, Field(allow_inf_nan=False)]


class MovieBody(Nothing):
    """A movie as it is added, or as it is to be from now on."""

    title: Annotated[str, Field(max_length=MAX_TITLE, pattern=_LINE)]
    """Without the year."""
    year: Year | None = None
    genres: Annotated[
        tuple[Annotated[str, Field(max_length=MAX_GENRE, pattern=_LINE)], ...], Field(max_length=MAX_GENRES)
    ] = ()
    """As the data set writes them."""
    imdb_id: Annotated[str | None, Field(pattern=f"^{IMDB_ID}$")] = None
    tmdb_id: Annotated[int | None, Field(ge=1, le=MAX_TMDB_ID), Number] = None

    @field_validator("genres", mode="before")
    @classmethod
    def _without_blanks(cls, genres: object, info: ValidationInfo) -> object:
        """Of a form: between two commas may be nothing."""
        if not isinstance(genres, list):
            return genres
        return tuple(genre for genre in genres if genre or info.mode == "json")

    def movie(self, movie_id: int = 0) -> Movie:
        """The movie, with whitespace trimmed.

        Raises:
            InvalidInput: something in it cannot be used.
        """
        return checked_movie(Movie(movie_id, self.title, self.year, self.genres, self.imdb_id, self.tmdb_id))


def identified(texts: Sequence[str], catalogue: Catalogue) -> tuple[list[int], list[str]]:
    """Movie ids of what was given, and what nobody has."""
    found, ignored = [], []
    for text in texts:
        try:
            found.append(catalogue.identify(text).movie_id)
        except UnknownMovie:
            ignored.append(text)
    return found, ignored


def _as_weights(value: object) -> object:
    if not isinstance(value, str):
        return value
    parts = [part.strip() for part in value.split(",")]
    if not all(re.fullmatch(_WEIGHT, part, re.ASCII) for part in parts):
        raise PydanticCustomError("weights", "write poster:1,taste:1,facts:0.5")
    weights = {name: float(weight) for name, _, weight in (part.partition(":") for part in parts)}
    if len(weights) < len(parts):
        raise ValueError("a space is weighed twice: give each once")
    return weights
