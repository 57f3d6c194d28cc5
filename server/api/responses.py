"""What each route answers, on top of what the command shows too (``index/answers/schemas.py``)."""

from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict

from index.answers.schemas import (
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
    closed,
)


@closed
class MoviesReply(Page):
    """Movies, the best fit first."""

    q: str | None
    results: list[MovieAnswer] | list[MovieId]


@closed
class MovieReply(Provenance):
    """A movie, and by which spaces it can be compared."""

    movie: MovieAnswer
    spaces: list[str]


@closed
class SimilarReply(Page):
    """Movies like one, the most alike first."""

    movie: MovieAnswer
    by: str
    results: list[MatchAnswer] | list[MatchId]
    ignored: list[str]
    """Ids in the request that no movie here has."""


@closed
class MatchesReply(Page):
    """Movies found, the most alike first."""

    by: str
    results: list[MatchAnswer] | list[MatchId]
    ignored: list[str]
    """Ids in the request that no movie here has."""


@closed
class Alike(TypedDict):
    """A movie and those like it."""

    movie: MovieAnswer | MovieId
    results: list[MatchAnswer] | list[MatchId]


@closed
class BatchReply(Provenance):
    """Movies like each of several."""

    by: str
    results: list[Alike]
    """In the order asked."""
    ignored: list[str]
    """Ids in the request that no movie here has, and of those that are here the ones that nothing compares."""


class Both(TypedDict):
    """Two movies that are compared."""

    movie: MovieAnswer
    other: MovieAnswer


@closed
class LookReply(LookAnswer, Both, Provenance):
    """Why two posters look alike."""


@closed
class TasteReply(TasteAnswer, Both, Provenance):
    """Why two movies are loved alike."""


@closed
class PredictionReply(PredictionAnswer, Provenance):
    """How a user would rate a movie."""

    user_id: int


@closed
class UserPredictions(TypedDict):
    """How a user would rate some movies."""

    user_id: int
    results: list[PredictionAnswer] | list[PredictionId]


@closed
class PredictionsReply(Provenance):
    """How someone new would rate some movies."""

    results: list[PredictionAnswer] | list[PredictionId]
    ignored: list[str]
    """Ids in the request that no movie here has."""


@closed
class UsersPredictionsReply(Provenance):
    """How several users would rate some movies."""

    users: list[UserPredictions]
    """In the order asked."""
    ignored: list[str]
    """Ids in the request that no movie here has."""
    ignored_users: list[int]
    """Users in the request who have rated nothing here."""


@closed
class RecommendationsReply(Page):
    """What someone new would pick next."""

    results: list[PredictionAnswer] | list[PredictionId]
    ignored: list[str]
    """Ids in the request that no movie here has."""


@closed
class UserRecommendationsReply(RecommendationsReply):
    """What a user would pick next."""

    user_id: int


@closed
class UsersRecommendationsReply(Page):
    """What several users would pick next."""

    users: list[UserPredictions]
    """In the order asked."""
    ignored: list[str]
    """Ids in the request that no movie here has."""
    ignored_users: list[int]
    """Users in the request who have rated nothing here."""


@closed
class GivenRating(TypedDict):
    """A rating that a user gave."""

    movie: MovieAnswer | MovieId
    rating: float


@closed
class RatingsReply(Page):
    """What a user rated, by ascending movie id."""

    user_id: int
    results: list[GivenRating]


@closed
class RatingReply(Provenance):
    """A rating, as it is kept."""

    user_id: int
    movie: MovieAnswer
    rating: float


@closed
class SheetsAnswer(TypedDict):
    """How small posters stand on the sheets that a map is drawn from."""

    count: int
    """How many sheets there are."""
    across: int
    """How many posters stand beside each other on one."""
    down: int
    """How many below each other, at most."""
    width: int
    """Pixels of a small poster."""
    height: int


@closed
class MapReply(Provenance):
    """Where posters lie. Lists have one member for each film, in one order."""

    by: str
    columns: int
    rows: int
    movie_ids: list[int]
    titles: list[str]
    years: list[int | None]
    x: list[int]
    """The column, from the left."""
    y: list[int]
    """The row, from the top."""
    slots: list[int]
    """The poster's place on the sheets, row by row, counted through all of them; -1 where it is on none."""
    unlisted: list[int]
    """Ids of films with a poster that is on no sheet, as it came in after the snapshot was built."""
    sheets: SheetsAnswer


class SnapshotReply(Provenance):
    """What is served: the manifest, without its list of files."""

    id: str
    created: str
    version: str
    """Of Posterity, that built it."""
    dataset: dict[str, Any]
    spaces: dict[str, Any]
    blend: dict[str, float]
    """The weights of a blend where a request gives none."""
    ratings: dict[str, Any]
    posters: dict[str, Any]
    maps: dict[str, Any]
    """How posters were laid out, and how many neighbours that kept near."""
    warnings: list[str]
    evaluation: dict[str, Any]
    """How good the rating model is, on ratings held out of its training; empty in older snapshots."""
    format: int
    sha256: str


@closed
class Problem(TypedDict):
    """What went wrong (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    """The value at fault, and the remedy."""
    instance: str
    """The path that was asked."""
