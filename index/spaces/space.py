"""One searchable set of vectors, and the neighbours and score percentiles that go with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from index.core.arrays import BoolArray, Float32Array, Int32Array, Int64Array
from index.core.errors import BadSnapshot, UnknownMovie
from index.core.ids import Ids
from index.spaces.vectors import Vectors, load_vectors

NEIGHBOURS = 100  # stored for every movie and space


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

    scores: Float32Array  # (q,) ascending
    shares: Float32Array  # (q,) ascending, 0 to 1

    def percentile(self, scores: Float32Array) -> Float32Array:
        """The share for each score, same shape, 0 to 1."""
        return np.interp(scores, self.scores, self.shares).astype(np.float32)

    def score(self, share: float) -> float:
        """A score such that none below it has a percentile above ``share``."""
        at = int(np.searchsorted(self.shares, share, side="right")) - 1
        return -np.inf if at < 0 else float(self.scores[at])


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The nearest other movies of every movie of a space, best first, ties by id."""

    rows: Int32Array  # (n, depth); -1 where there are fewer
    scores: Float32Array  # (n, depth)

    def of(self, row: int) -> tuple[Int64Array, Float32Array]:
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

    Row ``i`` of the vectors belongs to ``ids.values[i]``.

    Args:
        neighbours: everyone's, as a search would find them; None where they are searched for when asked.
    """

    def __init__(
        self, name: str, ids: Ids, vectors: Vectors, neighbours: Neighbours | None, calibration: Calibration
    ) -> None:
        lists = len(ids) if neighbours is None else len(neighbours)
        if not len(ids) == len(vectors) == lists:
            raise BadSnapshot(
                f"the {name} space has {len(ids)} ids, {len(vectors)} vectors and {lists} neighbour lists: build the"
                " snapshot again"
            )
        self.name = name
        self.ids = ids
        self.vectors = vectors
        self.calibration = calibration
        self._neighbours = neighbours

    @classmethod
    def load(cls, name: str, folder: Path, facts: Mapping[str, Any]) -> Space:
        """The space saved in ``folder``; vectors and neighbours stay on disk, memory-mapped.

        Args:
            facts: what the manifest says of the space.
        """
        return cls(
            name,
            Ids(np.load(folder / "movie_ids.npy")),
            load_vectors(folder, facts.get("search")),
            load_neighbours(folder),
            Calibration(*np.load(folder / "calibration.npy")),
        )

    def __len__(self) -> int:
        """How many movies have a vector here."""
        return len(self.ids)

    @property
    def dimension(self) -> int:
        """How many numbers a vector has."""
        return self.vectors.dimension

    def row(self, movie_id: int) -> int:
        """The movie's row.

        Raises:
            UnknownMovie: the movie has no vector in this space.
        """
        row = int(self.ids.find([movie_id])[0])
        if row < 0:
            raise UnknownMovie(f"movie {movie_id} has no vector in the {self.name} space")
        return row

    def vector(self, movie_id: int) -> Float32Array:
        """The movie's vector, (d,) float32.

        Raises:
            UnknownMovie: the movie has no vector in this space.
        """
        vector: Float32Array = self.vectors.rows(np.array([self.row(movie_id)]))[0]
        return vector

    def similar(self, movie_id: int, k: int = 10, *, allowed: BoolArray | None = None) -> list[Match]:
        """The ``k`` nearest other movies, best first, ties by id.

        Args:
            allowed: (n,) which rows may come back; all where it is None.

        Raises:
            UnknownMovie: the movie has no vector in this space.
        """
        row = self.row(movie_id)
        if self._neighbours is not None:
            rows, scores = self._neighbours.of(row)
            complete = rows.size >= len(self) - 1
            if allowed is not None:
                kept = allowed[rows]
                rows, scores = rows[kept], scores[kept]
            if rows.size >= k or complete:
                return self._matches(rows[:k], scores[:k])
        others = np.ones(len(self), dtype=np.bool_) if allowed is None else allowed.copy()
        others[row] = False
        return self.search(self.vector(movie_id), k, allowed=others)

    def search(self, vector: Float32Array, k: int = 10, *, allowed: BoolArray | None = None) -> list[Match]:
        """The ``k`` movies nearest to a vector (d,), best first, ties by id."""
        return self.search_all(vector[None], k, allowed=allowed)[0]

    def search_all(self, vectors: Float32Array, k: int = 10, *, allowed: BoolArray | None = None) -> list[list[Match]]:
        """The ``k`` movies nearest to each vector (m, d), best first, ties by id."""
        return [self._matches(*found) for found in self.vectors.search(vectors, k, allowed)]

    def direction(self, liked: Sequence[int], disliked: Sequence[int] = ()) -> Float32Array:
        """Where to look for movies like some and unlike others: a vector (d,), of length 1.

        The mean of the liked movies' vectors less that of the others': the inner product with it is, but for its
        length, the mean score to the liked movies less the mean score to the others.

        Raises:
            UnknownMovie: a movie has no vector in this space.
        """
        mean = self._mean(liked)
        if disliked:
            mean = mean - self._mean(disliked)
        length = np.linalg.norm(mean)
        # Nothing is left where both sides are the same movies: then anything is as near as anything else.
        return mean if length == 0 else mean / length

    def _mean(self, movie_ids: Sequence[int]) -> Float32Array:
        rows = np.array([self.row(movie_id) for movie_id in movie_ids], dtype=np.int64)
        mean: Float32Array = self.vectors.rows(rows).mean(axis=0)
        return mean

    def _matches(self, rows: Int64Array, scores: Float32Array) -> list[Match]:
        scores = np.clip(scores, -1, 1)  # rounding may leave a vector a little longer than 1
        shares = self.calibration.percentile(scores)
        return [
            Match(int(movie_id), float(score), float(share), (self.name,))
            for movie_id, score, share in zip(self.ids.values[rows], scores, shares, strict=True)
        ]


def load_neighbours(folder: Path) -> Neighbours:
    """The neighbours saved in ``folder``, memory-mapped."""
    return Neighbours(
        np.load(folder / "neighbour_rows.npy", mmap_mode="r"),
        np.load(folder / "neighbour_scores.npy", mmap_mode="r"),
    )
