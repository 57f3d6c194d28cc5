"""A data set in memory: movies, ratings and tags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from index.catalogue.catalogue import Movie
from index.core.arrays import BoolArray, Float32Array, Int64Array

Scale = tuple[float, float]  # lowest and highest rating


@dataclass(frozen=True, slots=True)
class Ratings:
    """Ratings as columns, one entry per (user, movie)."""

    user_ids: Int64Array  # (n,)
    movie_ids: Int64Array  # (n,)
    values: Float32Array  # (n,) on the data set's own scale; all 1 if implicit
    timestamps: Int64Array | None = None  # (n,) seconds since 1970
    given_scale: Scale | None = None  # None for that of the ratings present
    implicit: bool = False  # no ratings, only who watched what
    strengths: Float32Array | None = None  # (n,) of the events behind them; None if all are 1

    def __len__(self) -> int:
        """Return the number of ratings."""
        return int(self.values.size)

    @property
    def scale(self) -> Scale:
        """Lowest and highest rating: as given, else as present."""
        return self.given_scale or (float(self.values.min()), float(self.values.max()))

    def take(self, selection: Int64Array | BoolArray) -> Ratings:
        """Return the ratings at positions (m,), or under a mask (n,)."""
        return replace(
            self,
            user_ids=self.user_ids[selection],
            movie_ids=self.movie_ids[selection],
            values=self.values[selection],
            timestamps=None if self.timestamps is None else self.timestamps[selection],
            strengths=None if self.strengths is None else self.strengths[selection],
        )


@dataclass(frozen=True, slots=True)
class Events:
    """Strength of the events of each user with each movie, one entry per (user, movie)."""

    user_ids: Int64Array  # (n,)
    movie_ids: Int64Array  # (n,)
    strengths: Float32Array  # (n,) above 0; 1 for a single view

    def take(self, selection: BoolArray) -> Events:
        """Return the events under a mask (n,)."""
        return Events(self.user_ids[selection], self.movie_ids[selection], self.strengths[selection])


@dataclass(frozen=True, slots=True)
class Dataset:
    """Movies, ratings and tags of one folder or file."""

    name: str  # "ml-latest-small", "ml-1m", …, or the file's name
    notice: str  # citation and terms of use, one paragraph; empty if unknown
    movies: tuple[Movie, ...]  # ascending movie_id
    ratings: Ratings  # in file order; every movie_id is one of ``movies``
    tags: Mapping[int, tuple[str, ...]] = field(default_factory=dict)  # movie_id -> tags as written, repeats included
    warnings: tuple[str, ...] = ()  # skipped rows: file, reason, count, first line
    labels: Mapping[str, Mapping[int, tuple[str, ...]]] = field(default_factory=dict)  # kind -> movie_id -> labels
    user_names: Mapping[int, str] = field(default_factory=dict)  # user_id -> the file's id, if that is no number
    events: Events | None = None  # of movies that the same users did not rate; None without any
    posters: Mapping[int, str] = field(default_factory=dict)  # movie_id -> path or URL, as a catalogue lists it
    owned: frozenset[int] | None = None  # ids of movies on the shelf; None if no catalogue tells
