"""Explicit matrix factorisation with biases, by alternating least squares.

Minimises the squared error of mean + user bias + movie bias + <user factors, movie factors> plus ``regularization``
times the square of every parameter. With one side fixed, each user (or movie) of the other is a ridge regression.

Source: Zhou, Wilkinson, Schreiber and Pan, "Large-scale Parallel Collaborative Filtering for the Netflix Prize", 2008.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import PositiveFloat, PositiveInt

from index.core.arrays import Float32Array, Float64Array, Int64Array
from index.core.progress import Track, silent
from indexer.datasets.training import Training


@dataclass(frozen=True, slots=True)
class Settings:
    """Hyperparameters."""

    factors: PositiveInt = 20
    regularization: PositiveFloat = 12.0
    iterations: PositiveInt = 15


@dataclass(frozen=True, slots=True)
class Factors:
    """A factorisation of ratings with biases."""

    mean: float
    user_bias: Float64Array  # (n_users,)
    movie_bias: Float64Array  # (n_movies,)
    user_factors: Float64Array  # (n_users, factors)
    item_factors: Float64Array  # (n_movies, factors)

    def predict(self, users: Int64Array, movies: Int64Array) -> Float64Array:
        """Return ratings (m,) of user rows (m,) and movie rows (m,)."""
        inner = np.einsum("ij,ij->i", self.user_factors[users], self.item_factors[movies])
        ratings: Float64Array = self.mean + self.user_bias[users] + self.movie_bias[movies] + inner
        return ratings

    def scores(self, user: int) -> Float32Array:
        """Return the ratings (n_movies,) of a user row, by which movies are ranked."""
        inner = self.item_factors @ self.user_factors[user]
        scores: Float32Array = (self.mean + self.user_bias[user] + self.movie_bias + inner).astype(np.float32)
        return scores


def fit(
    training: Training, rng: np.random.Generator, settings: Settings | None = None, *, track: Track = silent
) -> Factors:
    """Fit factors and biases, alternating between users and movies."""
    settings = settings or Settings()
    n_users, n_movies = training.shape
    mean = float(training.values.mean())
    residuals = training.values - mean
    user_order = np.argsort(training.user_rows, kind="stable")
    movie_order = np.argsort(training.movie_rows, kind="stable")
    # The last column is the bias.
    users = np.zeros((n_users, settings.factors + 1))
    movies = np.hstack([rng.normal(0, 0.1, (n_movies, settings.factors)), np.zeros((n_movies, 1))])
    for _ in track(range(settings.iterations), "Alternating least squares", settings.iterations):
        users = _ridge(training.user_rows, training.movie_rows, residuals, user_order, movies, n_users, settings)
        movies = _ridge(training.movie_rows, training.user_rows, residuals, movie_order, users, n_movies, settings)
    return Factors(mean, users[:, -1], movies[:, -1], users[:, :-1], movies[:, :-1])


def _ridge(
    rows: Int64Array,
    others: Int64Array,
    residuals: Float64Array,
    order: Int64Array,
    fixed: Float64Array,
    n: int,
    settings: Settings,
) -> Float64Array:
    """Return factors and bias (n, f + 1) of one side, given those of the other."""
    solved = np.zeros((n, settings.factors + 1))
    starts = np.searchsorted(rows[order], np.arange(n + 1))
    ridge = settings.regularization * np.eye(settings.factors + 1)
    for row in np.unique(rows):
        entries = order[starts[row] : starts[row + 1]]
        design = fixed[others[entries]].copy()
        target = residuals[entries] - design[:, -1]
        design[:, -1] = 1
        solved[row] = np.linalg.solve(design.T @ design + ridge, design.T @ target)
    return solved
