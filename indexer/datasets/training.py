"""The interface of rating methods: training data in, a predictor or a scorer out.

A method is a module with ``fit(training, rng, settings, *, track) -> Predictor``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import scipy.sparse as sp

from index.catalogue.catalogue import Movie
from index.core.arrays import BoolArray, Float32Array, Float64Array, Int64Array
from index.core.ids import Ids
from indexer.datasets.dataset import Dataset, Events, Ratings


class Predictor(Protocol):
    """A fitted method that predicts ratings."""

    def predict(self, users: Int64Array, movies: Int64Array) -> Float64Array:
        """Return ratings (m,) of user rows (m,) and movie rows (m,); not clipped to the scale."""


class Scorer(Protocol):
    """A fitted method that ranks movies for a user."""

    def scores(self, user: int) -> Float32Array:
        """Return scores (n_movies,) of a user row; larger is better. Those of movies the user rated do not count."""


@dataclass(frozen=True, slots=True)
class Training:
    """Ratings to fit a method on. Users and movies may have no ratings; methods must predict for them too."""

    ratings: Ratings
    users: Ids
    movies: Sequence[Movie]  # ascending movie_id
    events: Events | None = None  # of movies that the same users did not rate
    movie_ids: Ids = field(init=False)
    user_rows: Int64Array = field(init=False)  # (n,) per rating
    movie_rows: Int64Array = field(init=False)  # (n,)
    values: Float64Array = field(init=False)  # (n,)

    def __post_init__(self) -> None:
        """Look up the rows of every rating."""
        movie_ids = Ids([movie.movie_id for movie in self.movies])
        object.__setattr__(self, "movie_ids", movie_ids)
        object.__setattr__(self, "user_rows", self.users.find(self.ratings.user_ids))
        object.__setattr__(self, "movie_rows", movie_ids.find(self.ratings.movie_ids))
        object.__setattr__(self, "values", self.ratings.values.astype(np.float64))

    @classmethod
    def of(cls, dataset: Dataset, mask: BoolArray | None = None) -> Training:
        """Return training data with all users and movies of a data set, and its ratings under ``mask`` (n,)."""
        ratings = dataset.ratings if mask is None else dataset.ratings.take(mask)
        events = dataset.events
        users = [dataset.ratings.user_ids, *([] if events is None else [events.user_ids])]
        return cls(ratings, Ids(np.unique(np.concatenate(users))), dataset.movies, events)

    def take(self, mask: BoolArray) -> Training:
        """Return the ratings under a mask (n,), with all users and movies."""
        return Training(self.ratings.take(mask), self.users, self.movies, self.events)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of users, number of movies."""
        return len(self.users), len(self.movies)

    @property
    def rated(self) -> sp.csr_matrix:
        """Matrix (n_users, n_movies) float32, 1 for each rating."""
        ones = np.ones(self.values.size, dtype=np.float32)
        return sp.csr_matrix((ones, (self.user_rows, self.movie_rows)), shape=self.shape)

    @property
    def watched(self) -> sp.csr_matrix:
        """Matrix (n_users, n_movies) float32 of what rankers learn from: ratings count 1, events their strength."""
        if self.ratings.strengths is None and self.events is None:
            return self.rated
        strengths = self.ratings.strengths
        values = np.ones(self.values.size, dtype=np.float32) if strengths is None else strengths
        users, movies = self.user_rows, self.movie_rows
        if self.events is not None:
            values = np.concatenate([values, self.events.strengths])
            users = np.concatenate([users, self.users.find(self.events.user_ids)])
            movies = np.concatenate([movies, self.movie_ids.find(self.events.movie_ids)])
        return sp.csr_matrix((values, (users, movies)), shape=self.shape)

    @property
    def weighted(self) -> bool:
        """Return True if the values of ``watched`` differ."""
        return self.ratings.strengths is not None or self.events is not None

    @property
    def user_items(self) -> sp.csr_matrix:
        """Matrix (n_users, n_movies) of ratings; missing ratings are not stored."""
        return sp.csr_matrix((self.values, (self.user_rows, self.movie_rows)), shape=self.shape)
