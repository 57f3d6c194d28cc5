"""Movies that users did not watch, for data without ratings: a model learns nothing from ones alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from indexer.datasets.training import Training


def with_unwatched(training: Training, rng: np.random.Generator) -> Training:
    """Return watched movies as 1, or events by their strength, and for each one that the user did not watch as 0.

    The strongest events are 1.

    They are drawn in proportion to how often movies are watched: popular movies that were not watched tell most.
    Users who watched nearly all have fewer.
    """
    users, movies = training.user_rows, training.movie_rows
    drawn = rng.permutation(movies)
    pairs = users * len(training.movies) + drawn
    fresh = ~np.isin(pairs, users * len(training.movies) + movies)
    unwatched = np.unique(pairs[fresh])
    user_ids = training.users.values[unwatched // len(training.movies)]
    movie_ids = training.movie_ids.values[unwatched % len(training.movies)]
    strengths = training.ratings.strengths
    watched = training.ratings.values if strengths is None else strengths / strengths.max()
    ratings = replace(
        training.ratings,
        strengths=None,
        user_ids=np.concatenate([training.ratings.user_ids, user_ids]),
        movie_ids=np.concatenate([training.ratings.movie_ids, movie_ids]),
        values=np.concatenate([watched, np.zeros(unwatched.size, np.float32)]),
        timestamps=None,
    )
    return Training(ratings, training.users, training.movies)
