"""Truncated singular value decompositions, and inner products in blocks."""

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
    """(n, f) and (m, f) whose product is the best of rank f to ``left @ right.T``, from (n, d) and (m, d)."""
    shape = left.shape[0], right.shape[0]
    u, values, v = leading(lambda x: left @ (right.T @ x), lambda x: right @ (left.T @ x), shape, factors, left.dtype)
    scale = np.sqrt(values)
    return u * scale, v * scale


def leading(
    times: Callable[[npt.NDArray[Real]], npt.NDArray[Real]],
    transposed_times: Callable[[npt.NDArray[Real]], npt.NDArray[Real]],
    shape: tuple[int, int],
    count: int,
    dtype: np.dtype[Real],
) -> tuple[npt.NDArray[Real], npt.NDArray[Real], npt.NDArray[Real]]:
    """The ``count`` largest singular values (k,) of an (n, m) matrix and their vectors, (n, k) and (m, k).

    The matrix need never be made: it is known by its products with (m, w) and, transposed, with (n, w) matrices.
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
    """Inner products of some vectors with each other, (m, m), a block of them in memory at a time.

    Args:
        vectors: gives those of some rows, (b, d).
    """
    products = np.empty((rows.size, rows.size), dtype=np.float32)
    for start in range(0, rows.size, _BLOCK):
        block = vectors(rows[start : start + _BLOCK])
        for at in range(start, rows.size, _BLOCK):
            other = block if at == start else vectors(rows[at : at + _BLOCK])
            part = block @ other.T
            products[start : start + _BLOCK, at : at + _BLOCK] = part
            products[at : at + _BLOCK, start : start + _BLOCK] = part.T
    return products
