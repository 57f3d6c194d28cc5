"""Types and limits of requests about groups of people, and of many ratings at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from index.movie_index import MovieIndex
from index.ratings.group_ways import MAX_PEOPLE, Lists, Together
from index.ratings.groups import GroupPick, Person
from server.api.requests import (
    MAX_AMONG,
    MAX_EXCLUDED,
    MAX_RATINGS,
    FilterQuery,
    Flag,
    MovieText,
    Rating,
    RequestModel,
    UserId,
    identified,
    rated,
)

MAX_KEPT = 10_000  # ratings stored by one request


class Member(RequestModel):
    """A member of a group: a user, or someone new with ratings."""

    user_id: UserId | None = None
    """A user with ratings; someone new has none."""
    ratings: Annotated[tuple[Rating, ...], Field(max_length=MAX_RATINGS)] = ()
    """Ratings of someone new."""
    watched: Annotated[tuple[MovieText, ...], Field(max_length=MAX_EXCLUDED)] = ()
    """Ids of movies that were watched and not rated."""
    watchlist: Annotated[tuple[MovieText, ...], Field(max_length=MAX_AMONG)] = ()
    """Ids of movies to watch."""

    @model_validator(mode="after")
    def _either(self) -> Self:
        if self.user_id is not None and self.ratings:
            raise ValueError(f"user_id {self.user_id} has ratings already: give either, of each member")
        return self

    def person(self, index: MovieIndex) -> tuple[Person, list[str]]:
        """Return the member, and the ids that no movie has.

        Raises:
            UnknownUser: the user has no ratings.
            InvalidInput, InvalidCombination: as ``rated``.
        """
        watched, ignored = identified(self.watched, index.catalogue)
        watchlist, unlisted = identified(self.watchlist, index.catalogue)
        if self.user_id is not None:
            user = index.users.resolve(index.users.identify(self.user_id))
            return Person(user, tuple(watched), tuple(watchlist)), ignored + unlisted
        ratings, unknown = rated(self.ratings, index.catalogue, index.users.scale)
        return Person(ratings, tuple(watched), tuple(watchlist)), unknown + ignored + unlisted


class GroupQuery(FilterQuery):
    """Recommendations for several people together."""

    together: Together = "mean"
    """Order by the mean of their ratings, by the lowest of them, or so that all are equally served (``fair``)."""
    watchlist: Lists | None = None
    """Return only movies on any, or on all, of their watchlists."""
    seen: Flag = False
    """Return movies that some of them have rated or watched, too, but not those that all have."""


class UsersQuery(GroupQuery):
    """Recommendations for several users together."""

    user_ids: Annotated[tuple[UserId, ...], Field(min_length=2, max_length=MAX_PEOPLE, validate_default=True)] = ()
    """Users with ratings, 2 to 10."""

    @property
    def members(self) -> tuple[Member, ...]:
        """Return the users as members."""
        return tuple(Member(user_id=user_id) for user_id in self.user_ids)


def _two(members: tuple[Member, ...]) -> tuple[Member, ...]:
    """Check the number after the members, so that a wrong one is not also said to be missing."""
    if len(members) < 2:
        raise PydanticCustomError("too_few", "give 2 at least")
    return members


class GroupBody(GroupQuery):
    """Recommendations for users and new users together."""

    members: Annotated[
        tuple[Member, ...], Field(max_length=MAX_PEOPLE, json_schema_extra={"minItems": 2}), AfterValidator(_two)
    ]
    """2 to 10; predictions are in this order."""


def people_of(index: MovieIndex, members: Sequence[Member]) -> tuple[list[Person], list[str]]:
    """Return the members of a group, and the ids in them that no movie has; errors as ``Member.person``."""
    people, ignored = zip(*(member.person(index) for member in members), strict=True)
    return list(people), [each for unknown in ignored for each in unknown]


def group_picks(index: MovieIndex, people: Sequence[Person], query: GroupQuery) -> tuple[list[GroupPick], list[str]]:
    """Return recommendations for people together, and the ids in the filter that no movie has.

    Raises:
        InvalidInput: a genre that no movie has, or a rating off the scale.
    """
    where, ignored = query.where(index.catalogue)
    found = index.users.recommend_together(
        people,
        query.offset + query.limit,
        together=query.together,
        where=where,
        lists=query.watchlist,
        seen=query.seen,
    )
    return found[query.offset :], ignored


class RatingsBody(RequestModel):
    """Ratings to store."""

    ratings: Annotated[tuple[Rating, ...], Field(min_length=1, max_length=MAX_KEPT)]
    """1 to 10,000, each of another movie."""
