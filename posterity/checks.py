"""Requests to a local index, checked as the server checks them."""

from __future__ import annotations

import json

from index.core.errors import UnknownUser
from index.core.references import MAX_ID
from index.movie_index import MovieIndex
from index.ratings.model import UserOrRatings
from posterity import arguments
from posterity.arguments import Json
from posterity.interface import UserId
from server.api.changes import MoviePatch
from server.api.requests import Someone
from server.api.validation import Query, parse_json


def checked(model: type[Query], values: Json) -> Query:
    """Return values as the server's model of the same request, with its limits and messages."""
    return parse_json(model, json.dumps(values).encode(), nulls=model is MoviePatch)


def resolved_user(index: MovieIndex, body: Someone) -> UserOrRatings:
    """Return the user, or the ratings of someone new."""
    if body.user_ids is not None:
        return index.users.resolve(index.users.identify(body.user_ids[0]))
    ratings, _ = body.stranger(index.catalogue, index.users.scale)
    return ratings


def number_of_user(index: MovieIndex, user: UserId, *, new: bool = False) -> int:
    """Return the number of a user if the library can store it."""
    number = index.users.identify(arguments.user(user), new=new)
    if not 0 <= number <= MAX_ID:
        raise UnknownUser(f"there is no user {number} here: ids are whole numbers from 0 to {MAX_ID}")
    return number
