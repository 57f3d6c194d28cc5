"""Taste vectors of movies, from posterior samples of the rating model."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from index.core.arrays import Float32Array, Int64Array
from index.ratings.cold_start import own_share
from indexer.datasets.training import Training
from indexer.linalg import truncated_svd
from indexer.models.factorization_machine import Posterior
from indexer.models.rating_model import concatenate_samples

TASTE_DIMENSION = 128
_BLOCK = 512  # movies at a time
_LEAST_LENGTH = 1e-12  # of the only movie, which is the mean


def moved_by_events(rows: Int64Array, vectors: Float32Array, training: Training) -> tuple[Int64Array, Float32Array]:
    """Return movie rows (m,) ascending and taste vectors (m, d), in which movies with few ratings are like others.

    A movie is like those that the same users rated or have events of: its vector is the mean of theirs by cosine,
    as far as it has few ratings itself (see ``own_share``), and as long as theirs as far as it has many users.

    Args:
        rows: (k,) movie rows that have a vector, ascending.
        vectors: (k, d) their vectors, by ratings or predicted.
        training: with events.
    """
    if training.events is None:
        return rows, vectors
    watched = sp.csc_matrix(training.watched)
    counts = np.bincount(training.movie_rows, minlength=training.shape[1])
    moved = np.unique(training.movie_ids.find(training.events.movie_ids))
    anchors = np.flatnonzero(counts)
    norms = np.sqrt(np.asarray(watched.power(2).sum(axis=0)).ravel())
    unit = sp.csc_matrix(watched @ sp.diags(1 / np.maximum(norms, _LEAST_LENGTH)))
    own = np.zeros((training.shape[1], vectors.shape[1]), dtype=np.float32)
    own[rows] = vectors
    length = float(np.median(np.linalg.norm(own[anchors], axis=1)))
    found = []
    for start in range(0, moved.size, _BLOCK):
        block = moved[start : start + _BLOCK]
        cosines = (unit[:, block].T @ unit[:, anchors]).toarray()
        cosines[block[:, None] == anchors] = 0
        means = cosines @ own[anchors]
        users = np.diff(watched.indptr)[block]
        lengths = np.maximum(np.linalg.norm(means, axis=1), _LEAST_LENGTH)
        found.append(means * (length * own_share(users) / lengths)[:, None])
    share = own_share(counts[moved])[:, None]
    own[moved] = share * own[moved] + (1 - share) * np.concatenate(found)
    kept = np.union1d(rows, moved[own[moved].any(axis=1)])
    return kept, own[kept]


def taste_vectors(posterior: Posterior, rows: Int64Array) -> Float32Array:
    """Return vectors (m, d) of some movies; inner products approximate cosines of concatenated, centred samples.

    The factors of each sample are centred on their mean over these movies. The mean moves all predictions of a user
    alike, as a bias does, and says nothing about likeness.

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
