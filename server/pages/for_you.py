"""The page "For you": rate a few movies, and get recommendations with explanations. Nothing is stored.

Ratings and skips are in the address, so that links, the back button and pages without scripts work alike.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated
from urllib.parse import quote

from flask import Response, current_app, render_template, request, url_for
from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from index.catalogue.catalogue import Movie, MovieFilter
from index.core.errors import UnknownUser
from index.imports.write import movies_csv
from index.movie_index import MovieIndex
from index.ratings.elicitation import rating_steps
from index.ratings.learned_ranker import FeatureContribution, RankExplanation
from index.ratings.model import INTERVAL, Contribution, Explanation, Prediction, UserOrRatings
from server.api.long_requests import bounded
from server.api.parsing import parse_page
from server.api.requests import MovieText, Rating, RequestModel, Someone, UserId, identified
from server.config import ServerConfig
from server.middleware.access import authorise, users_are_open
from server.pages.imported import imported_ratings
from server.state.current_snapshot import movie_index

_ASKED = 12  # movies offered for rating
_MANY = 1000  # ratings of a user whose page waits in the queue of long requests
_PICKS = 12
_LISTED = 100  # recommendations in a file
_NEW = 4  # recommended movies that nobody has rated
_LEAST_EFFECT = 0.01  # of content, in stars, that is named
_NAMED = 12  # contributions listed by movie
_FEATURES = 5  # contributions to a rank, listed by feature
_OWN = 48  # stored ratings of a user on the page
_MOST = 250  # ratings in an address; proxies limit its length
_MINUS = "\N{MINUS SIGN}"


def _as_rating(value: object) -> object:
    found = re.fullmatch(r"(.{1,200}):(-?[0-9]{1,6}(?:\.[0-9]{1,4})?)", str(value), re.ASCII)
    if found is None:
        raise PydanticCustomError("rated", "write the id of a film, a colon and a rating, as in 73:4.5")
    return {"movie": found[1], "rating": float(found[2])}


class ForYouQuery(RequestModel):
    """Ratings, skips, and the user that the ratings add to."""

    rated: Annotated[tuple[Annotated[Rating, BeforeValidator(_as_rating)], ...], Field(max_length=_MOST)] = ()
    skipped: Annotated[tuple[MovieText, ...], Field(max_length=_MOST)] = ()
    user: UserId | None = None


@dataclass(frozen=True, slots=True)
class State:
    """The state of the page, as in its address."""

    rated: dict[int, float]
    skipped: tuple[int, ...] = ()
    user: int | str | None = None  # as given

    @property
    def members(self) -> dict[str, str]:
        """Query parameters of the address; empty ones are left out."""
        members = {
            "user": "" if self.user is None else str(self.user),
            "rated": ",".join(f"{movie_id}:{rating:g}" for movie_id, rating in self.rated.items()),
            "skipped": ",".join(map(str, self.skipped)),
        }
        return {name: text for name, text in members.items() if text}

    @property
    def address(self) -> str:
        """Readable address: colons and commas are not escaped."""
        asked = "&".join(f"{name}={quote(text, safe=':,')}" for name, text in self.members.items())
        return url_for("pages.for_you") + (f"?{asked}" if asked else "")

    def without(self, movie_id: int) -> State:
        """Return the state without the rating of a movie."""
        return replace(self, rated={each: rating for each, rating in self.rated.items() if each != movie_id})


@dataclass(frozen=True, slots=True)
class Step:
    """A rating to choose from."""

    rating: float
    words: str  # for screen readers: "4 and a half stars"
    part: str  # part of a star to draw: left, right or whole


@dataclass(frozen=True, slots=True)
class Bar:
    """A prediction on the rating scale, in percent of its width."""

    at: float
    low: float
    width: float  # of the interval


@dataclass(frozen=True, slots=True)
class Pick:
    """A recommended movie, with its prediction as a sum of contributions; without one, if no ratings are predicted."""

    movie: Movie
    prediction: Prediction | None = None
    bar: Bar | None = None
    explanation: Explanation | None = None
    reasons: Sequence[tuple[Movie, Contribution]] = ()  # largest absolute value first
    of_content: Sequence[tuple[str, float]] = ()  # effects of a movie's content, without ratings, largest first
    others: int = 0  # number of rated movies beyond the reasons
    others_total: float = 0.0
    rank: Sequence[FeatureContribution] = ()  # largest contributions to the movie's rank


def for_you_page() -> str:
    """Show movies to rate, ratings so far, and recommendations."""
    index = movie_index()
    query = parse_page(ForYouQuery)
    if query.user is not None:
        authorise("read", personal=True)
    rated, unknown = Someone(ratings=query.rated).stranger(index.catalogue, index.users.scale)
    skipped, unknown_skipped = identified(query.skipped, index.catalogue)
    imported = imported_ratings(index) if request.method == "POST" else None
    brought = {} if imported is None else imported.used
    user_id = None if query.user is None else _user_id(index, query.user)
    own = {} if user_id is None else index.users.rated(user_id)
    state = State(rated, tuple(dict.fromkeys(skipped)), query.user)
    who = _who(index, user_id, replace(state, rated=brought | rated), own)
    many = len({*own, *brought, *rated}) > _MANY  # explanations take time in proportion
    nobody = not rated and not own and not brought
    where = None if imported is None else imported.filter()
    picks, unrated = bounded(
        _PICKS + _NEW if many else 1,
        lambda: (_picks(index, who, where), [] if nobody else _picks(index, who, where, new=True)),
    )
    steps = _steps(index.users.scale)
    done = {*own, *rated, *skipped, *(where.exclude if where else ())}
    liked = sorted(own.items(), key=lambda item: -item[1])
    config: ServerConfig = current_app.extensions["config"]
    return render_template(
        "for_you.html",
        state=state,
        ignored=[*unknown, *unknown_skipped],
        asked=[index.catalogue.movie(each) for each in index.to_ask if each not in done][:_ASKED],
        rated=[(index.catalogue.movie(each), rating) for each, rating in reversed(rated.items())],
        own=[(index.catalogue.movie(each), rating) for each, rating in liked[:_OWN]],
        own_count=len(own),
        nobody=nobody,
        imported=imported,
        picks=picks,
        unrated=unrated,
        steps=steps,
        words={step.rating: step.words for step in steps},
        scale=index.users.scale,
        interval=round(100 * INTERVAL),
        users=_ends(index),
        named=index.users.has_names,
        predicts=not index.users.implicit,
        can_keep=config.takes_writes,
        users_are_open=users_are_open(),
        signed=signed,
    )


def recommendations_file() -> Response:
    """Return recommendations by imported ratings, and by those in the address, as a table that Letterboxd imports."""
    index = movie_index()
    rated, _ = Someone(ratings=parse_page(ForYouQuery).rated).stranger(index.catalogue, index.users.scale)
    imported = imported_ratings(index)
    found = index.users.recommend(imported.used | rated, _LISTED, where=imported.filter())
    table = movies_csv(index.catalogue.movie(each.movie_id) for each in found)
    disposition = {"Content-Disposition": 'attachment; filename="recommendations.csv"'}
    return Response(table, mimetype="text/csv", headers=disposition)


def signed(number: float, digits: int = 2) -> str:
    """Return a number with its sign, typeset: "+0.31"."""
    return f"{number:+.{digits}f}".replace("-", _MINUS)


def _user_id(index: MovieIndex, user: int | str) -> int | None:
    try:
        return index.users.identify(user)
    except UnknownUser:  # the page says so
        return None


def _who(index: MovieIndex, user_id: int | None, state: State, own: dict[int, float]) -> UserOrRatings:
    if user_id is None or not own:
        return state.rated
    try:
        return own | state.rated if state.rated else index.users.resolve(user_id)
    except UnknownUser:  # the last rating was deleted since it was read
        return state.rated


def _picks(index: MovieIndex, who: UserOrRatings, where: MovieFilter | None, *, new: bool = False) -> list[Pick]:
    """Return recommendations; with ``new`` those among movies without ratings, none in an older snapshot."""
    if new and index.users.new_movies is None:
        return []
    found = index.users.recommend(who, _NEW if new else _PICKS, where=where, new=new)
    if index.users.implicit:
        return [Pick(index.catalogue.movie(each.movie_id)) for each in found]
    movie_ids = [prediction.movie_id for prediction in found]
    explanations = index.users.explain(who, movie_ids)
    ranks = {} if new else index.users.explain_ranks(who, movie_ids)  # new ones are not ordered by the learned ranker
    return [
        _pick(index, each, explanation, ranks.get(each.movie_id))
        for each, explanation in zip(found, explanations, strict=True)
    ]


def _pick(index: MovieIndex, prediction: Prediction, explanation: Explanation, rank: RankExplanation | None) -> Pick:
    low, high = index.users.scale
    at, start, end = (
        round(100 * (value - low) / max(high - low, 1e-9), 2)
        for value in (prediction.rating, prediction.low, prediction.high)
    )
    named, rest = explanation.contributions[:_NAMED], explanation.contributions[_NAMED:]
    return Pick(
        index.catalogue.movie(prediction.movie_id),
        prediction,
        Bar(at, start, round(end - start, 2)),
        explanation,
        [(index.catalogue.movie(part.movie_id), part) for part in named],
        _of_content(explanation),
        len(rest),
        sum(part.watched + part.rated for part in rest),
        [] if rank is None else [part for part in rank.contributions[:_FEATURES] if part.contribution],
    )


def _of_content(explanation: Explanation) -> list[tuple[str, float]]:
    """Return what content adds to the prediction for a movie without ratings, in words, largest effect first."""
    parts = explanation.content
    if parts is None or parts.share < 1:
        return []
    effects = [
        ("its genres", parts.genres),
        ("its year", parts.year),
        ("films of its kind", parts.similar),
        ("its poster", parts.poster),
        ("first ratings", parts.ratings),
    ]
    return sorted((each for each in effects if abs(each[1]) >= _LEAST_EFFECT), key=lambda each: -abs(each[1]))


def _steps(scale: tuple[float, float]) -> list[Step]:
    ratings = rating_steps(scale)
    stars = scale[0] >= 0 and scale[1] <= 5 and all((2 * rating).is_integer() for rating in ratings)
    halves = stars and any(not rating.is_integer() for rating in ratings)
    return [
        Step(
            rating,
            _in_stars(rating) if stars else f"{rating:g} of {scale[1]:g}",
            "whole" if not halves or (at == 0 and rating.is_integer()) else "right" if rating.is_integer() else "left",
        )
        for at, rating in enumerate(ratings)
    ]


def _in_stars(rating: float) -> str:
    whole, half = int(rating), rating % 1
    if half:
        return f"{whole} and a half stars" if whole else "half a star"
    return f"{whole or 'no'} star{'' if whole == 1 else 's'}"


def _ends(index: MovieIndex) -> tuple[int, int] | None:
    """Return the lowest and the highest user id; None without users, or if some have names."""
    if index.users.has_names:
        return None
    ids = index.users.ids.values
    return (int(ids[0]), int(ids[-1])) if ids.size else None
