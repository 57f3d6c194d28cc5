"""Indexes: by movie of the ratings, which are stored by user, and by user of what was watched. numpy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from index.core.arrays import AnyIntArray, Int32Array, Int64Array

RATERS_FOLDER = "raters"
WATCHED_FOLDER = "watched"


@dataclass(frozen=True, slots=True)
class RatingsByMovie:
    """Positions of each movie's ratings among all ratings. Each array is one file of the snapshot."""

    starts: Int64Array  # (n_movies + 1,) movie row m has places[starts[m]:starts[m + 1]]
    places: Int32Array  # (n_ratings,) positions, ascending within a movie

    @classmethod
    def from_rows(cls, rated_rows: AnyIntArray, n_movies: int) -> RatingsByMovie:
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


@dataclass(frozen=True, slots=True)
class WatchedMovies:
    """Movies that users have events of, such as views, but no ratings. Each array is one file of the snapshot."""

    starts: Int64Array  # (n_users + 1,) user row u watched rows[starts[u]:starts[u + 1]]
    rows: Int32Array  # (n_events,) catalogue rows, ascending within a user

    @classmethod
    def of(cls, user_rows: Int64Array, movie_rows: Int64Array, n_users: int) -> WatchedMovies:
        """Return the movies of pairs of user and movie, (n_events,) each."""
        order = np.lexsort((movie_rows, user_rows))
        starts = np.searchsorted(user_rows[order], np.arange(n_users + 1))
        return cls(starts.astype(np.int64), movie_rows[order].astype(np.int32))

    def of_user(self, row: int) -> Int64Array:
        """Return the catalogue rows that a user watched, (m,) ascending."""
        return np.asarray(self.rows[slice(*self.starts[row : row + 2])], dtype=np.int64)
