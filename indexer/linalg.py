"""Truncated singular value decomposition, inner products in blocks, and row normalisation."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

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

    Args:
        times: multiplies the matrix by (m, w).
        transposed_times: multiplies the transposed matrix by (n, w).
        shape: n, m.
        count: number of singular values; k is smaller if n or m is.
        dtype: of the matrix and the result.

    Source: Halko, Martinsson and Tropp, "Finding Structure with Randomness", SIAM Review 2011, algorithms 4.4 and 5.1.
    """
    # Not scipy's svds: on latest-small ARPACK takes 1.2 to 1.7 times the CPU time; PROPACK fails if the rank is below k
    width = min(count + _OVERSAMPLING, *shape)
    basis = np.random.default_rng(0).normal(size=(shape[1], width)).astype(dtype)
    for _ in range(_POWER_ITERATIONS):
        range_basis, _ = np.linalg.qr(times(basis))
        basis, _ = np.linalg.qr(transposed_times(range_basis))
    range_basis, _ = np.linalg.qr(times(basis))
    v, values, u = np.linalg.svd(transposed_times(range_basis), full_matrices=False)
    return range_basis @ u[:count].T, values[:count], v[:, :count]


def unit_rows(matrix: sp.csr_matrix) -> sp.csr_matrix:
    """Scale each row to length 1; keep empty rows."""
    length = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    unit: sp.csr_matrix = sp.diags(1 / np.maximum(length, 1e-12)) @ matrix
    return unit


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
