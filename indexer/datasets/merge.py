"""Merge the library into a data set: its movies, ratings and posters replace the data set's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from index.catalogue.tables import Genres
from index.core.arrays import Int64Array
from index.core.errors import InvalidInput
from index.library.entries import MovieChanges
from index.library.rating_log import RatingChanges
from indexer.datasets.dataset import Dataset, Events, Ratings


def merge(dataset: Dataset, changes: MovieChanges, rated: RatingChanges) -> Dataset:
    """Return the data set with the library's changes applied.

    A deleted movie loses its ratings, tags and labels; an updated one keeps them.

    Args:
        dataset: the data set as read.
        changes: movies added, updated and deleted in the library.
        rated: ratings added, updated and deleted in the library; those of unknown movies are ignored.

    Raises:
        InvalidInput: the library deletes every rated movie.
    """
    movies = changes.spelled(Genres.of(dataset.movies)).applied_to(dataset.movies)
    ratings = _merged(dataset.ratings, rated, np.array([movie.movie_id for movie in movies], np.int64))
    removed = np.fromiter(changes.deleted, np.int64, len(changes.deleted))
    kept = ~np.isin(ratings.movie_ids, removed)
    if len(ratings) and not kept.any():
        raise InvalidInput(
            f"the library deletes every rated movie of {dataset.name}: add one again with library add --id"
        )
    listed = np.array([movie.movie_id for movie in movies], np.int64)
    return replace(
        dataset,
        events=_without_rated(dataset.events, ratings, listed),
        movies=movies,
        ratings=ratings if kept.all() else ratings.take(kept),
        user_names={**rated.names, **dataset.user_names},
        tags={movie_id: tags for movie_id, tags in dataset.tags.items() if movie_id not in changes.deleted},
        labels={
            kind: {movie_id: labels for movie_id, labels in of_movies.items() if movie_id not in changes.deleted}
            for kind, of_movies in dataset.labels.items()
        },
    )


def _without_rated(events: Events | None, ratings: Ratings, movie_ids: Int64Array) -> Events | None:
    """Return the events of movies that exist and that the same users did not rate."""
    if events is None:
        return None
    pairs = pd.MultiIndex.from_arrays([events.user_ids, events.movie_ids])
    rated = pairs.isin(pd.MultiIndex.from_arrays([ratings.user_ids, ratings.movie_ids]))
    kept = np.isin(events.movie_ids, movie_ids) & ~rated
    return events.take(kept) if kept.any() else None


def merge_posters(found: Mapping[int, Path], changes: MovieChanges, folder: Path) -> dict[int, Path]:
    """Return movie id -> poster file by ascending id; the library's posters take precedence.

    Args:
        found: movie id -> file of the poster folder; only movies that remain after the changes.
        changes: movies added, updated and deleted in the library.
        folder: the library's poster folder.
    """
    library_posters = {
        entry.movie.movie_id: folder / entry.poster for entry in changes.movies if entry.poster is not None
    }
    return dict(sorted((dict(found) | library_posters).items()))


def _merged(ratings: Ratings, rated: RatingChanges, movie_ids: Int64Array) -> Ratings:
    """Return the ratings with the library's: updated and added ones are appended, deleted ones dropped."""
    if not len(rated):
        return ratings
    changed_pairs = pd.MultiIndex.from_arrays([rated.user_ids, rated.movie_ids])
    pairs = pd.MultiIndex.from_arrays([ratings.user_ids, ratings.movie_ids])
    kept = ~pairs.isin(changed_pairs)
    added = ~np.isnan(rated.values) & np.isin(rated.movie_ids, movie_ids)
    timestamps = None
    if ratings.timestamps is not None:
        timestamps = np.concatenate([ratings.timestamps[kept], rated.timestamps[added]])
    strengths = None
    if ratings.strengths is not None:
        strengths = np.concatenate([ratings.strengths[kept], np.ones(int(added.sum()), np.float32)])
    return replace(
        ratings,
        strengths=strengths,
        user_ids=np.concatenate([ratings.user_ids[kept], rated.user_ids[added]]),
        movie_ids=np.concatenate([ratings.movie_ids[kept], rated.movie_ids[added]]),
        values=np.concatenate([ratings.values[kept], rated.values[added]]),
        timestamps=timestamps,
    )
