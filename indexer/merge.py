"""A data set and what came in since: the library's movies and posters win, whoever it removed is gone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from index.errors import BadData
from index.library import Changes
from indexer.dataset import Dataset


def merge(dataset: Dataset, changes: Changes) -> Dataset:
    """The data set after the changes: a removed movie takes its ratings and tags with it, a replaced one keeps them.

    Raises:
        BadData: all movies that were rated are removed.
    """
    removed = np.fromiter(changes.removed, np.int64, len(changes.removed))
    kept = ~np.isin(dataset.ratings.movie_ids, removed)
    if not kept.any():
        raise BadData(f"the library removes every rated movie of {dataset.name}: bring one back by library add --id")
    return replace(
        dataset,
        movies=changes.applied_to(dataset.movies),
        ratings=dataset.ratings if kept.all() else dataset.ratings.take(kept),
        tags={movie_id: tags for movie_id, tags in dataset.tags.items() if movie_id not in changes.removed},
    )


def merge_posters(found: Mapping[int, Path], changes: Changes, folder: Path) -> dict[int, Path]:
    """Movie id -> poster file, by ascending id: the library's where it has one, else the one that was found.

    Args:
        found: of movies that are there after the changes.
        folder: where the library's poster files are.
    """
    own = {entry.movie.movie_id: folder / entry.poster for entry in changes.movies if entry.poster is not None}
    return dict(sorted((dict(found) | own).items()))
