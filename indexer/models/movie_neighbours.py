"""Nearest movies by co-rating: cosine, and RP3beta, a random walk from movie to user to movie.

The weight from movie i to movie j is the sum, over the users who rated both, of |u|^-a, divided by |i|^b |j|^c, where
|u|, |i| and |j| are numbers of ratings. Cosine: a = 0, b = c = 1/2. RP3beta: a = b = 1 and c = beta.

With ``seconds``, a user is divided into sittings, and the walk goes from movie to sitting to movie: movies that one
person rates within minutes are nearer than two of the same ten years.

Source: Deshpande and Karypis, "Item-Based Top-N Recommendation Algorithms", TOIS 2004; Paudel et al., "Updatable,
Accurate, Diverse, and Scalable Recommendations for Interactive Applications", TiiS 2017 (RP3beta); Grbovic et al.,
"E-commerce in Your Inbox: Product Recommendations at Scale", KDD 2015 (neighbours within a window of time).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from pydantic import NonNegativeFloat, PositiveInt

from index.core.arrays import Int64Array
from index.core.progress import Track, silent
from index.ratings.rankers import MovieNeighbours
from indexer.datasets.training import Training

_BLOCK = 256  # movies per product


@dataclass(frozen=True, slots=True)
class Settings:
    """Hyperparameters."""

    user: NonNegativeFloat = 0.0  # a of the module's formula
    source: NonNegativeFloat = 0.5  # b
    target: NonNegativeFloat = 0.5  # c
    neighbours: PositiveInt = 100
    seconds: PositiveInt | None = None  # length of a sitting; None for all ratings of a user


RP3BETA = Settings(user=1.0, source=1.0, target=0.6)
SAME_SITTING = replace(RP3BETA, neighbours=300, seconds=120)


def fit(
    training: Training,
    rng: np.random.Generator,  # noqa: ARG001  deterministic
    settings: Settings | None = None,
    *,
    track: Track = silent,  # noqa: ARG001  too fast to track
) -> MovieNeighbours:
    """Return the largest weights from each movie.

    Ratings without times are of one sitting for each user.
    """
    settings = settings or Settings()
    times = training.ratings.timestamps
    x = training.watched if settings.seconds is None or times is None else _sittings(training, times, settings.seconds)
    n_movies = x.shape[1]
    by_user = np.maximum(np.diff(x.indptr), 1) ** -settings.user
    counts = np.maximum(np.bincount(x.indices, minlength=n_movies), 1).astype(np.float64)
    onwards = (sp.diags(by_user) @ x @ sp.diags(counts**-settings.target)).astype(np.float32).tocsr()
    sources = (sp.diags(counts**-settings.source) @ x.T).astype(np.float32).tocsr()
    k = min(settings.neighbours, n_movies)
    neighbours = np.zeros((n_movies, k), dtype=np.int32)
    weights = np.zeros((n_movies, k), dtype=np.float32)
    for start in range(0, n_movies, _BLOCK):
        block = (sources[start : start + _BLOCK] @ onwards).toarray()
        rows = np.arange(len(block))
        block[rows, start + rows] = 0
        top = np.argpartition(-block, k - 1, axis=1)[:, :k]
        neighbours[start : start + _BLOCK] = top
        weights[start : start + _BLOCK] = np.take_along_axis(block, top, axis=1)
    return MovieNeighbours(neighbours, weights)


def _sittings(training: Training, times: Int64Array, seconds: int) -> sp.csr_matrix:
    """Return who watched what (n_sittings, n_movies) in sittings of some seconds, each rating in two that overlap."""
    strengths = training.ratings.strengths
    values = np.ones(times.size, dtype=np.float32) if strengths is None else strengths
    halves = 2 * times // seconds  # a sitting is two in a row
    begins = np.concatenate([halves, halves - 1])
    begins -= begins.min(initial=0)
    keys = np.tile(training.user_rows, 2) * (begins.max(initial=0) + 1) + begins  # one number sorts faster than two
    sittings, rows = np.unique(keys, return_inverse=True)
    entries = np.tile(values, 2), (rows, np.tile(training.movie_rows, 2))
    return sp.csr_matrix(entries, shape=(sittings.size, training.shape[1]))
