"""Similar users, or similar movies: ratings weighed by cosine, where a missing rating counts as zero.

The first method of the 2017 article, with its remedies. As it stands there, a prediction divides by the weights of
everyone, rater or not, so a film that few people rated is predicted near zero: that is its MSE of about 10.

Source: Herlocker, Konstan, Borchers and Riedl, "An Algorithmic Framework for Performing Collaborative Filtering", 1999.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.sparse as sp
from pydantic import PositiveInt

from index.core.arrays import Float64Array, Int64Array
from index.core.progress import Track, silent
from indexer.datasets.training import Training
from indexer.models import baselines

_BLOCK = 1024  # predictions made at a time


@dataclass(frozen=True, slots=True)
class Settings:
    """How neighbours vote."""

    by: Literal["user", "item"] = "user"
    over: Literal["everyone", "raters"] = "everyone"  # whose weights a prediction is divided by
    neighbours: PositiveInt | None = None  # the most similar ones; all where it is None
    subtract_biases: bool = False  # vote on what user and movie biases leave


class Neighbourhood:
    """Rows vote on columns: users on movies, or for ``by="item"`` movies on users."""

    def __init__(self, training: Training, settings: Settings, rng: np.random.Generator) -> None:
        self._settings = settings
        self._biases = baselines.fit(training, rng) if settings.subtract_biases else None
        ratings, cast = training.user_items, training.values
        if self._biases is not None:
            cast = cast - self._biases.predict(training.user_rows, training.movie_rows)
        votes = sp.csr_matrix((cast, (training.user_rows, training.movie_rows)), shape=training.shape)
        if settings.by == "item":
            ratings, votes = ratings.T.tocsr(), votes.T.tocsr()
        self._ratings = _unit_rows(ratings)
        self._votes = votes.tocsc()

    def similarity(self, rows: Int64Array) -> Float64Array:
        """Cosines (m, n) of some rows to all."""
        cosines: Float64Array = (self._ratings[rows] @ self._ratings.T).toarray()
        return cosines

    def predict(self, users: Int64Array, movies: Int64Array) -> Float64Array:
        """Ratings (m,) of user rows and movie rows (m,) each."""
        voters, subjects = (users, movies) if self._settings.by == "user" else (movies, users)
        voted = np.empty(users.size)
        # One row's similarities serve all its predictions.
        order = np.argsort(voters, kind="stable")
        for start in range(0, order.size, _BLOCK):
            chosen = order[start : start + _BLOCK]
            rows, back = np.unique(voters[chosen], return_inverse=True)
            voted[chosen] = self._vote(self.similarity(rows), back, subjects[chosen])
        return voted if self._biases is None else voted + self._biases.predict(users, movies)

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
    track: Track = silent,  # noqa: ARG001  done at once
) -> Neighbourhood:
    """A method that remembers everything and learns nothing."""
    return Neighbourhood(training, settings or Settings(), rng)


def _unit_rows(matrix: sp.csr_matrix) -> sp.csr_matrix:
    length = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    unit: sp.csr_matrix = sp.diags(1 / np.maximum(length, 1e-12)) @ matrix
    return unit
