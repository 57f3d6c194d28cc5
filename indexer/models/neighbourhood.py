"""User-based and item-based nearest neighbours: ratings weighted by cosine, a missing rating counting as zero.

The first method of the 2017 article, with corrections. The article divides a prediction by the weights of all users,
raters or not, so movies with few ratings are predicted near zero: hence its MSE of about 10.

Source: Herlocker, Konstan, Borchers and Riedl, "An Algorithmic Framework for Performing Collaborative Filtering", 1999.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import scipy.sparse as sp
from pydantic import PositiveInt

from index.core.arrays import Float32Array, Float64Array, Int64Array
from index.core.progress import Track, silent
from indexer.datasets.training import Training
from indexer.linalg import unit_rows
from indexer.models import baselines

_BLOCK = 1024  # predictions per block


@dataclass(frozen=True, slots=True)
class Settings:
    """Hyperparameters."""

    by: Literal["user", "item"] = "user"
    over: Literal["everyone", "raters"] = "everyone"  # whose weights sum up in the denominator
    neighbours: PositiveInt | None = None  # number of most similar ones; None for all
    subtract_biases: bool = False  # predict residuals of user and movie biases


class Neighbourhood:
    """Weighted mean of the ratings of similar rows: users, or movies for ``by="item"``."""

    def __init__(self, training: Training, settings: Settings, rng: np.random.Generator) -> None:
        self._settings = settings
        self._biases = baselines.fit(training, rng) if settings.subtract_biases else None
        ratings, residuals = training.user_items, training.values
        if self._biases is not None:
            residuals = residuals - self._biases.predict(training.user_rows, training.movie_rows)
        votes = sp.csr_matrix((residuals, (training.user_rows, training.movie_rows)), shape=training.shape)
        if settings.by == "item":
            ratings, votes = ratings.T.tocsr(), votes.T.tocsr()
        self._ratings = unit_rows(ratings)
        self._votes = votes.tocsc()

    def similarity(self, rows: Int64Array) -> Float64Array:
        """Return cosines (m, n) of rows (m,) to all rows."""
        cosines: Float64Array = (self._ratings[rows] @ self._ratings.T).toarray()
        return cosines

    def predict(self, users: Int64Array, movies: Int64Array) -> Float64Array:
        """Return ratings (m,) of user rows (m,) and movie rows (m,)."""
        voters, subjects = (users, movies) if self._settings.by == "user" else (movies, users)
        voted = np.empty(users.size)
        # Sorted, so that the similarities of a row are computed once.
        order = np.argsort(voters, kind="stable")
        for start in range(0, order.size, _BLOCK):
            chosen = order[start : start + _BLOCK]
            rows, back = np.unique(voters[chosen], return_inverse=True)
            voted[chosen] = self._vote(self.similarity(rows), back, subjects[chosen])
        return voted if self._biases is None else voted + self._biases.predict(users, movies)

    def scores(self, user: int) -> Float32Array:
        """Return ``predict`` of a user row for all movies, (n_movies,) float32.

        With everyone's weights it is one product of sparse matrices, without the cosines of all pairs of movies.
        """
        settings = self._settings
        if settings.over == "raters" or settings.neighbours is not None or settings.subtract_biases:
            movies = np.arange(self._votes.shape[1 if settings.by == "user" else 0])
            return self.predict(np.full(movies.size, user), movies).astype(np.float32)
        if settings.by == "user":
            sums = np.asarray(self.similarity(np.array([user])) @ self._votes)
            weights = self._total_weights[user]
        else:
            sums = np.asarray(self._ratings @ (self._ratings.T @ self._votes[:, [user]].toarray()))
            weights = self._total_weights
        scores: Float32Array = (np.asarray(sums).ravel() / np.where(weights > 0, weights, 1)).astype(np.float32)
        return scores

    @cached_property
    def _total_weights(self) -> Float64Array:
        """Sums (n,) of the absolute cosines of each row to all rows."""
        n = self._ratings.shape[0]
        blocks = (np.arange(start, min(start + _BLOCK, n)) for start in range(0, n, _BLOCK))
        return np.concatenate([np.abs(self.similarity(rows)).sum(axis=1) for rows in blocks])

    def _vote(self, cosines: Float64Array, rows: Int64Array, columns: Int64Array) -> Float64Array:
        weights_of_all = np.abs(cosines).sum(axis=1)
        means = np.zeros(rows.size)
        for at, (row, column) in enumerate(zip(rows.tolist(), columns.tolist(), strict=True)):
            part = slice(self._votes.indptr[column], self._votes.indptr[column + 1])
            weights, values = cosines[row, self._votes.indices[part]], self._votes.data[part]
            k = self._settings.neighbours
            if k is not None and weights.size > k:
                top = np.argpartition(-weights, k)[:k]
                weights, values = weights[top], values[top]
            total = weights_of_all[row] if self._settings.over == "everyone" else np.abs(weights).sum()
            means[at] = weights @ values / total if total > 0 else 0.0
        return means


def fit(
    training: Training,
    rng: np.random.Generator,
    settings: Settings | None = None,
    *,
    track: Track = silent,  # noqa: ARG001  too fast to track
) -> Neighbourhood:
    """Store the ratings; similarities are computed per prediction."""
    return Neighbourhood(training, settings or Settings(), rng)
