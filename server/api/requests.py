"""Types and limits of all request parameters and bodies. Unknown names are refused."""

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
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from index.answers import schemas
from index.answers.serialize import provenance
from index.catalogue.catalogue import Catalogue, MovieFilter
from index.core.errors import InvalidCombination, InvalidInput, UnknownMovie
from index.core.references import MAX_ID
from index.core.source_ids import MAX_SOURCE_ID
from index.library.entries import (
    MAX_GENRE,
    YEARS,
)
from index.movie_index import MovieIndex
from index.snapshot.poster_files import SHOWN
from server.api.validation import as_decimal, as_flag, as_number, as_text, as_user_id
from server.media.thumbnails import Format, Width

MAX_LIMIT = 100
MAX_RANK = 500  # that a list by rank may begin at: by poster, 600 ranks take 130 ms among 87,585 movies
MAX_RATINGS = 2000  # of a new user
MAX_AMONG = 10_000  # ids that a filter allows
MAX_EXCLUDED = 10_000
MAX_GENRES = 20
MAX_TEXT = 600  # characters in the place of an id: a title with its year is ignored, not refused
# For the OpenAPI document. Letter case and spaces around it do not matter.
ID = "^((id:|tmdb:)?(0|[1-9][0-9]{0,18})|imdb:tt[0-9]{7,10})$"

# Unknown ids in a list are returned as ``ignored``, not refused, so any text is allowed.
_ID_JSON = {
    "anyOf": [{"type": "integer"}, {"type": "string", "format": "movie", "minLength": 1, "maxLength": MAX_TEXT}]
}

By = Literal["poster", "taste", "facts", "blend"]
Fields = Literal["all", "ids"]
MovieText = Annotated[str, Field(min_length=1, max_length=MAX_TEXT), BeforeValidator(as_text), WithJsonSchema(_ID_JSON)]
Genre = Annotated[str, Field(min_length=1, max_length=MAX_GENRE)]
Number = BeforeValidator(as_number)
# A number, or the data set's own id; unknown ones are returned as ``ignored_users``.
UserId = (
    Annotated[int, Field(ge=0, le=MAX_ID), BeforeValidator(as_user_id)]
    | Annotated[str, Field(min_length=1, max_length=MAX_SOURCE_ID)]
)
Year = Annotated[int, Field(ge=YEARS[0], le=YEARS[-1]), Number]
Flag = Annotated[bool, BeforeValidator(as_flag)]
Weight = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]
Weights = dict[Literal["poster", "taste", "facts"], Weight | None]
_WEIGHT = r"(poster|taste|facts):([0-9]{1,3}(\.[0-9]{1,24})?|1000)"  # 24 digits write any number above 1e-7 exactly

TextWeights = Annotated[
    Weights | None,
    BeforeValidator(lambda value: _as_weights(value)),
    WithJsonSchema({"type": "string", "pattern": f"^{_WEIGHT}(,{_WEIGHT})*$", "maxLength": 120}),
]


class RequestModel(BaseModel):
    """No parameters; the base of those with some. Unknown names are refused."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Page(RequestModel):
    """A page of a list."""

    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT), Number] = 10
    """Maximum number of results."""
    offset: Annotated[int, Field(ge=0, le=10_000), Number] = 0
    """Number of results to skip."""
    fields: Fields = "all"
    """``ids`` returns the lean form, with ``movie_id`` in place of a movie."""


def page(index: MovieIndex, query: Page) -> schemas.Page:
    """Return the members that every page of a list has."""
    return {"limit": query.limit, "offset": query.offset, **provenance(index)}


class ListQuery(Page):
    """A page of a list by ascending movie id."""

    after: Annotated[int | None, Field(ge=0, le=MAX_ID), Number] = None
    """Return only movies with larger ids; give the ``next`` of the page before, instead of an ``offset``."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.after is not None and self.offset:
            raise ValueError(f"offset {self.offset} and after {self.after}: give one of them")
        return self


def list_page(index: MovieIndex, query: ListQuery, movie_ids: Sequence[int]) -> schemas.ListPage:
    """Return the members that every page of a list by id has.

    Args:
        index: that answers.
        query: the request.
        movie_ids: of the page, and of the movie after it, if there is one.
    """
    following = movie_ids[query.limit - 1] if len(movie_ids) > query.limit else None
    return {**page(index, query), "next": following}


class OwnedQuery(RequestModel):
    """A filter by the shelf."""

    owned: Flag | None = None
    """Return only movies on the shelf; with ``false`` only others. The data set must tell which are."""

    def known_owned(self, catalogue: Catalogue) -> bool | None:
        """Return the filter for a catalogue.

        Raises:
            InvalidCombination: the catalogue does not tell which movies are on the shelf.
        """
        if self.owned is not None and catalogue.owned is None:
            raise InvalidCombination(
                "owned: this data set does not tell which movies are on the shelf: posterity scan does"
            )
        return self.owned


class SearchQuery(ListQuery, OwnedQuery):
    """A title search."""

    q: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    """Words of a title, or their beginnings; or the data set's own id of a movie. Without it, all movies are returned
    by ascending id."""

    @model_validator(mode="after")
    def _by_id(self) -> Self:
        if self.q is not None and self.after is not None:
            raise ValueError(f"after {self.after}: matches of q are listed by rank, not by id: give an offset")
        return self


class ImportQuery(RequestModel):
    """An export."""

    name: Annotated[str, Field(max_length=200)] = ""
    """Name of the file, if it is the body: a Letterboxd list called watchlist.csv is a watchlist."""


class PosterQuery(RequestModel):
    """A poster."""

    width: Annotated[Width | None, Number] = None
    """Maximum width in pixels. Without it, the original file is returned."""
    format: Format | None = None
    """Format of a small picture: ``webp``, the default, or ``jpeg``, which every program reads."""
    content: Annotated[str | None, Field(pattern=f"^[0-9a-f]{{{SHOWN}}}$")] = None
    """First 16 hexadecimal digits of the SHA-256 of the original file. If they are right, the response is immutable."""

    @model_validator(mode="after")
    def _small(self) -> Self:
        if self.format is not None and self.width is None:
            raise ValueError("format: give a width, too; without one the original file is returned")
        return self


class MovieFilterQuery(OwnedQuery):
    """A filter by genres, years and the shelf."""

    genre: Annotated[tuple[Genre, ...], Field(max_length=MAX_GENRES)] = ()
    """Genres that a movie must all have."""
    year_from: Year | None = None
    """Earliest year of a movie."""
    year_to: Year | None = None
    """Latest year of a movie."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.year_from is not None and self.year_to is not None and self.year_from > self.year_to:
            raise ValueError(f"year_from {self.year_from} is after year_to {self.year_to}")
        return self

    def movie_filter(self, catalogue: Catalogue) -> MovieFilter:
        """Return the filter for a catalogue.

        Raises:
            InvalidInput: a genre that no movie of the catalogue has.
            InvalidCombination: as ``known_owned``.
        """
        known = {genre.casefold() for genre in catalogue.genres}
        for genre in self.genre:
            if genre.casefold() not in known:
                raise InvalidInput(f"genre: no movie is {genre!r}; there are {', '.join(catalogue.genres)}")
        return MovieFilter(self.genre, self.year_from, self.year_to, owned=self.known_owned(catalogue))


class FilterQuery(Page, MovieFilterQuery):
    """A page of a list of movies by rank, with a filter."""

    offset: Annotated[int, Field(ge=0, le=MAX_RANK), Number] = 0
    """Number of results to skip. Lists by rank end after 600 results; filter for others."""
    exclude: Annotated[tuple[MovieText, ...], Field(max_length=MAX_EXCLUDED)] = ()
    """Ids of movies not to return."""
    among: Annotated[tuple[MovieText, ...], Field(min_length=1, max_length=MAX_AMONG)] = ()
    """Ids of the only movies to return, at least one. Without it, all may be returned."""

    def where(self, catalogue: Catalogue) -> tuple[MovieFilter, list[str]]:
        """Return the filter for a catalogue, and the ids in it that no movie has.

        Raises:
            InvalidInput, InvalidCombination: as ``movie_filter``.
        """
        excluded, ignored = identified(self.exclude, catalogue)
        among, unknown = identified(self.among, catalogue)
        only = tuple(among) if self.among else None
        where = replace(self.movie_filter(catalogue), exclude=tuple(excluded), among=only)
        return where, ignored + unknown


class DistinctQuery(FilterQuery):
    """A page of nearest neighbours, with a filter."""

    distinct: Flag = False
    """List movies with the same picture as poster once: the best match, with the number of its ``copies``."""


class Weighed(RequestModel):
    """A way to compare movies, where a blend may have weights."""

    by: str
    weights: Weights | None = None

    @property
    def weighed(self) -> dict[str, float] | None:
        """Return the weights by name of the space; None for the snapshot's."""
        if self.weights is None:
            return None
        return {str(name): weight for name, weight in self.weights.items() if weight is not None}

    @model_validator(mode="after")
    def _together(self) -> Self:
        if self.weights is not None and self.by != "blend":
            raise ValueError(f"weights: only a blend has weights, not neighbours by {self.by}: leave one of them out")
        if self.weights is not None and not any(self.weights.values()):
            raise ValueError("weights: they are all 0: give at least one above 0")
        return self


class ExplanationQuery(Weighed):
    """An explanation of the score of two movies."""

    by: Literal["poster", "taste", "blend"] = "poster"
    """Compare posters cell by cell, count the users who like both, or tell what each space adds to a blended score."""
    weights: TextWeights = None
    """With ``by=blend``: its weights, as in ``poster:1,taste:1,facts:0.5``. Default: the snapshot's weights."""


class PredictionQuery(RequestModel):
    """One prediction."""

    explain: Flag = False
    """Return the contribution of each rated movie. Ignored with ``fields=ids``."""


class RecommendationsQuery(FilterQuery, PredictionQuery):
    """Recommendations for one user."""

    diversity: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False), BeforeValidator(as_decimal)] = 0
    """0 to 1. Ranks movies lower that are like those above them, by the blend; 0 ranks by the user's taste alone."""

    new: Flag = False
    """Return only movies without ratings in the snapshot, added ones among them."""


class Rating(RequestModel):
    """A new user's rating."""

    movie: MovieText
    rating: Annotated[float, Field(allow_inf_nan=False)]


class Someone(RequestModel):
    """A new user, given by ratings; or several users."""

    ratings: Annotated[tuple[Rating, ...] | None, Field(max_length=MAX_RATINGS)] = None
    """Ratings of a new user. Give either these or ``user_ids``."""
    user_ids: Annotated[tuple[UserId, ...] | None, Field(min_length=1, max_length=MAX_LIMIT)] = None
    """Ids of users with ratings."""

    @model_validator(mode="after")
    def _either(self) -> Self:
        if (self.ratings is None) == (self.user_ids is None):
            raise ValueError("give either ratings, of a new user, or user_ids")
        return self

    def stranger(self, catalogue: Catalogue, scale: tuple[float, float]) -> tuple[dict[int, float], list[str]]:
        """Return the new user's ratings by movie id, and the ids that no movie has; errors as ``rated``."""
        return rated(self.ratings or (), catalogue, scale)


class PredictionsBody(Someone, PredictionQuery):
    """Predictions for a new user, or for several users."""

    movies: Annotated[tuple[MovieText, ...], Field(min_length=1, max_length=MAX_LIMIT)]
    fields: Fields = "all"
    """``ids`` returns the lean form, with ``movie_id`` in place of a movie."""


class RecommendationsBody(Someone, RecommendationsQuery):
    """Recommendations for a new user, or for several users."""

    watched: Annotated[tuple[MovieText, ...], Field(max_length=MAX_EXCLUDED)] = ()
    """Ids of movies that were watched and not rated, the latest first: not returned, and evidence for the ranking."""


class SimilarityQuery(DistinctQuery, Weighed):
    """Nearest neighbours in one space, or in a blend of all."""

    by: By = "blend"
    """Space to search: posters, taste (ratings), facts (genres, year, tags), or a blend of all."""
    weights: Weights | None = None
    """Weights of the blend by space. Default: the snapshot's weights."""


class SimilarBody(SimilarityQuery):
    """Nearest neighbours of several movies, away from others."""

    like: Annotated[tuple[MovieText, ...], Field(min_length=1, max_length=MAX_LIMIT)]
    unlike: Annotated[tuple[MovieText, ...], Field(max_length=MAX_LIMIT)] = ()


class BatchBody(SimilarityQuery):
    """Nearest neighbours of each of several movies."""

    movies: Annotated[tuple[MovieText, ...], Field(min_length=1, max_length=MAX_LIMIT)]


class SimilarQuery(SimilarityQuery):
    """Nearest neighbours of one movie."""

    weights: TextWeights = None
    """Weights of the blend, as in ``poster:1,taste:1,facts:0.5``. Default: the snapshot's weights."""
    explain: Flag = False
    """Explain each score, with ``by=poster`` or ``by=blend``. Ignored with ``fields=ids``."""

    @model_validator(mode="after")
    def _explained(self) -> Self:
        if self.explain and self.by not in {"poster", "blend"}:
            raise ValueError(
                f"explain: only neighbours by poster or blend are explained, not by {self.by}: give by=poster"
            )
        return self


def rated(
    ratings: Sequence[Rating], catalogue: Catalogue, scale: tuple[float, float]
) -> tuple[dict[int, float], list[str]]:
    """Return ratings by movie id, and the ids that no movie has.

    Raises:
        InvalidInput: a rating is off the scale.
        InvalidCombination: a movie is rated twice.
    """
    found: dict[int, float] = {}
    ignored = []
    for each in ratings:
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


def check_rating(rating: float, scale: tuple[float, float]) -> None:
    """Raise InvalidInput if a rating is off the scale."""
    low, high = scale
    if not low <= rating <= high:
        raise InvalidInput(f"rating: {rating:g} is off the scale: ratings here are {low:g} to {high:g}")


def identified(texts: Sequence[str], catalogue: Catalogue) -> tuple[list[int], list[str]]:
    """Return the movie ids of the texts, and the texts that no movie has as id."""
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
        raise ValueError("a space has two weights: give each space once")
    return weights
