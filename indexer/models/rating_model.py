"""The rating model that snapshots store, from posterior samples."""

from __future__ import annotations

import numpy as np

from index.core.arrays import Float32Array, Float64Array, Int64Array
from index.ratings.fold_in import FoldInArrays
from index.ratings.learned_ranker import LearnedRanker
from index.ratings.model import Noise, RatingArrays, RatingModel
from index.ratings.rankers import Ranker
from indexer.datasets.training import Training
from indexer.linalg import truncated_product
from indexer.models.factorization_machine import Posterior
from indexer.models.ranker_choice import RATING_WEIGHT

PREDICTION_FACTORS = 64  # changes the RMSE by less than .0002 on 100,000 ratings
_SHRINKAGES = np.geomspace(0.1, 10, 41)  # candidates, in ratings
_BLOCK = 1_000_000  # ratings per block


def concatenate_samples(factors: Float32Array) -> Float32Array:
    """Return posterior samples (samples, n, f) as (n, samples * f); inner products of rows are sums over samples."""
    samples, n, width = factors.shape
    return factors.transpose(1, 0, 2).reshape(n, samples * width)


def rating_arrays(posterior: Posterior, training: Training) -> tuple[RatingArrays, Noise]:
    """Return the arrays and the noise of a RatingModel that predicts the posterior mean."""
    samples, kept = posterior.global_bias.size, posterior.thinned
    user_factors, movie_factors = truncated_product(
        concatenate_samples(posterior.user_factors), concatenate_samples(posterior.movie_factors), PREDICTION_FACTORS
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
        residuals = training.values[start : start + _BLOCK] - means
        squares += np.bincount(users, residuals**2, counts.size)
    noise = fit_noise(float(posterior.noise_variance.mean()), squares, counts)

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


def fit_noise(variance: float, squares: Float64Array, counts: Int64Array) -> Noise:
    """Fit the residual and the shrinkage of Noise by least squares over ratings.

    The mean squared residual of a user grows with the number of ratings, because the user's own parameters fit few
    ratings more closely than many.

    Args:
        variance: posterior mean of the noise variance.
        squares: (n_users,) sums of squared residuals.
        counts: (n_users,) numbers of ratings.
    """
    rated = counts > 0
    n, means = counts[rated], squares[rated] / counts[rated]

    def fit_residual(shrinkage: float) -> tuple[float, float]:
        """Return the squared error of the best curve, and its limit for many ratings."""
        share = n / (n + shrinkage)
        residual = float((n * means) @ share / (n @ share**2))
        return float(n @ (means - residual * share) ** 2), residual

    shrinkage = min(_SHRINKAGES.tolist(), key=lambda each: fit_residual(each)[0])
    return Noise(variance, max(fit_residual(shrinkage)[1], 1e-6), shrinkage)


def fold_in_arrays(posterior: Posterior) -> FoldInArrays:
    """Return the arrays for fold-in, besides the movies' samples."""
    kept = posterior.thinned
    return FoldInArrays(
        rated=posterior.rated_features.astype(np.float32),
        prior=posterior.user_prior.astype(np.float32),
        noise_precision=(1 / posterior.noise_variance[kept]).astype(np.float32),
        global_bias=posterior.global_bias[kept].astype(np.float32),
    )


def rating_model(
    posterior: Posterior, training: Training, ranker: Ranker | None = None, learned: LearnedRanker | None = None
) -> RatingModel:
    """Return the rating model, as the server would load it."""
    arrays, noise = rating_arrays(posterior, training)
    return RatingModel(
        arrays,
        fold_in_arrays(posterior),
        training.movie_ids,
        noise=noise,
        scale=training.ratings.scale,
        ranker=ranker,
        rating_weight=1.0 if ranker is None else RATING_WEIGHT,
        learned=learned,
    )


def _with_bias(factors: Float32Array, bias: Float32Array | Float64Array) -> Float32Array:
    """Join factors (…, f) and bias (…) into vectors (…, f + 1)."""
    return np.concatenate([factors, bias[..., None]], axis=-1).astype(np.float32)
