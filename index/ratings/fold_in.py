"""A stranger's taste from the ratings they give: the rating model stays as it is, only their own part is solved for.

Given a posterior sample of everything else, a user's own factors and bias are Gaussian: one small ridge regression a
sample. What they rated at all says something too, through the features of the model's user side. Both enter a
prediction linearly, so it is a sum over the rated movies: the explanation of it. numpy only.

Source: Rendle, "Factorization Machines with libFM", ACM TIST 2012 (the conditional posterior).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from index.core.arrays import Float32Array, Float64Array, Int64Array

FOLDER = "fold_in"


@dataclass(frozen=True, slots=True)
class FoldInArrays:
    """What folding in needs beside the movies' samples; each array is one file of the snapshot."""

    rated: Float32Array  # (samples, n_movies, f + 1) factors, then weight, of having rated a movie
    prior: Float32Array  # (samples, 2, f + 1) mean and precision of a user's own factors, then bias
    noise_precision: Float32Array  # (samples,)
    global_bias: Float32Array  # (samples,)


@dataclass(frozen=True, slots=True)
class Parts:
    """Predicted ratings as sums: ``base`` and each rated movie's ``watched`` and ``rated`` part."""

    base: Float64Array  # (m,) for someone of whom nothing is known
    watched: Float64Array  # (m, n_rated) because they rated the movie at all
    rated: Float64Array  # (m, n_rated) because of how they rated it


class Folded:
    """Someone whose ratings were folded in. A prediction is a sample's bias, the movie's, and their inner product.

    Args:
        movie_samples: (samples, n_movies, f + 1) factors, then bias, of every movie.
        rows: (n_rated,) the movies that they rated, without repeats; may be empty.
        values: (n_rated,) how.
    """

    def __init__(
        self, arrays: FoldInArrays, movie_samples: Float32Array, rows: Int64Array, values: Float32Array
    ) -> None:
        self._movie_samples = movie_samples
        n, width = rows.size, movie_samples.shape[-1]
        # Each rated movie is a feature of value 1/sqrt(n): its factors and weight, so scaled.
        self._features = np.asarray(arrays.rated[:, rows], dtype=np.float64) / np.sqrt(max(n, 1))
        summed = self._features.sum(axis=1)
        self._latent = latent = summed[:, :-1]
        squares = (self._features[..., :-1] ** 2).sum(axis=(1, 2))
        known = arrays.global_bias + summed[:, -1] + ((latent**2).sum(axis=1) - squares) / 2

        movies = np.asarray(movie_samples[:, rows], dtype=np.float64)
        self._design = self._beside(movies)
        self._prior = arrays.prior[:, 0].astype(np.float64)
        expected = known[:, None] + movies[..., -1] + np.einsum("sjf,sf->sj", movies[..., :-1], latent)
        self._surprise = values - expected - np.einsum("sjf,sf->sj", self._design, self._prior)
        noise = arrays.noise_precision.astype(np.float64)
        precision = noise[:, None, None] * (self._design.transpose(0, 2, 1) @ self._design)
        precision[:, range(width), range(width)] += arrays.prior[:, 1]
        self._covariance = np.linalg.inv(precision)
        pull = noise[:, None] * np.einsum("sjf,sj->sf", self._design, self._surprise)
        learned = np.einsum("sfg,sg->sf", self._covariance, pull)
        own = self._prior + learned
        # What the mean prediction leaves of their ratings, (n_rated,).
        self.left: Float64Array = (self._surprise - np.einsum("sjf,sf->sj", self._design, learned)).mean(axis=0)
        self._noise, self._global_bias = noise, arrays.global_bias
        factors = latent + own[:, :-1]
        bias = known + own[:, -1] + np.einsum("sf,sf->s", own[:, :-1], latent)
        self.samples: Float64Array = np.concatenate([factors, bias[:, None]], axis=1)  # (samples, f + 1)

    def moments(self, rows: Int64Array) -> tuple[Float64Array, Float64Array]:
        """Mean and variance (m,) of the predictions for some movies; noise is not in it."""
        movies = np.asarray(self._movie_samples[:, rows], dtype=np.float64)
        each = np.einsum("smf,sf->sm", movies[..., :-1], self.samples[:, :-1]) + movies[..., -1] + self.samples[:, [-1]]
        beside = self._beside(movies)
        within = np.einsum("smf,sfg,smg->sm", beside, self._covariance, beside, optimize=True)
        return each.mean(axis=0), each.var(axis=0) + within.mean(axis=0)

    def means(self) -> Float64Array:
        """The mean prediction for every movie, (n_movies,)."""
        n = self._movie_samples.shape[0]
        query = np.concatenate([self.samples[:, :-1], np.ones((n, 1))], axis=1).astype(np.float32)
        total = sum((movies @ vector for movies, vector in zip(self._movie_samples, query, strict=True)), np.float32(0))
        means: Float64Array = total / n + self.samples[:, -1].mean()
        return means

    def parts(self, rows: Int64Array) -> Parts:
        """What the predictions for some movies are made of; base and parts add up to each one's mean."""
        movies = np.asarray(self._movie_samples[:, rows], dtype=np.float64)
        stranger = self._global_bias[:, None] + movies[..., -1] + self._prior[:, [-1]]
        stranger = stranger + np.einsum("smf,sf->sm", movies[..., :-1], self._prior[:, :-1])
        # A feature's part: its weight, what it has with the movie and the prior, half of what it has with the others.
        factors = self._features[..., :-1]
        towards = movies[..., :-1] + (self._prior[:, :-1] + self._latent / 2)[:, None]
        alone = self._features[..., -1] - (factors**2).sum(axis=2) / 2
        watched = alone.mean(axis=0) + _mean_products(towards, factors)
        gain = self._noise[:, None, None] * (self._beside(movies) @ self._covariance)
        rated = _mean_products(gain, self._design * self._surprise[..., None])
        return Parts(stranger.mean(axis=0), watched, rated)

    def _beside(self, movies: Float64Array) -> Float64Array:
        """What stands beside a user's own factors and bias in the ratings of movies, (samples, m, f + 1)."""
        factors = movies[..., :-1] + self._latent[:, None]
        return np.concatenate([factors, np.ones((*movies.shape[:2], 1))], axis=2)


def _mean_products(left: Float64Array, right: Float64Array) -> Float64Array:
    """(m, n) inner products of ``left`` (samples, m, f) and ``right`` (samples, n, f), as means over the samples.

    In one product of matrices, which is many times as quick as a sample at a time.
    """
    products: Float64Array = np.tensordot(left, right, axes=((0, 2), (0, 2))) / left.shape[0]
    return products
