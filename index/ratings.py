"""How any user would rate any movie, with an interval, and what to recommend. numpy only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from index.errors import UnknownUser
from index.ids import Ids
from index.ranker import Ranker
from index.space import best

INTERVAL = 0.8  # the share of ratings that an interval is meant to hold

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Prediction:
    """A predicted rating and its 80% interval, on the data set's scale."""

    movie_id: int
    rating: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class RatingArrays:
    """What a rating model is made of; each array is one file of the snapshot."""

    user_ids: npt.NDArray[np.int64]  # (n_users,) ascending
    user_bias: FloatArray  # (n_users,) posterior mean, the global bias included
    user_factors: FloatArray  # (n_users, factors)
    user_samples: FloatArray  # (samples, n_users, f + 1): factors, then bias with the global bias; thinned
    movie_vectors: FloatArray  # (n_movies, factors + 1): factors, then bias; rows are the catalogue's
    movie_samples: FloatArray  # (samples, n_movies, f + 1)
    rated_starts: npt.NDArray[np.int64]  # (n_users + 1,) user row u rated rated_rows[starts[u]:starts[u + 1]]
    rated_rows: npt.NDArray[np.int32]  # (n_ratings,) catalogue rows
    rated_values: FloatArray  # (n_ratings,)

    def items(self) -> Iterator[tuple[str, npt.NDArray[np.generic]]]:
        """Name and array of each file."""
        for name in self.__slots__:
            yield name, getattr(self, name)


class RatingModel:
    """Posterior mean ratings as inner products, and intervals from a few posterior samples. Immutable.

    Args:
        noise_variance: of a rating about its prediction.
        scale: the lowest and the highest rating there is; predictions stay within.
        ranker: who would pick what next. Recommendations are ordered by its scores plus ``rating_weight`` times the
            predicted rating; without a ranker by that rating alone.
    """

    def __init__(
        self,
        arrays: RatingArrays,
        movie_ids: Ids,
        *,
        noise_variance: float,
        scale: tuple[float, float],
        ranker: Ranker | None = None,
        rating_weight: float = 1.0,
    ) -> None:
        self.users = Ids(arrays.user_ids, what="user", unknown=UnknownUser)
        self.scale = scale
        self._arrays = arrays
        self._movie_ids = movie_ids
        self._noise_variance = noise_variance
        self._ranker = ranker
        self._rating_weight = np.float32(rating_weight)

    @classmethod
    def load(cls, snapshot: Path, movie_ids: Ids, facts: Mapping[str, Any]) -> RatingModel:
        """The model saved in a snapshot's folder, its arrays memory-mapped.

        Args:
            facts: what the manifest says of the model.
        """
        folder = snapshot / "ratings"
        arrays = RatingArrays(*(np.load(folder / f"{name}.npy", mmap_mode="r") for name in RatingArrays.__slots__))
        low, high = facts["scale"]
        ranker = facts.get("ranker")  # snapshots from before there was one have none
        return cls(
            arrays,
            movie_ids,
            noise_variance=facts["noise_variance"],
            scale=(low, high),
            ranker=Ranker.load(snapshot / "ranker", arrays.rated_starts, arrays.rated_rows) if ranker else None,
            rating_weight=ranker["rating_weight"] if ranker else 1.0,
        )

    def predict(self, user_id: int, movie_ids: Sequence[int]) -> list[Prediction]:
        """The user's rating of each movie, in the order given.

        Raises:
            UnknownUser: the user rated nothing when the model was trained.
            UnknownMovie: one of the movies is not in the catalogue.
        """
        user = self.users.row(user_id)
        rows = np.array([self._movie_ids.row(movie_id) for movie_id in movie_ids], dtype=np.int64)
        ratings, low, high = self.predict_rows(np.full(rows.size, user), rows)
        return [
            Prediction(movie_id, float(mean), float(least), float(most))
            for movie_id, mean, least, most in zip(movie_ids, ratings, low, high, strict=True)
        ]

    def recommend(self, user_id: int, k: int = 10, *, allowed: npt.NDArray[np.bool_] | None = None) -> list[Prediction]:
        """The ``k`` movies that the user has not rated and would pick next, likeliest first, with predicted ratings.

        A list by predicted rating alone is a poor one: films that few have seen head it. A list by the ranker alone has
        films that the user would watch and dislike.

        Args:
            allowed: (n_movies,) which movies of the catalogue may come back; all where it is None.

        Raises:
            UnknownUser: the user rated nothing when the model was trained.
        """
        user = self.users.row(user_id)
        wanted = np.ones(len(self._movie_ids), dtype=np.bool_) if allowed is None else allowed.copy()
        wanted[self.rated(user_id)[0]] = False
        scores = self.ranking_scores(user)
        scores[~wanted] = -np.inf
        rows = best(scores, k)
        return self.predict(user_id, self._movie_ids.values[rows].tolist())

    def ranking_scores(self, user: int) -> FloatArray:
        """What recommendations are ordered by, (n_movies,), for a user row; larger comes first."""
        query = np.append(self._arrays.user_factors[user], np.float32(1))
        scores: FloatArray = self._rating_weight * (self._arrays.movie_vectors @ query)
        return scores if self._ranker is None else scores + self._ranker.scores(user)

    def rated(self, user_id: int) -> tuple[npt.NDArray[np.int32], FloatArray]:
        """The catalogue rows that the user rated and the ratings, (m,) each."""
        user = self.users.row(user_id)
        part = slice(*self._arrays.rated_starts[user : user + 2])
        return self._arrays.rated_rows[part], self._arrays.rated_values[part]

    def predict_rows(
        self, users: npt.NDArray[np.int64], movies: npt.NDArray[np.int64]
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Rating, low and high end of the interval, (m,) each, for user rows and movie rows (m,) each."""
        arrays = self._arrays
        vectors = arrays.movie_vectors[movies]
        mean = arrays.user_bias[users] + vectors[:, -1]
        mean = mean + np.einsum("ij,ij->i", arrays.user_factors[users], vectors[:, :-1])
        spread = self._samples(users, movies).var(axis=0)
        half = NormalDist().inv_cdf((1 + INTERVAL) / 2) * np.sqrt(spread + self._noise_variance)
        low, high = self.scale
        return np.clip(mean, low, high), np.clip(mean - half, low, high), np.clip(mean + half, low, high)

    def _samples(self, users: npt.NDArray[np.int64], movies: npt.NDArray[np.int64]) -> FloatArray:
        """Predictions of the kept posterior samples, (samples, m)."""
        of_user, of_movie = self._arrays.user_samples[:, users], self._arrays.movie_samples[:, movies]
        interaction: FloatArray = np.einsum("sij,sij->si", of_user[..., :-1], of_movie[..., :-1])
        interaction += of_user[..., -1] + of_movie[..., -1]
        return interaction
