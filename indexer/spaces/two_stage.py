"""Long unit vectors to what is searched in two stages: rows on disk, axes, and a Faiss index of short vectors.

``index.spaces.vectors`` says what they are and how they are searched.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from index.core.arrays import Float16Array, Float32Array, Float64Array
from index.core.errors import InvalidInput
from index.spaces.faiss_index import half_index, read_index, threads_for
from index.spaces.vectors import AXES_FILE, CANDIDATES, ROWS_FILE, SHORT_FILE, shorten
from indexer.linalg import gram, leading

AXES = 191  # with the number for what is lost, 192 in a short vector
MEMORY = 2 * 10**9  # bytes
FLAT_UP_TO = 20_000  # movies; below, comparing every short vector takes about as long as a graph does

_SAMPLE = 4096  # rows that the axes are fitted to
_SHARES = (0.0, 0.1, 0.2, 0.3, 0.5)
_NEAREST, _AMONG = 10, 50  # a share is judged by how many of the ten nearest are among fifty candidates
_BLOCK = 256  # rows in memory at a time, in float32
_TYPES = (faiss.IndexFlat, faiss.IndexScalarQuantizer, faiss.IndexHNSW, faiss.IndexIVF)  # which take a filter
_PROBED = 8  # one cell in so many


def write_reduced(
    folder: Path,
    blocks: Iterable[Float16Array],
    rng: np.random.Generator,
    *,
    factory: str | None = None,
    memory: int = MEMORY,
) -> dict[str, Any]:
    """What the manifest says of the search, after all its files were written.

    Args:
        blocks: the vectors in order, some rows (b, d) at a time, each row of length 1.
        factory: the index of short vectors, as Faiss writes it; chosen by number and memory where it is None.
        memory: bytes that the short vectors may take in a process.

    Raises:
        InvalidInput: the factory string cannot be used, or no index fits into the memory.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_rows(folder / ROWS_FILE, blocks)
    rows = read_index(folder / ROWS_FILE)
    axes, shared = fit_axes(rows, rng)
    np.save(folder / AXES_FILE, axes)
    short = np.empty((rows.ntotal, axes.shape[0] + 1), dtype=np.float32)
    for start in range(0, rows.ntotal, _BLOCK):
        block = rows.reconstruct_n(start, min(_BLOCK, rows.ntotal - start))
        short[start : start + _BLOCK] = shorten(block, axes, shared)
    text = factory or choose_factory(short.shape[0], short.shape[1], memory)
    index = make_index(text, short.shape[1])
    threads_for(len(short))  # a search before may have left one
    if not index.is_trained:
        train(index, short, text)
    index.add(short)
    if isinstance(index, faiss.IndexIVF):
        index.make_direct_map()
    faiss.write_index(index, str(folder / SHORT_FILE))
    probes = max(1, index.nlist // _PROBED) if isinstance(index, faiss.IndexIVF) else 0
    return {
        "index": text,
        "axes": axes.shape[0],
        "shared": shared,
        "candidates": CANDIDATES,
        "probes": probes,
    }


def write_rows(file: Path, blocks: Iterable[Float16Array]) -> None:
    """Writes float16 vectors as Faiss' scalar quantiser of inner products, without ever holding them all.

    Faiss has no way to append to a file, but its format is a head with the number of rows, then the rows: a head for
    no rows is written first, and the number put in at the end.
    """
    coming = iter(blocks)
    first = next(coming)
    dimension = first.shape[1]
    head = faiss.serialize_index(half_index(dimension)).tobytes()
    n = 0
    with file.open("wb") as stream:
        stream.write(head)
        for block in chain([first], coming):
            stream.write(np.ascontiguousarray(block, dtype="<f2").tobytes())
            n += block.shape[0]
        stream.seek(8)  # after the type's four letters and the dimension
        stream.write(struct.pack("<q", n))
        stream.seek(len(head) - 8)  # the size of what follows
        stream.write(struct.pack("<Q", n * dimension * 2))


def fit_axes(rows: Any, rng: np.random.Generator) -> tuple[Float32Array, float]:
    """Orthonormal axes (r, d) that keep most of the vectors' lengths, and the share c of what they lose.

    The axes are the leading right singular vectors of a sample, found by way of its inner products. Nothing is centred:
    what is wanted is the inner product, and the first axis takes up what all vectors have in common.
    """
    n = rows.ntotal
    chosen = np.sort(rng.choice(n, size=min(n, _SAMPLE), replace=False))
    products = gram(rows.reconstruct_batch, chosen)
    count = min(AXES, chosen.size)
    vectors, values = _leading(products, count)
    kept = values > 1e-6 * values[0]  # the same poster twice adds no axis
    weights = vectors[:, kept] / np.sqrt(values[kept])
    axes = np.zeros((int(kept.sum()), rows.d))
    for start in range(0, chosen.size, _BLOCK):
        part = slice(start, start + _BLOCK)
        axes += weights[part].T @ rows.reconstruct_batch(chosen[part])
    orthonormal = np.linalg.qr(axes.T)[0].T  # rounding on the way leaves some 1e-4
    return np.ascontiguousarray(orthonormal, dtype=np.float32), choose_share(products, count, rng)


def choose_share(products: Float32Array, count: int, rng: np.random.Generator) -> float:
    """The share c with which short vectors find most of the nearest of rows that the axes were not fitted to.

    Of too few rows nothing can be learned, and all are scored exactly anyway: then it is 0.

    Args:
        products: inner products (m, m) of unit vectors.
        count: axes.
    """
    order = rng.permutation(products.shape[0])
    fitted, rest = np.split(order, [3 * order.size // 4])
    if rest.size <= _AMONG:
        return 0.0
    vectors, values = _leading(products[np.ix_(fitted, fitted)], min(count, fitted.size // 2))
    on_axes = (products[:, fitted] @ (vectors / np.sqrt(values))).astype(np.float32)
    lost = np.sqrt(np.maximum(0, 1 - (on_axes**2).sum(axis=1)))
    itself = np.arange(rest.size), rest
    true = products[rest].copy()
    true[itself] = -np.inf
    nearest = np.argpartition(-true, _NEAREST, axis=1)[:, :_NEAREST]

    def found(share: float) -> float:
        estimates = on_axes[rest] @ on_axes.T + np.float32(share) * np.outer(lost[rest], lost)
        estimates[itself] = -np.inf
        least = -np.partition(-estimates, _AMONG - 1, axis=1)[:, _AMONG - 1]
        return float((np.take_along_axis(estimates, nearest, axis=1) >= least[:, None]).mean())

    return max(_SHARES, key=found)


def choose_factory(n: int, dimension: int, memory: int) -> str:
    """The best index of ``n`` short vectors that fits into ``memory`` bytes, as Faiss writes it.

    Raises:
        InvalidInput: none fits.
    """
    cells = max(1, int(4 * math.sqrt(n)))
    links = 4 * 2 * 32 + 16  # bytes: a graph's lowest layer has twice 32 links a vector, the others few
    choices = {
        "Flat": n * 4 * dimension if n <= FLAT_UP_TO else math.inf,
        "HNSW32": n * (4 * dimension + links),
        "HNSW32_SQ8": n * (dimension + links),
        f"IVF{cells},SQ8": n * (dimension + 16) + cells * 4 * dimension,
        f"IVF{cells},PQ32": n * (32 + 16) + cells * 4 * dimension,
    }
    for text, size in choices.items():
        if size <= memory:
            return text
    least = min(choices.values())
    raise InvalidInput(
        f"{n} posters cannot be searched in {memory / 1e6:g} MB: give --memory {math.ceil(least / 1e6)}MB or more"
    )


def make_index(text: str, dimension: int) -> Any:
    """An empty Faiss inner-product index.

    Raises:
        InvalidInput: Faiss does not know it, or it cannot be filtered.
    """
    try:
        index = faiss.index_factory(dimension, text, faiss.METRIC_INNER_PRODUCT)
    except RuntimeError as error:
        raise InvalidInput(
            f"--index {text!r} is no index of {dimension} numbers that Faiss knows: give one such as Flat, HNSW32 or"
            " IVF256,SQ8"
        ) from error
    if not isinstance(index, _TYPES):
        raise InvalidInput(
            f"--index {text!r} is of type {type(index).__name__}, which cannot be filtered: give one such as Flat,"
            " HNSW32 or IVF256,SQ8"
        )
    return index


def train(index: Any, short: Float32Array, text: str) -> None:
    """Trains an index on the vectors that it will hold.

    Raises:
        InvalidInput: there are too few of them.
    """
    try:
        index.train(short)
    except RuntimeError as error:
        raise InvalidInput(
            f"--index {text!r} needs more than {short.shape[0]} posters to be trained: give a smaller one, or none"
        ) from error


def _leading(products: Float32Array, count: int) -> tuple[Float64Array, Float64Array]:
    """The leading eigenvectors (m, k) and values (k,) of inner products (m, m)."""
    exact = products.astype(np.float64)
    vectors, values, _ = leading(lambda x: exact @ x, lambda x: exact @ x, exact.shape, count, exact.dtype)
    return vectors, values
