"""Posterior samples of all users, from a posterior fitted to a subsample of users.

A few million ratings determine the movies' parameters as well as all ratings. Given a sample of all other parameters, a
user's own factors and bias are Gaussian (see ``index.ratings.fold_in``); here they are drawn for all users in blocks,
from all ratings of each. Each block has random numbers of its own, so that it is the same wherever it is solved.

Source: Rendle, "Factorization Machines with libFM", ACM TIST 2012 (the conditional posterior).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import scipy.sparse as sp

from index.core.arrays import Float32Array, Float64Array, Int64Array
from index.core.ids import Ids
from index.core.progress import Track, silent
from indexer.datasets.training import Training
from indexer.models.factorization_machine import Posterior

MAX_RATINGS = 8_000_000  # that the rating model is fitted to: about half an hour on one CPU

BLOCK = 10_000  # users


@dataclass(frozen=True, slots=True)
class Given:
    """Thinned posterior samples of all parameters but the users' own, which these depend on."""

    global_bias: Float64Array  # (samples,)
    noise_variance: Float64Array  # (samples,)
    movie_bias: Float32Array  # (samples, n_movies)
    movie_factors: Float32Array  # (samples, n_movies, factors)
    rated_features: Float32Array  # (samples, n_movies, f + 1); see ``Posterior``
    user_prior: Float64Array  # (samples, 2, f + 1)

    @classmethod
    def of(cls, posterior: Posterior) -> Given:
        """Return the thinned samples of a posterior."""
        kept = posterior.thinned
        return cls(
            posterior.global_bias[kept],
            posterior.noise_variance[kept],
            posterior.movie_bias[kept],
            posterior.movie_factors[kept],
            posterior.rated_features,
            posterior.user_prior,
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Numbers of samples, of movies and of factors."""
        samples, n_movies, factors = self.movie_factors.shape
        return samples, n_movies, factors


@dataclass(frozen=True, slots=True)
class UserBlock:
    """Ratings of consecutive users, and the random numbers of their draws."""

    start: int  # row of the first user
    rated: sp.csr_matrix  # (m, n_movies) float32, 1 per rating
    values: sp.csr_matrix  # (m, n_movies) float32 ratings
    rng: np.random.Generator

    @classmethod
    def of(
        cls,
        start: int,
        shape: tuple[int, int],
        users: Int64Array,
        movies: Int64Array,
        values: Float32Array,
        rng: np.random.Generator,
    ) -> UserBlock:
        """Return the block of ratings.

        Args:
            start: row of the first user.
            shape: number of users in the block, number of movies.
            users: (n,) row of each rating's user within the block.
            movies: (n,) row of its movie.
            values: (n,) float32.
            rng: draws the block's parameters.
        """
        ones = np.ones(values.size, dtype=np.float32)
        rated, rates = (sp.csr_matrix((each, (users, movies)), shape=shape) for each in (ones, values))
        return cls(start, rated, rates, rng)


class SolveUsers(Protocol):
    """Function that solves for all users: here, or on other machines."""

    def __call__(
        self, posterior: Posterior, training: Training, rng: np.random.Generator, *, track: Track = silent
    ) -> Posterior:
        """Return the thinned samples of the posterior, with user parameters drawn for every user of ``training``."""


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
    given, blocks = Given.of(posterior), user_blocks(training, rng)
    return with_users(posterior, len(training.users), solve_blocks(given, list(blocks), track=track))


def user_blocks(training: Training, rng: np.random.Generator, size: int = BLOCK) -> Iterator[UserBlock]:
    """Yield the ratings of all users in blocks.

    Args:
        training: all ratings.
        rng: has a child for each block.
        size: number of users in a block.
    """
    n_users, n_movies = training.shape
    starts = range(0, n_users, size)
    order = np.argsort(training.user_rows, kind="stable")
    users, movies = training.user_rows[order], training.movie_rows[order]
    values = training.values[order].astype(np.float32)
    for start, own_rng in zip(starts, rng.spawn(len(starts)), strict=True):
        part = slice(*np.searchsorted(users, (start, start + size)))
        shape = min(size, n_users - start), n_movies
        yield UserBlock.of(start, shape, users[part] - start, movies[part], values[part], own_rng)


def solve_blocks(
    given: Given, blocks: Sequence[UserBlock], *, track: Track = silent
) -> Iterator[tuple[int, int, Float64Array, Float64Array]]:
    """Yield sample, row of the first user, factors (m, f) and biases (m,) of every block, in each sample in turn."""
    samples, _, factors = given.shape
    for at in track(range(samples), "Taste of all users", samples):
        draw = _UserSampler(given, at)
        for block in blocks:
            normal = block.rng.normal(size=(block.rated.shape[0], factors + 1))
            yield at, block.start, *draw(block.rated, block.values, normal)


def with_users(
    posterior: Posterior, n_users: int, drawn: Iterable[tuple[int, int, Float64Array, Float64Array]]
) -> Posterior:
    """Return the thinned samples of a posterior with the drawn parameters of all users, as ``solve_blocks`` yields."""
    kept, (samples, _, f) = posterior.thinned, posterior.rated_features.shape
    factors = np.empty((samples, n_users, f - 1), dtype=np.float32)
    bias = np.empty((samples, n_users), dtype=np.float32)
    for at, start, of_block, bias_of_block in drawn:
        part = slice(start, start + bias_of_block.size)
        factors[at, part], bias[at, part] = of_block, bias_of_block
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

    def __init__(self, given: Given, at: int) -> None:
        self._global_bias, self._noise = given.global_bias[at], 1 / given.noise_variance[at]
        self._prior, self._prior_precision = given.user_prior[at]
        self._features = given.rated_features[at]
        self._squares = np.square(self._features[:, :-1]).sum(axis=1)
        movies, movie_bias = given.movie_factors[at], given.movie_bias[at]
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
