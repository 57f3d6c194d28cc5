"""Searchable vectors: exact search for low dimensions, two-stage search for high ones.

Two-stage search, for unit vectors x of many dimensions: project each onto a few orthonormal axes B and append the
length that the projection loses, z = (Bx, sqrt(c (1 - |Bx|^2))). The lost parts of two vectors share a direction to
some degree c, measured when the axes are fitted, so the inner product of two short vectors estimates that of the long
ones. Faiss finds the rows with the largest estimates; they are then scored exactly with the long vectors, which stay on
disk in float16, memory-mapped.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import faiss
import numpy as np

from index.core.arrays import BoolArray, Float32Array, Int64Array
from index.core.errors import BadSnapshot
from index.spaces.faiss_index import Hits, mask_of, read_index, search_exact, selector, threads_for, view_of

CANDIDATES = 200  # scored exactly per query; the manifest may raise it for a large catalogue
CANDIDATES_PER_MATCH = 4  # lower bound
_FILTER_FACTOR = 4  # more candidates with a filter, where a missed match weighs more
_BLOCK = 4096  # vectors per matrix product

FLAT_FILE, ROWS_FILE, SHORT_FILE, AXES_FILE = "vectors.faiss", "rows.faiss", "short.faiss", "axes.npy"


class Vectors(Protocol):
    """Immutable vectors (n, d), so threads may share them."""

    def __len__(self) -> int:
        """Return the number of vectors."""

    @property
    def dimension(self) -> int:
        """Dimension d of a vector."""

    @property
    def exact(self) -> bool:
        """True if ``estimates`` are exact."""

    def rows(self, rows: Int64Array) -> Float32Array:
        """Return the vectors of some rows (m,), as (m, d)."""

    def search(self, queries: Float32Array, k: int, allowed: BoolArray | None = None) -> list[Hits]:
        """Return the ``k`` largest inner products per query (m, d); fewer only if fewer rows are allowed.

        Args:
            queries: (m, d).
            k: number of hits per query.
            allowed: (n,) mask of rows that may be returned; None for all.
        """

    def scores(self, query: Float32Array, rows: Int64Array) -> Float32Array:
        """Return exact inner products of a query (d,) with some rows (m,), as (m,)."""

    def estimates(self, queries: Float32Array) -> Float32Array:
        """Return approximate inner products of queries (m, d) with all vectors, as (m, n)."""


class _FaissVectors:
    """Common part of the vectors whose exact scores come from one Faiss index."""

    def __init__(self, index: Any) -> None:
        self.index = index

    def __len__(self) -> int:
        """Return the number of vectors."""
        return int(self.index.ntotal)

    @property
    def dimension(self) -> int:
        """Dimension d of a vector."""
        return int(self.index.d)

    @property
    def exact(self) -> bool:
        """True if ``estimates`` are exact."""
        return True

    def search(self, queries: Float32Array, k: int, allowed: BoolArray | None = None) -> list[Hits]:
        """Return the ``k`` largest inner products per query (m, d), by comparing every vector."""
        return [search_exact(self.index, query, k, allowed) for query in queries]


class FlatVectors(_FaissVectors):
    """Vectors in memory-mapped float32, searched exactly.

    Args:
        index: flat Faiss inner-product index.
    """

    @property
    def matrix(self) -> Float32Array:
        """All vectors, (n, d) float32: a read-only view of the index's memory."""
        return view_of(self.index)

    def rows(self, rows: Int64Array) -> Float32Array:
        """Return the vectors of some rows (m,), as (m, d)."""
        return self.matrix[rows]

    def scores(self, query: Float32Array, rows: Int64Array) -> Float32Array:
        """Return exact inner products of a query (d,) with some rows (m,), as (m,)."""
        return self.matrix[rows] @ query

    def estimates(self, queries: Float32Array) -> Float32Array:
        """Return exact inner products of queries (m, d) with all vectors, as (m, n)."""
        return _products(queries, self.matrix)


class HalfVectors(_FaissVectors):
    """Vectors in float16, searched exactly.

    Args:
        index: Faiss scalar quantiser in float16, inner product.
    """

    def rows(self, rows: Int64Array) -> Float32Array:
        """Return the vectors of some rows (m,), as (m, d) float32."""
        vectors: Float32Array = self.index.reconstruct_batch(np.ascontiguousarray(rows))
        return vectors

    def scores(self, query: Float32Array, rows: Int64Array) -> Float32Array:
        """Return exact inner products of a query (d,) with some rows (m,), as (m,)."""
        unique, inverse = np.unique(rows, return_inverse=True)
        found, scores = search_exact(self.index, query, unique.size, mask_of(unique, len(self)))
        return scores[np.argsort(found)][inverse]

    def estimates(self, queries: Float32Array) -> Float32Array:
        """Return exact inner products of queries (m, d) with all vectors, as (m, n)."""
        vectors: Float32Array = self.index.reconstruct_n(0, len(self))
        return queries @ vectors.T


class TwoStageVectors(HalfVectors):
    """Unit vectors in two stages: candidates by short vectors, exact scores by the long ones.

    Args:
        index: Faiss scalar quantiser of the long vectors (n, d) in float16, inner product.
        short: Faiss inner-product index of the short vectors (n, r + 1), in the same order.
        axes: (r, d) orthonormal.
        shared: c of the module's formula.
        candidates: number of short vectors to retrieve per query; an HNSW index gets twice as many as efSearch.
        probes: number of cells to search, if ``short`` is an IVF index.
    """

    def __init__(
        self,
        index: Any,
        short: Any,
        axes: Float32Array,
        *,
        shared: float,
        candidates: int,
        probes: int = 0,
    ) -> None:
        super().__init__(index)
        if not index.ntotal == short.ntotal or not index.d == axes.shape[1] or not short.d == axes.shape[0] + 1:
            raise BadSnapshot(
                f"{index.ntotal} vectors of {index.d} numbers do not belong to {short.ntotal} short ones of {short.d}"
                f" on {axes.shape[0]} axes: build the snapshot again"
            )
        self._short = short
        self._axes = axes
        self._shared = shared
        self._candidates = candidates
        self._probes = probes

    @property
    def exact(self) -> bool:
        """True if ``estimates`` are exact."""
        return False

    def search(self, queries: Float32Array, k: int, allowed: BoolArray | None = None) -> list[Hits]:
        """Return the ``k`` largest inner products per query (m, d).

        With a filter, the first stage compares every allowed short vector.
        """
        available = len(self) if allowed is None else int(allowed.sum())
        n_candidates = max(self._candidates, CANDIDATES_PER_MATCH * k) * (1 if allowed is None else _FILTER_FACTOR)
        if available <= n_candidates:
            return super().search(queries, k, allowed)
        short = shorten(queries, self._axes, self._shared)
        candidates = _search_short(self._short, short, n_candidates, self._probes, allowed)
        return [
            search_exact(self.index, query, k, mask_of(rows, len(self)))
            for query, rows in zip(queries, candidates, strict=True)
        ]

    def estimates(self, queries: Float32Array) -> Float32Array:
        """Return approximate inner products of queries (m, d) with all vectors, as (m, n)."""
        return _products(shorten(queries, self._axes, self._shared), self._short_vectors())

    def _short_vectors(self) -> Float32Array:
        """Return the short vectors (n, r + 1), in the precision of their index."""
        storage = faiss.downcast_index(self._short.storage) if isinstance(self._short, faiss.IndexHNSW) else self._short
        if isinstance(storage, faiss.IndexFlat):
            return view_of(storage)
        vectors: Float32Array = storage.reconstruct_n(0, len(self))
        return vectors


def load_vectors(folder: Path, search: Any) -> FlatVectors | TwoStageVectors:
    """Return the vectors saved in a space's folder, memory-mapped.

    Args:
        folder: of the space.
        search: two-stage settings from the manifest; None for exact search.
    """
    if search is None:
        return FlatVectors(read_index(folder / FLAT_FILE))
    return TwoStageVectors(
        read_index(folder / ROWS_FILE),
        read_index(folder / SHORT_FILE),
        np.load(folder / AXES_FILE, mmap_mode="r"),
        shared=search["shared"],
        candidates=search["candidates"],
        probes=search["probes"],
    )


def shorten(vectors: Float32Array, axes: Float32Array, shared: float) -> Float32Array:
    """Return short vectors (m, r + 1) of unit vectors (m, d), on orthonormal axes (r, d)."""
    short = np.empty((vectors.shape[0], axes.shape[0] + 1), dtype=np.float32)
    np.matmul(vectors, axes.T, out=short[:, :-1])
    kept = np.einsum("ij,ij->i", short[:, :-1], short[:, :-1], dtype=np.float64)
    short[:, -1] = np.sqrt(shared * np.maximum(0, 1 - kept))
    return short


def _products(queries: Float32Array, vectors: Float32Array) -> Float32Array:
    """Return the inner products of queries (m, d) with vectors (n, d), as (m, n)."""
    # Copy the vectors in blocks: a mapped Faiss index is not aligned, so numpy would multiply it without BLAS (20 times
    # slower for one query) or copy all of it.
    products = np.empty((queries.shape[0], vectors.shape[0]), dtype=np.float32)
    for start in range(0, vectors.shape[0], _BLOCK):
        block = slice(start, start + _BLOCK)
        np.matmul(queries, np.array(vectors[block]).T, out=products[:, block])
    return products


def _search_short(index: Any, queries: Float32Array, k: int, probes: int, allowed: BoolArray | None) -> Int64Array:
    """Return the rows of approximately the ``k`` largest inner products per query, (m, k); -1 pads short rows."""
    # A filtered graph or few cells may hold fewer than ``k`` allowed rows: with a filter, search exhaustively.
    sel = {} if allowed is None else {"sel": selector(allowed)}
    if isinstance(index, faiss.IndexHNSW):
        if allowed is None:
            params = faiss.SearchParametersHNSW(efSearch=2 * k)
        else:
            index, params = faiss.downcast_index(index.storage), faiss.SearchParameters(**sel)
    elif isinstance(index, faiss.IndexIVF):
        params = faiss.SearchParametersIVF(nprobe=probes if allowed is None else index.nlist, **sel)
    else:
        params = faiss.SearchParameters(**sel)
    threads_for(len(queries))
    _, rows = index.search(queries, k, params=params)
    found: Int64Array = rows
    return found
