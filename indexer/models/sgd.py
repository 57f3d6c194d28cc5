"""The factorisation of ``als``, fitted by stochastic gradient descent, with its learning curve.

The second method of the 2017 article: a low error, but meaningless nearest neighbours. A step takes a small batch of
ratings; each parameter moves by the summed gradients of its ratings in the batch.

Source: Koren, Bell and Volinsky, "Matrix Factorization Techniques for Recommender Systems", 2009.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from index.core.arrays import Float32Array, Float64Array, Int64Array
from index.core.progress import Track, silent
from indexer.datasets.training import Training
from indexer.models.als import Factors

_BATCH = 64


@dataclass(frozen=True, slots=True)
class Settings:
    """Hyperparameters."""

    factors: PositiveInt = 40
    regularization: NonNegativeFloat = 0.1
    learning_rate: PositiveFloat = 0.01
    epochs: PositiveInt = 40


@dataclass(frozen=True, slots=True)
class FactorsWithCurve:
    """Factors, and the learning curve."""

    factors: Factors
    curve: tuple[tuple[float, float | None], ...]  # RMSE on training and test ratings per epoch

    def predict(self, users: Int64Array, movies: Int64Array) -> Float64Array:
        """Return ratings (m,) of user rows (m,) and movie rows (m,)."""
        return self.factors.predict(users, movies)

    def scores(self, user: int) -> Float32Array:
        """Return the ratings (n_movies,) of a user row, by which movies are ranked."""
        return self.factors.scores(user)


def fit(
    training: Training,
    rng: np.random.Generator,
    settings: Settings | None = None,
    *,
    test: Training | None = None,
    track: Track = silent,
) -> FactorsWithCurve:
    """Fit factors for a number of epochs; the curve includes the error on ``test`` if given."""
    settings = settings or Settings()
    n_users, n_movies = training.shape
    mean = float(training.values.mean())
    users = np.hstack([rng.normal(0, 0.1, (n_users, settings.factors)), np.zeros((n_users, 1))])
    movies = np.hstack([rng.normal(0, 0.1, (n_movies, settings.factors)), np.zeros((n_movies, 1))])
    curve = []
    fitted = Factors(mean, users[:, -1], movies[:, -1], users[:, :-1], movies[:, :-1])  # views, updated by each step
    for _ in track(range(settings.epochs), "Gradient descent", settings.epochs):
        order = rng.permutation(training.values.size)
        for start in range(0, order.size, _BATCH):
            _step(training, order[start : start + _BATCH], mean, users, movies, settings)
        curve.append((_rmse(fitted, training), None if test is None else _rmse(fitted, test)))
    return FactorsWithCurve(fitted, tuple(curve))


def _step(
    training: Training, batch: Int64Array, mean: float, users: Float64Array, movies: Float64Array, settings: Settings
) -> None:
    """Update the parameters of the users and movies of a batch in place."""
    u, m = training.user_rows[batch], training.movie_rows[batch]
    p, q = users[u], movies[m]
    inner = np.einsum("ij,ij->i", p[:, :-1], q[:, :-1])
    error = (training.values[batch] - mean - p[:, -1] - q[:, -1] - inner)[:, None]
    # The gradient of a bias has 1 in place of the other side's factor.
    for_user, for_movie = q.copy(), p.copy()
    for_user[:, -1] = for_movie[:, -1] = 1
    rate, ridge = settings.learning_rate, settings.regularization
    np.add.at(users, u, rate * (error * for_user - ridge * p))
    np.add.at(movies, m, rate * (error * for_movie - ridge * q))


def _rmse(factors: Factors, ratings: Training) -> float:
    predicted = factors.predict(ratings.user_rows, ratings.movie_rows)
    return float(np.sqrt(np.mean((predicted - ratings.values) ** 2)))
