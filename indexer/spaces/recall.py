"""How good and how fast the search by look is on this very catalogue, against a full scan: the card in the manifest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from index.core.arrays import BoolArray, Float32Array, Int64Array
from index.core.progress import Track, silent
from index.spaces.faiss_index import read_index, search_exact
from index.spaces.vectors import ROWS_FILE, load_vectors
from indexer.spaces.writer import without

QUERIES = 200
K = 10
FILTERS = (0.5, 0.05, 0.005)  # shares of the movies that may come back, drawn at random
GOOD = 0.9995  # recall@10 that there are enough candidates for

_SCANS = 5  # full scans that are timed: each takes a while
_BLOCK = 256


def tune_search(
    folder: Path,
    search: dict[str, Any],
    rng: np.random.Generator,
    *,
    clock: Callable[[], float] = perf_counter,
    track: Track = silent,
) -> dict[str, Any]:
    """``search`` with a card, and with as many candidates as the recall wants.

    Args:
        folder: of a space that ``indexer.spaces.two_stage`` has written.
        search: what it says of the search.
    """
    rows = read_index(folder / ROWS_FILE)
    n = rows.ntotal
    chosen = np.sort(rng.choice(n, size=min(n, QUERIES), replace=False))
    queries: Float32Array = rows.reconstruct_batch(chosen)
    exact = _full_scan(rows, queries, track)
    exact[np.arange(chosen.size), chosen] = -np.inf  # a movie is no neighbour of its own
    trial = search
    while True:
        seen = _try(folder, trial, chosen, queries, exact, None, clock)
        if seen["recall_at_10"] >= GOOD or trial["candidates"] >= n:
            break
        trial = trial | {name: 3 * trial[name] // 2 + trial[name] % 2 for name in ("candidates", "probes")}
    narrowed = []
    for share in FILTERS:
        allowed = rng.random(n) < share
        narrowed.append({"share": share} | _try(folder, trial, chosen, queries, exact, allowed, clock))
    scans = []
    for query in queries[:_SCANS]:
        begin = clock()
        search_exact(rows, query, K)
        scans.append(clock() - begin)
    card = {
        "queries": int(chosen.size),
        **seen,
        "full_scan_milliseconds": round(1000 * median(scans), 3),
        "filters": narrowed,
    }
    return trial | {"card": card}


def _try(
    folder: Path,
    search: dict[str, Any],
    chosen: Int64Array,
    queries: Float32Array,
    exact: Float32Array,
    allowed: BoolArray | None,
    clock: Callable[[], float],
) -> dict[str, Any]:
    """Recall@10 and the median time of single queries."""
    vectors = load_vectors(folder, search)
    shares, times = [], []
    for row, query, scores in zip(chosen, queries, exact, strict=True):
        begin = clock()
        (found,) = vectors.search(query[None], K + 1, allowed)
        times.append(clock() - begin)
        share = recall(without(row, found, K)[0], scores if allowed is None else np.where(allowed, scores, -np.inf))
        shares.append(share)
    return {"recall_at_10": round(float(np.mean(shares)), 5), "milliseconds": round(1000 * median(times), 3)}


def recall(found: Int64Array, scores: Float32Array, k: int = K) -> float:
    """The share of the ``k`` best that was found; movies as good as the last of them are as right.

    Args:
        scores: (n,) of all movies, -inf for those that must not come back.
    """
    there = np.isfinite(scores)
    k = min(k, int(there.sum()))
    if k == 0:
        return 1.0
    least = np.partition(scores, scores.size - k)[scores.size - k]
    rounding = 1e-6  # sums in another order
    return float((scores[found[:k]] >= least - rounding).sum() / k)


def _full_scan(rows: Any, queries: Float32Array, track: Track) -> Float32Array:
    """Inner products of queries (m, d) with all rows, (m, n)."""
    scores = np.empty((queries.shape[0], rows.ntotal), dtype=np.float32)
    starts = range(0, rows.ntotal, _BLOCK)
    for start in track(starts, "Checking search by look", len(starts)):
        block = rows.reconstruct_n(start, min(_BLOCK, rows.ntotal - start))
        scores[:, start : start + _BLOCK] = queries @ block.T
    return scores
