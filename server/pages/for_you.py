"""The page "For you": rate a few movies, and get recommendations with explanations. Nothing is stored.

Ratings and skips are in the address, so that links, the back button and pages without scripts work alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated
from urllib.parse import quote

from flask import Response, current_app, render_template, request, url_for
from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from index.answers.serialize import rounded_base
from index.catalogue.catalogue import Movie, MovieFilter
from index.core.errors import InvalidInput, UnknownUser
from index.imports.write import movies_csv
from index.movie_index import MovieIndex
from index.ratings.elicitation import rating_steps
from index.ratings.group_ways import MAX_PEOPLE, Together
from index.ratings.groups import Person
from index.ratings.learned_ranker import FeatureContribution, RankExplanation
from index.ratings.model import INTERVAL, Contribution, Explanation, Prediction, UserOrRatings
from server.api.long_requests import bounded, queued
from server.api.parsing import parse_page
from server.api.requests import MovieText, OwnedQuery, Rating, Someone, UserId, identified
from server.config import ServerConfig
from server.media.uploads import EXPORT_FIELD
from server.middleware.access import authorise, users_are_open
from server.pages.imported import Imported, imported_ratings
from server.pages.together import (
    WAYS_IN_WORDS,
    Bar,
    Company,
    Pair,
    bar_of,
    chosen_lists,
    company_of,
    disjoint,
    pairs_of,
)
from server.state.current_snapshot import movie_index

_ASKED = 12  # movies offered for rating
_MANY = 1000  # ratings of a user whose page waits in the queue of long requests
_PICKS = 12
_LISTED = 100  # recommendations in a file
_NEW = 4  # recommended movies that nobody has rated
_LEAST_EFFECT = 0.005  # in stars, of a reason that is named: less is shown as 0.00
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


class ForYouQuery(OwnedQuery):
    """Ratings, skips, the user that the ratings add to, and the shelf."""

    rated: Annotated[tuple[Annotated[Rating, BeforeValidator(_as_rating)], ...], Field(max_length=_MOST)] = ()
    skipped: Annotated[tuple[MovieText, ...], Field(max_length=_MOST)] = ()
    user: UserId | None = None
    company: Annotated[tuple[UserId, ...], Field(max_length=MAX_PEOPLE - 1)] = ()
    """Other users, to watch something together."""
    together: Together = "mean"


@dataclass(frozen=True, slots=True)
class State:
    """The state of the page, as in its address."""

    rated: dict[int, float]
    skipped: tuple[int, ...] = ()
    user: int | str | None = None  # as given
    company: tuple[int | str, ...] = ()  # likewise
    together: Together = "mean"
    owned: bool = False  # only films on the shelf

    @property
    def members(self) -> dict[str, str]:
        """Query parameters of the address; empty ones are left out."""
        members = {
            "user": "" if self.user is None else str(self.user),
            "company": ",".join(map(str, self.company)),
            "together": "" if self.together == "mean" else self.together,
            "rated": ",".join(f"{movie_id}:{rating:g}" for movie_id, rating in self.rated.items()),
            "skipped": ",".join(map(str, self.skipped)),
            "owned": "true" if self.owned else "",
        }
        return {name: text for name, text in members.items() if text}

    @property
    def address(self) -> str:
        """Readable address: colons and commas are not escaped."""
        return _readable("pages.for_you", self.members)

    @property
    def feed(self) -> str:
        """Readable address of the feed with the same recommendations."""
        return _readable("pages.feed", replace(self, skipped=(), company=(), together="mean").members)

    def of_shelf(self, owned: bool) -> State:
        """Return the state with films on the shelf alone, or with all."""
        return replace(self, owned=owned)

    def without(self, movie_id: int) -> State:
        """Return the state without the rating of a movie."""
        return replace(self, rated={each: rating for each, rating in self.rated.items() if each != movie_id})


def _readable(endpoint: str, members: Mapping[str, str]) -> str:
    asked = "&".join(f"{name}={quote(text, safe=':,')}" for name, text in members.items())
    return url_for(endpoint) + (f"?{asked}" if asked else "")


@dataclass(frozen=True, slots=True)
class Visitor:
    """The person who asks for recommendations, and the company to watch with."""

    person: Person
    rated: dict[int, float]  # in the address
    ignored: list[str]  # ids in it that no movie has
    own: dict[int, float]  # stored ratings of the user in the address
    imported: Imported | None
    company: Company | None


@dataclass(frozen=True, slots=True)
class Step:
    """A rating to choose from."""

    rating: float
    words: str  # for screen readers: "4 and a half stars"
    part: str  # part of a star to draw: left, right or whole


@dataclass(frozen=True, slots=True)
class Pick:
    """A recommended movie, with its prediction as a sum of contributions; without one, if no ratings are predicted."""

    movie: Movie
    prediction: Prediction | None = None
    bar: Bar | None = None
    explanation: Explanation | None = None
    base: float = 0.0  # of the explanation, so that it adds up with three decimals
    reasons: Sequence[tuple[Movie, Contribution]] = ()  # largest absolute value first
    of_content: Sequence[tuple[str, float]] = ()  # effects of a movie's content, without ratings, largest first
    others: int = 0  # number of rated movies beyond the reasons
    others_total: float = 0.0
    rank: Sequence[FeatureContribution] = ()  # largest contributions to the movie's rank

    @property
    def because(self) -> list[tuple[Movie, Contribution]]:
        """The first reasons, of those large enough to be shown as other than 0.00."""
        return [(movie, part) for movie, part in self.reasons if abs(part.watched + part.rated) >= _LEAST_EFFECT][:3]


def for_you_page() -> str:
    """Show movies to rate, ratings so far, and recommendations."""
    index = movie_index()
    query = parse_page(ForYouQuery, override=("company", "together"))
    visitor = _visitor(index, query)
    me, imported, company, own = visitor.person, visitor.imported, visitor.company, visitor.own
    skipped, unknown_skipped = identified(query.skipped, index.catalogue)
    rated, brought = visitor.rated, {} if imported is None else imported.used
    owned = query.known_owned(index.catalogue)
    state = State(rated, tuple(dict.fromkeys(skipped)), query.user, query.company, query.together, owned or False)
    nobody = not rated and not own and not brought and not me.watched
    only = chosen_lists(company)
    pairs: list[Pair] = []
    picks: list[Pick] = []
    unrated: list[Pick] = []
    where = MovieFilter(owned=owned)
    if company is not None and company.known:
        people = [("You" if query.user is None else f"User {query.user}", me), *company.known]
        pairs = queued(lambda: pairs_of(index, people, _PICKS, query.together, only, where))
    else:
        many = len({*own, *brought, *rated}) > _MANY  # explanations take time in proportion
        where = replace(where, among=me.watchlist if only else None)
        picks, unrated = bounded(
            _PICKS + _NEW if many else 1,
            lambda: (_picks(index, me, where), [] if nobody else _picks(index, me, where, new=True)),
        )
    steps = _steps(index.users.scale)
    done = {*own, *rated, *skipped, *brought, *me.watched}
    liked = sorted(own.items(), key=lambda item: -item[1])
    config: ServerConfig = current_app.extensions["config"]
    return render_template(
        "for_you.html",
        state=state,
        ignored=[*visitor.ignored, *unknown_skipped],
        asked=[index.catalogue.movie(each) for each in index.to_ask if each not in done][:_ASKED],
        rated=[(index.catalogue.movie(each), rating) for each, rating in reversed(rated.items())],
        own=[(index.catalogue.movie(each), rating) for each, rating in liked[:_OWN]],
        own_count=len(own),
        nobody=nobody,
        imported=imported,
        company=company,
        ways=WAYS_IN_WORDS,
        only=only,
        apart=only == "all" and company is not None and disjoint([me.watchlist, *company.watchlists]),
        pairs=pairs,
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
    query = parse_page(ForYouQuery, override=("company", "together"))
    visitor, owned = _visitor(index, query), query.known_owned(index.catalogue)
    me, company = visitor.person, visitor.company
    only = chosen_lists(company)
    where = MovieFilter(owned=owned)
    if company is not None and company.known:
        people = [("", me), *company.known]
        group = queued(lambda: pairs_of(index, people, _LISTED, query.together, only, where))
        listed = [pair.movie.movie_id for pair in group]
    else:
        where = replace(where, among=me.watchlist if only else None)
        found = index.users.recommend(me.user, _LISTED, where=where, watched=me.watched)
        listed = [each.movie_id for each in found]
    table = movies_csv(map(index.catalogue.movie, listed))
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


def _who(index: MovieIndex, user_id: int | None, rated: dict[int, float], own: dict[int, float]) -> UserOrRatings:
    if user_id is None or not own:
        return rated
    try:
        return own | rated if rated else index.users.resolve(user_id)
    except UnknownUser:  # the last rating was deleted since it was read
        return rated


def _visitor(index: MovieIndex, query: ForYouQuery) -> Visitor:
    """Return who asks: by the address, and by the form of the request.

    Raises:
        Unauthorised: users are shown with a key alone.
        InvalidInput: the form has no ratings, or cannot be read.
        Busy: too many exports are being read.
    """
    if query.user is not None or query.company:
        authorise("read", personal=True)
    rated, ignored = Someone(ratings=query.rated).stranger(index.catalogue, index.users.scale)
    imported, company = imported_ratings(index), company_of(index, query.company)
    if request.method == "POST" and imported is None and company is None:
        raise InvalidInput(f"{EXPORT_FIELD}: no file was sent: choose the export of your ratings first")
    user_id = None if query.user is None else _user_id(index, query.user)
    own = {} if user_id is None else index.users.rated(user_id)
    brought = Person({}) if imported is None else imported.person
    who = _who(index, user_id, rated if imported is None else imported.used | rated, own)
    return Visitor(replace(brought, user=who), rated, ignored, own, imported, company)


def _picks(index: MovieIndex, me: Person, where: MovieFilter | None, *, new: bool = False) -> list[Pick]:
    """Return recommendations; with ``new`` those among movies without ratings, none in an older snapshot."""
    if new and index.users.new_movies is None:
        return []
    who, watched = me.user, me.watched
    found = index.users.recommend(who, _NEW if new else _PICKS, where=where, new=new, watched=watched)
    if index.users.implicit:
        return [Pick(index.catalogue.movie(each.movie_id)) for each in found]
    movie_ids = [prediction.movie_id for prediction in found]
    explanations = index.users.explain(who, movie_ids)
    ranks = index.users.explain_ranks(who, movie_ids, watched, where=where, new=new)
    return [
        _pick(index, each, explanation, ranks.get(each.movie_id))
        for each, explanation in zip(found, explanations, strict=True)
    ]


def _pick(index: MovieIndex, prediction: Prediction, explanation: Explanation, rank: RankExplanation | None) -> Pick:
    named, rest = explanation.contributions[:_NAMED], explanation.contributions[_NAMED:]
    totals = [part.watched + part.rated for part in named]
    others = sum(part.watched + part.rated for part in rest)
    return Pick(
        index.catalogue.movie(prediction.movie_id),
        prediction,
        bar_of(prediction, index.users.scale),
        explanation,
        rounded_base(explanation.rating, [*totals, others], 3),
        [(index.catalogue.movie(part.movie_id), part) for part in named],
        _of_content(explanation),
        len(rest),
        others,
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
