"""Exact Faiss indexes, and exact search with masks and deterministic ties."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from index.core.arrays import BoolArray, Float32Array, Int64Array

_CPUS = os.cpu_count() or 1

Hits = tuple[Int64Array, Float32Array]  # rows and scores (m,) each, best first, ties by row


def read_index(file: Path) -> Any:
    """Return the Faiss index in a file, memory-mapped if its type supports it."""
    return faiss.read_index(str(file), faiss.IO_FLAG_MMAP_IFC)


def flat_index(vectors: Float32Array) -> Any:
    """Return a flat Faiss inner-product index of vectors (n, d)."""
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(np.ascontiguousarray(vectors, dtype=np.float32))
    return index


def half_index(dimension: int) -> Any:
    """Return an empty Faiss inner-product index of vectors in float16."""
    return faiss.IndexScalarQuantizer(dimension, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)


def half_index_of(*parts: Any) -> Any:
    """Return a new index with the vectors of some rows of float16 indexes.

    Args:
        parts: (index, rows (m,)) each.
    """
    joined = half_index(parts[0][0].d)
    for index, rows in parts:
        codes = faiss.rev_swig_ptr(index.codes.data(), index.ntotal * index.code_size)
        joined.add_sa_codes(np.ascontiguousarray(codes.reshape(index.ntotal, index.code_size)[rows]))
    return joined


def view_of(index: Any) -> Float32Array:
    """Return the vectors of a flat Faiss index, (n, d) float32: a read-only view, not a copy."""
    view: Float32Array = faiss.rev_swig_ptr(index.get_xb(), index.ntotal * index.d).reshape(index.ntotal, index.d)
    view.flags.writeable = False
    return view


def search_exact(index: Any, vector: Float32Array, k: int, allowed: BoolArray | None = None) -> Hits:
    """Return the ``k`` largest inner products; fewer only if fewer rows are allowed.

    Args:
        index: exhaustive Faiss index: flat, or scalar quantiser.
        vector: (d,).
        k: number of hits.
        allowed: (n,) mask of rows that may be returned; None for all.
    """
    query = np.ascontiguousarray(vector, dtype=np.float32).reshape(1, -1)
    available = index.ntotal if allowed is None else int(np.count_nonzero(allowed))
    k = min(k, available)
    if k <= 0:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
    threads_for(1)
    options = {} if allowed is None else {"params": faiss.SearchParameters(sel=selector(allowed))}
    depth = k
    while True:
        depth = min(2 * depth if depth > k else k + 1, available)
        scores, rows = (found[0] for found in index.search(query, depth, **options))
        # Of rows tied at rank k Faiss returns any, so search deeper until all of them are found.
        if depth == available or scores[-1] < scores[k - 1]:
            break
    order = np.lexsort((rows, -scores))[:k]
    return rows[order], scores[order]


def threads_for(queries: int) -> None:
    """Set the calling thread's number of Faiss threads: one per query, at most one per CPU.

    Surplus threads would spin and take CPU time from other requests.
    """
    faiss.omp_set_num_threads(min(queries, _CPUS))


def top_rows(scores: Float32Array, k: int) -> Int64Array:
    """Return the rows of the ``k`` largest ``scores`` (n,), best first, ties by row; never those of -inf."""
    k = min(k, scores.size)
    if k <= 0:
        return np.empty(0, dtype=np.int64)
    threshold = np.partition(scores, scores.size - k)[scores.size - k]
    rows = np.flatnonzero((scores >= threshold) & (scores > -np.inf))
    return rows[np.lexsort((rows, -scores[rows]))][:k]


def merge_hits(first: Hits, second: Hits, k: int) -> Hits:
    """Return the ``k`` best hits of both, ties by row."""
    rows, scores = np.concatenate([first[0], second[0]]), np.concatenate([first[1], second[1]])
    order = np.lexsort((rows, -scores))[:k]
    return rows[order], scores[order]


def selector(allowed: BoolArray) -> Any:
    """Return Faiss' selector for a mask (n,)."""
    return faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))


def mask_of(rows: Int64Array, n: int) -> BoolArray:
    """Return the mask (n,) of some rows (m,); -1 is skipped."""
    mask = np.zeros(n, dtype=np.bool_)
    mask[rows[rows >= 0]] = True
    return mask
