"""Ratings that a visitor brings to the page "For you": from an export, and afterwards from the visitor's own browser.

The browser keeps them and sends them with every request; here they are forgotten with the response.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from flask import request

from index.answers.imports import Import, import_export
from index.catalogue.catalogue import Catalogue
from index.core.errors import InvalidInput
from index.imports.export import KINDS
from index.movie_index import MovieIndex
from index.ratings.groups import Person
from server.api.long_requests import queued
from server.api.requests import MAX_EXCLUDED, MAX_RATINGS
from server.media.uploads import EXPORT_FIELD, sent_files

_ID = "[0-9]{1,19}"
_RATING = r"[0-9]{1,6}(?:\.[0-9]{1,4})?"
_RATED = re.compile(rf"({_ID}):({_RATING})", re.ASCII)
_CHOSEN = re.compile(rf"({'|'.join(KINDS)}):({_ID}):({_RATING})?", re.ASCII)
_MAX_SOURCE = 40


@dataclass(frozen=True, slots=True)
class Imported:
    """Ratings, watched movies and a watchlist that the visitor's browser keeps; only of known movies."""

    ratings: dict[int, float]  # by movie id, on the scale of the snapshot; the latest first
    watched: tuple[int, ...] = ()  # and not rated
    watchlist: tuple[int, ...] = ()
    source: str = ""  # such as Letterboxd
    found: tuple[Import, ...] = ()  # the exports in this request
    refused: tuple[str, ...] = ()  # why others in this request are none
    prefix: str = ""  # of the form's members

    @property
    def used(self) -> dict[int, float]:
        """The ratings to recommend by: the latest, as many as the API takes."""
        return dict(islice(self.ratings.items(), MAX_RATINGS))

    @property
    def seen(self) -> tuple[int, ...]:
        """Movies beside the used ratings that were seen."""
        return (*self.watched, *islice(self.ratings, MAX_RATINGS, None))

    @property
    def person(self) -> Person:
        """The person whose ratings they are."""
        return Person(self.used, self.seen, self.watchlist)

    @property
    def members(self) -> dict[str, str]:
        """Members of the form that brings them again."""
        members = {
            "ratings": ",".join(f"{movie_id}:{rating:g}" for movie_id, rating in self.ratings.items()),
            "watched": ",".join(map(str, self.watched)),
            "watchlist": ",".join(map(str, self.watchlist)),
            "source": self.source,
        }
        return {self.prefix + name: text for name, text in members.items() if text}


def imported_ratings(index: MovieIndex, prefix: str = "") -> Imported | None:
    """Return the ratings in the form of the current request, with those of the exports in it; of two the last counts.

    Args:
        index: to match exports with.
        prefix: of the form's members; each person has one.

    Raises:
        InvalidInput: a member cannot be read, or no file is an export.
        Busy: too many exports are being read.
    """
    known, form = index.catalogue, request.form
    ratings = _clipped(_rated(f"{prefix}ratings", form.get(f"{prefix}ratings", "")), index.users.scale)
    watched, watchlist = (_ids(name, form.get(name, "")) for name in (f"{prefix}watched", f"{prefix}watchlist"))
    source = form.get(f"{prefix}source", "")[:_MAX_SOURCE]
    files = [(file.read(), file.filename or "") for name, file in sent_files() if name == prefix + EXPORT_FIELD]
    found, refused = queued(lambda: _read_all(index, files)) if files else ([], [])
    for each in found:
        person, name = each.person, each.export.format
        ratings = each.ratings | {movie_id: ratings[movie_id] for movie_id in ratings if movie_id not in each.ratings}
        watched = [*person.watched, *watched]
        watchlist = [*person.watchlist, *watchlist]
        source = name if source in {"", name} else source if name in source.split(" and ") else f"{source} and {name}"
    chosen = _chosen(prefix)
    if not (files or ratings or watched or watchlist or chosen):
        return None
    for kind, movie_id, rating in chosen:
        if kind == "rated" and rating is not None:
            ratings = _clipped({movie_id: rating}, index.users.scale) | ratings
        else:
            (watchlist if kind == "watchlist" else watched).append(movie_id)
    ratings = {movie_id: rating for movie_id, rating in ratings.items() if movie_id in known.ids}
    return Imported(
        ratings,
        _kept(known, (each for each in watched if each not in ratings)),
        _kept(known, watchlist),
        source[:_MAX_SOURCE],
        tuple(found),
        tuple(refused),
        prefix,
    )


def _read_all(index: MovieIndex, files: Sequence[tuple[bytes, str]]) -> tuple[list[Import], list[str]]:
    """Return what is in files with their names, and why some are no exports.

    Raises:
        InvalidInput: none of them is an export.
    """
    found: list[Import] = []
    refused: list[str] = []
    for content, name in files:
        try:
            found.append(import_export(index, content, name))
        except InvalidInput as error:
            if len(refused) == len(files) - 1:
                raise
            refused.append(str(error))
    return found, refused


def _kept(catalogue: Catalogue, movie_ids: Iterable[int]) -> tuple[int, ...]:
    return tuple(islice((each for each in dict.fromkeys(movie_ids) if each in catalogue.ids), MAX_EXCLUDED))


def _rated(name: str, text: str) -> dict[int, float]:
    found: dict[int, float] = {}
    for part in filter(None, text.split(",")):
        each = _RATED.fullmatch(part)
        if each is None:
            raise InvalidInput(f"{name}: write an id, a colon and a rating, as in 73:4.5, not {part[:50]!r}")
        found.setdefault(int(each[1]), float(each[2]))
    return found


def _clipped(ratings: dict[int, float], scale: tuple[float, float]) -> dict[int, float]:
    """Return ratings within a scale: they may be from a time when this server had other data."""
    low, high = scale
    return {movie_id: min(max(rating, low), high) for movie_id, rating in ratings.items()}


def _ids(name: str, text: str) -> list[int]:
    parts = [*filter(None, text.split(","))]
    for part in parts:
        if re.fullmatch(_ID, part, re.ASCII) is None:
            raise InvalidInput(f"{name}: write ids of films with commas between them, not {part[:50]!r}")
    return [*map(int, parts)]


def _chosen(prefix: str) -> list[tuple[str, int, float | None]]:
    """Return the films that were chosen for uncertain entries: kind, movie id and rating."""
    found: list[tuple[str, int, float | None]] = []
    for name, value in request.form.items(multi=True):
        if name.startswith(f"{prefix}choice") and value:
            each = _CHOSEN.fullmatch(value)
            if each is None:
                raise InvalidInput(f"{name}: {value[:50]!r} is no film to choose")
            found.append((each[1], int(each[2]), float(each[3]) if each[3] else None))
    return found
