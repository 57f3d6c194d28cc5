"""Baselines of rating prediction: means and biases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import NonNegativeFloat, PositiveInt

from index.core.arrays import Float64Array, Int64Array
from index.core.progress import Track, silent
from indexer.datasets.training import Training


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of the biases."""

    of_users: bool = True
    of_movies: bool = True
    damping: NonNegativeFloat = 5.0  # weight of the mean, in ratings
    sweeps: PositiveInt = 10


@dataclass(frozen=True, slots=True)
class Biases:
    """Global mean, plus user and movie biases."""

    mean: float
    of_user: Float64Array  # (n_users,)
    of_movie: Float64Array  # (n_movies,)

    def predict(self, users: Int64Array, movies: Int64Array) -> Float64Array:
        """Return ratings (m,) of user rows (m,) and movie rows (m,)."""
        ratings: Float64Array = self.mean + self.of_user[users] + self.of_movie[movies]
        return ratings


def fit(
    training: Training,
    rng: np.random.Generator,  # noqa: ARG001  deterministic
    settings: Settings | None = None,
    *,
    track: Track = silent,  # noqa: ARG001  too fast to track
) -> Biases:
    """Fit user and movie biases in turn, as damped means of the residuals."""
    settings = settings or Settings()
    mean = float(training.values.mean())
    centred = training.values - mean
    n_users, n_movies = training.shape
    of_user, of_movie = np.zeros(n_users), np.zeros(n_movies)
    for _ in range(settings.sweeps):
        if settings.of_movies:
            residuals = centred - of_user[training.user_rows]
            of_movie = _damped_mean(residuals, training.movie_rows, n_movies, settings.damping)
        if settings.of_users:
            residuals = centred - of_movie[training.movie_rows]
            of_user = _damped_mean(residuals, training.user_rows, n_users, settings.damping)
    return Biases(mean, of_user, of_movie)


def _damped_mean(values: Float64Array, group: Int64Array, n: int, damping: float) -> Float64Array:
    sums = np.bincount(group, weights=values, minlength=n)
    counts = np.bincount(group, minlength=n) + damping
    means: Float64Array = np.divide(sums, counts, out=np.zeros(n), where=counts > 0)
    return means
