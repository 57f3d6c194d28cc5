"""The factorisation of ``als`` by stochastic gradient descent, with its learning curve.

The second method of the 2017 article: a fine error, and neighbours that make no sense. A step takes a small batch of
ratings; each parameter moves by the gradients of its own ratings in the batch, summed.

Source: Koren, Bell and Volinsky, "Matrix Factorization Techniques for Recommender Systems", 2009.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from index.core.arrays import Float64Array, Int64Array
from index.core.progress import Track, silent
from indexer.datasets.training import Training
from indexer.models.als import Factors

_BATCH = 64


@dataclass(frozen=True, slots=True)
class Settings:
    """How the factors are fitted."""

    factors: PositiveInt = 40
    regularization: NonNegativeFloat = 0.1
    learning_rate: PositiveFloat = 0.01
    epochs: PositiveInt = 40


@dataclass(frozen=True, slots=True)
class Learned:
    """Factors, and how the error fell."""

    factors: Factors
    curve: tuple[tuple[float, float | None], ...]  # RMSE on training and test ratings an epoch

    def predict(self, users: Int64Array, movies: Int64Array) -> Float64Array:
        """Ratings (m,) of user rows and movie rows (m,) each."""
        return self.factors.predict(users, movies)


def fit(
    training: Training,
    rng: np.random.Generator,
    settings: Settings | None = None,
    *,
    test: Training | None = None,
    track: Track = silent,
) -> Learned:
    """Factors after a number of epochs; where ``test`` is given, the curve has its error too."""
    settings = settings or Settings()
    n_users, n_movies = training.shape
    mean = float(training.values.mean())
    users = np.hstack([rng.normal(0, 0.1, (n_users, settings.factors)), np.zeros((n_users, 1))])
    movies = np.hstack([rng.normal(0, 0.1, (n_movies, settings.factors)), np.zeros((n_movies, 1))])
    curve = []
    fitted = Factors(mean, users[:, -1], movies[:, -1], users[:, :-1], movies[:, :-1])  # views: they follow
    for _ in track(range(settings.epochs), "Gradient descent", settings.epochs):
        order = rng.permutation(training.values.size)
        for start in range(0, order.size, _BATCH):
            _step(training, order[start : start + _BATCH], mean, users, movies, settings)
        curve.append((_rmse(fitted, training), None if test is None else _rmse(fitted, test)))
    return Learned(fitted, tuple(curve))


def _step(
    training: Training, batch: Int64Array, mean: float, users: Float64Array, movies: Float64Array, settings: Settings
) -> None:
    """Moves the users and movies of a batch."""
    u, m = training.user_rows[batch], training.movie_rows[batch]
    p, q = users[u], movies[m]
    inner = np.einsum("ij,ij->i", p[:, :-1], q[:, :-1])
    error = (training.values[batch] - mean - p[:, -1] - q[:, -1] - inner)[:, None]
    # A bias sees a one where a factor sees the other side's factor.
    for_user, for_movie = q.copy(), p.copy()
    for_user[:, -1] = for_movie[:, -1] = 1
    rate, ridge = settings.learning_rate, settings.regularization
    np.add.at(users, u, rate * (error * for_user - ridge * p))
    np.add.at(movies, m, rate * (error * for_movie - ridge * q))


def _rmse(factors: Factors, ratings: Training) -> float:
    predicted = factors.predict(ratings.user_rows, ratings.movie_rows)
    return float(np.sqrt(np.mean((predicted - ratings.values) ** 2)))
