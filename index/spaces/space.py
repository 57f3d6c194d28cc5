"""One searchable vector space, with stored neighbours and score percentiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from index.core.arrays import BoolArray, Float32Array, Int64Array
from index.core.errors import BadSnapshot, UnknownMovie
from index.core.ids import Ids
from index.milvus.service import Milvus, milvus_at
from index.spaces.milvus_vectors import load_milvus_vectors
from index.spaces.neighbours import Neighbours, OverlaidNeighbours, load_neighbours
from index.spaces.vectors import Vectors, load_vectors

_LEAST_VARIANCE = 1e-12  # of scores; less is rounding


@dataclass(frozen=True, slots=True)
class Match:
    """Movie returned by a similarity query."""

    movie_id: int
    score: float  # inner product, or a blend's standardised score; larger is more similar
    percentile: float  # share of random movie pairs with a lower score, 0 to 1
    spaces: tuple[str, ...]  # that contribute to the score
    copies: int | None = None  # further movies with the same poster picture; None if these are matches of their own


@dataclass(frozen=True, slots=True)
class Calibration:
    """Empirical distribution of the scores of random movie pairs."""

    scores: Float32Array  # (q,) ascending quantiles
    shares: Float32Array  # (q,) ascending, 0 to 1: share of pairs below each score

    def percentile(self, scores: Float32Array) -> Float32Array:
        """Return the percentile of each score, same shape, 0 to 1."""
        return np.interp(scores, self.scores, self.shares).astype(np.float32)

    def standardised(self, scores: Float32Array) -> Float32Array:
        """Return each score in standard deviations above the mean of random pairs, same shape; 0 if all are equal."""
        low, high = self.scores[:-1].astype(np.float64), self.scores[1:].astype(np.float64)
        parts = np.diff(self.shares.astype(np.float64))
        # Between two quantiles scores are spread evenly.
        mean = float(parts @ (low + high)) / 2
        variance = float(parts @ (np.square(low - mean) + (low - mean) * (high - mean) + np.square(high - mean))) / 3
        if variance < _LEAST_VARIANCE:
            return np.zeros_like(scores, dtype=np.float32)
        standardised: Float32Array = ((scores - np.float32(mean)) * np.float32(variance**-0.5)).astype(np.float32)
        return standardised


class Space:
    """One searchable vector space. Immutable, so threads may share it.

    Args:
        name: of the space.
        ids: movie ids of the rows.
        vectors: (n, d), in the same order.
        neighbours: stored neighbours, equal to those that a search finds; None to search on every query.
        calibration: distribution of scores, for percentiles.
    """

    def __init__(
        self,
        name: str,
        ids: Ids,
        vectors: Vectors,
        neighbours: Neighbours | OverlaidNeighbours | None,
        calibration: Calibration,
    ) -> None:
        n_lists = len(ids) if neighbours is None else len(neighbours)
        if not len(ids) == len(vectors) == n_lists:
            raise BadSnapshot(
                f"the {name} space has {len(ids)} ids, {len(vectors)} vectors and {n_lists} neighbour lists: build the"
                " snapshot again"
            )
        self.name = name
        self.ids = ids
        self.vectors = vectors
        self.calibration = calibration
        self.stored = neighbours if isinstance(neighbours, Neighbours) else None
        self._neighbours = (
            OverlaidNeighbours.unchanged(neighbours) if isinstance(neighbours, Neighbours) else neighbours
        )

    @classmethod
    def load(cls, name: str, folder: Path, metadata: Mapping[str, Any], milvus: Milvus | None = None) -> Space:
        """Return the space saved in ``folder``, its vectors and neighbours memory-mapped.

        Args:
            name: of the space.
            folder: of the space.
            metadata: the manifest's entry for the space.
            milvus: has the vectors of spaces whose entry says so; nothing is asked yet.
        """
        vectors: Vectors
        if "milvus" in metadata:
            vectors = load_milvus_vectors(folder, metadata, milvus)
        else:
            vectors = load_vectors(folder, metadata.get("search"))
        return cls(
            name,
            Ids(np.load(folder / "movie_ids.npy")),
            vectors,
            load_neighbours(folder),
            Calibration(*np.load(folder / "calibration.npy")),
        )

    def __len__(self) -> int:
        """Return the number of movies."""
        return len(self.ids)

    @property
    def dimension(self) -> int:
        """Dimension d of a vector."""
        return self.vectors.dimension

    def row(self, movie_id: int) -> int:
        """Return the row of a movie.

        Raises:
            UnknownMovie: the movie has no vector in this space.
        """
        row = int(self.ids.find([movie_id])[0])
        if row < 0:
            raise UnknownMovie(f"movie {movie_id} has no vector in the {self.name} space")
        return row

    def vector(self, movie_id: int) -> Float32Array:
        """Return the vector of a movie, (d,) float32.

        Raises:
            UnknownMovie: the movie has no vector in this space.
        """
        vector: Float32Array = self.vectors.rows(np.array([self.row(movie_id)]))[0]
        return vector

    def similar(self, movie_id: int, k: int = 10, *, allowed: BoolArray | None = None) -> list[Match]:
        """Return the ``k`` nearest neighbours of a movie, best first, ties by id.

        Args:
            movie_id: of the query; never returned.
            k: number of matches; fewer are returned only if fewer rows are allowed.
            allowed: (n,) mask of rows that may be returned; None for all.

        Raises:
            UnknownMovie: the movie has no vector in this space.
        """
        row = self.row(movie_id)
        if self._neighbours is not None:
            hits = self._neighbours.nearest(
                row,
                k,
                allowed,
                lambda rows: self.vectors.scores(self.vector(movie_id), rows),
                short_is_whole=False,
            )
            if hits is not None:
                return self._matches(*hits)
        others = np.ones(len(self), dtype=np.bool_) if allowed is None else allowed.copy()
        others[row] = False
        return self.search(self.vector(movie_id), k, allowed=others)

    def search(self, vector: Float32Array, k: int = 10, *, allowed: BoolArray | None = None) -> list[Match]:
        """Return the ``k`` movies nearest to a vector (d,), best first, ties by id."""
        return self._matches(*self.vectors.search(vector[None], k, allowed)[0])

    def direction(self, liked: Sequence[int], disliked: Sequence[int] = ()) -> Float32Array:
        """Return the query (d,), of length 1, for movies similar to ``liked`` and dissimilar to ``disliked``.

        It is the difference of the mean vectors: its inner product with a movie is proportional to the mean score with
        the liked movies minus the mean score with the disliked ones. If both sides are equal, it is 0.

        Raises:
            UnknownMovie: a movie has no vector in this space.
        """
        mean = self._mean(liked)
        if disliked:
            mean = mean - self._mean(disliked)
        length = np.linalg.norm(mean)
        return mean if length == 0 else mean / length

    def _mean(self, movie_ids: Sequence[int]) -> Float32Array:
        rows = np.array([self.row(movie_id) for movie_id in movie_ids], dtype=np.int64)
        mean: Float32Array = self.vectors.rows(rows).mean(axis=0)
        return mean

    def _matches(self, rows: Int64Array, scores: Float32Array) -> list[Match]:
        scores = np.clip(scores, -1, 1)  # rounded vectors may be slightly longer than 1
        percentiles = self.calibration.percentile(scores)
        return [
            Match(int(movie_id), float(score), float(percentile), (self.name,))
            for movie_id, score, percentile in zip(self.ids.values[rows], scores, percentiles, strict=True)
        ]


def load_spaces(folder: Path, entries: Mapping[str, Mapping[str, Any]], search: str) -> dict[str, Space]:
    """Return the spaces of a snapshot by name.

    Args:
        folder: of the snapshot.
        entries: of its manifest.
        search: address of the Milvus that has the vectors; empty for none.

    Raises:
        InvalidInput: the address cannot be used.
    """
    milvus = milvus_at(search) if search else None
    return {name: Space.load(name, folder / name, metadata, milvus) for name, metadata in entries.items()}
