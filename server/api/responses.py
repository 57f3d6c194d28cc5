"""Response types of the routes, built from those shared with the commands (``index/answers/schemas.py``)."""

from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict

from index.answers.schemas import (
    AddedAnswer,
    BlendAnswer,
    GroupPickAnswer,
    GroupPickId,
    ImportAnswer,
    ListPage,
    LookAnswer,
    MatchAnswer,
    MatchId,
    MovieAnswer,
    MovieId,
    Page,
    PredictionAnswer,
    PredictionId,
    Provenance,
    TasteAnswer,
    UserAnswer,
    closed,
)


@closed
class MoviesReply(ListPage):
    """Movies: by ascending id, or the best match of the words first."""

    q: str | None
    results: list[MovieAnswer] | list[MovieId]


@closed
class MovieReply(Provenance):
    """A movie, and the spaces that have a vector of it."""

    movie: MovieAnswer
    spaces: list[str]


@closed
class AddedReply(Provenance):
    """Outcome of each of several movies to add."""

    results: list[AddedAnswer]
    """In the order of the request."""


@closed
class SimilarReply(Page):
    """Nearest neighbours of a movie, most similar first."""

    movie: MovieAnswer
    by: str
    results: list[MatchAnswer] | list[MatchId]
    ignored: list[str]
    """Ids in the request that no movie has."""


@closed
class MatchesReply(Page):
    """Nearest neighbours of several movies or a picture, most similar first."""

    by: str
    results: list[MatchAnswer] | list[MatchId]
    ignored: list[str]
    """Ids in the request that no movie has."""


@closed
class Alike(TypedDict):
    """A movie and its nearest neighbours."""

    movie: MovieAnswer | MovieId
    results: list[MatchAnswer] | list[MatchId]


@closed
class BatchReply(Provenance):
    """Nearest neighbours of each of several movies."""

    by: str
    results: list[Alike]
    """In the order of the request."""
    ignored: list[str]
    """Ids in the request that no movie has, and ids of movies without a vector in the space."""


class Both(TypedDict):
    """Two compared movies."""

    movie: MovieAnswer
    other: MovieAnswer


@closed
class LookReply(LookAnswer, Both, Provenance):
    """An explanation of a score by poster."""


@closed
class BlendReply(BlendAnswer, Both, Provenance):
    """An explanation of a score by blend."""


@closed
class TasteReply(TasteAnswer, Both, Provenance):
    """An explanation of a score by taste."""


@closed
class PredictionReply(PredictionAnswer, UserAnswer, Provenance):
    """A user's predicted rating of a movie."""


@closed
class UserPredictions(UserAnswer):
    """A user's predicted ratings."""

    results: list[PredictionAnswer] | list[PredictionId]


@closed
class PredictionsReply(Provenance):
    """A new user's predicted ratings."""

    results: list[PredictionAnswer] | list[PredictionId]
    ignored: list[str]
    """Ids in the request that no movie has."""


@closed
class UsersPredictionsReply(Provenance):
    """Several users' predicted ratings."""

    users: list[UserPredictions]
    """In the order of the request."""
    ignored: list[str]
    """Ids in the request that no movie has."""
    ignored_users: list[int | str]
    """Users in the request without ratings."""


@closed
class RecommendationsReply(Page):
    """Recommendations for a new user, best first."""

    results: list[PredictionAnswer] | list[PredictionId]
    ignored: list[str]
    """Ids in the request that no movie has."""


@closed
class UserRecommendationsReply(RecommendationsReply, UserAnswer):
    """Recommendations for a user, best first."""


@closed
class UsersRecommendationsReply(Page):
    """Recommendations for several users, each best first."""

    users: list[UserPredictions]
    """In the order of the request."""
    ignored: list[str]
    """Ids in the request that no movie has."""
    ignored_users: list[int | str]
    """Users in the request without ratings."""


@closed
class GroupReply(Page):
    """Recommendations for several people together, best first."""

    together: str
    results: list[GroupPickAnswer] | list[GroupPickId]
    ignored: list[str]
    """Ids in the request that no movie has."""


@closed
class StoredReply(UserAnswer, Provenance):
    """Ratings that were stored, all at once."""

    stored: int
    """Their number."""
    ignored: list[str]
    """Ids in the request that no movie has."""


@closed
class GivenRating(TypedDict):
    """A user's rating of a movie."""

    movie: MovieAnswer | MovieId
    rating: float


@closed
class ImportReply(ImportAnswer, Provenance):
    """An export of ratings, matched with the catalogue."""


@closed
class RatingsReply(ListPage, UserAnswer):
    """A user's ratings, by ascending movie id."""

    results: list[GivenRating]


@closed
class RatingReply(UserAnswer, Provenance):
    """A stored rating."""

    movie: MovieAnswer
    rating: float


@closed
class SheetsAnswer(TypedDict):
    """The layout of a map's sprite sheets: small posters in a grid, row by row."""

    count: int
    """Number of sheets."""
    across: int
    """Number of posters in a row of a sheet."""
    down: int
    """Maximum number of rows of a sheet."""
    width: int
    """Width of a small poster in pixels."""
    height: int
    """Height of a small poster in pixels."""


@closed
class MapReply(Provenance):
    """A map. All lists but ``unlisted`` have one member per movie, in the same order."""

    by: str
    columns: int
    rows: int
    movie_ids: list[int]
    titles: list[str]
    years: list[int | None]
    x: list[int]
    """Columns, from 0 at the left."""
    y: list[int]
    """Rows, from 0 at the top."""
    slots: list[int]
    """Positions of the posters, counted row by row through all sheets; -1 for a movie on none."""
    contents: list[str | None]
    """``poster_content`` of the movies."""
    unlisted: list[int]
    """Ids of movies whose poster is on no sheet because it was added after the build."""
    sheets: SheetsAnswer


class SnapshotReply(Provenance):
    """The current snapshot: its manifest, without the list of files."""

    id: str
    created: str
    version: str
    """Version of Posterity that built it."""
    dataset: dict[str, Any]
    spaces: dict[str, Any]
    blend: dict[str, float]
    """Default weights of the blend."""
    ratings: dict[str, Any]
    posters: dict[str, Any]
    maps: dict[str, Any]
    """Layout of the maps, and the share of nearest neighbours that are near each other on them."""
    warnings: list[str]
    evaluation: dict[str, Any]
    """Metrics of the rating model on held-out ratings; empty in older snapshots."""
    format: int
    sha256: str


@closed
class Problem(TypedDict):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    """The invalid value, and the remedy."""
    instance: str
    """Path of the request."""
