"""What a data set is, once read: movies, ratings and tags as columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from index.catalogue.catalogue import Movie
from index.core.arrays import BoolArray, Float32Array, Int64Array


@dataclass(frozen=True, slots=True)
class Ratings:
    """Who rated what, and how. One entry per (user, movie)."""

    user_ids: Int64Array  # (n,)
    movie_ids: Int64Array  # (n,)
    values: Float32Array  # (n,) on the data set's own scale
    timestamps: Int64Array | None = None  # (n,) seconds since 1970

    def __len__(self) -> int:
        """How many ratings there are."""
        return int(self.values.size)

    @property
    def scale(self) -> tuple[float, float]:
        """The lowest and the highest rating that was given."""
        return float(self.values.min()), float(self.values.max())

    def take(self, which: Int64Array | BoolArray) -> Ratings:
        """The ratings at some positions, or under a mask."""
        stamps = None if self.timestamps is None else self.timestamps[which]
        return Ratings(self.user_ids[which], self.movie_ids[which], self.values[which], stamps)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Everything read from one folder or file."""

    name: str  # "ml-latest-small", "ml-1m", …, or the file's name
    notice: str  # citation and terms, one paragraph; empty where none are known
    movies: tuple[Movie, ...]  # ascending movie_id
    ratings: Ratings  # in file order; every movie_id is one of ``movies``
    tags: Mapping[int, tuple[str, ...]] = field(default_factory=dict)  # movie_id -> as written, with repeats
    warnings: tuple[str, ...] = ()  # what was left out and why, each with file, line and count
