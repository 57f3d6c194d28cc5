"""Recall report of a poster search: recall and latency on this catalogue against a full scan."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from index.core.arrays import BoolArray, Float32Array, Int64Array
from index.core.progress import Track, silent
from index.spaces.faiss_index import read_index, search_exact
from index.spaces.vectors import ROWS_FILE, load_vectors
from indexer.spaces.neighbours import exclude_row

QUERIES = 400
K = 10
FILTERS = (0.5, 0.05, 0.005)  # shares of movies that random filters allow
TARGET_RECALL = 0.9997  # recall@10, with and without filters; candidates and finalists are raised until it is reached

_SCANS = 5  # timed full scans, few because each is slow
_BLOCK = 256


def tune_search(
    folder: Path,
    search: dict[str, Any],
    rng: np.random.Generator,
    *,
    clock: Callable[[], float] = perf_counter,
    track: Track = silent,
) -> dict[str, Any]:
    """Raise the numbers of candidates and finalists until the recall is reached; return settings and recall report.

    Args:
        folder: of a space that ``two_stage.write_reduced`` has written.
        search: the search settings that it returned.
        rng: draws the queries and the filters.
        clock: seconds.
        track: shows progress.
    """
    rows = read_index(folder / ROWS_FILE)
    n = rows.ntotal
    chosen = np.sort(rng.choice(n, size=min(n, QUERIES), replace=False))
    queries: Float32Array = rows.reconstruct_batch(chosen)
    exact = _full_scan(rows, queries, track)
    exact[np.arange(chosen.size), chosen] = -np.inf  # a movie is not its own neighbour
    filters = [None, *(rng.random(n) < share for share in FILTERS)]

    def measure(settings: dict[str, Any]) -> Iterator[dict[str, Any]]:
        return (_measure(folder, settings, chosen, queries, exact, allowed, clock) for allowed in filters)

    def suffices(settings: dict[str, Any]) -> bool:
        return all(found["recall_at_10"] >= TARGET_RECALL for found in measure(settings))

    # Finalists are found among candidates: first enough of these, all of them finalists, then as few finalists as do.
    tuned = search | {"finalists": search["candidates"]}
    while not suffices(tuned) and tuned["candidates"] < n:
        tuned = _raised(tuned, "candidates", "finalists", "probes")
    if search["finalists"] < search["candidates"]:
        tuned["finalists"] = search["finalists"]
        while not suffices(tuned) and tuned["finalists"] < tuned["candidates"]:
            tuned = _raised(tuned, "finalists")
    unfiltered, *filtered = measure(tuned)
    scans = []
    for query in queries[:_SCANS]:
        begin = clock()
        search_exact(rows, query, K)
        scans.append(clock() - begin)
    report = {
        "queries": int(chosen.size),
        **unfiltered,
        "full_scan_milliseconds": round(1000 * median(scans), 3),
        "filters": [{"share": share} | found for share, found in zip(FILTERS, filtered, strict=True)],
    }
    return tuned | {"card": report}


def _raised(search: dict[str, Any], *names: str) -> dict[str, Any]:
    return search | {name: 3 * search[name] // 2 + search[name] % 2 for name in names}


def _measure(
    folder: Path,
    search: dict[str, Any],
    chosen: Int64Array,
    queries: Float32Array,
    exact: Float32Array,
    allowed: BoolArray | None,
    clock: Callable[[], float],
) -> dict[str, Any]:
    """Return recall@10 and the median time of single queries in ms."""
    vectors = load_vectors(folder, search)
    recalls, times = [], []
    for row, query, scores in zip(chosen, queries, exact, strict=True):
        begin = clock()
        (hits,) = vectors.search(query[None], K + 1, allowed)
        times.append(clock() - begin)
        allowed_scores = scores if allowed is None else np.where(allowed, scores, -np.inf)
        recalls.append(recall(exclude_row(hits, row, K)[0], allowed_scores))
    return {"recall_at_10": round(float(np.mean(recalls)), 5), "milliseconds": round(1000 * median(times), 3)}


def recall(found: Int64Array, scores: Float32Array, k: int = K) -> float:
    """Return the share of the ``k`` best rows that was found; rows tied with the k-th count as well.

    Args:
        found: (m,) rows, best first.
        scores: (n,) exact scores of all rows; -inf excludes a row.
        k: number of best rows.
    """
    k = min(k, int(np.isfinite(scores).sum()))
    if k == 0:
        return 1.0
    threshold = np.partition(scores, scores.size - k)[scores.size - k]
    rounding = 1e-6  # inner products summed in another order
    return float((scores[found[:k]] >= threshold - rounding).sum() / k)


def _full_scan(rows: Any, queries: Float32Array, track: Track) -> Float32Array:
    """Return the inner products (m, n) of queries (m, d) with all rows."""
    scores = np.empty((queries.shape[0], rows.ntotal), dtype=np.float32)
    starts = range(0, rows.ntotal, _BLOCK)
    for start in track(starts, "Checking search by look", len(starts)):
        block = rows.reconstruct_n(start, min(_BLOCK, rows.ntotal - start))
        scores[:, start : start + _BLOCK] = queries @ block.T
    return scores
