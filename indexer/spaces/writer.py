"""Space writer: Faiss index, nearest neighbours of every movie, and score percentiles."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from index.core.arrays import Float32Array, Int64Array
from index.core.ids import Ids
from index.core.progress import Track
from index.spaces.blend import Blend
from index.spaces.faiss_index import Hits, flat_index
from index.spaces.neighbours import NEIGHBOURS
from index.spaces.space import Calibration
from index.spaces.vectors import FLAT_FILE, Vectors, load_vectors
from indexer.linalg import gram

_CALIBRATION_MOVIES = 2000  # sampled: two million pairs
_BLOCK = 64  # movies per search


def write_space(
    folder: Path,
    ids: Ids,
    vectors: Float32Array | None,
    rng: np.random.Generator,
    *,
    label: str,
    track: Track,
    search: dict[str, Any] | None = None,
) -> None:
    """Write all files that ``Space.load`` reads.

    Args:
        folder: created if it does not exist.
        ids: movie ids (n,).
        vectors: (n, d), row i of ``ids.values[i]``; None if ``two_stage.write_reduced`` has written them.
        rng: samples pairs for the percentiles.
        label: name of the space in the progress bar.
        track: shows progress.
        search: the search settings that ``write_reduced`` returned.
    """
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "movie_ids.npy", ids.values)
    if vectors is not None:
        faiss.write_index(flat_index(vectors), str(folder / FLAT_FILE))
    written = load_vectors(folder, search)
    calibration = calibrate(written, rng)
    np.save(folder / "calibration.npy", np.stack([calibration.scores, calibration.shares]))

    def nearest_others(rows: Int64Array, k: int) -> list[Hits]:
        # Search for one more, because each movie finds itself.
        found = written.search(written.rows(rows), k + 1)
        return [exclude_row(hits, row, k) for row, hits in zip(rows, found, strict=True)]

    _write_neighbours(folder, nearest_others, len(ids), f"Neighbours by {label}", track)


def write_blend(folder: Path, blend: Blend, n_movies: int, *, track: Track) -> None:
    """Write the nearest neighbours of every movie under the default blend, and its random pairs."""
    folder.mkdir(parents=True)
    blend.random_pairs.save(folder)
    _write_neighbours(folder, blend.nearest, n_movies, "Neighbours by blend", track)


def calibrate(vectors: Vectors, rng: np.random.Generator) -> Calibration:
    """Return score quantiles of random pairs of different movies, with a fine grid near 1."""
    n = len(vectors)
    if n < 2:
        return Calibration(np.array([0, 1], dtype=np.float32), np.array([0, 1], dtype=np.float32))
    chosen = np.sort(rng.choice(n, size=min(n, _CALIBRATION_MOVIES), replace=False))
    scores = gram(vectors.rows, chosen)[np.triu_indices(chosen.size, 1)]
    shares = np.unique(np.concatenate([np.linspace(0, 0.99, 200), 1 - np.logspace(-2, -6, 200)]))
    quantiles = np.quantile(scores, shares)
    # The last quantile is 1, the largest cosine, so that scores above all sampled pairs still differ.
    return Calibration(
        np.append(quantiles, max(1.0, float(quantiles[-1]))).astype(np.float32),
        np.append(shares, 1.0).astype(np.float32),
    )


def exclude_row(hits: Hits, row: int, k: int) -> Hits:
    """Return the first ``k`` hits other than ``row``."""
    rows, scores = hits
    others = rows != row
    return rows[others][:k], scores[others][:k]


def _write_neighbours(
    folder: Path, find: Callable[[Int64Array, int], list[Hits]], n: int, label: str, track: Track
) -> None:
    """Write the hits of ``find(rows, k)`` for all ``n`` rows; search blocks of rows in parallel."""
    depth = max(1, min(NEIGHBOURS, n - 1))
    neighbour_rows = np.full((n, depth), -1, dtype=np.int32)
    neighbour_scores = np.full((n, depth), -np.inf, dtype=np.float32)
    blocks = [np.arange(start, min(start + _BLOCK, n)) for start in range(0, n, _BLOCK)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda rows: find(rows, depth), blocks)
        for block, found in track(zip(blocks, results, strict=True), label, len(blocks)):
            for row, (nearest, scores) in zip(block, found, strict=True):
                neighbour_rows[row, : nearest.size] = nearest
                neighbour_scores[row, : nearest.size] = scores
    np.save(folder / "neighbour_rows.npy", neighbour_rows)
    np.save(folder / "neighbour_scores.npy", neighbour_scores)
