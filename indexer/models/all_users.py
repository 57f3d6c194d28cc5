"""Posterior samples of all users, from a posterior fitted to a subsample of users.

A few million ratings determine the movies' parameters as well as all ratings. Given a sample of all other parameters, a
user's own factors and bias are Gaussian (see ``index.ratings.fold_in``); here they are drawn for all users in blocks,
from all ratings of each.

Source: Rendle, "Factorization Machines with libFM", ACM TIST 2012 (the conditional posterior).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from index.core.arrays import Float32Array, Float64Array, Int64Array
from index.core.ids import Ids
from index.core.progress import Track, silent
from indexer.datasets.training import Training
from indexer.models.factorization_machine import Posterior

MAX_RATINGS = 8_000_000  # that the rating model is fitted to: about half an hour on one CPU

_BLOCK = 20_000  # users per block


def subsample_users(training: Training, rng: np.random.Generator, limit: int = MAX_RATINGS) -> Training:
    """Return all ratings of users drawn at random, ``limit`` ratings at most; the training itself if it fits."""
    if training.values.size <= limit:
        return training
    counts = np.bincount(training.user_rows, minlength=len(training.users))
    order = rng.permutation(counts.size)
    drawn = order[np.cumsum(counts[order]) <= limit]
    users = Ids(np.sort(training.users.values[drawn]))
    return Training(training.ratings.take(np.isin(training.user_rows, drawn)), users, training.movies)


def solve_all_users(
    posterior: Posterior, training: Training, rng: np.random.Generator, *, track: Track = silent
) -> Posterior:
    """Return the thinned samples of the posterior, with user parameters drawn for every user of ``training``.

    Args:
        posterior: of the same movies, fitted to any users.
        training: all ratings.
        rng: draws the user parameters.
        track: shows progress.
    """
    n_users, samples = training.shape[0], posterior.thinned.size
    factors = np.empty((samples, n_users, posterior.user_factors.shape[2]), dtype=np.float32)
    bias = np.empty((samples, n_users), dtype=np.float32)
    rated = training.rated
    values = sp.csr_matrix((training.values.astype(np.float32), (training.user_rows, training.movie_rows)), rated.shape)
    for at in track(range(samples), "Taste of all users", samples):
        draw = _UserSampler(posterior, at)
        for start in range(0, n_users, _BLOCK):
            part = slice(start, start + _BLOCK)
            shape = min(_BLOCK, n_users - start), factors.shape[2] + 1
            factors[at, part], bias[at, part] = draw(rated[part], values[part], rng.normal(size=shape))
    kept = posterior.thinned
    return replace(
        posterior,
        global_bias=posterior.global_bias[kept],
        user_bias=bias,
        movie_bias=posterior.movie_bias[kept],
        user_factors=factors,
        movie_factors=posterior.movie_factors[kept],
        noise_variance=posterior.noise_variance[kept],
        thinned=np.arange(samples),
        fact_features=posterior.fact_features[kept],
    )


class _UserSampler:
    """Sampler of user parameters, given one posterior sample of all else. Names as in ``index.ratings.fold_in``."""

    def __init__(self, posterior: Posterior, at: int) -> None:
        s = posterior.thinned[at]
        self._global_bias, self._noise = posterior.global_bias[s], 1 / posterior.noise_variance[s]
        self._prior, self._prior_precision = posterior.user_prior[at]
        self._features = posterior.rated_features[at]
        self._squares = np.square(self._features[:, :-1]).sum(axis=1)
        movies, movie_bias = posterior.movie_factors[s], posterior.movie_bias[s]
        # Row (v, 1) of the design matrix for a user's own parameters, without the implicit part l of the user.
        self._movies = np.column_stack([movies, np.ones_like(movie_bias)])
        self._width = self._movies.shape[1]
        self._upper = np.triu_indices(self._width)
        products = self._movies[:, self._upper[0]] * self._movies[:, self._upper[1]]
        self._sums = np.column_stack([products, self._movies * movie_bias[:, None]])

    def __call__(
        self, rated: sp.csr_matrix, values: sp.csr_matrix, normal: Float64Array
    ) -> tuple[Float64Array, Float64Array]:
        """Draw factors (m, f) and biases (m,) of users.

        Args:
            rated: (m, n_movies), 1 per rating.
            values: (m, n_movies) ratings.
            normal: (m, f + 1) standard normal draws.
        """
        counts: Int64Array = np.diff(rated.indptr)
        scale = 1 / np.sqrt(np.maximum(counts, 1))[:, None]
        summed = scale * (rated @ self._features).astype(np.float64)
        latent = summed[:, :-1]
        squares = scale[:, 0] ** 2 * (rated @ self._squares)
        known = self._global_bias + summed[:, -1] + (np.square(latent).sum(axis=1) - squares) / 2

        sums: Float32Array = rated @ self._sums
        plain = np.empty((counts.size, self._width, self._width))
        plain[:, self._upper[0], self._upper[1]] = sums[:, : self._upper[0].size]
        plain[:, self._upper[1], self._upper[0]] = sums[:, : self._upper[0].size]
        towards: Float64Array = (values @ self._movies).astype(np.float64) - sums[:, self._upper[0].size :]

        # With (v, 1) of a movie and the implicit part (l, 0) of a user, rows of the design matrix are (v + l, 1). Its
        # products follow from those of (v, 1), which are the same for all users.
        implicit = np.column_stack([latent, np.zeros(counts.size)])
        total = plain[:, :, -1]  # of the (v, 1)
        outer = total[:, :, None] * implicit[:, None, :]
        gram = (
            plain
            + outer
            + outer.transpose(0, 2, 1)
            + counts[:, None, None] * implicit[:, :, None] * implicit[:, None, :]
        )
        of_latent = (
            np.einsum("ufg,ug->uf", plain, implicit) + implicit * np.einsum("uf,uf->u", total, implicit)[:, None]
        )
        target = (
            towards + implicit * towards[:, [-1]] - known[:, None] * (total + counts[:, None] * implicit) - of_latent
        )
        target -= gram @ self._prior
        precision = self._noise * gram
        precision[:, range(self._width), range(self._width)] += self._prior_precision
        covariance = np.linalg.inv(precision)
        own = self._prior + np.einsum("ufg,ug->uf", covariance, self._noise * target)
        own += np.einsum("ufg,ug->uf", np.linalg.cholesky(covariance), normal)
        return latent + own[:, :-1], known - self._global_bias + own[:, -1] + np.einsum("uf,uf->u", own[:, :-1], latent)
