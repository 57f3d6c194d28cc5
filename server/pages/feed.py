"""Atom feeds of recommendations (RFC 4287): for a user, or by the ratings of an address of the page For you."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from flask import Response, render_template, request
from pydantic import Field

from index.catalogue.catalogue import MovieFilter
from index.catalogue.movie import Movie
from index.movie_index import MovieIndex
from index.ratings.model import INTERVAL, Prediction, UserOrRatings
from server.api.parsing import parse_page
from server.api.requests import Number, OwnedQuery, Someone
from server.middleware.access import authorise
from server.middleware.slashes import encoded_address
from server.pages.for_you import ForYouQuery, State
from server.state.current_snapshot import movie_index

MEDIA = "application/atom+xml"

_NAMESPACE = uuid.UUID("6f0c1c5e-5b0b-4d6e-9f6b-0f4d6e1c2a37")  # of the ids of feeds and entries: never change it
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class FeedQuery(OwnedQuery):
    """A feed."""

    limit: Annotated[int, Field(ge=1, le=50), Number] = 20


class RatingsFeedQuery(FeedQuery, ForYouQuery):
    """A feed by the ratings of an address of the page For you."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A recommended movie."""

    urn: str
    movie: Movie
    prediction: Prediction


def user_feed(user: str) -> Response:
    """Return a user's recommendations."""
    authorise("read", personal=True)
    index = movie_index()
    user_id = index.users.identify(user)
    query = parse_page(FeedQuery)
    state = State({}, user=user, owned=query.known_owned(index.catalogue) or False)
    return _feed(index, index.users.resolve(user_id), state, query.limit, user_id, f"user {user_id}", "")


def ratings_feed() -> Response:
    """Return recommendations by the ratings in the address, and those of a user that it may name."""
    index = movie_index()
    query = parse_page(RatingsFeedQuery)
    authorise("read", personal=query.user is not None)
    rated, _ = Someone(ratings=query.rated).stranger(index.catalogue, index.users.scale)
    who: UserOrRatings = rated
    user_id, name = None, "ratings"
    if query.user is not None:
        user_id = index.users.identify(query.user)
        known = index.users.resolve(user_id)
        name = f"user {user_id}"
        who = index.users.rated(user_id) | rated if rated else known
    state = State(rated, user=query.user, owned=query.known_owned(index.catalogue) or False)
    return _feed(index, who, state, query.limit, user_id, name, repr(sorted(rated.items())) if rated else "")


def _feed(
    index: MovieIndex, who: UserOrRatings, state: State, limit: int, user_id: int | None, name: str, more: str
) -> Response:
    """Return the feed of recommendations.

    Args:
        index: the movies.
        who: user, or ratings.
        state: of the page For you with the same recommendations.
        limit: number of entries.
        user_id: of the user; None for ratings alone.
        name: of the one whom the entries are for; a movie keeps the id of its entry as long as it is for the same.
        more: a part of the feed's id, beside the name.
    """
    found = index.users.recommend(who, limit, where=MovieFilter(owned=True) if state.owned else None)
    updated = datetime.fromisoformat(index.manifest.created).astimezone(UTC)
    changed = None if user_id is None else index.users.changed(user_id)
    if changed is not None:  # by a build or by the user's own ratings, whichever was later
        updated = max(updated, datetime.fromtimestamp(changed, UTC))
    text = render_template(
        "feed.xml",
        address=encoded_address(),
        urn=_urn(index, name, f"feed {more}", *(["shelf"] if state.owned else [])),
        state=state,
        updated=updated.isoformat(timespec="seconds"),
        entries=_entries(index, found, name),
        predicts=not index.users.implicit,
        scale=index.users.scale,
        interval=round(100 * INTERVAL),
    )
    response = Response(_NOT_XML.sub("", text), mimetype=MEDIA)
    response.cache_control.no_cache = True
    response.add_etag()
    response.make_conditional(request)
    return response


def _entries(index: MovieIndex, found: Sequence[Prediction], name: str) -> list[Entry]:
    return [
        Entry(_urn(index, name, f"movie {each.movie_id}"), index.catalogue.movie(each.movie_id), each) for each in found
    ]


def _urn(index: MovieIndex, *parts: str) -> str:
    """Return an id made of the data set's name and the parts, the same on every server."""
    return uuid.uuid5(_NAMESPACE, "\n".join((str(index.manifest.dataset["name"]), *parts))).urn
