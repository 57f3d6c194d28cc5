"""Matching of an export with the catalogue: certain, uncertain with candidates, or unknown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from rapidfuzz import process
from rapidfuzz.distance import OSA

from index.catalogue.catalogue import Catalogue
from index.catalogue.movie import Movie
from index.catalogue.title_forms import words
from index.core.errors import UnknownMovie
from index.imports.export import Entry

MAX_CANDIDATES = 5
_NEAR = 2  # years
_NEAR_WHOLE = 5  # years of a whole title: of Andrei Rublev, first shown abroad
_MIN_SIMILARITY = 0.8  # of whole titles with a near year
_LONG = 4  # letters of a title that another may begin with
MAX_COMPARED = 10_000  # titles of an export that are compared with similar ones: 1 ms each among 9,125 movies
_MAX_SEARCHES = 40  # of an export, for titles with errors and without a year: 42 ms each among 87,585 movies


@dataclass(frozen=True, slots=True)
class Found:
    """An entry of an export, and the movies of the catalogue that it may be."""

    entry: Entry
    movie: Movie | None  # the one that it certainly is
    candidates: tuple[Movie, ...] = ()  # if none is certain: best first; empty if it is unknown
    note: str = ""  # why it is not certain, or by what it is although something differs

    @property
    def certain(self) -> Movie:
        """Return the movie of a certain match.

        Raises:
            UnknownMovie: none is certain.
        """
        if self.movie is None:
            raise UnknownMovie(f"{self.entry}: {self.note}")
        return self.movie


def match(entries: Iterable[Entry], catalogue: Catalogue) -> Iterator[Found]:
    """Yield each entry with its movie.

    An IMDb or TMDB id is certain. So is a whole title, main or alternative, with the year of release, or with the year
    before or after if only one movie has it; unless that has another id. A title alone never is: of a remake, say.
    """
    similar = _Similar(catalogue)
    for entry in entries:
        yield _by_id(entry, catalogue) or _by_title(entry, catalogue, similar)


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


def _by_title(entry: Entry, catalogue: Catalogue, similar: _Similar) -> Found:
    title, year = entry.title, entry.year
    if not title:
        return Found(entry, None, note="nothing here has this id")
    if year is None:
        return _compared(entry, catalogue.whole(title) or similar.titles(title), "without a year it may be another")
    exact = catalogue.whole(f"{title} ({year})", year)
    if len(exact) == 1 and not _has_other_id(exact[0], entry):
        return Found(entry, exact[0])
    if len(exact) == 1:
        return _uncertain(entry, exact, "the one with this title and year has another id")
    if exact:
        return _uncertain(entry, exact, "several have this title and year")
    beside = [movie for each in (year - 1, year + 1) for movie in catalogue.whole(f"{title} ({each})", each)]
    near = [movie for movie in beside if not _has_other_id(movie, entry)]
    if len(near) == 1:
        return Found(entry, near[0], note=f"{near[0]} is here, not {year}")
    if near:
        return _uncertain(entry, near, "several have this title and a year beside it")
    return _compared(entry, similar.titles_near(title, year), "nothing has this title and this year")


def _compared(entry: Entry, movies: Iterable[Movie] | None, note: str) -> Found:
    if movies is None:
        return Found(
            entry, None, note=f"not compared with similar titles, as {MAX_COMPARED:,} others of the export were"
        )
    return _uncertain(entry, movies, note)


def _has_other_id(movie: Movie, entry: Entry) -> bool:
    """Return True if a movie has another IMDb or TMDB id: two films of a year may have the same title."""
    other_tmdb = movie.tmdb_id is not None and entry.tmdb_id not in {None, str(movie.tmdb_id)}
    return other_tmdb or (movie.imdb_id is not None and entry.imdb_id not in {None, movie.imdb_id})


def _uncertain(entry: Entry, movies: Iterable[Movie], note: str) -> Found:
    candidates = tuple(dict.fromkeys(movies))[:MAX_CANDIDATES]
    return Found(entry, None, candidates, note if candidates else "nothing here is called so")


_Year: TypeAlias = tuple[dict[str, int], dict[int, list[str]]]  # ids of a year's movies by name; names by length


class _Similar:
    """Search for titles that are similar, not the same."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._compared = self._searches = 0
        self._of_year: dict[int, _Year] = {}

    def _count(self) -> bool:
        """Count a title that is to be compared; return True if that is one too many."""
        self._compared += 1
        return self._compared > MAX_COMPARED

    def titles(self, title: str) -> list[Movie] | None:
        """Return movies by a title alone: with its words, or by the search for typing errors; None after too many."""
        if self._count():
            return None
        found = self._catalogue.titled(title)
        if not found and self._searches < _MAX_SEARCHES:
            self._searches += 1
            found = self._catalogue.search(title, MAX_CANDIDATES)
        return found

    def titles_near(self, title: str, year: int) -> list[Movie] | None:
        """Return movies of a near year with a title that is the same, longer, similar or shorter, in this order.

        Return None after too many.
        """
        if self._count():
            return None
        wanted = "".join(words(title))
        found = [movie for movie in self._catalogue.whole(title) if _within(movie, year, _NEAR_WHOLE)]
        found += [movie for movie in self._catalogue.titled(title) if _within(movie, year, _NEAR)]
        similar: list[tuple[float, Movie]] = []
        shorter: list[Movie] = []
        for each in range(year - _NEAR, year + _NEAR + 1):
            names, by_length = self._names(each)
            # Longer and shorter names cannot be similar, and most are.
            lengths = range(math.ceil(len(wanted) * _MIN_SIMILARITY), math.floor(len(wanted) / _MIN_SIMILARITY) + 1)
            near = [name for length in lengths for name in by_length.get(length, ())]
            similar += [
                (similarity, self._catalogue.movie(names[name]))
                for name, similarity, _ in process.extract(
                    wanted, near, scorer=OSA.normalized_similarity, score_cutoff=_MIN_SIMILARITY
                )
            ]
            begun = (names.get(wanted[:n]) for n in range(len(wanted) - 1, _LONG - 1, -1))
            shorter += [self._catalogue.movie(movie_id) for movie_id in begun if movie_id is not None]
        similar.sort(key=lambda each: -each[0])
        return [*found, *(movie for _, movie in similar), *shorter]

    def _names(self, year: int) -> _Year:
        if year not in self._of_year:
            names = self._catalogue.names_of_year(year)
            by_length: dict[int, list[str]] = {}
            for name in names:
                by_length.setdefault(len(name), []).append(name)
            self._of_year[year] = (names, by_length)
        return self._of_year[year]


def _within(movie: Movie, year: int, years: int) -> bool:
    return movie.year is not None and abs(movie.year - year) <= years
