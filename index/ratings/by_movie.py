"""Who rated a movie: the ratings that are kept user by user, found movie by movie. numpy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from index.core.arrays import Int32Array, Int64Array

FOLDER = "raters"


@dataclass(frozen=True, slots=True)
class Raters:
    """Where among all ratings those of a movie are; each array is one file of the snapshot."""

    starts: Int64Array  # (n_movies + 1,) movie row m is at places[starts[m]:starts[m + 1]]
    places: Int32Array  # (n_ratings,) ascending within a movie

    @classmethod
    def of(cls, rated_rows: npt.NDArray[np.integer], n_movies: int) -> Raters:
        """From the movie row of every rating, (n_ratings,)."""
        counts = np.bincount(rated_rows, minlength=n_movies)
        places = np.argsort(rated_rows, kind="stable").astype(np.int32)
        return cls(np.concatenate([[0], np.cumsum(counts)]), places)

    def counts(self) -> Int64Array:
        """How many rated each movie, (n_movies,)."""
        return np.diff(self.starts)

    def places_of(self, movie: int) -> Int64Array:
        """The places of a movie's ratings, (m,) ascending."""
        return self.places[slice(*self.starts[movie : movie + 2])].astype(np.int64)
