"""Arguments as plain JSON values. Index and client share it, so both refuse the same ones with the same message.

Anything that is a whole number or a list counts as one: numpy's scalars and arrays, and columns of pandas, too.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import index
from os import PathLike
from pathlib import Path
from typing import Any

from index.answers.schemas import MAX_ADDED
from index.core.errors import InvalidInput, UnknownMovie, UnknownUser
from index.core.source_ids import MAX_SOURCE_ID
from posterity.interface import Filters, MovieId, MovieUpdate, Person, Ratings, UserId

Json = dict[str, Any]

_BATCH = 500_000  # characters of the movies of a request; the server reads bodies of a MiB
_SHOWN = 100  # characters of an invalid value
_FILTERS: Json = {  # of a list by rank, with their defaults
    "limit": 10,
    "offset": 0,
    "genre": (),
    "year_from": None,
    "year_to": None,
    "exclude": (),
    "among": None,
    "owned": None,
}


def number(name: str, value: Any) -> int:
    """Return a whole number.

    Raises:
        InvalidInput: it is none.
    """
    try:
        if not isinstance(value, bool):
            return index(value)
    except TypeError:
        pass
    raise InvalidInput(f"{name}: give a whole number, not {_short(value)}")


def small(width: Any, form: Any) -> dict[str, Any]:
    """Return the parameters of a poster: a width and a format, without those that are None.

    Raises:
        InvalidInput: the width is no whole number.
    """
    size = {} if width is None else {"width": number("width", width)}
    return size if form is None else {**size, "format": form}


def real(name: str, value: Any) -> float:
    """Return a finite number.

    Raises:
        InvalidInput: it is none.
    """
    try:
        found = math.nan if isinstance(value, (bool, str, bytes)) else float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not math.isfinite(found):
        raise InvalidInput(f"{name}: give a number, not {_short(value)}")
    return found


def text(name: str, value: Any) -> str:
    """Return a text that UTF-8 can encode.

    Raises:
        InvalidInput: it is none.
    """
    if not isinstance(value, str):
        raise InvalidInput(f"{name}: give a text, not {_short(value)}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(f"{name}: {_short(value)} is no Unicode text") from error
    return value


def texts(name: str, values: Any) -> list[str]:
    """Return a list of non-blank texts; a single text is a list of one.

    Raises:
        InvalidInput: it is none.
    """
    found = [text(name, each) for each in ([values] if isinstance(values, str) else _items(name, values))]
    if not all(each.strip() for each in found):
        raise InvalidInput(f"{name}: one of {_short(found)} is empty: leave it out")
    return found


def flag(name: str, value: Any) -> bool:
    """Return True or False.

    Raises:
        InvalidInput: it is neither.
    """
    if type(value).__name__ not in {"bool", "bool_"}:  # numpy's, too
        raise InvalidInput(f"{name}: give True or False, not {_short(value)}")
    return bool(value)


def movie_id(name: str, value: Any) -> MovieId:
    """Return a movie id of a list.

    Raises:
        InvalidInput: it is neither a whole number nor a text.
    """
    return text(name, value) if isinstance(value, str) else number(name, value)


def movie_ids(name: str, values: Any) -> list[MovieId]:
    """Return a list of movie ids.

    Raises:
        InvalidInput: it is none; a single id is no list.
    """
    if isinstance(values, str):
        raise InvalidInput(f"{name}: give a list of movie ids, not {_short(values)}")
    return [movie_id(name, each) for each in _items(name, values)]


def movie(value: Any) -> str:
    """Return the text of a movie id that is asked for by itself.

    Raises:
        InvalidInput: it is neither a whole number nor a text.
        UnknownMovie: it is no movie id, so no movie has it.
    """
    found = str(movie_id("movie", value)).strip()
    if not _fits_into_path(found):
        raise UnknownMovie(f"{_short(found)} is no movie id: give a number, imdb:tt… or tmdb:…")
    return found


def user(value: Any) -> str:
    """Return the text of a user id that is asked for by itself.

    Raises:
        InvalidInput: it is neither a whole number nor a text.
        UnknownUser: it is no user id, so no user has it.
    """
    found = (text("user_id", value) if isinstance(value, str) else str(number("user_id", value))).strip()
    if not _fits_into_path(found):
        raise UnknownUser(f"there is no user {_short(found)} here: give a number, or the data set's own id")
    return found


def content(name: str, value: Any) -> bytes:
    """Return the content of a file.

    Raises:
        InvalidInput: it is none.
    """
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise InvalidInput(f"{name}: give the content of a file as bytes, not {_short(value)}")
    return bytes(value)


def export(value: Any, name: Any) -> tuple[bytes, str]:
    """Return the content and the name of an export, given by its path or its content.

    Raises:
        InvalidInput: it is neither, or cannot be read.
    """
    if not isinstance(value, (str, PathLike)):
        return content("export", value), text("name", name)
    file = Path(value)
    try:
        return file.read_bytes(), text("name", name) or file.name
    except (OSError, ValueError) as error:
        raise InvalidInput(f"export: {_short(str(value))} cannot be read: {error}") from error


def distinct(value: Any) -> Json:
    """Return the member that lists each poster once; none if it is False.

    Raises:
        InvalidInput: it is neither True nor False.
    """
    return {"distinct": True} if flag("distinct", value) else {}


def recommended(explain: bool, diversity: float, new: bool, watched: Iterable[MovieId]) -> Json:
    """Return the members of recommendations; those that change nothing are left out, but ``explain``.

    Raises:
        InvalidInput: one has the wrong type.
    """
    given = {
        "diversity": real("diversity", diversity),
        "new": flag("new", new),
        "watched": movie_ids("watched", watched),
    }
    return {"explain": flag("explain", explain)} | {name: value for name, value in given.items() if value}


def page(limit: int, offset: int) -> Json:
    """Return the members that choose a part of a list.

    Raises:
        InvalidInput: one is no whole number.
    """
    return {"limit": number("limit", limit), "offset": number("offset", offset)}


def listed(q: str | None, limit: int, offset: int, after: int | None, owned: bool | None) -> Json:
    """Return the members that choose a part of the list of movies; those not given are left out.

    Raises:
        InvalidInput: one has the wrong type.
    """
    given = {
        "q": None if q is None else text("q", q),
        "after": None if after is None else number("after", after),
        "owned": None if owned is None else flag("owned", owned),
    }
    return page(limit, offset) | {name: value for name, value in given.items() if value is not None}


def filters(given: Filters) -> Json:
    """Return the members that filter a list of movies; those that do not filter are left out.

    Raises:
        InvalidInput: one is unknown or has the wrong type, or ``among`` is empty.
    """
    unknown = given.keys() - _FILTERS.keys()
    if unknown:
        raise InvalidInput(f"{min(unknown)}: there is no such argument; there are {', '.join(_FILTERS)}")
    wanted = {**_FILTERS, **given}
    only = None if wanted["among"] is None else movie_ids("among", wanted["among"])
    if only == []:  # an empty list does not filter, over HTTP
        raise InvalidInput("among: it is empty, so nothing can be found: give movie ids, or None for all movies")
    members = {
        "genre": texts("genre", wanted["genre"]),
        "year_from": None if wanted["year_from"] is None else number("year_from", wanted["year_from"]),
        "year_to": None if wanted["year_to"] is None else number("year_to", wanted["year_to"]),
        "exclude": movie_ids("exclude", wanted["exclude"]),
        "among": only,
        "owned": None if wanted["owned"] is None else flag("owned", wanted["owned"]),
    }
    filtered = {name: value for name, value in members.items() if value is not None and value != []}
    return page(wanted["limit"], wanted["offset"]) | filtered


def comparison(by: str, weights: Mapping[str, float] | None) -> Json:
    """Return the members that choose how movies are compared.

    Raises:
        InvalidInput: one has the wrong type.
    """
    compared: Json = {"by": text("by", by)}
    if weights is not None:
        if not isinstance(weights, Mapping):
            raise InvalidInput(f"weights: give a dict of space and weight, not {_short(weights)}")
        compared["weights"] = {text("weights", name): real("weights", weight) for name, weight in weights.items()}
    return compared


def neighbours(by: str, weights: Mapping[str, float] | None, distinct_only: bool, filtered: Filters) -> Json:
    """Return the members of a request for nearest neighbours.

    Raises:
        InvalidInput: one has the wrong type.
    """
    return comparison(by, weights) | filters(filtered) | distinct(distinct_only)


def user_or_ratings(user: UserId | Ratings) -> Json:
    """Return the members for a user, or for someone new with ratings.

    Raises:
        InvalidInput: neither a user's id nor ratings by movie.
    """
    if isinstance(user, str):
        return {"user_ids": [text("user", user)]}
    if not isinstance(user, Mapping):
        return {"user_ids": [number("user", user)]}
    return {
        "ratings": [{"movie": movie_id("user", each), "rating": real("user", rating)} for each, rating in user.items()]
    }


def group(
    people: Iterable[Person | UserId | Ratings],
    together: str,
    watchlist: str | None,
    seen: bool,
    given: Filters,
) -> Json:
    """Return the members of a request for a group.

    Raises:
        InvalidInput: one has the wrong type.
    """
    if isinstance(people, str):
        raise InvalidInput(f"people: give a list of people, not {_short(people)}")
    asked: Json = {
        "members": [_member(each) for each in _items("people", people)],
        "together": text("together", together),
        "seen": flag("seen", seen),
    }
    lists = {} if watchlist is None else {"watchlist": text("watchlist", watchlist)}
    return filters(given) | asked | lists


def _member(person: Person | UserId | Ratings) -> Json:
    """Return a person as a member of a group."""
    given = person if isinstance(person, Person) else Person(person)
    who = user_or_ratings(given.user)
    lists = {"watched": movie_ids("watched", given.watched), "watchlist": movie_ids("watchlist", given.watchlist)}
    return ({"user_id": who["user_ids"][0]} if "user_ids" in who else who) | lists


def several_ratings(ratings: Ratings) -> Json:
    """Return the member for ratings to store.

    Raises:
        InvalidInput: they are none.
    """
    if not isinstance(ratings, Mapping):
        raise InvalidInput(f"ratings: give a dict of movie and rating, not {_short(ratings)}")
    return user_or_ratings(ratings)


def metadata(
    title: str, year: int | None, genres: str | Iterable[str], imdb_id: str | None, tmdb_id: int | None
) -> Json:
    """Return the members of a movie to add; those not given are left out.

    Raises:
        InvalidInput: one has the wrong type.
    """
    given = {
        "title": text("title", title),
        "year": None if year is None else number("year", year),
        "genres": texts("genres", genres),
        "imdb_id": None if imdb_id is None else text("imdb_id", imdb_id),
        "tmdb_id": None if tmdb_id is None else number("tmdb_id", tmdb_id),
    }
    return {name: value for name, value in given.items() if value not in (None, [])}


def own_id(value: Any) -> Json:
    """Return the member with an id of one's own; none if it is None.

    Raises:
        InvalidInput: it is neither a whole number nor a text.
    """
    return {} if value is None else {"id": movie_id("id", value)}


def batches(movies: Any, update: Any) -> Iterator[Json]:
    """Yield bodies of requests to add movies, each small enough; the server checks each movie by itself.

    Raises:
        InvalidInput: one is no dict of plain values, or ``update`` is neither True nor False.
    """
    flags = {"update": True} if flag("update", update) else {}
    batch: list[Json] = []
    size = 0
    for given in _items("movies", [movies] if isinstance(movies, (str, Mapping)) else movies):
        if not isinstance(given, Mapping):
            raise InvalidInput(f"movies: give a list of dicts with a title, not {_short(given)}")
        movie = {str(name): _plain(str(name), value) for name, value in given.items() if value is not None}
        length = len(json.dumps(movie))
        if length > _BATCH:
            raise InvalidInput(
                f"movies: {_short(movie)} has {length:,} characters as JSON: at most {_BATCH:,} are sent"
            )
        if batch and (len(batch) == MAX_ADDED or size + length > _BATCH):
            yield {"movies": batch, **flags}
            batch, size = [], 0
        batch.append(movie)
        size += length
    if batch:
        yield {"movies": batch, **flags}


def _plain(name: str, value: Any) -> Any:
    """Return a member of a movie as JSON can have it; the server tells if it is of the right kind."""
    if isinstance(value, str):
        return text(name, value)
    if name == "genres":
        return [text(name, each) if isinstance(each, str) else _plain("", each) for each in _items(name, value)]
    try:
        return value if isinstance(value, (bool, float)) else index(value)
    except TypeError:
        raise InvalidInput(f"{name}: give a text or a number, not {_short(value)}") from None


def update(changes: MovieUpdate) -> Json:
    """Return the members of a change of a movie, as a JSON merge patch.

    Raises:
        InvalidInput: one has the wrong type.
    """
    kinds: dict[str, Callable[[str, Any], Any]] = {"year": number, "genres": texts, "tmdb_id": number}
    given: Json = {}
    for name, value in changes.items():
        plain: Callable[[str, Any], Any] = kinds.get(name, text)
        given[name] = value if value is None else plain(name, value)
    return given


def _fits_into_path(found: str) -> bool:
    """Return True if a text can be one part of an address."""
    return 0 < len(found) <= MAX_SOURCE_ID and found.isprintable() and found not in {".", ".."}


def _items(name: str, values: Any) -> list[Any]:
    try:
        return list(values)
    except TypeError:
        raise InvalidInput(f"{name}: give a list, not {_short(values)}") from None


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
