"""Look-up tables of a catalogue by genre and by ids of other sites; a changed catalogue shares what did not change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from index.catalogue.movie import Movie
from index.core.arrays import Int64Array

_NONE = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Genres:
    """The genres of a catalogue, and the movies of each."""

    names: tuple[str, ...]  # sorted, each once
    _counts: Mapping[str, int]  # name -> number of movies
    _members: Mapping[str, Int64Array]  # casefolded name -> ascending ids of its movies

    @classmethod
    def of(cls, movies: Iterable[Movie]) -> Genres:
        """Build the table of some movies, by ascending id."""
        counts: Counter[str] = Counter()
        members: dict[str, list[int]] = {}
        for movie in movies:
            counts.update(set(movie.genres))
            for name in _folded(movie):
                members.setdefault(name, []).append(movie.movie_id)
        return cls(tuple(sorted(counts)), counts, {name: np.array(ids, np.int64) for name, ids in members.items()})

    def members(self, genre: str) -> Int64Array:
        """Return the ids of the movies of a genre, ascending; letter case does not matter."""
        return self._members.get(genre.casefold(), _NONE)

    def spelled(self, genres: Iterable[str]) -> tuple[str, ...]:
        """Return genres as the catalogue writes them, each once: ``Comedy`` for ``comedy``; others as they are."""
        known = {name.casefold(): name for name in sorted(self.names, key=lambda name: self._counts[name])}
        return tuple(
            dict.fromkeys(name if name in self._counts else known.get(name.casefold(), name) for name in genres)
        )

    def changed(self, before: Iterable[Movie], after: Iterable[Movie]) -> Genres:
        """Return the table with some movies replaced by others."""
        counts = Counter(self._counts)
        gone: dict[str, list[int]] = {}
        new: dict[str, list[int]] = {}
        for movies, sign, table in ((before, -1, gone), (after, 1, new)):
            for movie in movies:
                for name in set(movie.genres):
                    counts[name] += sign
                for name in _folded(movie):
                    table.setdefault(name, []).append(movie.movie_id)
        changed = {name for name in {*gone, *new} if gone.get(name) != new.get(name)}
        members = dict(self._members)
        for name in changed:
            known = self.members(name)
            kept = np.delete(known, known.searchsorted(gone.get(name, ())))
            added = np.array(sorted(new.get(name, ())), dtype=np.int64)
            members[name] = np.insert(kept, kept.searchsorted(added), added)
        counts = +counts
        names = self.names if counts.keys() == self._counts.keys() else tuple(sorted(counts))
        return Genres(names, counts, members)


class ExternalIds:
    """Movies by their IMDb and TMDB ids, as written in an address: ``imdb:tt0113277``.

    The table only names candidates: a movie may have been deleted or given other ids since, so that all versions of a
    catalogue share the one table, which only grows. A candidate counts if it is in the catalogue with that id.
    """

    def __init__(self) -> None:
        self._movie_ids: dict[str, tuple[int, ...]] = {}  # ascending

    @classmethod
    def of(cls, movies: Iterable[Movie]) -> ExternalIds:
        """Build the table of some movies."""
        return cls().changed(movies)

    def candidates(self, text: str) -> Sequence[int]:
        """Return the ids of movies that have or had this id, ascending; the first that has it is the one."""
        return self._movie_ids.get(text, ())

    def changed(self, movies: Iterable[Movie]) -> ExternalIds:
        """Add some movies, and return the table itself."""
        for movie in movies:
            for text in external_ids(movie):
                known = self._movie_ids.get(text, ())
                if movie.movie_id not in known:
                    self._movie_ids[text] = tuple(sorted((*known, movie.movie_id)))
        return self


def external_ids(movie: Movie) -> list[str]:
    """Return a movie's ids of other sites as written in an address, in lower case."""
    imdb = [f"imdb:{movie.imdb_id.lower()}"] if movie.imdb_id else []
    return imdb if movie.tmdb_id is None else [*imdb, f"tmdb:{movie.tmdb_id}"]


def _folded(movie: Movie) -> set[str]:
    return {genre.casefold() for genre in movie.genres}
