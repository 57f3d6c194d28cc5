"""Index by movie of the ratings, which are stored by user. numpy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from index.core.arrays import Int32Array, Int64Array

FOLDER = "raters"


@dataclass(frozen=True, slots=True)
class RatingsByMovie:
    """Positions of each movie's ratings among all ratings. Each array is one file of the snapshot."""

    starts: Int64Array  # (n_movies + 1,) movie row m has places[starts[m]:starts[m + 1]]
    places: Int32Array  # (n_ratings,) positions, ascending within a movie

    @classmethod
    def from_rows(cls, rated_rows: npt.NDArray[np.integer], n_movies: int) -> RatingsByMovie:
        """Index the movie row of every rating, (n_ratings,)."""
        counts = np.bincount(rated_rows, minlength=n_movies)
        places = np.argsort(rated_rows, kind="stable").astype(np.int32)
        return cls(np.concatenate([[0], np.cumsum(counts)]), places)

    def counts(self) -> Int64Array:
        """Return the number of ratings per movie, (n_movies,)."""
        return np.diff(self.starts)

    def positions(self, movie_row: int) -> Int64Array:
        """Return the positions of a movie's ratings, (m,) ascending."""
        return self.places[slice(*self.starts[movie_row : movie_row + 2])].astype(np.int64)
