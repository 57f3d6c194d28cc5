"""EASE: item-item ridge regression. A movie's score is a weighted sum over the movies that the user rated.

With X the users' 0/1 ratings and P = (XᵀX + λI)⁻¹, the weights are B = I - P / diag(P), and the scores X B. With fewer
users than movies, the same scores follow from A = (XXᵀ + λI)⁻¹: X P = A X, and diag(P) = (1 - diag(XᵀAX)) / λ.

Source: Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from pydantic import PositiveFloat

from index.core.arrays import Float32Array, Float64Array
from index.core.progress import Track, silent
from index.ratings.rankers import EaseByMovies, EaseByUsers
from indexer.datasets.training import Training

MAX_ROWS = 20_000  # of the matrix to invert: 1.6 GB in float32

_BLOCK = 1024


@dataclass(frozen=True, slots=True)
class Settings:
    """Hyperparameters."""

    regularization: PositiveFloat = 300.0


def fits_in_memory(training: Training) -> bool:
    """Return True if ``fit`` can invert the smaller of the two matrices."""
    return (training.shape[1] if training.weighted else min(training.shape)) <= MAX_ROWS


def fit(
    training: Training,
    rng: np.random.Generator,  # noqa: ARG001  deterministic
    settings: Settings | None = None,
    *,
    track: Track = silent,  # noqa: ARG001  a single inversion
) -> EaseByUsers | EaseByMovies:
    """Fit the smaller of the two forms."""
    regularization = (settings or Settings()).regularization
    n_users, n_movies = training.shape
    x = training.watched
    if n_users <= n_movies and not training.weighted:  # that form has no weights of single entries
        weights = _inverse((x @ x.T).toarray(), regularization)
        scale = 1 / (regularization * _diagonal(weights, x.tocsc(), regularization))
        users = np.repeat(np.arange(n_users, dtype=np.int32), np.diff(x.indptr))
        return EaseByUsers(weights.astype(np.float32), scale.astype(np.float32), users, x.indices.astype(np.int32))
    inverse = _inverse((x.T @ x).toarray(), regularization)
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return EaseByMovies(weights.astype(np.float32))


def _inverse(gram: Float32Array, regularization: float) -> Float64Array:
    ridge = gram.astype(np.float64)
    ridge[np.diag_indices_from(ridge)] += regularization
    inverse: Float64Array = scipy.linalg.inv(ridge, overwrite_a=True, assume_a="pos")
    return inverse


def _diagonal(weights: Float64Array, x: sp.csc_matrix, regularization: float) -> Float64Array:
    """Return diag(P) (n_movies,), in blocks: a dense matrix of users x movies may not fit into memory."""
    products = np.empty(x.shape[1])
    for start in range(0, x.shape[1], _BLOCK):
        block = x[:, start : start + _BLOCK]
        products[start : start + _BLOCK] = np.asarray(block.multiply(weights @ block).sum(axis=0)).ravel()
    diagonal: Float64Array = (1 - products) / regularization
    return diagonal
