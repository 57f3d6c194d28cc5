"""Taste vectors of movies, from posterior samples of the rating model."""

from __future__ import annotations

import numpy as np

from index.core.arrays import Float32Array, Int64Array
from indexer.linalg import truncated_svd
from indexer.models.factorization_machine import Posterior
from indexer.models.rating_model import concatenate_samples

TASTE_DIMENSION = 128
_LEAST_LENGTH = 1e-12  # of the only movie, which is the mean


def taste_vectors(posterior: Posterior, rows: Int64Array) -> Float32Array:
    """Return vectors (m, d) of some movies; inner products approximate cosines of concatenated, centred samples.

    Centred are the factors of each sample, on their mean over these movies. What all movies have in common moves all
    predictions of a user alike, as a bias does, and says nothing about likeness.

    The samples of a movie with few ratings disagree, so its cosines are small. Truncation to d dimensions keeps
    them small only if the vectors are not normalised again, so they are shorter than 1.

    Args:
        posterior: of the rating model.
        rows: (m,) movie rows.
    """
    samples = concatenate_samples(posterior.movie_factors[:, rows])
    samples -= samples.mean(axis=0)
    samples /= np.maximum(np.linalg.norm(samples, axis=1, keepdims=True), _LEAST_LENGTH)
    u, values, _ = truncated_svd(
        lambda x: samples @ x, lambda x: samples.T @ x, samples.shape, TASTE_DIMENSION, samples.dtype
    )
    return (u * values).astype(np.float32)
