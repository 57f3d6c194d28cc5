"""Matching of an export with the catalogue: certain, uncertain with candidates, or unknown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from index.catalogue.catalogue import Catalogue
from index.catalogue.movie import Movie
from index.core.errors import AmbiguousTitle, UnknownMovie
from index.imports.export import Entry

MAX_CANDIDATES = 5
_NEAR = 2  # years


@dataclass(frozen=True, slots=True)
class Found:
    """An entry of an export, and the movies of the catalogue that it may be."""

    entry: Entry
    movie: Movie | None  # the one that it certainly is
    candidates: tuple[Movie, ...] = ()  # if none is certain: best first; empty if it is unknown
    note: str = ""  # why it is not certain, or by what it is although something differs


def match(entries: Iterable[Entry], catalogue: Catalogue) -> Iterator[Found]:
    """Yield each entry with its movie.

    An IMDb or TMDB id is certain. So is a whole title, main or alternative, with the year of release, or with the year
    before or after if only one movie has it. A title alone never is: a remake may have the same.
    """
    for entry in entries:
        yield _by_id(entry, catalogue) or _by_title(entry, catalogue)


def _by_id(entry: Entry, catalogue: Catalogue) -> Found | None:
    ids = [entry.imdb_id and f"imdb:{entry.imdb_id}", entry.tmdb_id and f"tmdb:{entry.tmdb_id}"]
    if not entry.title:
        ids.append(entry.own_id)
    for each in filter(None, ids):
        try:
            return Found(entry, catalogue.identify(each))
        except UnknownMovie:
            continue
    return None


def _by_title(entry: Entry, catalogue: Catalogue) -> Found:
    if not entry.title:
        return Found(entry, None, note="no movie here has this id")
    if entry.year is not None:
        notes: list[str] = []
        try:
            movie = catalogue.resolve(f"{entry.title} ({entry.year})", notes.append)
        except AmbiguousTitle as error:
            candidates = tuple(catalogue.movie(movie_id) for movie_id, _ in error.candidates)
            return Found(entry, None, candidates[:MAX_CANDIDATES], "several movies have this title and year")
        except UnknownMovie:
            return _suggested(entry, catalogue)
        return Found(entry, movie, note=notes[0] if notes else "")
    return _suggested(entry, catalogue)


def _suggested(entry: Entry, catalogue: Catalogue) -> Found:
    found = catalogue.search(entry.title, MAX_CANDIDATES * 2)
    if entry.year is not None:
        found = [each for each in found if each.year is None or abs(each.year - entry.year) <= _NEAR]
        note = "no movie has this title and year" if found else "no movie here is called so"
    else:
        note = "without a year it may be another" if found else "no movie here is called so"
    return Found(entry, None, tuple(found[:MAX_CANDIDATES]), note)
