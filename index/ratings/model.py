"""How any user would rate any movie, with an interval, and what to recommend. numpy only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from index.core.arrays import BoolArray, Float32Array, Float64Array, Int32Array, Int64Array, load_arrays
from index.core.errors import InvalidInput, UnknownUser
from index.core.ids import Ids
from index.ratings import by_movie as raters_of_movies
from index.ratings import fold_in as fold_ins
from index.ratings.by_movie import Raters
from index.ratings.fold_in import Folded, FoldInArrays
from index.ratings.rankers import Ranker, load_ranker
from index.spaces.faiss_index import top_rows

FOLDER = "ratings"

INTERVAL = 0.8  # the share of ratings that an interval is meant to hold

# Chosen on ratings held out of a training part of latest-small: log likelihood -1.204, -1.226 with one noise for all.
NOISE_PRIOR = 6


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

    user_ids: Int64Array  # (n_users,) ascending
    user_bias: Float32Array  # (n_users,) posterior mean, the global bias included
    user_factors: Float32Array  # (n_users, factors)
    user_samples: Float32Array  # (samples, n_users, f + 1): factors, then bias with the global bias; thinned
    movie_vectors: Float32Array  # (n_movies, factors + 1): factors, then bias; rows are the catalogue's
    movie_samples: Float32Array  # (samples, n_movies, f + 1)
    user_noise: Float32Array  # (n_users,) variance of a user's ratings about their predictions
    rated_starts: Int64Array  # (n_users + 1,) user row u rated rated_rows[starts[u]:starts[u + 1]]
    rated_rows: Int32Array  # (n_ratings,) catalogue rows
    rated_values: Float32Array  # (n_ratings,)


@dataclass(frozen=True, slots=True)
class Noise:
    """How far ratings scatter about their predictions. Some people are harder to predict than others."""

    variance: float  # over all users, by the posterior
    residual: float  # mean square of what is left of the trained ratings of someone who gave very many
    taken: float  # of n ratings n / (n + taken) of that is left: a user's own parameters take the rest

    def of(self, squares: npt.ArrayLike, counts: npt.ArrayLike) -> Float64Array:
        """Users' variances, from the sum of squares that is left of each one's own ratings and how many these are.

        As if everyone had ``NOISE_PRIOR`` more ratings, of average scatter.
        """
        n = np.asarray(counts, dtype=np.float64)
        expected = self.residual * np.maximum(n, 1) / (n + self.taken)
        variances: Float64Array = self.variance * (NOISE_PRIOR + np.asarray(squares) / expected) / (NOISE_PRIOR + n)
        return variances


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one rated movie adds to a prediction, in stars."""

    movie_id: int
    given: float  # the rating it was given
    watched: float  # because it was rated at all
    rated: float  # because of how it was rated


@dataclass(frozen=True, slots=True)
class Explanation:
    """A prediction as a sum: ``base`` and all contributions add up to ``rating``, before that is kept to the scale."""

    movie_id: int
    rating: float
    base: float  # for someone of whom nothing is known; for a user of the model with what more samples than 32 change
    contributions: tuple[Contribution, ...]  # largest first, up or down


Who = int | Mapping[int, float]  # a user id; or a stranger's ratings, by movie id


class RatingModel:
    """Posterior mean ratings as inner products, and intervals from a few posterior samples. Immutable.

    Who is asked for is a user id, or what a stranger rates: they are folded in, and nothing is stored.

    Args:
        fold_in: what strangers are folded in with.
        scale: the lowest and the highest rating there is; predictions stay within.
        ranker: who would pick what next. Recommendations are ordered by its scores (for someone who rated nothing by
            the share of users who rated a movie) plus ``rating_weight`` times the predicted rating; without a ranker by
            that rating alone.
        raters: who rated which movie; made here where it is None.
    """

    def __init__(
        self,
        arrays: RatingArrays,
        fold_in: FoldInArrays,
        movie_ids: Ids,
        *,
        noise: Noise,
        scale: tuple[float, float],
        ranker: Ranker | None = None,
        rating_weight: float = 1.0,
        raters: Raters | None = None,
    ) -> None:
        self.users = Ids(arrays.user_ids, noun="user", unknown=UnknownUser)
        self.scale = scale
        self._arrays = arrays
        self._movie_ids = movie_ids
        self._noise = noise
        self._fold_in = fold_in
        self._ranker = ranker
        self._rating_weight = np.float32(rating_weight)
        self._raters = Raters.of(arrays.rated_rows, len(movie_ids)) if raters is None else raters
        self._popularity = (self._raters.counts() / max(len(self.users), 1)).astype(np.float32)

    @classmethod
    def load(cls, snapshot: Path, movie_ids: Ids, facts: Mapping[str, Any]) -> RatingModel:
        """The model saved in a snapshot's folder, its arrays memory-mapped.

        Args:
            facts: what the manifest says of the model.
        """
        arrays = load_arrays(RatingArrays, snapshot / FOLDER)
        low, high = facts["scale"]
        raters = snapshot / raters_of_movies.FOLDER  # some older snapshots have none
        return cls(
            arrays,
            load_arrays(FoldInArrays, snapshot / fold_ins.FOLDER),
            movie_ids,
            noise=Noise(**facts["noise"]),
            scale=(low, high),
            ranker=load_ranker(snapshot / "ranker", facts["ranker"]["forms"]),
            rating_weight=facts["ranker"]["rating_weight"],
            raters=load_arrays(Raters, raters) if raters.is_dir() else None,
        )

    def predict(self, who: Who, movie_ids: Sequence[int]) -> list[Prediction]:
        """Their rating of each movie, in the order given.

        Raises:
            UnknownUser: the user rated nothing when the model was trained.
            UnknownMovie: one of the movies is not in the catalogue.
            InvalidInput: a stranger's rating is off the scale.
        """
        rows = self._movie_ids.rows(movie_ids)
        return self._predictions(self._rater(who), rows)

    def recommend(self, who: Who, k: int = 10, *, allowed: BoolArray | None = None) -> list[Prediction]:
        """The ``k`` movies that they have not rated and would pick next, likeliest first, with predicted ratings.

        A list by predicted rating alone is a poor one: films that few have seen head it. A list by the ranker alone has
        films that the user would watch and dislike.

        Args:
            allowed: (n_movies,) which movies of the catalogue may come back; all where it is None.

        Raises:
            UnknownUser: the user rated nothing when the model was trained.
            UnknownMovie: a stranger's rating is of a movie that is not in the catalogue.
            InvalidInput: a stranger's rating is off the scale.
        """
        rater = self._rater(who)
        wanted = np.ones(len(self._movie_ids), dtype=np.bool_) if allowed is None else allowed.copy()
        wanted[rater.rows] = False
        scores = self._ranking_scores(rater)
        scores[~wanted] = -np.inf
        return self._predictions(rater, top_rows(scores, k))

    def explain(self, who: Who, movie_ids: Sequence[int]) -> list[Explanation]:
        """What each movie that they rated adds to the predictions for others, in the order given.

        Raises:
            UnknownUser, UnknownMovie, InvalidInput: as in ``predict``.
        """
        rater, rows = self._rater(who), self._movie_ids.rows(movie_ids)
        folded = rater.folded or self._fold(rater.rows, rater.values)
        ratings = self._moments(rater, rows)[0].tolist()
        parts = folded.parts(rows)
        rated_ids, given = self._movie_ids.values[rater.rows].tolist(), rater.values.tolist()
        explanations = []
        for movie_id, rating, watched, rated in zip(movie_ids, ratings, parts.watched, parts.rated, strict=True):
            whole = watched + rated
            contributions = tuple(
                Contribution(rated_ids[at], given[at], float(watched[at]), float(rated[at]))
                for at in np.argsort(-np.abs(whole), kind="stable").tolist()
            )
            # A known user's prediction is a mean over more samples than explain it; the base takes the rest.
            explanations.append(Explanation(movie_id, rating, rating - float(whole.sum()), contributions))
        return explanations

    def rated(self, user_id: int) -> tuple[Int64Array, Float32Array]:
        """The catalogue rows that the user rated and the ratings, (m,) each.

        Raises:
            UnknownUser: the user rated nothing when the model was trained.
        """
        return self._rated(self.users.row(user_id))

    def raters(self, movie: int) -> tuple[Int64Array, Float32Array]:
        """The users who rated a catalogue row, ascending user rows, and their ratings, (m,) each."""
        at = self._raters.places_of(movie)
        users = np.searchsorted(self._arrays.rated_starts, at, side="right") - 1
        return users.astype(np.int64), np.asarray(self._arrays.rated_values[at])

    def distribution(self, users: Int64Array, movies: Int64Array) -> tuple[Float64Array, Float64Array]:
        """Mean and standard deviation of the rating, (m,) each, for user rows and movie rows (m,) each."""
        arrays = self._arrays
        vectors = arrays.movie_vectors[movies]
        mean = arrays.user_bias[users] + vectors[:, -1]
        mean = mean + np.einsum("ij,ij->i", arrays.user_factors[users], vectors[:, :-1])
        of_user, of_movie = arrays.user_samples[:, users], arrays.movie_samples[:, movies]
        samples = np.einsum("sij,sij->si", of_user[..., :-1], of_movie[..., :-1]) + of_user[..., -1] + of_movie[..., -1]
        spread = samples.var(axis=0, dtype=np.float64)
        return mean.astype(np.float64), np.sqrt(spread + arrays.user_noise[users])

    def ranking_scores(self, user: int) -> Float32Array:
        """What recommendations are ordered by, (n_movies,), for a user row; larger comes first."""
        return self._ranking_scores(_Rater(*self._rated(user), user))

    def _ranking_scores(self, rater: _Rater) -> Float32Array:
        if rater.folded is None:
            query = np.append(self._arrays.user_factors[rater.user], np.float32(1))
            ratings = self._arrays.movie_vectors @ query
        else:
            ratings = rater.folded.means().astype(np.float32)
        scores: Float32Array = self._rating_weight * ratings
        if self._ranker is None:
            return scores
        return scores + (self._ranker.scores(rater.rows) if rater.rows.size else self._popularity)

    def _predictions(self, rater: _Rater, rows: Int64Array) -> list[Prediction]:
        mean, deviation = self._moments(rater, rows)
        half = NormalDist().inv_cdf((1 + INTERVAL) / 2) * deviation
        ends = (np.clip(end, *self.scale).tolist() for end in (mean, mean - half, mean + half))
        return [Prediction(*each) for each in zip(self._movie_ids.values[rows].tolist(), *ends, strict=True)]

    def _moments(self, rater: _Rater, rows: Int64Array) -> tuple[Float64Array, Float64Array]:
        """Mean and standard deviation of their ratings of some movies, (m,) each."""
        if rater.folded is None:
            return self.distribution(np.full(rows.size, rater.user), rows)
        mean, variance = rater.folded.moments(rows)
        left = rater.folded.left
        return mean, np.sqrt(variance + self._noise.of(left @ left, left.size))

    def _rater(self, who: Who) -> _Rater:
        if isinstance(who, int):
            user = self.users.row(who)
            return _Rater(*self._rated(user), user)
        low, high = self.scale
        for movie_id, rating in who.items():
            if not low <= rating <= high:
                raise InvalidInput(
                    f"the rating {rating:g} of movie {movie_id} is off the scale: ratings here are {low:g} to {high:g}"
                )
        rows = self._movie_ids.rows(list(who))
        values = np.array(list(who.values()), dtype=np.float32)
        return _Rater(rows, values, -1, self._fold(rows, values))

    def _fold(self, rows: Int64Array, values: Float32Array) -> Folded:
        return Folded(self._fold_in, self._arrays.movie_samples, rows, values)

    def _rated(self, user: int) -> tuple[Int64Array, Float32Array]:
        part = slice(*self._arrays.rated_starts[user : user + 2])
        return np.asarray(self._arrays.rated_rows[part], dtype=np.int64), np.asarray(self._arrays.rated_values[part])


@dataclass(frozen=True, slots=True)
class _Rater:
    """Whoever rated: a user of the model, or someone folded in."""

    rows: Int64Array  # (m,) movies
    values: Float32Array  # (m,)
    user: int  # row; -1 for a stranger
    folded: Folded | None = None  # None for a user of the model
