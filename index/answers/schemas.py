"""Types of the JSON values returned by the commands and the HTTP API.

``serialize.py`` builds the values, and mypy checks them against these types. The server derives its OpenAPI document
from them: the string below a member becomes its description.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypeVar

from typing_extensions import TypedDict

Kind = TypeVar("Kind")

MAX_ADDED = 1000  # movies that one request may add


def closed(kind: type[Kind]) -> type[Kind]:
    """Mark a type for schema generation: no other members, and attribute docstrings as descriptions."""
    setattr(kind, "__pydantic_config__", {"extra": "forbid", "use_attribute_docstrings": True})  # noqa: B010
    return kind


@closed
class MovieAnswer(TypedDict):
    """A movie with its rating statistics."""

    movie_id: int
    """The data set's id, or the added movie's own; 1,000,000,000 or more for one added without an id."""
    title: str
    """Title without the year."""
    year: int | None
    genres: list[str]
    imdb_id: str | None
    tmdb_id: int | None
    rating_count: int
    """Number of ratings in the snapshot."""
    rating_mean: float | None
    """Mean rating in the snapshot; null without ratings."""
    has_poster: bool
    poster_content: str | None
    """First 16 hexadecimal digits of the SHA-256 of its poster, for an address that is cached for good; null without
    a poster, or if the snapshot does not record it."""
    source_id: NotRequired[str]
    """The data set's own id, or the added movie's, if that is no number and ``movie_id`` stands for it."""
    owned: NotRequired[bool]
    """True if the movie is on the shelf; missing if the data set does not tell."""


@closed
class AddedAnswer(TypedDict):
    """Outcome of one movie of many that were added at once."""

    index: int
    """Its position in the request, from 0."""
    outcome: Literal["created", "exists", "updated", "refused"]
    """``exists``: it is here already, and nothing changed."""
    movie_id: int | None
    """Its id here; null if it was refused."""
    reason: str | None
    """Reason for the refusal, with the invalid value and the remedy."""


@closed
class MovieId(TypedDict):
    """Id of a movie, with ``fields=ids``."""

    movie_id: int


@closed
class Copied(TypedDict):
    """Number of copies that stand behind a match."""

    copies: NotRequired[int]
    """With ``distinct``: number of further matches that are not listed, because their poster is the same picture."""


@closed
class MatchAnswer(Copied):
    """A similar movie with its score."""

    movie: MovieAnswer
    score: float
    """Inner product of a space; of a blend the weighted sum of each space's score in standard deviations above the mean
    of random pairs, itself in standard deviations. Larger is more similar."""
    percentile: float
    """Share of random pairs of this catalogue with a lower score, 0 to 1."""
    spaces: list[str]
    """Spaces in which the movies were compared."""
    explanation: NotRequired[LookAnswer | BlendAnswer]


@closed
class MatchId(Copied):
    """Id of a similar movie with its score, with ``fields=ids``."""

    movie_id: int
    score: float
    percentile: float
    spaces: list[str]


@closed
class PredictionAnswer(TypedDict):
    """A predicted rating with its prediction interval."""

    movie: MovieAnswer
    rating: float | None
    """Null, as low and high are, if the data set has no ratings, only who watched what."""
    low: float | None
    high: float | None
    interval: float
    """Nominal share of ratings from low to high."""
    explanation: NotRequired[ExplanationAnswer]
    ranking: NotRequired[RankingAnswer]
    """Score that ranks a recommendation, as a sum; with an explanation, if the snapshot learned to rank."""


@closed
class PredictionId(TypedDict):
    """A predicted rating with the id of the movie, with ``fields=ids``."""

    movie_id: int
    rating: float | None
    low: float | None
    high: float | None


@closed
class ContributionAnswer(TypedDict):
    """Contribution of one rated movie to a prediction, in units of the rating scale."""

    movie: MovieAnswer
    given: float
    """The user's rating of the movie."""
    watched: float
    """Effect of having rated the movie at all."""
    rated: float
    """Effect of the rating's value."""
    total: float
    """Sum of both effects."""


@closed
class OthersAnswer(TypedDict):
    """Contribution of all other rated movies."""

    count: int
    """Number of other movies."""
    total: float
    """Sum of their contributions."""


@closed
class ContentAnswer(TypedDict):
    """The prediction by content as a sum, in units of the rating scale; it counts with ``share`` in the served one."""

    share: float
    """1 for a movie without ratings in the snapshot; the more it has there, the less."""
    usual: float
    """The user's rating of a movie with mean content."""
    genres: float
    """Effect of its genres; 0 for a new movie without any."""
    year: float
    """Effect of its year; 0 for a new movie whose year is not known."""
    similar: float
    """Effect of the user's ratings of movies similar in genres, year and people, beyond those of genres and year."""
    poster: float
    """Effect of the user's ratings of movies with similar posters, likewise; 0 if posters do not help."""
    ratings: float
    """Effect of the movie's ratings, those added online and the user's own among them."""


@closed
class ExplanationAnswer(TypedDict):
    """A prediction as a sum."""

    base: float
    """Prediction for a user without ratings."""
    contributions: list[ContributionAnswer]
    """Largest contributions, by descending absolute value."""
    others: OthersAnswer
    sum: float
    """Base and all contributions, before clipping to the rating scale."""
    content: NotRequired[ContentAnswer]
    """The part of the prediction that comes from the movie's content and first ratings, by kind."""


@closed
class FeatureAnswer(TypedDict):
    """Contribution of one feature to the score that ranks a recommendation."""

    feature: str
    value: float | None
    """Value of the feature; null if it is unknown."""
    contribution: float


@closed
class RankingAnswer(TypedDict):
    """The score that ranks a recommendation, as a sum."""

    base: float
    """Mean score."""
    features: list[FeatureAnswer]
    """Largest contributions, by descending absolute value."""
    others: OthersAnswer
    sum: float
    """Base and all contributions."""


@closed
class CellMatch(TypedDict):
    """Matching cells of two posters."""

    cell: list[int]
    """Row and column on the first poster, 0 to 6."""
    other: list[int]
    """Row and column on the second poster, 0 to 6."""
    strength: float
    """Cosine of the two cells."""
    contribution: float
    """Inner product of the two cells."""


@closed
class LookAnswer(TypedDict):
    """Explanation of poster similarity on a grid of 7 x 7 cells."""

    score: float
    percentile: float
    """Share of random pairs of this catalogue with a lower score, 0 to 1."""
    usual_score: float
    """Mean score of random pairs."""
    heat: list[list[float]]
    """Contribution of each cell to the score, by row and column. The 49 numbers sum to the score."""
    likeness: list[list[float]]
    """Similarity of each cell, by row and column: 1 if equal on both posters, 0 as on random pairs, or less."""
    matches: list[CellMatch]
    """Best matching cells at any positions, best first."""


@closed
class BlendPart(TypedDict):
    """Contribution of one space to a blended score."""

    space: str
    weight: float
    score: float
    """Inner product in the space."""
    percentile: float
    """Share of random pairs of this catalogue with a lower score in the space, 0 to 1."""
    contribution: float
    """Part of the blended score."""


@closed
class BlendAnswer(TypedDict):
    """Explanation of a blended score as a sum over the spaces that both movies have."""

    score: float
    """Sum of the contributions."""
    percentile: float
    """Share of random pairs of this catalogue with a lower score, 0 to 1."""
    parts: list[BlendPart]
    """Largest contribution first."""


@closed
class TasteAnswer(TypedDict):
    """Explanation of taste similarity in numbers of users, as of the snapshot's ratings."""

    score: float
    percentile: float
    """Share of random pairs of this catalogue with a lower score, 0 to 1."""
    genres: list[str]
    """Genres of both movies."""
    loved_from: float
    """Lowest rating that counts as liked."""
    lovers: int
    """Users who like the first movie."""
    lovers_who_rated: int
    """Of these, users who rated the other movie."""
    lovers_of_both: int
    """Of these, users who like the other movie."""
    raters: int
    """Users who rated the other movie."""
    lovers_of_other: int
    """Of these, users who like the other movie."""


@closed
class ScaleAnswer(TypedDict):
    """The scale of an export's ratings."""

    low: float
    high: float
    reason: str
    """The evidence that it was recognised by."""
    mapped_to: list[float]
    """Lowest and highest rating of the snapshot, to which ``rating`` is mapped: 8 of 10 is 4 of 5."""


@closed
class EntryAnswer(TypedDict):
    """A film of an export."""

    place: str
    """File and row."""
    title: str
    year: int | None
    imdb_id: str | None
    tmdb_id: str | None
    kind: Literal["rated", "watched", "watchlist"]
    given: float | None
    """Rating on the export's scale; null unless it was rated."""
    rating: float | None
    """Rating on the snapshot's scale."""


@closed
class ImportedAnswer(TypedDict):
    """A film of an export that is certainly a movie."""

    movie: MovieAnswer
    given: float | None
    """Rating on the export's scale; null unless it was rated."""
    rating: float | None
    """Rating on the snapshot's scale."""
    place: str
    """File and row."""
    note: str
    """The difference, such as another year; empty for none."""


@closed
class UncertainAnswer(TypedDict):
    """A film of an export that may be one of several movies."""

    entry: EntryAnswer
    candidates: list[MovieAnswer]
    """Best first; one or more."""
    note: str
    """Reason why none is certain."""


@closed
class UnknownAnswer(TypedDict):
    """A film of an export that is not in the catalogue."""

    entry: EntryAnswer
    note: str


@closed
class SkippedAnswer(TypedDict):
    """A row of an export that is not used."""

    place: str
    """File and row."""
    text: str
    reason: str


@closed
class ImportCounts(TypedDict):
    """Sizes of the lists of an import."""

    entries: int
    """Films in the export, each once."""
    matched: int
    watched: int
    watchlist: int
    uncertain: int
    unknown: int
    skipped: int


@closed
class ImportAnswer(TypedDict):
    """An export of ratings, matched with the catalogue. Every row of it is in one of the lists."""

    format: str
    """Service it comes from, such as ``Letterboxd``; ``table`` for others."""
    scale: ScaleAnswer | None
    """Null without ratings."""
    counts: ImportCounts
    matched: list[ImportedAnswer]
    """Rated films, the latest rating first."""
    watched: list[ImportedAnswer]
    """Films that were watched and not rated."""
    watchlist: list[ImportedAnswer]
    """Films to watch."""
    uncertain: list[UncertainAnswer]
    unknown: list[UnknownAnswer]
    skipped: list[SkippedAnswer]


@closed
class GroupPrediction(TypedDict):
    """One person's rating of a movie that is recommended to a group; null in a data set without ratings."""

    rating: float | None
    """Predicted."""
    low: float | None
    high: float | None
    given: float | None
    """The rating that the person gave, which counts in place of the predicted one; null for a movie not rated."""


@closed
class GroupPickId(TypedDict):
    """A movie recommended to a group, by id."""

    movie_id: int
    mean: float | None
    """Mean of the ratings that count."""
    least: float | None
    """The lowest of them."""
    predictions: list[GroupPrediction]
    """Of each person, in the order of the request."""


@closed
class GroupPickAnswer(TypedDict):
    """A movie recommended to a group."""

    movie: MovieAnswer
    mean: float | None
    """Mean of the ratings that count."""
    least: float | None
    """The lowest of them."""
    predictions: list[GroupPrediction]
    """Of each person, in the order of the request."""


class UserAnswer(TypedDict):
    """A user."""

    user_id: int
    source_id: NotRequired[str]
    """The data set's own id, if that is no number and ``user_id`` stands for it."""


class Provenance(TypedDict):
    """Members of every response."""

    snapshot: str
    weights: str | None


class Page(Provenance):
    """Members of every page of a list."""

    limit: int
    offset: int


class ListPage(Page):
    """Members of every page of a list by ascending movie id."""

    next: int | None
    """The ``after`` of the next page; null on the last one, and for matches of words."""
