"""Vectors that can be searched: a few numbers a movie as they are, many in two stages with the answer of a full scan.

The two stages, for unit vectors x of many numbers: each is projected onto a few orthonormal axes B, and the length that
the projection loses is kept as one more number, z = (Bx, sqrt(c (1 - |Bx|^2))). What is lost of two vectors points the
same way by some share c, which is measured when the axes are fitted; so the inner product of short vectors z estimates
that of the long ones. Faiss finds the movies with the largest estimates; these few are scored exactly on the long
vectors, which stay on disk in float16, memory-mapped.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import faiss
import numpy as np

from index.core.arrays import BoolArray, Float32Array, Int64Array
from index.core.errors import BadSnapshot
from index.spaces.faiss_index import Hits, mask_of, read_index, search_exact, selector, threads_for, view_of

CANDIDATES = 200  # scored exactly for every query, unless the manifest says that this catalogue wants more
PER_MATCH = 4  # and at least so many for each match that is wanted
NARROWED = 4  # times as many where a filter narrows: whoever narrows has fewer answers to lose
_BLOCK = 4096  # vectors multiplied at a time

FLAT_FILE, ROWS_FILE, SHORT_FILE, AXES_FILE = "vectors.faiss", "rows.faiss", "short.faiss", "axes.npy"


class Vectors(Protocol):
    """Vectors (n, d) that never change once open; threads may share them."""

    def __len__(self) -> int:
        """How many vectors there are."""

    @property
    def dimension(self) -> int:
        """How many numbers a vector has."""

    @property
    def exact(self) -> bool:
        """Whether estimates are the inner products themselves."""

    def rows(self, rows: Int64Array) -> Float32Array:
        """Some of the vectors, (m, d)."""

    def search(self, queries: Float32Array, k: int, allowed: BoolArray | None = None) -> list[Hits]:
        """The ``k`` largest inner products with each query (m, d); fewer only where fewer are allowed (n,)."""

    def scores(self, query: Float32Array, rows: Int64Array) -> Float32Array:
        """Inner products of a query (d,) with some of the vectors, (m,)."""

    def estimates(self, queries: Float32Array) -> Float32Array:
        """What the inner products of queries (m, d) with all vectors are about, (m, n)."""


class FlatVectors:
    """Vectors in memory-mapped float32, each compared with every query.

    Args:
        index: a flat Faiss inner-product index.
    """

    def __init__(self, index: Any) -> None:
        self._index = index

    def __len__(self) -> int:
        """How many vectors there are."""
        return int(self._index.ntotal)

    @property
    def dimension(self) -> int:
        """How many numbers a vector has."""
        return int(self._index.d)

    @property
    def exact(self) -> bool:
        """Whether estimates are the inner products themselves."""
        return True

    @property
    def everything(self) -> Float32Array:
        """All vectors, (n, d) float32, a read-only view of the index's memory."""
        return view_of(self._index)

    def rows(self, rows: Int64Array) -> Float32Array:
        """Some of the vectors, (m, d)."""
        return self.everything[rows]

    def search(self, queries: Float32Array, k: int, allowed: BoolArray | None = None) -> list[Hits]:
        """The ``k`` largest inner products with each query (m, d); fewer only where fewer are allowed (n,)."""
        return [search_exact(self._index, query, k, allowed) for query in queries]

    def scores(self, query: Float32Array, rows: Int64Array) -> Float32Array:
        """Inner products of a query (d,) with some of the vectors, (m,)."""
        return self.everything[rows] @ query

    def estimates(self, queries: Float32Array) -> Float32Array:
        """The inner products of queries (m, d) with all vectors, (m, n): no need to guess."""
        return _products(queries, self.everything)


class HalfVectors:
    """Vectors in float16, each compared with every query.

    Args:
        index: Faiss scalar quantiser in float16, inner product.
    """

    def __init__(self, index: Any) -> None:
        self._long = index

    def __len__(self) -> int:
        """How many vectors there are."""
        return int(self._long.ntotal)

    @property
    def dimension(self) -> int:
        """How many numbers a vector has."""
        return int(self._long.d)

    @property
    def exact(self) -> bool:
        """Whether estimates are the inner products themselves."""
        return True

    def rows(self, rows: Int64Array) -> Float32Array:
        """Some of the vectors, (m, d) float32."""
        vectors: Float32Array = self._long.reconstruct_batch(np.ascontiguousarray(rows))
        return vectors

    def search(self, queries: Float32Array, k: int, allowed: BoolArray | None = None) -> list[Hits]:
        """The ``k`` largest inner products with each query (m, d); fewer only where fewer are allowed (n,)."""
        return [search_exact(self._long, query, k, allowed) for query in queries]

    def scores(self, query: Float32Array, rows: Int64Array) -> Float32Array:
        """Inner products of a query (d,) with some of the vectors, (m,)."""
        wanted, at = np.unique(rows, return_inverse=True)
        found, scores = search_exact(self._long, query, wanted.size, mask_of(wanted, len(self)))
        return scores[np.argsort(found)][at]

    def estimates(self, queries: Float32Array) -> Float32Array:
        """The inner products of queries (m, d) with all vectors, (m, n)."""
        everything: Float32Array = self._long.reconstruct_n(0, len(self))
        return queries @ everything.T


class ReducedVectors(HalfVectors):
    """Unit vectors in two stages: candidates among short vectors, exact scores on the long ones.

    Args:
        index: Faiss scalar quantiser of the long vectors (n, d) in float16, inner product.
        short: Faiss inner-product index of the short vectors (n, r + 1), in the same order.
        axes: (r, d) orthonormal.
        shared: c, the share of what the projection loses that counts as shared.
        candidates: how many short vectors are looked up for a query; also how widely a graph is searched for them.
        probes: of an index in cells, how many are searched.
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
        """Whether estimates are the inner products themselves."""
        return False

    def search(self, queries: Float32Array, k: int, allowed: BoolArray | None = None) -> list[Hits]:
        """The ``k`` largest inner products with each query (m, d); fewer only where fewer are allowed (n,).

        Where a filter narrows, every short vector that it lets through is looked at.
        """
        available = len(self) if allowed is None else int(allowed.sum())
        wanted = max(self._candidates, PER_MATCH * k) * (1 if allowed is None else NARROWED)
        if available <= wanted:
            return super().search(queries, k, allowed)
        short = shorten(queries, self._axes, self._shared)
        candidates = nearest_short(self._short, short, wanted, self._probes, allowed)
        return [
            search_exact(self._long, query, k, mask_of(near, len(self)))
            for query, near in zip(queries, candidates, strict=True)
        ]

    def estimates(self, queries: Float32Array) -> Float32Array:
        """What the inner products of queries (m, d) with all vectors are about, (m, n)."""
        return _products(shorten(queries, self._axes, self._shared), self._every_short())

    def _every_short(self) -> Float32Array:
        """The short vectors (n, r + 1), as exactly as the index keeps them."""
        holder = faiss.downcast_index(self._short.storage) if isinstance(self._short, faiss.IndexHNSW) else self._short
        if isinstance(holder, faiss.IndexFlat):
            return view_of(holder)
        every: Float32Array = holder.reconstruct_n(0, len(self))
        return every


def load_vectors(folder: Path, search: Any) -> FlatVectors | ReducedVectors:
    """The vectors saved in a space's folder; they stay on disk, memory-mapped.

    Args:
        search: what the manifest says of the two stages; None where there is only one.
    """
    if search is None:
        return FlatVectors(read_index(folder / FLAT_FILE))
    return ReducedVectors(
        read_index(folder / ROWS_FILE),
        read_index(folder / SHORT_FILE),
        np.load(folder / AXES_FILE, mmap_mode="r"),
        shared=search["shared"],
        candidates=search["candidates"],
        probes=search["probes"],
    )


def shorten(vectors: Float32Array, axes: Float32Array, shared: float) -> Float32Array:
    """Short vectors (m, r + 1) of unit vectors (m, d), on orthonormal axes (r, d)."""
    short = np.empty((vectors.shape[0], axes.shape[0] + 1), dtype=np.float32)
    np.matmul(vectors, axes.T, out=short[:, :-1])
    kept = np.einsum("ij,ij->i", short[:, :-1], short[:, :-1], dtype=np.float64)
    short[:, -1] = np.sqrt(shared * np.maximum(0, 1 - kept))
    return short


def _products(queries: Float32Array, vectors: Float32Array) -> Float32Array:
    """Inner products of queries (m, d) with vectors (n, d), (m, n).

    In blocks that are copied first: a mapped Faiss index begins at an odd address, at which numpy multiplies without
    BLAS (20 times as slow for one query), or copies all of it.
    """
    products = np.empty((queries.shape[0], vectors.shape[0]), dtype=np.float32)
    for start in range(0, vectors.shape[0], _BLOCK):
        part = slice(start, start + _BLOCK)
        np.matmul(queries, np.array(vectors[part]).T, out=products[:, part])
    return products


def nearest_short(index: Any, queries: Float32Array, k: int, probes: int, allowed: BoolArray | None) -> Int64Array:
    """Rows of about the ``k`` largest inner products with each query, (m, k); -1 where there are fewer.

    A filter could leave a graph or cells without enough that is allowed, so then every short vector is looked at.
    """
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
