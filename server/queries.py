"""What may be asked: every parameter with its type and limits; anything else is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, TypeVar

from flask import request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from index.catalogue import Catalogue, Where
from index.errors import BadData, UnknownMovie

MAX_LIMIT = 100

MAX_RATINGS = 2000  # of a stranger
MAX_AMONG = 10_000  # ids that an answer is narrowed to

By = Literal["poster", "taste", "facts", "blend"]
MovieText = Annotated[str, Field(min_length=1, max_length=40), BeforeValidator(lambda value: _as_text(value))]
Year = Annotated[int, Field(ge=1800, le=2200)]


class Nothing(BaseModel):
    """No parameters."""

    model_config = ConfigDict(extra="forbid")


class Page(Nothing):
    """Which part of a list."""

    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT)] = 10
    offset: Annotated[int, Field(ge=0, le=10_000)] = 0


class SearchQuery(Page):
    """Movies by title."""

    q: Annotated[str, Field(min_length=1, max_length=200)]


class FilterQuery(Page):
    """A list of movies that can be narrowed."""

    genre: tuple[Annotated[str, Field(min_length=1, max_length=100)], ...] = ()
    year_from: Year | None = None
    year_to: Year | None = None
    exclude: tuple[MovieText, ...] = ()
    among: Annotated[tuple[MovieText, ...], Field(max_length=MAX_AMONG)] = ()

    @model_validator(mode="after")
    def _in_order(self) -> FilterQuery:
        if self.year_from is not None and self.year_to is not None and self.year_from > self.year_to:
            raise ValueError(f"year_from {self.year_from} is after year_to {self.year_to}")
        return self

    def where(self, catalogue: Catalogue) -> tuple[Where, list[str]]:
        """The filter, and the ids to exclude that nobody has.

        Raises:
            BadData: a genre that no movie of the catalogue has.
        """
        known = {genre.casefold() for genre in catalogue.genres}
        for genre in self.genre:
            if genre.casefold() not in known:
                raise BadData(f"genre: no movie is {genre!r}; there are {', '.join(catalogue.genres)}")
        excluded, ignored = identified(self.exclude, catalogue)
        among, unknown = identified(self.among, catalogue)
        only = tuple(among) if self.among else None
        return Where(self.genre, self.year_from, self.year_to, tuple(excluded), only), ignored + unknown


class PredictionQuery(Nothing):
    """One prediction."""

    explain: bool = False


class Rating(Nothing):
    """What a stranger rates."""

    movie: MovieText
    rating: Annotated[float, Field(allow_inf_nan=False)]


class Ratings(Nothing):
    """A stranger, by what they rate."""

    ratings: Annotated[tuple[Rating, ...], Field(max_length=MAX_RATINGS)]

    def who(self, catalogue: Catalogue) -> tuple[dict[int, float], list[str]]:
        """Ratings by movie id, and the ids that nobody has.

        Raises:
            BadData: a movie is rated twice.
        """
        found: dict[int, float] = {}
        ignored = []
        for each in self.ratings:
            try:
                movie = catalogue.identify(each.movie)
            except UnknownMovie:
                ignored.append(each.movie)
                continue
            if movie.movie_id in found:
                raise BadData(f"ratings: {movie} (id {movie.movie_id}) is rated twice; give one rating")
            found[movie.movie_id] = each.rating
        return found, ignored


class PredictionsBody(Ratings):
    """Predictions for a stranger."""

    movies: Annotated[tuple[MovieText, ...], Field(min_length=1, max_length=MAX_LIMIT)]
    explain: bool = False


class RecommendationsBody(Ratings, FilterQuery):
    """Recommendations for a stranger, which can be narrowed."""


class SimilarBody(FilterQuery):
    """Movies like several and unlike others."""

    like: Annotated[tuple[MovieText, ...], Field(min_length=1, max_length=MAX_LIMIT)]
    unlike: Annotated[tuple[MovieText, ...], Field(max_length=MAX_LIMIT)] = ()
    by: By = "blend"


class SimilarQuery(FilterQuery):
    """Movies like one."""

    by: By = "blend"
    explain: bool = False

    @model_validator(mode="after")
    def _only_looks(self) -> SimilarQuery:
        if self.explain and self.by != "poster":
            raise ValueError(f"explain: only likeness by poster is explained, not by {self.by}: give by=poster")
        return self


def identified(texts: Sequence[str], catalogue: Catalogue) -> tuple[list[int], list[str]]:
    """Movie ids of what was given, and what nobody has."""
    found, ignored = [], []
    for text in texts:
        try:
            found.append(catalogue.identify(text).movie_id)
        except UnknownMovie:
            ignored.append(text)
    return found, ignored


Query = TypeVar("Query", bound=BaseModel)


def parse(model: type[Query]) -> Query:
    """The parameters of the present request. Lists are written ``a,b`` or by repeating the name.

    Raises:
        BadData: a value that cannot be used, a name given twice, or a name that is unknown.
    """
    given: dict[str, object] = {}
    for name, values in request.args.lists():
        field = model.model_fields.get(name)
        if field is not None and isinstance(field.default, tuple):
            given[name] = [part.strip() for value in values for part in value.split(",")]
        elif len(values) > 1:
            raise BadData(f"{name}: given {len(values)} times; give it once")
        else:
            given[name] = values[0]
    return _validated(model, given)


def parse_body(model: type[Query]) -> Query:
    """The JSON body of the present request.

    Raises:
        BadData: it is no JSON object, a value cannot be used, or a member is unknown.
    """
    try:
        given = json.loads(request.get_data())
    except ValueError as error:
        raise BadData(f"the body is no JSON: {error}") from None
    if not isinstance(given, dict):
        raise BadData(f"the body is no JSON object with members {', '.join(model.model_fields)}")
    return _validated(model, given)


def _validated(model: type[Query], given: Mapping[str, object]) -> Query:
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise BadData("; ".join(_explain(model, problem) for problem in error.errors())) from None


def _as_text(value: object) -> object:
    """An id that was written as a number, as text."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _explain(model: type[BaseModel], problem: object) -> str:
    """One fault in words: the parameter, the value and what is allowed."""
    assert isinstance(problem, dict)  # noqa: S101
    name = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        known = ", ".join(model.model_fields) or "none"
        return f"{name}: there is no such parameter; there are: {known}"
    if problem["type"] == "missing":
        return f"{name}: is needed"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{name}: {message}, not {problem['input']!r}" if name else message
