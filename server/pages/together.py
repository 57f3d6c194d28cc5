"""Two people on the page "For you": someone to watch with, and films with what each of the two would give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import request

from index.catalogue.movie import Movie
from index.core.errors import UnknownUser
from index.movie_index import MovieIndex
from index.ratings.group_ways import Lists, Together
from index.ratings.groups import Person
from index.ratings.model import Prediction
from server.pages.imported import Imported, imported_ratings

PREFIX = "with_"  # of the other person's members in the form

WAYS_IN_WORDS: tuple[tuple[Together, str], ...] = (
    ("mean", "Best on average"),
    ("least-misery", "Nobody is bored"),
    ("fair", "Take turns"),
)


@dataclass(frozen=True, slots=True)
class Company:
    """Someone to watch with."""

    name: str
    person: Person | None  # None for a user who is not here
    user: int | str | None = None  # as given
    imported: Imported | None = None  # the other's export

    @property
    def members(self) -> dict[str, str]:
        """Members of the form that brings the other's ratings again."""
        return {} if self.imported is None else self.imported.members


@dataclass(frozen=True, slots=True)
class Bar:
    """A prediction on the rating scale, in percent of its width."""

    at: float
    low: float
    width: float  # of the interval


@dataclass(frozen=True, slots=True)
class Part:
    """One person's prediction for a film."""

    name: str
    prediction: Prediction
    bar: Bar | None  # None in a data set without ratings


@dataclass(frozen=True, slots=True)
class Pair:
    """A film for two, with the prediction of each."""

    movie: Movie
    parts: tuple[Part, ...]


def company_of(index: MovieIndex, user: int | str | None) -> Company | None:
    """Return the other person: by the export in the request's form, or that the form brings again, or the user.

    Raises:
        InvalidInput: the form cannot be read, or the file is no export.
        Busy: too many exports are being read.
    """
    imported = imported_ratings(index, PREFIX)
    if imported is not None:
        return Company("They", imported.person, user, imported)
    if user is None:
        return None
    try:
        return Company(f"User {user}", Person(index.users.resolve(index.users.identify(user))), user)
    except UnknownUser:  # the page says so
        return Company(f"User {user}", None, user)


def chosen_lists() -> Lists | None:
    """Return the watchlists that the visitor wants films of; None for all films."""
    return "all" if "both" in request.form else "any" if "only" in request.form else None


def pairs_of(
    index: MovieIndex, people: Sequence[tuple[str, Person]], k: int, together: Together, lists: Lists | None
) -> list[Pair]:
    """Return the ``k`` best films for named people together."""
    found = index.users.recommend_together([person for _, person in people], k, together=together, lists=lists)
    names = [name for name, _ in people]
    return [
        Pair(
            index.catalogue.movie(pick.movie_id),
            tuple(
                Part(name, prediction, None if index.users.implicit else bar_of(prediction, index.users.scale))
                for name, prediction in zip(names, pick.predictions, strict=True)
            ),
        )
        for pick in found
    ]


def bar_of(prediction: Prediction, scale: tuple[float, float]) -> Bar:
    """Return the bar of a prediction on a rating scale."""
    low, high = scale
    at, start, end = (
        round(100 * (value - low) / max(high - low, 1e-9), 2)
        for value in (prediction.rating, prediction.low, prediction.high)
    )
    return Bar(at, start, round(end - start, 2))
