"""Vectors to a searchable space on disk: Faiss index, everyone's neighbours, score percentiles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from index.blend import Blend
from index.ids import Ids
from index.space import NEIGHBOURS, Calibration, FloatArray, best, vectors_of
from index.track import Track

_CALIBRATION_MOVIES = 2000  # two million pairs
_BLOCK = 256  # queries scored at a time


def write_space(folder: Path, ids: Ids, index: Any, rng: np.random.Generator, *, label: str, track: Track) -> None:
    """Saves a flat inner-product index and all that ``Space.load`` reads beside it.

    Args:
        index: Faiss index of (n, d) vectors, row i that of ``ids.values[i]``.
    """
    folder.mkdir(parents=True)
    np.save(folder / "movie_ids.npy", ids.values)
    faiss.write_index(index, str(folder / "vectors.faiss"))
    vectors = vectors_of(index)
    calibration = calibrate(vectors, rng)
    np.save(folder / "calibration.npy", np.stack([calibration.scores, calibration.shares]))

    def scores(rows: npt.NDArray[np.int64]) -> FloatArray:
        block: FloatArray = vectors[rows] @ vectors.T
        block[np.arange(rows.size), rows] = -np.inf
        return block

    _write_neighbours(folder, scores, len(ids), f"Neighbours by {label}", track)


def write_blend(folder: Path, blend: Blend, n_movies: int, *, track: Track) -> None:
    """Saves everyone's neighbours under the default blend."""
    folder.mkdir(parents=True)
    _write_neighbours(folder, blend.score_rows, n_movies, "Neighbours by blend", track)


def flat_index(vectors: FloatArray) -> Any:
    """A Faiss inner-product index that holds (n, d) vectors as they are."""
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(np.ascontiguousarray(vectors, dtype=np.float32))
    return index


def calibrate(vectors: FloatArray, rng: np.random.Generator) -> Calibration:
    """What share of random pairs of different movies score less than a score, with a fine grid at the top."""
    n = vectors.shape[0]
    if n < 2:
        return Calibration(np.array([0, 1], dtype=np.float32), np.array([0, 1], dtype=np.float32))
    chosen = np.sort(rng.choice(n, size=min(n, _CALIBRATION_MOVIES), replace=False))
    sample = vectors[chosen]
    scores = (sample @ sample.T)[np.triu_indices(chosen.size, 1)]
    shares = np.unique(np.concatenate([np.linspace(0, 0.99, 200), 1 - np.logspace(-2, -6, 200)]))
    quantiles = np.quantile(scores, shares)
    # Scores beyond every sampled pair still differ: no cosine is over 1.
    return Calibration(
        np.append(quantiles, max(1.0, float(quantiles[-1]))).astype(np.float32),
        np.append(shares, 1.0).astype(np.float32),
    )


def _write_neighbours(
    folder: Path, score_rows: Callable[[npt.NDArray[np.int64]], FloatArray], n: int, label: str, track: Track
) -> None:
    depth = max(1, min(NEIGHBOURS, n - 1))
    neighbour_rows = np.full((n, depth), -1, dtype=np.int32)
    neighbour_scores = np.full((n, depth), -np.inf, dtype=np.float32)
    for start in track(range(0, n, _BLOCK), label, -(-n // _BLOCK)):
        rows = np.arange(start, min(start + _BLOCK, n))
        for row, scores in zip(rows, score_rows(rows), strict=True):
            nearest = best(scores, depth)
            neighbour_rows[row, : nearest.size] = nearest
            neighbour_scores[row, : nearest.size] = scores[nearest]
    np.save(folder / "neighbour_rows.npy", neighbour_rows)
    np.save(folder / "neighbour_scores.npy", neighbour_scores)
