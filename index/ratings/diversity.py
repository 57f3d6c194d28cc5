"""Maximal marginal relevance: lists whose movies are unlike each other.

Each step takes the movie with the largest (1 - diversity) * relevance - diversity * (largest likeness to a movie
already taken).

Source: Carbonell and Goldstein, "The Use of MMR, Diversity-Based Reranking", SIGIR 1998.
"""

from __future__ import annotations

import numpy as np

from index.core.arrays import Float32Array, Int64Array

POOL = 200  # the best movies, among which a diverse list chooses; those after them keep their order


def diversify(rows: Int64Array, k: int, diversity: float, alike: Float32Array) -> Int64Array:
    """Return the first ``k`` movies of a diverse order; every shorter list is the beginning of it.

    Args:
        rows: (m,) of movies, best first. The relevance of a movie falls evenly with its rank among the first ``POOL``.
        k: number of movies.
        diversity: 0 keeps the order; 1 disregards it, but for the first movie.
        alike: likeness of the first ``POOL`` of them with each other, (p, p), 0 to 1; 0 or less if two cannot be
            compared.
    """
    pool = rows[:POOL]
    relevance = 1 - np.arange(pool.size) / max(pool.size, 1)
    nearest = np.zeros(pool.size)
    left = np.ones(pool.size, dtype=np.bool_)
    order: list[int] = []
    while len(order) < min(k, pool.size):
        gains = np.where(left, (1 - diversity) * relevance - diversity * nearest, -np.inf)
        best = int(gains.argmax())  # the first of equal ones
        order.append(best)
        left[best] = False
        nearest = np.maximum(nearest, alike[best])
    return np.concatenate([pool[order], rows[POOL:k]])
