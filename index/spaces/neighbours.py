"""Stored nearest neighbours, as a build wrote them and with movies changed since."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from index.core.arrays import BoolArray, Float32Array, Int32Array, Int64Array
from index.spaces.faiss_index import Hits, merge_hits

NEIGHBOURS = 100  # stored per movie and space


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Nearest neighbours of every movie of a space, best first, ties by id."""

    rows: Int32Array  # (n, depth); -1 pads short rows
    scores: Float32Array  # (n, depth)

    def of(self, row: int) -> Hits:
        """Return the stored neighbours of a row, at most ``depth``."""
        rows = np.asarray(self.rows[row], dtype=np.int64)
        found = rows >= 0
        return rows[found], np.asarray(self.scores[row])[found]

    def __len__(self) -> int:
        """Return the number of movies."""
        return int(self.rows.shape[0])

    @property
    def depth(self) -> int:
        """Largest number of neighbours stored per movie."""
        return int(self.rows.shape[1])


class OverlaidNeighbours:
    """Stored neighbours with some movies deleted, and some added or changed, which are scored on every query.

    Args:
        stored: neighbours of the snapshot.
        source: (n,) row in ``stored`` of each row; -1 for an added or changed movie.
    """

    def __init__(self, stored: Neighbours, source: Int64Array) -> None:
        self._stored = stored
        self._source = source
        self._row_of = np.full(len(stored), -1, dtype=np.int64)  # row of each stored one; -1 if deleted or changed
        unchanged = np.flatnonzero(source >= 0)
        self._row_of[source[unchanged]] = unchanged
        self._fresh = np.flatnonzero(source < 0)

    @classmethod
    def unchanged(cls, stored: Neighbours) -> OverlaidNeighbours:
        """Return the neighbours of a snapshot without changes."""
        return cls(stored, np.arange(len(stored)))

    def __len__(self) -> int:
        """Return the number of movies."""
        return int(self._source.size)

    def nearest(
        self,
        row: int,
        k: int,
        allowed: BoolArray | None,
        score: Callable[[Int64Array], Float32Array],
        *,
        short_is_whole: bool,
    ) -> Hits | None:
        """Return the ``k`` nearest neighbours of a row, best first, ties by row; None if too few are stored.

        Args:
            row: of the query.
            k: number of neighbours; fewer are returned only if fewer movies qualify.
            allowed: (n,) mask of rows that may be returned; None for all.
            score: rows (m,) -> their scores with the query, (m,); -inf for a movie that cannot be compared.
            short_is_whole: a list shorter than the depth has all movies that can be compared.
        """
        at = int(self._source[row])
        if at < 0:
            return None
        rows, scores = self._stored.of(at)
        whole = rows.size >= len(self._stored) - 1 or (short_is_whole and rows.size < self._stored.depth)
        rows = self._row_of[rows]
        kept = rows >= 0 if allowed is None else (rows >= 0) & allowed[rows]
        hits = rows[kept], scores[kept]
        if not whole and hits[0].size < k:
            return None
        fresh = self._fresh if allowed is None else self._fresh[allowed[self._fresh]]
        if fresh.size:
            fresh_scores = score(fresh)
            comparable = fresh_scores > -np.inf
            return merge_hits(hits, (fresh[comparable], fresh_scores[comparable]), k)
        return hits[0][:k], hits[1][:k]


def load_neighbours(folder: Path) -> Neighbours:
    """Return the neighbours saved in ``folder``, memory-mapped."""
    return Neighbours(
        np.load(folder / "neighbour_rows.npy", mmap_mode="r"),
        np.load(folder / "neighbour_scores.npy", mmap_mode="r"),
    )
