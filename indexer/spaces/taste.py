"""Taste vectors of movies, from posterior samples."""

from __future__ import annotations

import numpy as np

from index.core.arrays import Float32Array, Int64Array
from indexer.linalg import leading
from indexer.models.factorization_machine import Posterior
from indexer.models.rating_model import end_to_end

TASTE_DIMENSION = 128


def taste_vectors(posterior: Posterior, rows: Int64Array) -> Float32Array:
    """Vectors of the movies in ``rows``, (m, d), whose inner products are the cosines of samples laid end to end.

    The samples of a movie that few people know disagree, so its cosine to any other is small; cutting to the
    largest d dimensions must not scale that away, so the vectors are shorter than 1 and stay so.
    """
    whole = end_to_end(posterior.movie_factors[:, rows])
    whole /= np.linalg.norm(whole, axis=1, keepdims=True)
    left, values, _ = leading(lambda x: whole @ x, lambda x: whole.T @ x, whole.shape, TASTE_DIMENSION, whole.dtype)
    return (left * values).astype(np.float32)
