"""What every rating method is given and what it gives back.

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
from indexer.datasets.dataset import Dataset, Ratings


class Predictor(Protocol):
    """A fitted method that predicts ratings."""

    def predict(self, users: Int64Array, movies: Int64Array) -> Float64Array:
        """Ratings (m,) of user rows and movie rows (m,) each. Not kept to the scale."""


class Scorer(Protocol):
    """A fitted method that says what a user would pick next."""

    def scores(self, user: int) -> Float32Array:
        """(n_movies,) for a user row; larger is likelier. What the user rated has a score like any other."""


@dataclass(frozen=True, slots=True)
class Training:
    """Ratings to learn from. Users and movies may be there without any: a method must predict for them too."""

    ratings: Ratings
    users: Ids
    movies: Sequence[Movie]  # ascending movie_id
    movie_ids: Ids = field(init=False)
    user_rows: Int64Array = field(init=False)  # (n,) of each rating
    movie_rows: Int64Array = field(init=False)  # (n,)
    values: Float64Array = field(init=False)  # (n,)

    def __post_init__(self) -> None:
        """Finds every rating's rows once."""
        movie_ids = Ids([movie.movie_id for movie in self.movies])
        object.__setattr__(self, "movie_ids", movie_ids)
        object.__setattr__(self, "user_rows", self.users.find(self.ratings.user_ids))
        object.__setattr__(self, "movie_rows", movie_ids.find(self.ratings.movie_ids))
        object.__setattr__(self, "values", self.ratings.values.astype(np.float64))

    @classmethod
    def of(cls, dataset: Dataset, which: BoolArray | None = None) -> Training:
        """A data set's ratings, or those under a mask; its users and movies are all there in any case."""
        ratings = dataset.ratings if which is None else dataset.ratings.take(which)
        return cls(ratings, Ids(np.unique(dataset.ratings.user_ids)), dataset.movies)

    def take(self, which: BoolArray) -> Training:
        """The ratings under a mask (n,); users and movies stay."""
        return Training(self.ratings.take(which), self.users, self.movies)

    @property
    def shape(self) -> tuple[int, int]:
        """How many users and movies there are."""
        return len(self.users), len(self.movies)

    @property
    def rated(self) -> sp.csr_matrix:
        """(n_users, n_movies) float32, 1 where there is a rating."""
        ones = np.ones(self.values.size, dtype=np.float32)
        return sp.csr_matrix((ones, (self.user_rows, self.movie_rows)), shape=self.shape)

    @property
    def user_items(self) -> sp.csr_matrix:
        """(n_users, n_movies) ratings; what nobody rated is not stored."""
        return sp.csr_matrix((self.values, (self.user_rows, self.movie_rows)), shape=self.shape)
