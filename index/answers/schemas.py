"""What is answered, as the plain values that JSON has: the same from the command and over HTTP.

Every type is declared here once. ``present.py`` makes the values, and mypy holds it to the types; the server derives
its OpenAPI document from them. A string below a member describes it there.
"""

from __future__ import annotations

from typing import NotRequired, TypeVar

from typing_extensions import TypedDict

Kind = TypeVar("Kind")


def closed(kind: type[Kind]) -> type[Kind]:
    """The type, marked for whoever derives a schema: it has no other members, and docstrings describe those it has."""
    setattr(kind, "__pydantic_config__", {"extra": "forbid", "use_attribute_docstrings": True})  # noqa: B010
    return kind


@closed
class MovieAnswer(TypedDict):
    """A movie, with what ratings say of it."""

    movie_id: int
    """The data set's id; from a billion on for a movie that was added."""
    title: str
    """Without the year."""
    year: int | None
    genres: list[str]
    imdb_id: str | None
    tmdb_id: int | None
    rating_count: int
    """How many people rated it when the snapshot was built."""
    rating_mean: float | None
    has_poster: bool


@closed
class MovieId(TypedDict):
    """A movie in the lean form, ``fields=ids``."""

    movie_id: int


@closed
class MatchAnswer(TypedDict):
    """A movie found, and how alike it is."""

    movie: MovieAnswer
    score: float
    """Inner product, or a blend's mean percentile; larger is more alike."""
    percentile: float
    """The share of random pairs of this catalogue that are less alike, 0 to 1."""
    spaces: list[str]
    """What was compared."""
    explanation: NotRequired[LookAnswer]


@closed
class MatchId(TypedDict):
    """A movie found, in the lean form."""

    movie_id: int
    score: float
    percentile: float
    spaces: list[str]


@closed
class PredictionAnswer(TypedDict):
    """A predicted rating with its interval."""

    movie: MovieAnswer
    rating: float
    low: float
    high: float
    interval: float
    """The share of ratings that lie between low and high."""
    explanation: NotRequired[ExplanationAnswer]


@closed
class PredictionId(TypedDict):
    """A predicted rating, in the lean form."""

    movie_id: int
    rating: float
    low: float
    high: float


@closed
class ContributionAnswer(TypedDict):
    """What one rated movie adds to a prediction, in stars."""

    movie: MovieAnswer
    given: float
    """The rating it was given."""
    watched: float
    """Because it was rated at all."""
    rated: float
    """Because of how it was rated."""
    total: float


@closed
class OthersAnswer(TypedDict):
    """What the rated movies that are not named add together."""

    count: int
    total: float


@closed
class ExplanationAnswer(TypedDict):
    """A prediction as a sum."""

    base: float
    """What anyone would be predicted."""
    contributions: list[ContributionAnswer]
    others: OthersAnswer
    sum: float


@closed
class CellMatch(TypedDict):
    """Two parts of two posters that are alike."""

    cell: list[int]
    """Row and column on the first poster, from 0 to 6."""
    other: list[int]
    """Row and column on the second."""
    strength: float
    contribution: float


@closed
class LookAnswer(TypedDict):
    """Why two posters look alike. Cells are [row, column] from 0: ``heat[row][column]`` is what one adds.

    The 49 numbers of ``heat`` add up to ``score``. ``likeness`` is 1 where a cell is the same on both posters and 0
    where it differs as much as on two at random.
    """

    score: float
    percentile: float
    usual_score: float
    """The mean of random pairs."""
    heat: list[list[float]]
    likeness: list[list[float]]
    matches: list[CellMatch]


@closed
class TasteAnswer(TypedDict):
    """Why two movies are loved alike, in people; as of when the snapshot was built."""

    score: float
    percentile: float
    genres: list[str]
    """That both have."""
    loved_from: float
    """The rating from which on a movie counts as loved."""
    lovers: int
    """People who love the first movie."""
    lovers_who_rated: int
    """Of these, who rated the other."""
    lovers_of_both: int
    """Of these, who love it."""
    raters: int
    """All who rated the other movie."""
    lovers_of_other: int
    """Of these, who love it."""


class Provenance(TypedDict):
    """What every answer ends with."""

    snapshot: str
    weights: str | None


class Page(Provenance):
    """A part of a list."""

    limit: int
    offset: int
