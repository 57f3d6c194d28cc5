"""Which movies a user would pick next, by what everyone rated at all: EASE. numpy only.

Scores are x - (A X) / diag(P) or x B, two forms of the same model; the smaller was kept (see ``indexer.models.ease``).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
FILES = ("weights", "movie_scale")


@dataclass(frozen=True, slots=True)
class Ranker:
    """Scores of every movie for a user. Immutable.

    One of two forms: by users, ``weights`` (n_users, n_users) are A and ``movie_scale`` (n_movies,) is 1 / diag(P); or
    by movies, ``weights`` (n_movies, n_movies) are B and ``movie_scale`` is empty.
    """

    weights: FloatArray
    movie_scale: FloatArray
    rated_starts: npt.NDArray[np.int64]  # (n_users + 1,) user row u rated rated_rows[starts[u]:starts[u + 1]]
    rated_rows: npt.NDArray[np.int32]  # (n_ratings,) movie rows

    @classmethod
    def load(cls, folder: Path, rated_starts: npt.NDArray[np.int64], rated_rows: npt.NDArray[np.int32]) -> Ranker:
        """The ranker saved in ``folder``, its weights memory-mapped."""
        weights, movie_scale = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in FILES)
        return cls(weights, movie_scale, rated_starts, rated_rows)

    def save(self, folder: Path) -> None:
        """Writes what ``load`` reads; the ratings are saved with the rating model."""
        folder.mkdir()
        for name in FILES:
            np.save(folder / f"{name}.npy", getattr(self, name))

    def scores(self, user: int) -> FloatArray:
        """(n_movies,) for a user row; larger is likelier. What the user rated has a score like any other."""
        rated = self.rated_rows[self.rated_starts[user] : self.rated_starts[user + 1]]
        if not self.movie_scale.size:
            by_movies: FloatArray = np.asarray(self.weights[rated]).sum(axis=0)
            return by_movies
        shares = np.repeat(self.weights[user], np.diff(self.rated_starts))
        summed = np.bincount(self.rated_rows, weights=shares, minlength=self.movie_scale.size)
        scores = -summed * self.movie_scale
        scores[rated] += 1
        return scores.astype(np.float32)
