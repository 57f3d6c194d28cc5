"""Several people on the page "For you": others to watch with, and films with what each of them would give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import request

from index.catalogue.catalogue import MovieFilter
from index.catalogue.movie import Movie
from index.core.errors import InvalidInput, UnknownUser
from index.movie_index import MovieIndex
from index.ratings.group_ways import MAX_PEOPLE, Lists, Together
from index.ratings.groups import Person
from index.ratings.model import Prediction
from server.pages.imported import Imported, imported_ratings

# Of the others' members in the form, one each.
PREFIXES = ("with_", *(f"with{number}_" for number in range(2, MAX_PEOPLE)))

WAYS_IN_WORDS: tuple[tuple[Together, str], ...] = (
    ("mean", "Best on average"),
    ("least-misery", "Nobody is bored"),
    ("fair", "Take turns"),
)


@dataclass(frozen=True, slots=True)
class Other:
    """Someone to watch with."""

    name: str
    person: Person | None  # None for a user who is not here
    user: int | str | None = None  # as given
    imported: Imported | None = None  # an export

    @property
    def without(self) -> str:
        """Name of this one in the form that leaves someone out: a prefix, or a user."""
        return self.imported.prefix if self.imported is not None else str(self.user)


@dataclass(frozen=True, slots=True)
class Company:
    """The others to watch with, those with exports first."""

    others: tuple[Other, ...]

    @property
    def known(self) -> list[tuple[str, Person]]:
        """Those who can be recommended to, with their names."""
        return [(other.name, other.person) for other in self.others if other.person is not None]

    @property
    def watchlists(self) -> list[tuple[int, ...]]:
        """The watchlist of each of them."""
        return [tuple(person.watchlist) for _, person in self.known]

    @property
    def members(self) -> dict[str, str]:
        """Members of the form that brings the others' ratings again."""
        return {
            name: text
            for other in self.others
            if other.imported is not None
            for name, text in other.imported.members.items()
        }

    @property
    def free(self) -> str | None:
        """Prefix of the members of one more person; None if there are as many as can be."""
        used = {other.imported.prefix for other in self.others if other.imported is not None}
        return next((each for each in PREFIXES if each not in used), None) if len(self.others) < len(PREFIXES) else None


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
    """A film for several people, with the prediction of each."""

    movie: Movie
    parts: tuple[Part, ...]


def company_of(index: MovieIndex, users: Sequence[int | str]) -> Company | None:
    """Return the others: by the exports in the request's form, or that the form brings again, and the users.

    Raises:
        InvalidInput: the form cannot be read, a file is no export, or there are too many.
        Busy: too many exports are being read.
    """
    brought = [each for prefix in PREFIXES if (each := imported_ratings(index, prefix)) is not None]
    users = list(dict.fromkeys(users))
    if len(brought) + len(users) > len(PREFIXES):
        raise InvalidInput(f"company: {1 + len(brought) + len(users)} people; at most {MAX_PEOPLE} watch together")
    names = ["They"] if len(brought) + len(users) == 1 else [f"Person {number}" for number in range(2, MAX_PEOPLE + 1)]
    others = [Other(name, each.person, imported=each) for name, each in zip(names, brought, strict=False)]
    others += [Other(f"User {user}", _person(index, user), user) for user in users]
    return Company(tuple(others)) if others else None


def _person(index: MovieIndex, user: int | str) -> Person | None:
    try:
        return Person(index.users.resolve(index.users.identify(user)))
    except UnknownUser:  # the page says so
        return None


def chosen_lists(company: Company | None) -> Lists | None:
    """Return the watchlists that the visitor wants films of; None for all films.

    Without a watchlist of each of the others, films on all of them are those on any.
    """
    every = company is not None and bool(company.watchlists) and all(company.watchlists)
    if "both" in request.form and every:
        return "all"
    return "any" if {"both", "only"} & request.form.keys() else None


def disjoint(lists: Sequence[Sequence[int]]) -> bool:
    """Return True if no movie is on all of some watchlists, of which none is empty."""
    return all(lists) and not set.intersection(*map(set, lists))


def pairs_of(
    index: MovieIndex,
    people: Sequence[tuple[str, Person]],
    k: int,
    together: Together,
    lists: Lists | None,
    where: MovieFilter | None,
) -> list[Pair]:
    """Return the ``k`` best films for named people together."""
    persons = [person for _, person in people]
    found = index.users.recommend_together(persons, k, together=together, lists=lists, where=where)
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
