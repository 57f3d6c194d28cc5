"""The rating model that is served, from posterior samples."""

from __future__ import annotations

import numpy as np

from index.core.arrays import Float32Array, Float64Array, Int64Array
from index.ratings.fold_in import FoldInArrays
from index.ratings.model import Noise, RatingArrays, RatingModel
from index.ratings.rankers import Ranker
from indexer.datasets.training import Training
from indexer.linalg import truncated_product
from indexer.models.factorization_machine import Posterior
from indexer.models.ranker_choice import RATING_WEIGHT

PREDICTION_FACTORS = 64  # keeps the posterior mean to .0002 of RMSE on 100,000 ratings
_TAKEN = np.geomspace(0.1, 10, 41)  # ratings, that are tried
_BLOCK = 1_000_000  # ratings predicted at a time


def end_to_end(factors: Float32Array) -> Float32Array:
    """Samples (samples, n, f) laid end to end, (n, samples * f): inner products of rows are sums over samples."""
    samples, n, width = factors.shape
    return factors.transpose(1, 0, 2).reshape(n, samples * width)


def rating_arrays(posterior: Posterior, training: Training) -> tuple[RatingArrays, Noise]:
    """What a RatingModel that predicts the posterior's mean is made of."""
    samples, kept = posterior.global_bias.size, posterior.thinned
    user_factors, movie_factors = truncated_product(
        end_to_end(posterior.user_factors), end_to_end(posterior.movie_factors), PREDICTION_FACTORS
    )
    user_factors, movie_factors = user_factors / np.sqrt(samples), movie_factors / np.sqrt(samples)
    user_bias = posterior.user_bias.mean(axis=0, dtype=np.float64) + posterior.global_bias.mean()
    movie_bias = posterior.movie_bias.mean(axis=0, dtype=np.float64)
    counts = np.bincount(training.user_rows, minlength=len(training.users))
    squares = np.zeros(counts.size)
    for start in range(0, training.values.size, _BLOCK):
        users, movies = (rows[start : start + _BLOCK] for rows in (training.user_rows, training.movie_rows))
        means = user_bias[users] + movie_bias[movies]
        means += np.einsum("ij,ij->i", user_factors[users], movie_factors[movies])
        left = training.values[start : start + _BLOCK] - means
        squares += np.bincount(users, left**2, counts.size)
    noise = noise_of(float(posterior.noise_variance.mean()), squares, counts)

    order = np.lexsort((training.movie_rows, training.user_rows))
    starts = np.searchsorted(training.user_rows[order], np.arange(len(training.users) + 1))
    arrays = RatingArrays(
        user_ids=training.users.values,
        user_bias=user_bias.astype(np.float32),
        user_factors=user_factors.astype(np.float32),
        user_samples=_with_bias(
            posterior.user_factors[kept], posterior.user_bias[kept] + posterior.global_bias[kept, None]
        ),
        movie_vectors=_with_bias(movie_factors, movie_bias),
        movie_samples=_with_bias(posterior.movie_factors[kept], posterior.movie_bias[kept]),
        user_noise=noise.user_variances(squares, counts).astype(np.float32),
        rated_starts=starts.astype(np.int64),
        rated_rows=training.movie_rows[order].astype(np.int32),
        rated_values=training.ratings.values[order],
    )
    return arrays, noise


def noise_of(variance: float, squares: Float64Array, counts: Int64Array) -> Noise:
    """The noise, from the sum of squares that is left of each user's ratings and how many these are.

    What is left grows with the number of ratings, as a user's own parameters fit a few more closely than many; the
    curve is fitted by least squares over ratings.
    """
    rated = counts > 0
    n, means = counts[rated], squares[rated] / counts[rated]

    def fitted(taken: float) -> tuple[float, float]:
        """The error of a curve, and its height."""
        share = n / (n + taken)
        residual = float((n * means) @ share / (n @ share**2))
        return float(n @ (means - residual * share) ** 2), residual

    taken = min(_TAKEN.tolist(), key=lambda each: fitted(each)[0])
    return Noise(variance, max(fitted(taken)[1], 1e-6), taken)


def fold_in_arrays(posterior: Posterior) -> FoldInArrays:
    """What strangers are folded in with, beside the movies' samples."""
    kept = posterior.thinned
    return FoldInArrays(
        rated=posterior.rated_features.astype(np.float32),
        prior=posterior.user_prior.astype(np.float32),
        noise_precision=(1 / posterior.noise_variance[kept]).astype(np.float32),
        global_bias=posterior.global_bias[kept].astype(np.float32),
    )


def rating_model(posterior: Posterior, training: Training, ranker: Ranker | None = None) -> RatingModel:
    """The model as the server would have it."""
    arrays, noise = rating_arrays(posterior, training)
    return RatingModel(
        arrays,
        fold_in_arrays(posterior),
        training.movie_ids,
        noise=noise,
        scale=training.ratings.scale,
        ranker=ranker,
        rating_weight=1.0 if ranker is None else RATING_WEIGHT,
    )


def _with_bias(factors: Float32Array, bias: Float32Array | Float64Array) -> Float32Array:
    """Factors (…, f) and bias (…) as one vector each, (…, f + 1)."""
    return np.concatenate([factors, bias[..., None]], axis=-1).astype(np.float32)
