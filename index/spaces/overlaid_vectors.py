"""Vectors of a snapshot without some rows and with others added in memory, searched as one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from index.core.arrays import BoolArray, Float32Array, Int64Array
from index.core.ids import Edit
from index.spaces.faiss_index import Hits, half_index, half_index_of, merge_hits
from index.spaces.vectors import HalfVectors, Vectors

_NO_HITS: Hits = (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))


class OverlaidVectors:
    """Vectors in parts: those of a snapshot, then added ones, whose last two parts are merged as in ``Titles``.

    Args:
        base: vectors of the snapshot.
        added: parts with the added vectors; none of them is ever changed.
        source: (n,) position of each row's vector in ``base`` and all parts, counted through. A vector without a row
            was deleted, or another has its place.
    """

    def __init__(self, base: Vectors, added: Sequence[HalfVectors], source: Int64Array) -> None:
        self._parts: tuple[Vectors, ...] = (base, *added)
        self._added = tuple(added)
        self.source = source
        starts = np.cumsum([0, *(len(part) for part in self._parts)])
        self._starts = starts[:-1]
        row_of = np.full(starts[-1], -1, dtype=np.int64)
        row_of[source] = np.arange(source.size)
        self._rows_of = np.split(row_of, starts[1:-1])  # row of each vector of each part; -1 without one
        self._live = [rows >= 0 for rows in self._rows_of]
        self._is_whole = [bool(live.all()) for live in self._live]

    @classmethod
    def unchanged(cls, base: Vectors) -> OverlaidVectors:
        """Return the vectors of a snapshot without changes."""
        return cls(base, (), np.arange(len(base)))

    def changed(self, edit: Edit, sources: Int64Array, rows: Int64Array, vectors: Float32Array) -> OverlaidVectors:
        """Return the vectors after a change.

        Args:
            edit: of the rows.
            sources: position of the vector of each row that ``edit`` inserts, and of each of ``rows``; -1 - j for row
                j of ``vectors``.
            rows: other rows, after the edit, whose vectors change.
            vectors: (a, d) vectors to add.
        """
        end = sum(len(part) for part in self._parts)
        sources = np.where(sources < 0, end - 1 - sources, sources)
        source = edit.array(self.source, sources[: edit.inserted.size])
        if rows.size:
            source = source.copy()
            source[rows] = sources[edit.inserted.size :]
        added = self._added
        if len(vectors):
            index = half_index(self.dimension)  # in float16 as in a snapshot, so that a build scores them the same
            index.add(np.ascontiguousarray(vectors, dtype=np.float32))
            added = (*added, HalfVectors(index))
        changed = OverlaidVectors(self._parts[0], added, source)
        while len(changed._added) > 1 and changed._live_count(-1) >= changed._live_count(-2):
            changed = changed._with_last_parts_merged()
        return changed

    def __len__(self) -> int:
        """Return the number of vectors."""
        return int(self.source.size)

    @property
    def dimension(self) -> int:
        """Dimension d of a vector."""
        return self._parts[0].dimension

    @property
    def exact(self) -> bool:
        """True if ``estimates`` are exact."""
        return self._parts[0].exact

    def rows(self, rows: Int64Array) -> Float32Array:
        """Return the vectors of some rows (m,), as (m, d)."""
        vectors = np.empty((rows.size, self.dimension), dtype=np.float32)
        for part, chosen, positions in self._positions(rows):
            vectors[chosen] = part.rows(positions)
        return vectors

    def search(self, queries: Float32Array, k: int, allowed: BoolArray | None = None) -> list[Hits]:
        """Return the ``k`` largest inner products per query (m, d); fewer only if fewer rows are allowed (n,)."""
        found = [_NO_HITS] * len(queries)
        for part, rows, live, is_whole in zip(self._parts, self._rows_of, self._live, self._is_whole, strict=True):
            wanted = live if allowed is None else live & allowed[rows]
            part_allowed = None if allowed is None and is_whole else wanted
            found = [
                merge_hits(before, (rows[positions], scores), k)
                for before, (positions, scores) in zip(found, part.search(queries, k, part_allowed), strict=True)
            ]
        return found

    def scores(self, query: Float32Array, rows: Int64Array) -> Float32Array:
        """Return exact inner products of a query (d,) with some rows (m,), as (m,)."""
        scores = np.empty(rows.size, dtype=np.float32)
        for part, chosen, positions in self._positions(rows):
            scores[chosen] = part.scores(query, positions)
        return scores

    def estimates(self, queries: Float32Array) -> Float32Array:
        """Return approximate inner products of queries (m, d) with all vectors, as (m, n)."""
        estimates = np.concatenate([part.estimates(queries) for part in self._parts], axis=1)
        return np.ascontiguousarray(estimates[:, self.source])

    def _positions(self, rows: Int64Array) -> list[tuple[Vectors, BoolArray, Int64Array]]:
        """Return each part that has vectors of some rows (m,), the mask of these rows, and their positions in it."""
        source = self.source[rows]
        part_of = np.searchsorted(self._starts, source, side="right") - 1
        return [
            (self._parts[at], part_of == at, source[part_of == at] - self._starts[at])
            for at in np.unique(part_of).tolist()
        ]

    def _live_count(self, part: int) -> int:
        return int(np.count_nonzero(self._live[part]))

    def _with_last_parts_merged(self) -> OverlaidVectors:
        """Return the same vectors with the last two parts as one, without what has no row."""
        first, second = self._added[-2:]
        kept = [np.flatnonzero(live) for live in self._live[-2:]]
        merged = HalfVectors(half_index_of((first.index, kept[0]), (second.index, kept[1])))
        rows = np.concatenate([rows[at] for rows, at in zip(self._rows_of[-2:], kept, strict=True)])
        source = self.source.copy()
        source[rows] = self._starts[-2] + np.arange(rows.size)
        return OverlaidVectors(self._parts[0], (*self._added[:-2], merged), source)
