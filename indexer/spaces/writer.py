"""Vectors to a searchable space on disk: Faiss index, everyone's neighbours, score percentiles."""

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
from index.spaces.space import NEIGHBOURS, Calibration
from index.spaces.vectors import FLAT_FILE, Vectors, load_vectors
from indexer.linalg import gram

_CALIBRATION_MOVIES = 2000  # two million pairs
_BLOCK = 64  # movies whose neighbours are looked for at a time


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
    """Saves all that ``Space.load`` reads.

    Args:
        vectors: (n, d), row i that of ``ids.values[i]``; None where ``two_stage`` has written them.
        search: what that returned.
    """
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "movie_ids.npy", ids.values)
    if vectors is not None:
        faiss.write_index(flat_index(vectors), str(folder / FLAT_FILE))
    written = load_vectors(folder, search)
    calibration = calibrate(written, rng)
    np.save(folder / "calibration.npy", np.stack([calibration.scores, calibration.shares]))

    def others(rows: Int64Array, k: int) -> list[Hits]:
        # One more than wanted, as each finds itself.
        return [
            without(row, found, k) for row, found in zip(rows, written.search(written.rows(rows), k + 1), strict=True)
        ]

    _write_neighbours(folder, others, len(ids), f"Neighbours by {label}", track)


def write_blend(folder: Path, blend: Blend, n_movies: int, *, track: Track) -> None:
    """Saves everyone's neighbours under the default blend."""
    folder.mkdir(parents=True)
    _write_neighbours(folder, blend.nearest, n_movies, "Neighbours by blend", track)


def calibrate(vectors: Vectors, rng: np.random.Generator) -> Calibration:
    """What share of random pairs of different movies score less than a score, with a fine grid at the top."""
    n = len(vectors)
    if n < 2:
        return Calibration(np.array([0, 1], dtype=np.float32), np.array([0, 1], dtype=np.float32))
    chosen = np.sort(rng.choice(n, size=min(n, _CALIBRATION_MOVIES), replace=False))
    scores = gram(vectors.rows, chosen)[np.triu_indices(chosen.size, 1)]
    shares = np.unique(np.concatenate([np.linspace(0, 0.99, 200), 1 - np.logspace(-2, -6, 200)]))
    quantiles = np.quantile(scores, shares)
    # Scores beyond every sampled pair still differ: no cosine is over 1.
    return Calibration(
        np.append(quantiles, max(1.0, float(quantiles[-1]))).astype(np.float32),
        np.append(shares, 1.0).astype(np.float32),
    )


def without(row: int, found: Hits, k: int) -> Hits:
    """The first ``k`` of what was found besides the movie itself."""
    rows, scores = found
    others = rows != row
    return rows[others][:k], scores[others][:k]


def _write_neighbours(
    folder: Path, find: Callable[[Int64Array, int], list[Hits]], n: int, label: str, track: Track
) -> None:
    """Saves what ``find`` gives for every row; blocks of them are worked on side by side."""
    depth = max(1, min(NEIGHBOURS, n - 1))
    neighbour_rows = np.full((n, depth), -1, dtype=np.int32)
    neighbour_scores = np.full((n, depth), -np.inf, dtype=np.float32)
    blocks = [np.arange(start, min(start + _BLOCK, n)) for start in range(0, n, _BLOCK)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        done = pool.map(lambda rows: find(rows, depth), blocks)
        for block, found in track(zip(blocks, done, strict=True), label, len(blocks)):
            for row, (nearest, scores) in zip(block, found, strict=True):
                neighbour_rows[row, : nearest.size] = nearest
                neighbour_scores[row, : nearest.size] = scores
    np.save(folder / "neighbour_rows.npy", neighbour_rows)
    np.save(folder / "neighbour_scores.npy", neighbour_scores)
