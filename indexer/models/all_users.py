"""Everyone's taste from a posterior that some users' ratings were enough for.

What the movies are like is known from some millions of ratings as well as from all. Whoever is left out is solved for
afterwards: given a sample of all else, a user's own factors and bias are Gaussian (see ``index.ratings.fold_in``), and
here they are drawn for all users at once, from all that each of them rated.

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

MOST = 8_000_000  # ratings that the rating model is sampled from: about half an hour on one processor

_BLOCK = 20_000  # users solved for at a time


def subsample_users(training: Training, rng: np.random.Generator, most: int = MOST) -> Training:
    """The training, or what users drawn at random rated, of which there are no more than ``most``."""
    if training.values.size <= most:
        return training
    counts = np.bincount(training.user_rows, minlength=len(training.users))
    order = rng.permutation(counts.size)
    drawn = order[np.cumsum(counts[order]) <= most]
    users = Ids(np.sort(training.users.values[drawn]))
    return Training(training.ratings.take(np.isin(training.user_rows, drawn)), users, training.movies)


def solve_all_users(
    posterior: Posterior, training: Training, rng: np.random.Generator, *, track: Track = silent
) -> Posterior:
    """The samples that are kept whole, with a draw of every user's part in place of those of some.

    Args:
        posterior: of the same movies.
        training: all ratings.
    """
    n_users, samples = training.shape[0], posterior.thinned.size
    factors = np.empty((samples, n_users, posterior.user_factors.shape[2]), dtype=np.float32)
    bias = np.empty((samples, n_users), dtype=np.float32)
    rated = training.rated
    values = sp.csr_matrix((training.values.astype(np.float32), (training.user_rows, training.movie_rows)), rated.shape)
    for at in track(range(samples), "Everyone's taste", samples):
        solve = _Sample(posterior, at)
        for start in range(0, n_users, _BLOCK):
            part = slice(start, start + _BLOCK)
            shape = min(_BLOCK, n_users - start), factors.shape[2] + 1
            factors[at, part], bias[at, part] = solve(rated[part], values[part], rng.normal(size=shape))
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
    )


class _Sample:
    """One of the samples that are kept whole, ready to solve for users. Names as in ``index.ratings.fold_in``."""

    def __init__(self, posterior: Posterior, at: int) -> None:
        s = posterior.thinned[at]
        self._global_bias, self._noise = posterior.global_bias[s], 1 / posterior.noise_variance[s]
        self._prior, self._prior_precision = posterior.user_prior[at]
        self._features = posterior.rated_features[at]
        self._squares = np.square(self._features[:, :-1]).sum(axis=1)
        movies, movie_bias = posterior.movie_factors[s], posterior.movie_bias[s]
        # A movie beside a user's own part, but for what the user adds: its factors, and 1 for the bias.
        self._movies = np.column_stack([movies, np.ones_like(movie_bias)])
        self._width = self._movies.shape[1]
        self._upper = np.triu_indices(self._width)
        products = self._movies[:, self._upper[0]] * self._movies[:, self._upper[1]]
        self._sums = np.column_stack([products, self._movies * movie_bias[:, None]])

    def __call__(
        self, rated: sp.csr_matrix, values: sp.csr_matrix, normal: Float64Array
    ) -> tuple[Float64Array, Float64Array]:
        """Factors (m, f) and bias (m,) of users, drawn.

        Args:
            rated: (m, n_movies) 1 for each rating.
            values: (m, n_movies) the ratings.
            normal: (m, f + 1) standard normal numbers.
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

        # With (v, 1) for a movie and (l, 0) for what a user adds, the design's rows are (v + l, 1): its products follow
        # from those of the (v, 1), which the same movies have for everyone.
        adds = np.column_stack([latent, np.zeros(counts.size)])
        total = plain[:, :, -1]  # of the (v, 1)
        outer = total[:, :, None] * adds[:, None, :]
        gram = plain + outer + outer.transpose(0, 2, 1) + counts[:, None, None] * adds[:, :, None] * adds[:, None, :]
        of_latent = np.einsum("ufg,ug->uf", plain, adds) + adds * np.einsum("uf,uf->u", total, adds)[:, None]
        surprise = towards + adds * towards[:, [-1]] - known[:, None] * (total + counts[:, None] * adds) - of_latent
        surprise -= gram @ self._prior
        precision = self._noise * gram
        precision[:, range(self._width), range(self._width)] += self._prior_precision
        covariance = np.linalg.inv(precision)
        own = self._prior + np.einsum("ufg,ug->uf", covariance, self._noise * surprise)
        own += np.einsum("ufg,ug->uf", np.linalg.cholesky(covariance), normal)
        return latent + own[:, :-1], known - self._global_bias + own[:, -1] + np.einsum("uf,uf->u", own[:, :-1], latent)
