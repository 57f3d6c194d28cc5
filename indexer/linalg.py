"""Truncated singular value decomposition, and inner products in blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from index.core.arrays import Float32Array, Int64Array

Real = TypeVar("Real", np.float32, np.float64)

_OVERSAMPLING, _POWER_ITERATIONS = 64, 5
_BLOCK = 256  # rows in memory at a time, in float32


def truncated_product(
    left: npt.NDArray[Real], right: npt.NDArray[Real], factors: int
) -> tuple[npt.NDArray[Real], npt.NDArray[Real]]:
    """Return (n, f) and (m, f) whose product is the best rank-f approximation of left (n, d) @ right (m, d).T."""
    shape = left.shape[0], right.shape[0]
    u, values, v = truncated_svd(
        lambda x: left @ (right.T @ x), lambda x: right @ (left.T @ x), shape, factors, left.dtype
    )
    scale = np.sqrt(values)
    return u * scale, v * scale


def truncated_svd(
    times: Callable[[npt.NDArray[Real]], npt.NDArray[Real]],
    transposed_times: Callable[[npt.NDArray[Real]], npt.NDArray[Real]],
    shape: tuple[int, int],
    count: int,
    dtype: np.dtype[Real],
) -> tuple[npt.NDArray[Real], npt.NDArray[Real], npt.NDArray[Real]]:
    """Return left vectors (n, k), singular values (k,) and right vectors (m, k) of an implicit matrix (n, m).

    Source: Halko, Martinsson and Tropp, "Finding Structure with Randomness", SIAM Review 2011, algorithms 4.4 and 5.1.
    """
    width = min(count + _OVERSAMPLING, *shape)
    basis = np.random.default_rng(0).normal(size=(shape[1], width)).astype(dtype)
    for _ in range(_POWER_ITERATIONS):
        range_of, _ = np.linalg.qr(times(basis))
        basis, _ = np.linalg.qr(transposed_times(range_of))
    range_of, _ = np.linalg.qr(times(basis))
    v, values, u = np.linalg.svd(transposed_times(range_of), full_matrices=False)
    return range_of @ u[:count].T, values[:count], v[:, :count]


def gram(vectors: Callable[[Int64Array], Float32Array], rows: Int64Array) -> Float32Array:
    """Return the inner products (m, m) of all pairs of some vectors, with two blocks of vectors in memory at a time.

    Args:
        vectors: returns the vectors (b, d) of rows (b,).
        rows: (m,) rows.
    """
    products = np.empty((rows.size, rows.size), dtype=np.float32)
    for start in range(0, rows.size, _BLOCK):
        block = vectors(rows[start : start + _BLOCK])
        for at in range(start, rows.size, _BLOCK):
            other = block if at == start else vectors(rows[at : at + _BLOCK])
            inner = block @ other.T
            products[start : start + _BLOCK, at : at + _BLOCK] = inner
            products[at : at + _BLOCK, start : start + _BLOCK] = inner.T
    return products
