"""Space writer: Faiss index, nearest neighbours of every movie, and score percentiles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import faiss
import numpy as np

from index.core.arrays import Float32Array
from index.core.ids import Ids
from index.core.progress import Track
from index.spaces.blend import Blend
from index.spaces.faiss_index import flat_index
from index.spaces.space import Calibration
from index.spaces.vectors import FLAT_FILE, Vectors, load_vectors
from indexer.linalg import gram
from indexer.spaces.neighbours import FindAll, Finder, OpenFinder, SpaceFinder, find_here, write_neighbours

_CALIBRATION_MOVIES = 2000  # sampled: two million pairs


def write_space(
    folder: Path,
    ids: Ids,
    vectors: Float32Array | None,
    rng: np.random.Generator,
    *,
    label: str,
    track: Track,
    search: dict[str, Any] | None = None,
    over: FindAll = find_here,
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
        over: finds the neighbours of all movies.
    """
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "movie_ids.npy", ids.values)
    if vectors is not None:
        faiss.write_index(flat_index(vectors), str(folder / FLAT_FILE))
    written = load_vectors(folder, search)
    calibration = calibrate(written, rng)
    np.save(folder / "calibration.npy", np.stack([calibration.scores, calibration.shares]))

    write_neighbours(folder, SpaceFinder(folder.name, search), len(ids), label, over=over, track=track)


def write_blend(
    folder: Path, blend: Blend, n_movies: int, *, over: FindAll = find_here, finder: Finder | None = None, track: Track
) -> None:
    """Write the nearest neighbours of every movie under the default blend, and its random pairs.

    Args:
        folder: created, beside those of the blend's spaces.
        blend: of the spaces.
        n_movies: in the catalogue.
        over: finds the neighbours of all movies.
        finder: opens the same blend on other machines, for ``over``; None in this process.
        track: shows progress.
    """
    folder.mkdir(parents=True)
    blend.random_pairs.save(folder)
    write_neighbours(folder, finder or OpenFinder(blend.nearest), n_movies, "blend", over=over, track=track)


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
