"""One searchable set of vectors, and the neighbours and score percentiles that go with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from index.errors import BadSnapshot, UnknownMovie
from index.ids import Ids

NEIGHBOURS = 100  # stored for every movie and space

FloatArray = npt.NDArray[np.float32]
RowArray = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Match:
    """A movie found, and how alike it is."""

    movie_id: int
    score: float  # inner product, or a blend's mean percentile; larger is more similar
    percentile: float  # share of random pairs of this catalogue that are less alike, 0 to 1
    spaces: tuple[str, ...]  # the spaces that the score was made from


@dataclass(frozen=True, slots=True)
class Calibration:
    """What share of random pairs of movies score less than a given score."""

    scores: FloatArray  # (q,) ascending
    shares: FloatArray  # (q,) ascending, 0 to 1

    def percentile(self, scores: FloatArray) -> FloatArray:
        """The share for each score, same shape, 0 to 1."""
        return np.interp(scores, self.scores, self.shares).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The nearest other movies of every movie of a space, best first, ties by id."""

    rows: npt.NDArray[np.int32]  # (n, depth); -1 where there are fewer
    scores: FloatArray  # (n, depth)

    def of(self, row: int) -> tuple[RowArray, FloatArray]:
        """Rows and scores, (m,) each with m up to ``depth``."""
        rows = np.asarray(self.rows[row], dtype=np.int64)
        there = rows >= 0
        return rows[there], np.asarray(self.scores[row])[there]

    def __len__(self) -> int:
        """How many movies have neighbours here."""
        return int(self.rows.shape[0])

    @property
    def depth(self) -> int:
        """How many neighbours are kept for a movie."""
        return int(self.rows.shape[1])


class Space:
    """One searchable vector space. Never changes once open, so threads may share it.

    Row ``i`` of the index belongs to ``ids.values[i]``.

    Args:
        index: a Faiss inner-product index that keeps the vectors as they are (flat).
    """

    def __init__(self, name: str, ids: Ids, index: Any, neighbours: Neighbours, calibration: Calibration) -> None:
        if not len(ids) == index.ntotal == len(neighbours):
            raise BadSnapshot(
                f"the {name} space has {len(ids)} ids, {index.ntotal} vectors and {len(neighbours)} neighbour"
                " lists: build the snapshot again"
            )
        self.name = name
        self.ids = ids
        self.calibration = calibration
        self._index = index
        self._neighbours = neighbours

    @classmethod
    def load(cls, name: str, folder: Path) -> Space:
        """The space saved in ``folder``; vectors and neighbours stay on disk, memory-mapped."""
        return cls(
            name,
            Ids(np.load(folder / "movie_ids.npy")),
            faiss.read_index(str(folder / "vectors.faiss"), faiss.IO_FLAG_MMAP_IFC),
            load_neighbours(folder),
            Calibration(*np.load(folder / "calibration.npy")),
        )

    def __len__(self) -> int:
        """How many movies have a vector here."""
        return len(self.ids)

    @property
    def dimension(self) -> int:
        """How many numbers a vector has."""
        return int(self._index.d)

    @property
    def vectors(self) -> FloatArray:
        """All vectors, (n, d) float32, a read-only view of the index's memory."""
        return vectors_of(self._index)

    def row(self, movie_id: int) -> int:
        """The movie's row.

        Raises:
            UnknownMovie: the movie has no vector in this space.
        """
        row = int(self.ids.find([movie_id])[0])
        if row < 0:
            raise UnknownMovie(f"movie {movie_id} has no vector in the {self.name} space")
        return row

    def vector(self, movie_id: int) -> FloatArray:
        """The movie's vector, (d,) float32.

        Raises:
            UnknownMovie: the movie has no vector in this space.
        """
        return self.vectors[self.row(movie_id)]

    def similar(self, movie_id: int, k: int = 10, *, allowed: Mask | None = None) -> list[Match]:
        """The ``k`` nearest other movies, best first, ties by id.

        Args:
            allowed: (n,) which rows may come back; all where it is None.

        Raises:
            UnknownMovie: the movie has no vector in this space.
        """
        row = self.row(movie_id)
        rows, scores = self._neighbours.of(row)
        complete = rows.size >= len(self) - 1
        if allowed is not None:
            kept = allowed[rows]
            rows, scores = rows[kept], scores[kept]
        if rows.size < k and not complete:
            others = np.ones(len(self), dtype=np.bool_) if allowed is None else allowed.copy()
            others[row] = False
            rows, scores = top_k(self._index, self.vectors[row], k, others)
        return self._matches(rows[:k], scores[:k])

    def search(self, vector: FloatArray, k: int = 10, *, allowed: Mask | None = None) -> list[Match]:
        """The ``k`` movies nearest to a vector (d,), best first, ties by id."""
        return self._matches(*top_k(self._index, vector, k, allowed))

    def scores(self, vectors: FloatArray) -> FloatArray:
        """The score of every movie against each vector (m, d), (m, n)."""
        return vectors @ self.vectors.T

    def _matches(self, rows: RowArray, scores: FloatArray) -> list[Match]:
        shares = self.calibration.percentile(scores)
        return [
            Match(int(movie_id), float(score), float(share), (self.name,))
            for movie_id, score, share in zip(self.ids.values[rows], scores, shares, strict=True)
        ]


def vectors_of(index: Any) -> FloatArray:
    """The vectors of a flat Faiss index, (n, d) float32: a view, not a copy; read only."""
    view: FloatArray = faiss.rev_swig_ptr(index.get_xb(), index.ntotal * index.d).reshape(index.ntotal, index.d)
    view.flags.writeable = False
    return view


def top_k(index: Any, vector: FloatArray, k: int, allowed: Mask | None = None) -> tuple[RowArray, FloatArray]:
    """Rows and scores of the ``k`` largest inner products among the allowed rows, best first, ties by row.

    Args:
        allowed: (n,) which rows may come back; all where it is None. Never fewer than ``k`` come back when
            ``k`` are allowed.
    """
    query = np.ascontiguousarray(vector, dtype=np.float32).reshape(1, -1)
    available = index.ntotal if allowed is None else int(allowed.sum())
    k = min(k, available)
    if k <= 0:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
    bits = None if allowed is None else np.packbits(allowed, bitorder="little")
    options = {} if bits is None else {"params": faiss.SearchParameters(sel=faiss.IDSelectorBitmap(bits))}
    scores, rows = index.search(query, min(k + 1, available), **options)
    scores, rows = scores[0], rows[0]
    if scores.size > k and scores[k] == scores[k - 1]:
        # A tie across the border: Faiss picks any of the tied rows, a reader expects the first ones.
        border = float(np.nextafter(scores[k - 1], np.float32(-np.inf)))
        _, scores, rows = index.range_search(query, border, **options)
    order = np.lexsort((rows, -scores))[:k]
    return rows[order], scores[order]


def best(scores: FloatArray, k: int) -> RowArray:
    """Rows of the ``k`` largest of ``scores`` (n,), best first, ties by row; -inf never comes back."""
    k = min(k, scores.size)
    if k <= 0:
        return np.empty(0, dtype=np.int64)
    border = np.partition(scores, scores.size - k)[scores.size - k]
    rows = np.flatnonzero((scores >= border) & (scores > -np.inf))
    return rows[np.lexsort((rows, -scores[rows]))][:k]


def load_neighbours(folder: Path) -> Neighbours:
    """The neighbours saved in ``folder``, memory-mapped."""
    return Neighbours(
        np.load(folder / "neighbour_rows.npy", mmap_mode="r"),
        np.load(folder / "neighbour_scores.npy", mmap_mode="r"),
    )
