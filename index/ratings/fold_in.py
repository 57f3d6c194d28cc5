"""Fold-in: posterior of a new user's factors and bias, given their ratings, with the rating model fixed. numpy only.

Given a posterior sample of all other parameters, a user's own factors and bias are Gaussian: one small ridge regression
per sample. The set of rated movies counts, too, as features of the model's user side. Both enter a prediction linearly,
so a prediction is a sum of contributions of the rated movies.

Source: Rendle, "Factorization Machines with libFM", ACM TIST 2012 (the conditional posterior).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from index.core.arrays import Float32Array, Float64Array, Int64Array

FOLDER = "fold_in"


@dataclass(frozen=True, slots=True)
class FoldInArrays:
    """Posterior samples for fold-in, in addition to those of the movies. Each array is one file of the snapshot."""

    rated: Float32Array  # (samples, n_movies, f + 1) factors, then weight, of the feature "has rated the movie"
    prior: Float32Array  # (samples, 2, f + 1) mean and precision of a user's own factors, then bias
    noise_precision: Float32Array  # (samples,)
    global_bias: Float32Array  # (samples,)


@dataclass(frozen=True, slots=True)
class PredictionTerms:
    """Predicted ratings as sums: ``base`` plus the ``watched`` and the ``rated`` terms of every rated movie."""

    base: Float64Array  # (m,) prediction for a user without ratings
    watched: Float64Array  # (m, n_rated) effect of having rated the movie at all
    rated: Float64Array  # (m, n_rated) effect of the rating's value


class FoldedUser:
    """Posterior of a folded-in user. A prediction is user bias + movie bias + inner product of factors, per sample.

    Args:
        arrays: posterior samples of the user side.
        movie_samples: (samples, n_movies, f + 1) factors, then bias, of every movie.
        rows: (n_rated,) rated movies, without repeats; may be empty.
        values: (n_rated,) their ratings.
    """

    def __init__(
        self, arrays: FoldInArrays, movie_samples: Float32Array, rows: Int64Array, values: Float32Array
    ) -> None:
        self._movie_samples = movie_samples
        n, width = rows.size, movie_samples.shape[-1]
        # Each rated movie is a feature of value 1/sqrt(n), which scales its factors and weight.
        self._features = np.asarray(arrays.rated[:, rows], dtype=np.float64) / np.sqrt(max(n, 1))
        summed = self._features.sum(axis=1)
        self._latent = latent = summed[:, :-1]
        squares = (self._features[..., :-1] ** 2).sum(axis=(1, 2))
        base = arrays.global_bias + summed[:, -1] + ((latent**2).sum(axis=1) - squares) / 2

        movies = np.asarray(movie_samples[:, rows], dtype=np.float64)
        self._design = self._design_of(movies)
        self._prior = arrays.prior[:, 0].astype(np.float64)
        expected = base[:, None] + movies[..., -1] + np.einsum("sjf,sf->sj", movies[..., :-1], latent)
        self._prior_residuals = values - expected - np.einsum("sjf,sf->sj", self._design, self._prior)
        noise_precision = arrays.noise_precision.astype(np.float64)
        precision = noise_precision[:, None, None] * (self._design.transpose(0, 2, 1) @ self._design)
        precision[:, range(width), range(width)] += arrays.prior[:, 1]
        self._covariance = np.linalg.inv(precision)
        weighted = noise_precision[:, None] * np.einsum("sjf,sj->sf", self._design, self._prior_residuals)
        shift = np.einsum("sfg,sg->sf", self._covariance, weighted)
        own = self._prior + shift
        residuals = self._prior_residuals - np.einsum("sjf,sf->sj", self._design, shift)
        self.residuals: Float64Array = residuals.mean(axis=0)  # (n_rated,) ratings minus mean predictions
        self._noise_precision, self._global_bias = noise_precision, arrays.global_bias
        factors = latent + own[:, :-1]
        bias = base + own[:, -1] + np.einsum("sf,sf->s", own[:, :-1], latent)
        self.samples: Float64Array = np.concatenate([factors, bias[:, None]], axis=1)  # (samples, f + 1)

    def moments(self, rows: Int64Array) -> tuple[Float64Array, Float64Array]:
        """Return mean and variance (m,) of the predictions for some movies, without rating noise."""
        movies = np.asarray(self._movie_samples[:, rows], dtype=np.float64)
        means = np.einsum("smf,sf->sm", movies[..., :-1], self.samples[:, :-1])
        means = means + movies[..., -1] + self.samples[:, [-1]]
        design = self._design_of(movies)
        variances = np.einsum("smf,sfg,smg->sm", design, self._covariance, design, optimize=True)
        return means.mean(axis=0), means.var(axis=0) + variances.mean(axis=0)

    def means(self) -> Float64Array:
        """Return the mean prediction for every movie, (n_movies,)."""
        n = self._movie_samples.shape[0]
        query = np.concatenate([self.samples[:, :-1], np.ones((n, 1))], axis=1).astype(np.float32)
        total = sum((movies @ vector for movies, vector in zip(self._movie_samples, query, strict=True)), np.float32(0))
        means: Float64Array = total / n + self.samples[:, -1].mean()
        return means

    def terms(self, rows: Int64Array) -> PredictionTerms:
        """Return the terms of the predictions for some movies; they add up to the mean of each."""
        movies = np.asarray(self._movie_samples[:, rows], dtype=np.float64)
        base = self._global_bias[:, None] + movies[..., -1] + self._prior[:, [-1]]
        base = base + np.einsum("smf,sf->sm", movies[..., :-1], self._prior[:, :-1])
        # A feature's weight, its interactions with the movie and the prior, and half of those with other features.
        factors = self._features[..., :-1]
        partners = movies[..., :-1] + (self._prior[:, :-1] + self._latent / 2)[:, None]
        weights = self._features[..., -1] - (factors**2).sum(axis=2) / 2
        watched = weights.mean(axis=0) + _mean_products(partners, factors)
        gain = self._noise_precision[:, None, None] * (self._design_of(movies) @ self._covariance)
        rated = _mean_products(gain, self._design * self._prior_residuals[..., None])
        return PredictionTerms(base.mean(axis=0), watched, rated)

    def _design_of(self, movies: Float64Array) -> Float64Array:
        """Return the coefficients (samples, m, f + 1) of the user's own factors and bias in ratings of movies."""
        factors = movies[..., :-1] + self._latent[:, None]
        return np.concatenate([factors, np.ones((*movies.shape[:2], 1))], axis=2)


def _mean_products(left: Float64Array, right: Float64Array) -> Float64Array:
    """Return inner products (m, n) of ``left`` (samples, m, f) and ``right`` (samples, n, f), averaged over samples.

    One matrix product is many times faster than a loop over samples.
    """
    products: Float64Array = np.tensordot(left, right, axes=((0, 2), (0, 2))) / left.shape[0]
    return products
