"""Title search over a catalogue that changes: the snapshot's titles, and those changed since in a few segments.

A segment is never changed. A new title is a segment of its own, and the last two are merged while the last is not the
smaller one, so that n changes make log n segments, and each title is indexed log n times. The snapshot's is never
merged.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from index.catalogue.movie import Movie
from index.catalogue.title_search import TitleHits, TitleSearch, best_first
from index.core.arrays import BoolArray, Float32Array, Int64Array
from index.core.ids import Ids


@dataclass(frozen=True, slots=True)
class _Segment:
    """Indexed titles of some movies, by ascending id."""

    movies: tuple[Movie, ...]
    ids: Ids
    live: BoolArray  # (n,) False for a movie that was deleted or retitled since
    search: TitleSearch

    @classmethod
    def of(cls, movies: Sequence[Movie], rating_counts: Sequence[int]) -> _Segment:
        """Index some movies."""
        return cls(
            tuple(movies),
            Ids([movie.movie_id for movie in movies]),
            np.ones(len(movies), dtype=np.bool_),
            TitleSearch([movie.title for movie in movies], [movie.year for movie in movies], rating_counts),
        )

    def without(self, movie_ids: Int64Array) -> _Segment:
        """Return the segment without some movies; itself if it has none of them."""
        rows = self.ids.find(movie_ids)
        rows = rows[rows >= 0]
        if not self.live[rows].any():
            return self
        live = self.live.copy()
        live[rows] = False
        return replace(self, live=live)

    def merged(self, other: _Segment) -> _Segment:
        """Return one segment of the live titles of both."""
        counted = sorted(
            (
                (segment.movies[row], int(segment.search.rating_counts[row]))
                for segment in (self, other)
                for row in np.flatnonzero(segment.live).tolist()
            ),
            key=lambda each: each[0].movie_id,
        )
        return _Segment.of([movie for movie, _ in counted], [count for _, count in counted])


class Titles:
    """Search index over the titles of a catalogue, by movie id. Immutable, so threads may share it.

    Args:
        segments: the snapshot's titles first; every movie is live in one of them.
    """

    def __init__(self, segments: tuple[_Segment, ...]) -> None:
        self._segments = segments

    @classmethod
    def of(cls, movies: Sequence[Movie], rating_counts: Sequence[int]) -> Titles:
        """Index the movies of a snapshot, by ascending id."""
        return cls((_Segment.of(movies, rating_counts),))

    def changed(self, movies: Sequence[Movie], rating_counts: Sequence[int], deleted: Collection[int]) -> Titles:
        """Return the index with some movies deleted, and some added or in place of those of the same id."""
        gone = np.array(sorted({*deleted, *(movie.movie_id for movie in movies)}), dtype=np.int64)
        first, *later = (segment.without(gone) for segment in self._segments)
        if movies:
            later.append(_Segment.of(movies, rating_counts))
        later = [segment for segment in later if segment.live.any()]
        while len(later) > 1 and later[-1].live.sum() >= later[-2].live.sum():
            last = later.pop()
            later[-1] = later[-1].merged(last)
        return Titles((first, *later))

    def prefix(self, text: str) -> list[int]:
        """Return the ids of the movies that ``TitleSearch.prefix`` finds among all, in its order."""
        return self._ranked(lambda search: search.prefix_hits(text))

    def fuzzy(self, text: str) -> list[int]:
        """Return the ids of the movies that ``TitleSearch.fuzzy`` finds among all, in its order."""
        return self._ranked(lambda search: search.fuzzy_hits(text))

    def whole(self, text: str) -> list[tuple[int, float]]:
        """Return the ids of the movies with this title or alternative title, each with its rank, by ascending id."""
        found = [
            (movie_id, rank)
            for ids, ranks, _ in self._live_hits(lambda search: search.whole_hits(text))
            for movie_id, rank in zip(ids.tolist(), ranks.tolist(), strict=True)
        ]
        return sorted(found)

    def names_of_year(self, year: int) -> dict[str, int]:
        """Return the ids of the movies of a year by name, as ``TitleSearch.names_of_year`` has them."""
        found: dict[str, int] = {}
        for segment in self._segments:
            ids, live = segment.ids.values, segment.live
            found |= {name: int(ids[row]) for name, row in segment.search.names_of_year(year) if live[row]}
        return found

    def _ranked(self, hits: Callable[[TitleSearch], TitleHits]) -> list[int]:
        ids, ranks, counts = zip(*self._live_hits(hits), strict=True)
        found = np.concatenate(ids)
        return best_first(found, found, np.concatenate(ranks), np.concatenate(counts))

    def _live_hits(
        self, hits: Callable[[TitleSearch], TitleHits]
    ) -> Iterator[tuple[Int64Array, Float32Array, Int64Array]]:
        for segment in self._segments:
            rows, ranks = hits(segment.search)
            kept = segment.live[rows]
            rows = rows[kept]
            yield segment.ids.values[rows], ranks[kept], segment.search.rating_counts[rows]
