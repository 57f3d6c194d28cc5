"""A catalogue without ratings and events: movies are compared by posters and facts, and recommended by likeness."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from index.core.arrays import save_arrays
from index.ratings import by_movie
from index.ratings import fold_in as fold_ins
from index.ratings import model as rating_models
from index.ratings.by_movie import RatingsByMovie
from index.ratings.fold_in import FoldInArrays
from index.ratings.model import Noise, RatingArrays
from index.ratings.rankers import MovieNeighbours, save_rankers
from index.spaces.neighbours import Neighbours
from indexer.datasets.dataset import Scale

METHOD = "none, as there are no ratings; movies are recommended by likeness to those that a user rates"


def write_without_ratings(folder: Path, blended: Neighbours, n_movies: int, scale: Scale, seed: int) -> dict[str, Any]:
    """Write a rating model of no users, whose ranker is the nearest neighbours of the blend; return its manifest entry.

    Args:
        folder: of the snapshot.
        blended: nearest neighbours of every movie.
        n_movies: of the catalogue.
        scale: of ratings added online.
        seed: of the build.
    """
    nothing, per_movie = np.zeros((1, 0, 2), np.float32), np.zeros((1, n_movies, 2), np.float32)
    none, no_rows = np.empty(0, np.float32), np.empty(0, np.int32)
    arrays = RatingArrays(
        user_ids=np.empty(0, np.int64),
        user_bias=none,
        user_factors=np.empty((0, 1), np.float32),
        user_samples=nothing,
        movie_vectors=per_movie[0],
        movie_samples=per_movie,
        user_noise=none,
        rated_starts=np.zeros(1, np.int64),
        rated_rows=no_rows,
        rated_values=none,
    )
    save_arrays(arrays, folder / rating_models.FOLDER)
    save_arrays(RatingsByMovie.from_rows(no_rows, n_movies), folder / by_movie.FOLDER)
    prior = np.array([[[0, 0], [1, 1]]], np.float32)
    ones = np.ones(1, np.float32)
    save_arrays(FoldInArrays(per_movie, prior, ones, np.zeros(1, np.float32)), folder / fold_ins.FOLDER)
    rows, scores = np.asarray(blended.rows), np.asarray(blended.scores)
    weights = np.where(rows >= 0, np.maximum(scores, 0), 0).astype(np.float32)
    forms = save_rankers([MovieNeighbours(np.maximum(rows, 0).astype(np.int32), weights)], folder / "ranker")
    return {
        "method": METHOD,
        "scale": list(scale),
        "noise": Noise(1.0, 1.0, 1.0).as_manifest(),
        "samples": 1,
        "factors": 0,
        "seed": seed,
        "trained_on": {"ratings": 0, "users": 0},
        "implicit_data": True,
        "ranker": {
            "forms": forms,
            "method": "nearest neighbours of the blend",
            "settings": {},
            "validation": {"metric": "nDCG@10", "share": 0.0, "scores": {}},
            "rating_weight": 0.0,
            "learned": {"left_out": "the data set has no ratings"},
        },
    }
