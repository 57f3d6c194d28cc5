"""Faiss indexes that compare every vector, and the largest inner products among those that are allowed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from index.core.arrays import BoolArray, Float16Array, Float32Array, Int64Array

_PROCESSORS = os.cpu_count() or 1
_TURNED = 4096  # numbers that may be rounded the other way

Hits = tuple[Int64Array, Float32Array]  # rows and scores (m,) each, best first, ties by row


def read_index(file: Path) -> Any:
    """A Faiss index, its vectors memory-mapped where its type allows."""
    return faiss.read_index(str(file), faiss.IO_FLAG_MMAP_IFC)


def flat_index(vectors: Float32Array) -> Any:
    """A Faiss inner-product index that holds (n, d) vectors as they are."""
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(np.ascontiguousarray(vectors, dtype=np.float32))
    return index


def half_index(dimension: int) -> Any:
    """An empty Faiss inner-product index of vectors in float16."""
    return faiss.IndexScalarQuantizer(dimension, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)


def halved(vector: npt.NDArray[np.floating]) -> Float16Array:
    """A vector (d,) of length 1 in float16, still of length 1.

    Rounding makes it some 1e-5 longer or shorter, and with it all its scores. So of the numbers that lay nearest to the
    middle between two, where either is as good, as many are rounded the other way as bring the length back.
    """
    exact = vector.astype(np.float64)
    rounded = exact.astype(np.float16)
    nearest = rounded.astype(np.float64)
    other = np.nextafter(rounded, np.where(exact > nearest, np.inf, -np.inf).astype(np.float16))
    step = other.astype(np.float64) - nearest
    change = np.square(nearest + step) - np.square(nearest)
    excess = np.square(nearest).sum() - 1
    middling = np.where(change * excess < 0, (exact - nearest) / step, -1)  # up to 1/2, where either is as good
    order = np.argsort(-middling)[:_TURNED]
    left = np.abs(excess + np.cumsum(change[order]))
    if left.min() < abs(excess):
        turned = order[: int(left.argmin()) + 1]
        rounded[turned] = other[turned]
    return rounded


def view_of(index: Any) -> Float32Array:
    """The vectors of a flat Faiss index, (n, d) float32: a view, not a copy; read only."""
    view: Float32Array = faiss.rev_swig_ptr(index.get_xb(), index.ntotal * index.d).reshape(index.ntotal, index.d)
    view.flags.writeable = False
    return view


def search_exact(index: Any, vector: Float32Array, k: int, allowed: BoolArray | None = None) -> Hits:
    """Rows and scores of the ``k`` largest inner products among the allowed rows, best first, ties by row.

    Args:
        index: a Faiss index that compares every vector: flat, or scalar quantised.
        allowed: (n,) which rows may come back; all where it is None. Never fewer than ``k`` come back when
            ``k`` are allowed.
    """
    query = np.ascontiguousarray(vector, dtype=np.float32).reshape(1, -1)
    available = index.ntotal if allowed is None else int(allowed.sum())
    k = min(k, available)
    if k <= 0:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
    threads_for(1)
    options = {} if allowed is None else {"params": faiss.SearchParameters(sel=selector(allowed))}
    depth = k
    while True:
        depth = min(2 * depth if depth > k else k + 1, available)
        scores, rows = (found[0] for found in index.search(query, depth, **options))
        # A tie across the border: Faiss picks any of the tied rows, a reader expects the first ones.
        if depth == available or scores[-1] < scores[k - 1]:
            break
    order = np.lexsort((rows, -scores))[:k]
    return rows[order], scores[order]


def threads_for(queries: int) -> None:
    """Lets Faiss use as many threads for the next search as there are queries, and processors.

    Threads without a query of their own would wait for the others, spinning, and take the time from whatever else runs.
    The setting is the calling thread's own.
    """
    faiss.omp_set_num_threads(min(queries, _PROCESSORS))


def top_rows(scores: Float32Array, k: int) -> Int64Array:
    """Rows of the ``k`` largest of ``scores`` (n,), best first, ties by row; -inf never comes back."""
    k = min(k, scores.size)
    if k <= 0:
        return np.empty(0, dtype=np.int64)
    border = np.partition(scores, scores.size - k)[scores.size - k]
    rows = np.flatnonzero((scores >= border) & (scores > -np.inf))
    return rows[np.lexsort((rows, -scores[rows]))][:k]


def merged(first: Hits, second: Hits, k: int) -> Hits:
    """The ``k`` best of both, ties by row."""
    rows, scores = np.concatenate([first[0], second[0]]), np.concatenate([first[1], second[1]])
    order = np.lexsort((rows, -scores))[:k]
    return rows[order], scores[order]


def selector(allowed: BoolArray) -> Any:
    """Faiss' form of a mask (n,)."""
    return faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))


def mask_of(rows: Int64Array, n: int) -> BoolArray:
    """(n,) which rows are among ``rows``; -1 is none."""
    mask = np.zeros(n, dtype=np.bool_)
    mask[rows[rows >= 0]] = True
    return mask
