"""Two-stage search files: long and medium vectors on disk, patterns, axes, and a Faiss index of short vectors.

``index.spaces.vectors`` defines the files and the search.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from index.core.arrays import Float16Array, Float32Array, Float64Array
from index.core.errors import InvalidInput
from index.spaces.faiss_index import half_index, read_index, threads_for
from index.spaces.vectors import (
    AXES_FILE,
    CELLS,
    MEDIUM_FILE,
    PATTERNS_FILE,
    ROWS_FILE,
    SCAN_FILE,
    SHORT_FILE,
    on_patterns,
    shorten,
)
from indexer.linalg import gram, truncated_svd

AXES, SCANNED_AXES = 127, 255  # a short vector has one more component, for the length lost
SHARED = 0.1  # share of the lost length that vectors have in common; measured (docs/measurements.md, Search by poster)
PATTERNS = 16  # of the 49 cells, at most
MEMORY = 2 * 10**9  # bytes
SCAN_UP_TO = 200_000  # movies; beyond, a graph is faster than an exhaustive search of short vectors
SCANNED_FROM = 20_000  # movies; with fewer, a fast scan saves nothing

_KEPT = 0.95  # share of the vectors' squared lengths that the patterns keep, if not more than PATTERNS are needed
_CANDIDATES, _FINALISTS = 100, 20  # to begin with; the recall report raises them
_SAMPLE = 4096  # rows sampled to fit the axes
_PATTERN_SAMPLE = 1024  # rows sampled to fit the patterns
_BLOCK = 256  # rows in memory at a time, in float32
_TYPES = (
    faiss.IndexFlat,
    faiss.IndexScalarQuantizer,
    faiss.IndexHNSW,
    faiss.IndexIVF,
)  # index types that can be filtered
_PROBED = 8  # search one cell in 8


def write_reduced(
    folder: Path,
    blocks: Iterable[Float16Array],
    rng: np.random.Generator,
    *,
    factory: str | None = None,
    memory: int = MEMORY,
) -> dict[str, Any]:
    """Write all files of a two-stage search; return its settings for the manifest.

    Args:
        folder: created if it does not exist.
        blocks: the unit vectors in order, in blocks (b, d).
        rng: samples the rows that patterns and axes are fitted to.
        factory: Faiss factory string of the index of short vectors; None to choose by number and memory.
        memory: upper bound of the index of short vectors, in bytes per process.

    Raises:
        InvalidInput: the factory string is not usable, or no index fits into the memory.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_rows(folder / ROWS_FILE, blocks)
    rows = reduced = read_index(folder / ROWS_FILE)
    patterns = fit_patterns(rows, rng)
    if patterns is not None:
        np.save(folder / PATTERNS_FILE, patterns)
        write_rows(folder / MEDIUM_FILE, (on_patterns(b, patterns).astype(np.float16) for b in _blocks_of(rows)))
        reduced = read_index(folder / MEDIUM_FILE)
    # Many short vectors are scanned in four bits a number; those found are compared by all bits.
    n, of_scan = rows.ntotal, 4.5 * rows.ntotal * (SCANNED_AXES + 1)
    scanned = factory is None and SCANNED_FROM <= n <= SCAN_UP_TO and of_scan <= memory
    axes = fit_axes(reduced, rng, SCANNED_AXES if scanned else AXES)
    np.save(folder / AXES_FILE, axes)
    short = np.concatenate([shorten(block, axes, SHARED) for block in _blocks_of(reduced)])
    text = factory or ("Flat" if scanned else choose_factory(n, short.shape[1], memory))
    index = make_index(text, short.shape[1])
    threads_for(n)  # an earlier search may have set one thread
    if not index.is_trained:
        train(index, short, text)
    index.add(short)
    if isinstance(index, faiss.IndexIVF):
        index.make_direct_map()
    faiss.write_index(index, str(folder / SHORT_FILE))
    scan = f"PQ{short.shape[1]}x4fs" if scanned else ""
    if scanned:
        quantiser = faiss.index_factory(short.shape[1], scan, faiss.METRIC_INNER_PRODUCT)
        quantiser.train(short)
        quantiser.add(short)
        faiss.write_index(quantiser, str(folder / SCAN_FILE))
    probes = max(1, index.nlist // _PROBED) if isinstance(index, faiss.IndexIVF) else 0
    return {
        "index": text,
        "scan": scan,
        "axes": axes.shape[0],
        "shared": SHARED,
        "candidates": _CANDIDATES,
        "probes": probes,
        "patterns": 0 if patterns is None else patterns.shape[0],
        "finalists": _CANDIDATES if patterns is None else _FINALISTS,
    }


def _blocks_of(index: Any) -> Iterator[Float32Array]:
    """Yield the vectors of an index in order, in blocks (b, d)."""
    for start in range(0, index.ntotal, _BLOCK):
        yield index.reconstruct_n(start, min(_BLOCK, index.ntotal - start))


def write_rows(file: Path, blocks: Iterable[Float16Array]) -> None:
    """Write float16 vectors as a Faiss scalar quantiser, with one block in memory at a time.

    Faiss can only write an index that is complete in memory (50 kB per poster). Its file ends with the vectors, so the
    file is written as a head for no vectors, the blocks, and then the head again, for all of them.
    """
    n = 0
    with file.open("wb") as stream:
        for block in blocks:
            if n == 0:
                stream.write(_rows_head(0, block.shape[1]))
            stream.write(np.ascontiguousarray(block, dtype="<f2").tobytes())
            n += block.shape[0]
        stream.seek(0)
        stream.write(_rows_head(n, block.shape[1]))


def _rows_head(n: int, dimension: int) -> bytes:
    """Return Faiss' file of ``n`` float16 vectors up to the first vector."""
    index = half_index(dimension)
    index.ntotal = n
    # The last field is the size of the vectors, of which this index holds none.
    return bytes(faiss.serialize_index(index).tobytes()[:-8] + struct.pack("<Q", n * index.code_size))


def fit_patterns(rows: Any, rng: np.random.Generator) -> Float32Array | None:
    """Return the fewest orthonormal patterns (p, CELLS) that keep most of the vectors' lengths, PATTERNS at most.

    They are the leading eigenvectors of the inner products of a sample's cells. Return None if the vectors are no maps
    of CELLS cells.
    """
    if rows.d % CELLS:
        return None
    chosen = np.sort(rng.choice(rows.ntotal, size=min(rows.ntotal, _PATTERN_SAMPLE), replace=False))
    products = np.zeros((CELLS, CELLS))
    for start in range(0, chosen.size, _BLOCK):
        maps = rows.reconstruct_batch(chosen[start : start + _BLOCK]).reshape(-1, CELLS, rows.d // CELLS)
        products += np.matmul(maps, maps.transpose(0, 2, 1)).sum(axis=0)
    values, vectors = np.linalg.eigh(products)
    kept = np.cumsum(values[::-1]) / values.sum()
    count = min(PATTERNS, int(np.searchsorted(kept, _KEPT)) + 1)
    return np.ascontiguousarray(vectors[:, ::-1][:, :count].T, dtype=np.float32)


def fit_axes(rows: Any, rng: np.random.Generator, count: int = AXES) -> Float32Array:
    """Return orthonormal axes (r, d), ``count`` at most, that keep most of the vectors' lengths.

    The axes are the leading right singular vectors of a sample, computed from its inner products. The vectors are not
    centred, because inner products are approximated; their mean direction becomes the first axis.
    """
    n = rows.ntotal
    chosen = np.sort(rng.choice(n, size=min(n, _SAMPLE), replace=False))
    products = gram(rows.reconstruct_batch, chosen)
    vectors, values = _top_eigenvectors(products, min(count, chosen.size))
    kept = values > 1e-6 * values[0]  # duplicate posters add no axis
    weights = vectors[:, kept] / np.sqrt(values[kept])
    axes = np.zeros((int(kept.sum()), rows.d))
    for start in range(0, chosen.size, _BLOCK):
        part = slice(start, start + _BLOCK)
        axes += weights[part].T @ rows.reconstruct_batch(chosen[part])
    orthonormal = np.linalg.qr(axes.T)[0].T  # rounding errors are about 1e-4 otherwise
    return np.ascontiguousarray(orthonormal, dtype=np.float32)


def choose_factory(n: int, dimension: int, memory: int) -> str:
    """Return the Faiss factory string of the best index of ``n`` short vectors that fits into ``memory`` bytes.

    Raises:
        InvalidInput: no index fits.
    """
    cells = max(1, int(4 * math.sqrt(n)))
    links = 4 * 2 * 32 + 16  # bytes per vector: 2 * 32 links in the lowest layer, few in the others
    choices = {
        "SQ8": n * dimension if n <= SCAN_UP_TO else math.inf,
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
    """Return an empty Faiss inner-product index.

    Raises:
        InvalidInput: the factory string is not known to Faiss, or the index cannot be filtered.
    """
    try:
        index = faiss.index_factory(dimension, text, faiss.METRIC_INNER_PRODUCT)
    except RuntimeError as error:
        raise InvalidInput(
            f"--index {text!r} is not a Faiss index of {dimension} dimensions: give one such as Flat, HNSW32 or"
            " IVF256,SQ8"
        ) from error
    if not isinstance(index, _TYPES):
        raise InvalidInput(
            f"--index {text!r} is of type {type(index).__name__}, which cannot be filtered: give one such as Flat,"
            " HNSW32 or IVF256,SQ8"
        )
    return index


def train(index: Any, short: Float32Array, text: str) -> None:
    """Train an index on the vectors that it will hold.

    Raises:
        InvalidInput: there are too few vectors.
    """
    try:
        index.train(short)
    except RuntimeError as error:
        raise InvalidInput(
            f"--index {text!r} needs more than {short.shape[0]} posters to be trained: give a smaller one, or none"
        ) from error


def _top_eigenvectors(products: Float32Array, count: int) -> tuple[Float64Array, Float64Array]:
    """Return the ``count`` leading eigenvectors (m, k) and eigenvalues (k,) of inner products (m, m)."""
    exact = products.astype(np.float64)
    vectors, values, _ = truncated_svd(lambda x: exact @ x, lambda x: exact @ x, exact.shape, count, exact.dtype)
    return vectors, values
