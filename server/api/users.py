"""Routes of users: ratings, predictions and recommendations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from index.answers.schemas import PredictionAnswer, PredictionId
from index.answers.serialize import (
    add_explanations,
    add_rankings,
    lean_group,
    lean_predictions,
    present_group,
    present_movie,
    present_predictions,
    present_user,
    provenance,
)
from index.catalogue.catalogue import MovieFilter
from index.core.errors import UnknownUser
from index.movie_index import MovieIndex
from index.ratings.model import Prediction, UserOrRatings
from server.api.blueprint import api
from server.api.long_requests import bounded
from server.api.operation import operation
from server.api.people import GroupBody, GroupQuery, Member, UsersQuery, group_picks, people_of
from server.api.requests import (
    Fields,
    ListQuery,
    PredictionQuery,
    PredictionsBody,
    RecommendationsBody,
    RecommendationsQuery,
    identified,
    list_page,
    page,
)
from server.api.responses import (
    GroupReply,
    PredictionReply,
    PredictionsReply,
    RatingsReply,
    RecommendationsReply,
    UserPredictions,
    UserRecommendationsReply,
    UsersPredictionsReply,
    UsersRecommendationsReply,
)
from server.middleware.access import authorise
from server.state.current_snapshot import movie_index

_EXPLAINED = 10  # contributions listed one by one
_FOLD_IN = 3  # parts of a request for a user with new ratings

Answer = TypeVar("Answer")


@api.get("/users/<user_id>/ratings")
@operation(ratings=True, personal=True)
def ratings(user_id: int, query: ListQuery) -> RatingsReply:
    """Return a user's ratings, of the data set and added since, by ascending movie id."""
    index = movie_index()
    rated = index.users.rated(user_id)
    if not rated:
        raise UnknownUser(f"there is no user {user_id} here, or all their ratings were deleted: add a rating")
    lean = query.fields == "ids"
    wanted = [movie_id for movie_id in rated if query.after is None or movie_id > query.after][query.offset :]
    movies = [(index.catalogue.movie(movie_id), rated[movie_id]) for movie_id in wanted[: query.limit]]
    return {
        **present_user(index, user_id),
        "results": [
            {"movie": {"movie_id": movie.movie_id} if lean else present_movie(index, movie), "rating": rating}
            for movie, rating in movies
        ],
        **list_page(index, query, wanted),
    }


@api.get("/users/<user_id>/predictions/<movie>")
@operation(ratings=True, personal=True)
def prediction(user_id: int, movie: str, query: PredictionQuery) -> PredictionReply:
    """Return a user's predicted rating of a movie with an 80% interval; optionally with the contributions to it."""
    index = movie_index()
    wanted = index.catalogue.identify(movie).movie_id
    (found,) = _predicted(index, index.users.resolve(user_id), [wanted], explain=query.explain)
    return {**present_user(index, user_id), **found, **provenance(index)}


@api.get("/users/<user_id>/recommendations")
@operation(ratings=True, personal=True)
def recommendations(user_id: int, query: RecommendationsQuery) -> UserRecommendationsReply:
    """Return recommendations for a user, with predicted ratings; optionally with the contributions to each."""
    index = movie_index()
    where, ignored = query.where(index.catalogue)
    return {
        **present_user(index, user_id),
        "results": _bounded(query, lambda: _recommended(index, index.users.resolve(user_id), query, where)),
        "ignored": ignored,
        **page(index, query),
    }


@api.post("/predictions")
@operation()
def predictions(body: PredictionsBody) -> PredictionsReply | UsersPredictionsReply:
    """Predict ratings for a new user, from the ratings in the body, or for several users. Nothing is stored."""
    index = movie_index()
    wanted, unknown = identified(body.movies, index.catalogue)
    if body.user_ids is None:
        who, ignored = body.stranger(index.catalogue, index.users.scale)
        parts = len(wanted) if body.explain else 1
        results = bounded(parts, lambda: _predictions(index, who, wanted, body))
        return {"results": results, "ignored": [*ignored, *unknown], **provenance(index)}
    authorise("read", personal=True)
    known, unknown_users = _known(index, body.user_ids)

    def users() -> list[UserPredictions]:
        return [
            {**present_user(index, user_id), "results": _predictions(index, who, wanted, body)}
            for user_id, who in known
        ]

    parts = _of_users(known, len(wanted) if body.explain else 1)
    return {"users": bounded(parts, users), "ignored": unknown, "ignored_users": unknown_users, **provenance(index)}


@api.post("/recommendations")
@operation()
def recommendations_for_several(body: RecommendationsBody) -> RecommendationsReply | UsersRecommendationsReply:
    """Recommend movies to a new user, from the ratings in the body, or to several users. Nothing is stored."""
    index = movie_index()
    where, not_excluded = body.where(index.catalogue)
    watched, not_watched = identified(body.watched, index.catalogue)
    not_excluded += not_watched
    if body.user_ids is None:
        who, ignored = body.stranger(index.catalogue, index.users.scale)
        return {
            "results": _bounded(body, lambda: _recommended(index, who, body, where, watched)),
            "ignored": [*ignored, *not_excluded],
            **page(index, body),
        }
    authorise("read", personal=True)
    known, unknown_users = _known(index, body.user_ids)

    def users() -> list[UserPredictions]:
        return [
            {**present_user(index, user_id), "results": _recommended(index, who, body, where, watched)}
            for user_id, who in known
        ]

    return {
        "users": bounded(_of_users(known, body.limit if body.explain else 1), users),
        "ignored": not_excluded,
        "ignored_users": unknown_users,
        **page(index, body),
    }


@api.get("/groups/recommendations")
@operation(ratings=True, personal=True)
def recommendations_for_users_together(query: UsersQuery) -> GroupReply:
    """Recommend movies to several users together, with each one's predicted rating, in the order of `user_ids`.

    Movies that any of them has rated are left out. The list is chosen from the 200 movies that each would likeliest
    watch and like, and ends with the last of these.
    """
    return _group(movie_index(), query.members, query)


@api.post("/groups/recommendations")
@operation()
def recommendations_for_a_group(body: GroupBody) -> GroupReply:
    """Recommend movies to several people together, users or new ones with ratings. Nothing is stored.

    Each result has every member's predicted rating, in the order of `members`. Movies that any of them has rated or
    watched are left out.
    """
    if any(member.user_id is not None for member in body.members):
        authorise("read", personal=True)
    return _group(movie_index(), body.members, body)


def _group(index: MovieIndex, members: Sequence[Member], query: GroupQuery) -> GroupReply:
    people, ignored = people_of(index, members)
    found, unknown = bounded(_FOLD_IN * len(people), lambda: group_picks(index, people, query))
    return {
        "together": query.together,
        "results": lean_group(found) if query.fields == "ids" else present_group(index, found),
        "ignored": [*ignored, *unknown],
        **page(index, query),
    }


def _bounded(query: RecommendationsQuery, work: Callable[[], Answer]) -> Answer:
    return bounded(query.limit if query.explain and query.fields == "all" else 1, work)


def _of_users(known: Sequence[tuple[int, UserOrRatings]], parts: int) -> int:
    """Return the parts of a request about several users; one with new ratings counts as several, for the fold-in."""
    return parts * sum(1 if isinstance(who, int) else _FOLD_IN for _, who in known)


def _known(index: MovieIndex, given: Sequence[int | str]) -> tuple[list[tuple[int, UserOrRatings]], list[int | str]]:
    """Return the users with ratings, each with their merged ratings, and the ids of those without."""
    known: list[tuple[int, UserOrRatings]] = []
    unknown = []
    for user in given:
        try:
            user_id = index.users.identify(user)
            known.append((user_id, index.users.resolve(user_id)))
        except UnknownUser:
            unknown.append(user)
    return known, unknown


def _predictions(
    index: MovieIndex, who: UserOrRatings, movie_ids: Sequence[int], body: PredictionsBody
) -> list[PredictionAnswer] | list[PredictionId]:
    if body.fields == "ids":
        return lean_predictions(index.users.predict(who, movie_ids))
    return _predicted(index, who, movie_ids, explain=body.explain)


def _predicted(
    index: MovieIndex, who: UserOrRatings, movie_ids: Sequence[int], *, explain: bool
) -> list[PredictionAnswer]:
    return _shown(index, who, index.users.predict(who, movie_ids), explain=explain)


def _shown(
    index: MovieIndex, who: UserOrRatings, found: Sequence[Prediction], *, explain: bool
) -> list[PredictionAnswer]:
    shown = present_predictions(index, found)
    if explain:
        add_explanations(index, who, shown, _EXPLAINED)
    return shown


def _recommended(
    index: MovieIndex,
    who: UserOrRatings,
    query: RecommendationsQuery,
    where: MovieFilter,
    watched: Sequence[int] = (),
) -> list[PredictionAnswer] | list[PredictionId]:
    wanted = query.offset + query.limit
    found = index.users.recommend(who, wanted, where=where, diversity=query.diversity, new=query.new, watched=watched)[
        query.offset :
    ]
    fields: Fields = query.fields
    if fields == "ids":
        return lean_predictions(found)
    shown = _shown(index, who, found, explain=query.explain)
    if query.explain:
        add_rankings(index, who, shown, _EXPLAINED, watched, where=where, new=query.new)
    return shown
