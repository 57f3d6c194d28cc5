"""Movies that users have events of, such as views, but no ratings. numpy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from index.core.arrays import Int32Array, Int64Array

FOLDER = "watched"


@dataclass(frozen=True, slots=True)
class WatchedMovies:
    """Movies by user. Each array is one file of the snapshot."""

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
