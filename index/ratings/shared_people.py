"""Movies that share people, such as a director or an actor. numpy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from index.core.arrays import Float32Array, Int32Array, Int64Array

FOLDER = "cold_start_people"


@dataclass(frozen=True, slots=True)
class SharedPeople:
    """Movies of a catalogue that share people with each of its movies. Each array is one file of the snapshot."""

    starts: Int64Array  # (n_movies + 1,) those of movie row m are at starts[m]:starts[m + 1]
    rows: Int32Array  # (p,) movie rows
    similarity: Float32Array  # (p,) 0 to 1

    def similarities(self, movies: Int64Array, others: Int64Array) -> Float32Array:
        """Return the similarity of movies (k,) with others (r,), by row, (k, r); 0 for rows of -1."""
        line = np.zeros(self.starts.size - 1, dtype=np.float32)
        found = np.zeros((movies.size, others.size), dtype=np.float32)
        for at, row in enumerate(movies.tolist()):
            if row >= 0:
                part = slice(*self.starts[row : row + 2].tolist())
                line[self.rows[part]] = self.similarity[part]
                found[at] = line[others]
                line[self.rows[part]] = 0
        return found
