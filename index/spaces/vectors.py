"""Searchable vectors: exact search for low dimensions, two-stage search for high ones.

Two-stage search, for unit vectors x of many dimensions: estimates narrow all vectors down to a few, exact scores decide
among these. The estimates are inner products of reduced vectors, first of very short ones, then of longer ones:

1. The medium vector y = Px has the 7 x 7 values of each channel on a few orthonormal patterns of these cells.
   Neighbouring cells are alike, so 8 patterns keep nearly all that 49 cells hold.
2. The short vector projects y onto a few orthonormal axes B and appends the length that this loses,
   z = (By, sqrt(c (1 - |By|^2))). The lost parts of two vectors share a direction to some degree c, so the inner
   product of two short vectors estimates that of the long ones.

Faiss finds the rows with the largest inner products of short vectors (candidates; of very many by a scan of few bits a
number first), of these the rows with the largest inner products of medium vectors (finalists), and scores them exactly
with the long vectors. Medium and long vectors stay on disk in float16, memory-mapped. Vectors that are no maps of 7 x 7
cells have no medium form, and nor had those of snapshots up to format 4: their candidates are all finalists.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import faiss
import numpy as np

from index.core.arrays import BoolArray, Float32Array, Int64Array
from index.core.errors import BadSnapshot
from index.spaces.faiss_index import Hits, mask_of, read_index, search_exact, selector, threads_for, view_of

CANDIDATES = 200  # of a blend
CANDIDATES_PER_MATCH, FINALISTS_PER_MATCH = 4, 3  # lower bounds
CELLS = 49  # of a poster, whose vector has each cell's channels in turn
_SCANNED = 0.15  # share of rows that a filter must allow for a fast scan of all to be quicker than comparing these
_SPARE = 3  # times as many rows does a fast scan find as their short vectors make candidates
_BLOCK = 4096  # vectors per matrix product

FLAT_FILE, ROWS_FILE, MEDIUM_FILE = "vectors.faiss", "rows.faiss", "medium.faiss"
SHORT_FILE, SCAN_FILE = "short.faiss", "scan.faiss"
PATTERNS_FILE, AXES_FILE = "patterns.npy", "axes.npy"


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
        return _products(queries, len(self), lambda start, size: self.matrix[start : start + size].copy())


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


@dataclass(frozen=True, slots=True)
class ShortVectors:
    """Short vectors, which estimate inner products of the long ones."""

    index: Any  # Faiss inner-product index of the short vectors (n, r + 1)
    axes: Float32Array  # (r, m) orthonormal, of medium vectors (n, m), or of the long ones without these
    shared: float  # c of the module's formula
    patterns: Float32Array | None  # (p, CELLS) of the medium vectors; None without these
    scan: Any = None  # product quantiser of an exhaustive ``index``: a fast scan, which takes no filter; None without

    def reduce(self, vectors: Float32Array) -> Float32Array:
        """Return the medium vectors (m, p * d / CELLS) of long ones (m, d); themselves without patterns."""
        return vectors if self.patterns is None else on_patterns(vectors, self.patterns)

    def of_reduced(self, reduced: Float32Array) -> Float32Array:
        """Return the short vectors (m, r + 1) of reduced ones."""
        return shorten(reduced, self.axes, self.shared)

    @property
    def exhaustive(self) -> bool:
        """True if a search compares every vector, by a fast scan first; False of a graph or cells."""
        return isinstance(self.index, (faiss.IndexFlat, faiss.IndexScalarQuantizer))

    def search(self, queries: Float32Array, k: int, allowed: BoolArray | None = None, probes: int = 0) -> Int64Array:
        """Return the rows of approximately the ``k`` largest inner products per query, (m, k); -1 pads short rows.

        Args:
            queries: short vectors (m, r + 1).
            k: number of rows per query, of which as many are allowed.
            allowed: (n,) mask of rows that may be returned; None for all.
            probes: number of cells to search, if the index is an IVF index.
        """
        if self.scan is not None:
            scanned = _scan(self, queries, k, allowed)
            if scanned is not None:
                return scanned
        # A filtered graph or few cells may hold fewer than ``k`` allowed rows: with a filter, search exhaustively.
        index, sel = self.index, {} if allowed is None else {"sel": selector(allowed)}
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

    def estimates(self, queries: Float32Array) -> Float32Array:
        """Return approximate inner products of long queries (m, d) with all vectors, as (m, n)."""
        short = faiss.downcast_index(self.index.storage) if isinstance(self.index, faiss.IndexHNSW) else self.index
        return _products(self.of_reduced(self.reduce(queries)), short.ntotal, short.reconstruct_n)


@dataclass(frozen=True, slots=True)
class Medium:
    """Medium vectors, which narrow candidates down to finalists."""

    index: Any  # Faiss scalar quantiser of the vectors (n, p * d / CELLS) in float16, inner product
    patterns: Float32Array  # (p, CELLS) orthonormal
    finalists: int  # scored exactly per query


class TwoStageVectors(HalfVectors):
    """Unit vectors in two stages: estimates by reduced vectors, exact scores by the long ones.

    Args:
        index: Faiss scalar quantiser of the long vectors (n, d) in float16, inner product.
        short: of these, in the same order.
        candidates: number of short vectors to retrieve per query; an HNSW index gets twice as many as efSearch.
        probes: number of cells to search, if the index of short vectors is an IVF index.
        medium: in the same order; None to score all candidates exactly.
    """

    def __init__(
        self, index: Any, short: ShortVectors, *, candidates: int, probes: int = 0, medium: Medium | None = None
    ) -> None:
        super().__init__(index)
        reduced = index if medium is None else medium.index
        axes, scanned = short.axes, short.index if short.scan is None else short.scan
        numbers = {index.ntotal, short.index.ntotal, scanned.ntotal, reduced.ntotal}
        if len(numbers) > 1 or not short.index.d == scanned.d == axes.shape[0] + 1:
            raise BadSnapshot(
                f"{index.ntotal} vectors of {index.d} numbers do not belong to {short.index.ntotal} short ones of"
                f" {short.index.d} on {axes.shape[0]} axes, to {scanned.ntotal} of {scanned.d} to scan, or to"
                f" {reduced.ntotal} medium ones: build the snapshot again"
            )
        fitting = index.d if medium is None else medium.patterns.shape[0] * index.d // CELLS
        if not fitting == reduced.d == axes.shape[1]:
            raise BadSnapshot(
                f"axes of {axes.shape[1]} numbers do not belong to vectors of {index.d}, which are reduced to"
                f" {reduced.d}: build the snapshot again"
            )
        self._short = short
        self._candidates = candidates
        self._probes = probes
        self._medium = medium

    @property
    def exact(self) -> bool:
        """True if ``estimates`` are exact."""
        return False

    def search(self, queries: Float32Array, k: int, allowed: BoolArray | None = None) -> list[Hits]:
        """Return the ``k`` largest inner products per query (m, d).

        With a narrow filter, the search of short vectors compares those that are allowed. A stage is skipped if no more
        rows are left than it would keep.
        """
        available = len(self) if allowed is None else int(np.count_nonzero(allowed))
        candidates = max(self._candidates, CANDIDATES_PER_MATCH * k)
        finalists = candidates if self._medium is None else max(self._medium.finalists, FINALISTS_PER_MATCH * k)
        if available <= finalists:
            return super().search(queries, k, allowed)
        reduced = self._short.reduce(queries)
        masks: list[BoolArray | None] = [allowed] * len(queries)
        if available > candidates:
            short = self._short.of_reduced(reduced)
            found = self._short.search(short, candidates, allowed, self._probes)
            masks = [mask_of(rows, len(self)) for rows in found]
        if self._medium is not None and finalists < candidates:
            kept = [
                search_exact(self._medium.index, query, finalists, mask)[0]
                for query, mask in zip(reduced, masks, strict=True)
            ]
            masks = [mask_of(rows, len(self)) for rows in kept]
        return [search_exact(self.index, query, k, mask) for query, mask in zip(queries, masks, strict=True)]

    def estimates(self, queries: Float32Array) -> Float32Array:
        """Return approximate inner products of queries (m, d) with all vectors, as (m, n)."""
        return self._short.estimates(queries)


def load_vectors(folder: Path, search: Any) -> FlatVectors | TwoStageVectors:
    """Return the vectors saved in a space's folder, memory-mapped.

    Args:
        folder: of the space.
        search: two-stage settings from the manifest; None for exact search.
    """
    if search is None:
        return FlatVectors(read_index(folder / FLAT_FILE))
    short, medium = load_short(folder, search), None
    if short.patterns is not None:
        medium = Medium(read_index(folder / MEDIUM_FILE), short.patterns, search["finalists"])
    return TwoStageVectors(
        read_index(folder / ROWS_FILE),
        short,
        candidates=search["candidates"],
        probes=search["probes"],
        medium=medium,
    )


def load_short(folder: Path, search: Any) -> ShortVectors:
    """Return the short vectors saved in a space's folder, memory-mapped.

    Args:
        folder: of the space.
        search: two-stage settings from the manifest.
    """
    patterns = np.load(folder / PATTERNS_FILE) if search.get("patterns") else None
    axes = np.load(folder / AXES_FILE, mmap_mode="r")
    scan = read_index(folder / SCAN_FILE) if search.get("scan") else None  # older snapshots have none
    return ShortVectors(read_index(folder / SHORT_FILE), axes, search["shared"], patterns, scan)


def on_patterns(vectors: Float32Array, patterns: Float32Array) -> Float32Array:
    """Return medium vectors (m, p * d / CELLS) of vectors (m, d), by patterns (p, CELLS)."""
    n, channels = vectors.shape[0], vectors.shape[1] // CELLS
    maps = np.ascontiguousarray(vectors).reshape(n, CELLS, channels)
    medium: Float32Array = np.matmul(patterns, maps).reshape(n, len(patterns) * channels)
    return medium


def shorten(vectors: Float32Array, axes: Float32Array, shared: float) -> Float32Array:
    """Return short vectors (m, r + 1) of parts (m, d) of unit vectors, on orthonormal axes (r, d)."""
    short = np.empty((vectors.shape[0], axes.shape[0] + 1), dtype=np.float32)
    np.matmul(vectors, axes.T, out=short[:, :-1])
    kept = np.einsum("ij,ij->i", short[:, :-1], short[:, :-1], dtype=np.float64)
    short[:, -1] = np.sqrt(shared * np.maximum(0, 1 - kept))
    return short


def _products(queries: Float32Array, n: int, vectors: Callable[[int, int], Float32Array]) -> Float32Array:
    """Return the inner products of queries (m, d) with ``n`` vectors, as (m, n).

    Args:
        queries: (m, d).
        n: number of vectors.
        vectors: (start, size) -> a copy of the vectors (size, d): a mapped Faiss index is not aligned, so numpy would
            multiply it without BLAS (20 times slower for one query).
    """
    products = np.empty((queries.shape[0], n), dtype=np.float32)
    for start in range(0, n, _BLOCK):
        size = min(_BLOCK, n - start)
        np.matmul(queries, vectors(start, size).T, out=products[:, start : start + size])
    return products


def _scan(short: ShortVectors, queries: Float32Array, k: int, allowed: BoolArray | None) -> Int64Array | None:
    """Return the rows of ``ShortVectors.search`` by a fast scan; None if a filter leaves too few of what it finds."""
    n = short.scan.ntotal
    share = 1.0 if allowed is None else np.count_nonzero(allowed) / n
    if share < _SCANNED:
        return None
    threads_for(len(queries))
    _, found = short.scan.search(queries, min(int(_SPARE * k / share), n))
    kept = []
    for query, rows in zip(queries, found, strict=True):
        ordered = np.sort(rows if allowed is None else rows[allowed[rows]])  # as in memory
        if ordered.size < _SPARE * k / 2:  # what is near is not allowed, and of what is farther many are missing
            return None
        kept.append(_best(short.index, query, k, ordered))
    return np.array(kept)


def _best(index: Any, query: Float32Array, k: int, rows: Int64Array) -> Int64Array:
    """Return those ``k`` of at least as many rows (m,) that have the largest inner products, in any order."""
    if not isinstance(index, faiss.IndexFlat):
        return search_exact(index, query, k, mask_of(rows, index.ntotal))[0]
    best: Int64Array = rows[np.argpartition(-(view_of(index)[rows] @ query), k - 1)[:k]]
    return best
