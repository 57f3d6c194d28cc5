"""Map layout: t-SNE of the movies of a space, snapped to distinct grid cells."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from index.core.arrays import Float32Array, Float64Array, Int32Array, Int64Array
from index.core.ids import Ids
from index.core.progress import Track, silent
from index.snapshot.maps import FOLDER, MAPPED, map_file
from index.spaces.space import Space
from indexer.maps.grid import NEAREST, WITHIN, grid_shape, neighbours_kept, snap
from indexer.maps.sprites import write_sprites

MAX_MOVIES = 20_000  # on a map, the most rated; more posters would be too small to recognise

_MIN_MOVIES = 10  # for t-SNE; with fewer, the two leading axes are as good
_PERPLEXITY = 30.0
_NEIGHBOURS = 90  # three times the perplexity, as the authors of t-SNE recommend
# Steps with and without early exaggeration. On 10,000 movies in 200 clusters, 49.5% of the ten nearest end up near each
# other on the grid; 250 and 500 steps give 50.2% in three times the time.
_EXAGGERATED_STEPS, _STEPS = 100, 150
_LANDMARKS = 512  # movies whose inner products with all give the initial axes
_BLOCK = 512


@dataclass(frozen=True, slots=True)
class Layout:
    """Map of a space: a cell per movie."""

    movie_ids: Int64Array  # (n,)
    cells: Int32Array  # (n, 2) column and row
    facts: Mapping[str, Any]  # manifest entry


def write_maps(
    folder: Path,
    spaces: Mapping[str, Space],
    counts: Mapping[int, int],
    posters: Mapping[int, Path],
    rng: np.random.Generator,
    *,
    track: Track = silent,
) -> dict[str, Any]:
    """Write all files of the maps; return their manifest entries by space.

    Args:
        folder: of the snapshot.
        spaces: name -> space.
        counts: movie id -> number of ratings.
        posters: movie id -> file of readable posters.
        rng: draws landmarks and starting points.
        track: shows progress.
    """
    (folder / FOLDER).mkdir()
    layouts = {name: lay_out(spaces[name], counts, rng, track=track) for name in MAPPED if name in spaces}
    for name, layout in layouts.items():
        places = np.column_stack([layout.movie_ids, layout.cells.astype(np.int64)])
        np.save(folder / FOLDER / map_file(name), places)
    # In the order of the first map, so that a sheet covers one part of it.
    shown = dict.fromkeys(movie_id for layout in layouts.values() for movie_id in _ids_by_tile(layout))
    files = {movie_id: posters[movie_id] for movie_id in shown if movie_id in posters}
    write_sprites(folder / FOLDER, files, track=track)
    return {name: dict(layout.facts) for name, layout in layouts.items()}


def lay_out(space: Space, counts: Mapping[int, int], rng: np.random.Generator, *, track: Track = silent) -> Layout:
    """Lay out the movies of a space, or its most rated ones.

    Args:
        space: to map.
        counts: movie id -> number of ratings.
        rng: draws landmarks and starting points.
        track: shows progress.
    """
    rows = _most_rated(space.ids, counts)
    nearest, scores = _nearest(space, rows, track)
    points = embed_points(nearest, scores, _initial_points(space, rows, rng), rng, track=track, label=space.name)
    columns, height = grid_shape(rows.size)
    cells = snap(points.astype(np.float32), columns, height)
    kept, chance = neighbours_kept(cells, nearest[:, :NEAREST])
    how = "t-SNE" if rows.size >= _MIN_MOVIES else "the two leading axes"
    facts = {
        "films": int(rows.size),
        "left_out": len(space) - int(rows.size),
        "columns": columns,
        "rows": height,
        "how": f"{how} of the nearest movies in the {space.name} space, put on a grid by halving it",
        "quality": {
            "is": f"share of the {NEAREST} nearest in the space that lie within {WITHIN} cells",
            "share": round(kept, 4),
            "chance": round(chance, 4),
        },
    }
    if facts["left_out"]:
        facts["chosen"] = f"the {MAX_MOVIES:,} most rated"
    return Layout(space.ids.values[rows], cells, facts)


def embed_points(
    nearest: Int64Array,
    scores: Float32Array,
    start: Float64Array,
    rng: np.random.Generator,
    *,
    track: Track,
    label: str,
) -> Float64Array:
    """Return points (n, 2) by t-SNE on the nearest neighbours, on one thread so that builds are reproducible.

    Source: van der Maaten and Hinton, "Visualizing Data using t-SNE", JMLR 2008; Linderman et al., "Fast
    interpolation-based t-SNE", Nature Methods 2019.

    Args:
        nearest: (n, k) rows, best first.
        scores: (n, k) inner products.
        start: (n, 2) initial points.
        rng: separates coinciding initial points.
        track: shows progress.
        label: name of the space in the progress bar.
    """
    n = start.shape[0]
    spread = start + rng.normal(size=start.shape) * (1e-6 + 1e-3 * start.std())  # no two coincide
    if n < _MIN_MOVIES:
        return np.array(spread, dtype=np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations in its dependencies
        from openTSNE import TSNEEmbedding
        from openTSNE.affinity import PerplexityBasedNN
        from openTSNE.initialization import rescale
        from openTSNE.nearest_neighbors import PrecomputedNeighbors

    distances = np.sqrt(np.maximum(0, 2 - 2 * scores.astype(np.float64)))
    affinities = PerplexityBasedNN(
        perplexity=min(_PERPLEXITY, nearest.shape[1] / 3), knn_index=PrecomputedNeighbors(nearest, distances)
    )
    points: Any = TSNEEmbedding(rescale(spread), affinities, negative_gradient_method="fft" if n > _BLOCK else "bh")
    steps = _EXAGGERATED_STEPS // 10 * [12.0] + _STEPS // 10 * [1.0]
    for exaggeration in track(steps, f"Laying out by {label}", len(steps)):
        points.optimize(10, exaggeration=exaggeration, momentum=0.8, inplace=True)
    return np.array(points, dtype=np.float64)


def _most_rated(ids: Ids, counts: Mapping[int, int]) -> Int64Array:
    """Return the rows of the most rated movies, ascending."""
    rated = np.array([counts.get(movie_id, 0) for movie_id in ids.values.tolist()], dtype=np.int64)
    order = np.lexsort((ids.values, -rated))[:MAX_MOVIES]
    return np.sort(order)


def _nearest(space: Space, rows: Int64Array, track: Track) -> tuple[Int64Array, Float32Array]:
    """Return the nearest neighbours among ``rows``, as (n, k) positions in ``rows`` and inner products, best first."""
    k = min(_NEIGHBOURS, rows.size - 1)
    nearest = np.empty((rows.size, k), dtype=np.int64)
    scores = np.empty((rows.size, k), dtype=np.float32)
    blocks = range(0, rows.size, _BLOCK)
    for at in track(blocks, f"Nearest by {space.name}", len(blocks)):
        block = np.arange(at, min(at + _BLOCK, rows.size))
        alike = space.vectors.estimates(space.vectors.rows(rows[block]))[:, rows]
        alike[block - at, block] = -np.inf
        found = np.argpartition(-alike, k - 1, axis=1)[:, :k] if k else np.empty((block.size, 0), dtype=np.int64)
        values = np.take_along_axis(alike, found, axis=1)
        order = np.argsort(-values, axis=1, kind="stable")
        nearest[block] = np.take_along_axis(found, order, axis=1)
        scores[block] = np.take_along_axis(values, order, axis=1)
    return nearest, scores


def _initial_points(space: Space, rows: Int64Array, rng: np.random.Generator) -> Float64Array:
    """Return the coordinates (n, 2) of movies on the two leading axes of inner products with landmarks."""
    landmarks = np.sort(rng.choice(rows, size=min(rows.size, _LANDMARKS), replace=False))
    alike = space.vectors.estimates(space.vectors.rows(landmarks))[:, rows].astype(np.float64)
    alike -= alike.mean(axis=1, keepdims=True)
    _, vectors = np.linalg.eigh(alike @ alike.T)
    axes = vectors[:, -2:][:, ::-1]
    axes = axes * np.where(axes.sum(axis=0) < 0, -1, 1)  # fixes the sign
    points: Float64Array = alike.T @ axes
    return points if points.shape[1] == 2 else np.column_stack([points, np.zeros(points.shape[0])])


def _ids_by_tile(layout: Layout) -> Iterable[int]:
    """Return the movie ids, ordered by tile of 32 x 32 cells."""
    x, y = layout.cells[:, 0], layout.cells[:, 1]
    order = np.lexsort((x, y, x // 32, y // 32))
    return map(int, layout.movie_ids[order])
