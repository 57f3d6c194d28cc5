"""A data set and what came in since: the library's movies and posters win, whoever it removed is gone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from index.core.arrays import Int64Array
from index.core.errors import InvalidInput
from index.library.entries import Changes
from index.library.rating_log import RatingChanges
from indexer.datasets.dataset import Dataset, Ratings


def merge(dataset: Dataset, changes: Changes, rated: RatingChanges) -> Dataset:
    """The data set after the changes: a removed movie takes its ratings and tags with it, a replaced one keeps them.

    Args:
        rated: ratings of movies that are nowhere do not count.

    Raises:
        InvalidInput: all movies that were rated are removed.
    """
    movies = changes.applied_to(dataset.movies)
    ratings = _merged(dataset.ratings, rated, np.array([movie.movie_id for movie in movies], np.int64))
    removed = np.fromiter(changes.removed, np.int64, len(changes.removed))
    kept = ~np.isin(ratings.movie_ids, removed)
    if not kept.any():
        raise InvalidInput(
            f"the library removes every rated movie of {dataset.name}: bring one back by library add --id"
        )
    return replace(
        dataset,
        movies=movies,
        ratings=ratings if kept.all() else ratings.take(kept),
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


def _merged(ratings: Ratings, rated: RatingChanges, movie_ids: Int64Array) -> Ratings:
    """The ratings after those that came in online: changed and taken back where they were, new ones at the end."""
    if not len(rated):
        return ratings
    changed = pd.MultiIndex.from_arrays([rated.user_ids, rated.movie_ids])
    before = pd.MultiIndex.from_arrays([ratings.user_ids, ratings.movie_ids])
    stays = ~before.isin(changed)
    given = ~np.isnan(rated.values) & np.isin(rated.movie_ids, movie_ids)
    stamps = None
    if ratings.timestamps is not None:
        stamps = np.concatenate([ratings.timestamps[stays], rated.timestamps[given]])
    return Ratings(
        np.concatenate([ratings.user_ids[stays], rated.user_ids[given]]),
        np.concatenate([ratings.movie_ids[stays], rated.movie_ids[given]]),
        np.concatenate([ratings.values[stays], rated.values[given]]),
        stamps,
    )
