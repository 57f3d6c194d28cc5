"""Rating predictions with 80% intervals, explanations and recommendations. numpy alone computes."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt
from cachetools import LRUCache

from index.core.arrays import BoolArray, Float32Array, Float64Array, Int32Array, Int64Array, load_arrays
from index.core.errors import InvalidInput, NoPredictions, UnknownUser
from index.core.ids import Ids
from index.ratings import fold_in as fold_ins
from index.ratings import learned_ranker as learned_rankers
from index.ratings import user_names
from index.ratings.diversity import POOL
from index.ratings.fold_in import FoldedUser, FoldInArrays
from index.ratings.indexes import RATERS_FOLDER, WATCHED_FOLDER, RatingsByMovie, WatchedMovies
from index.ratings.learned_ranker import LearnedRanker, RankExplanation, RatedMovies, no_rows, rows_without
from index.ratings.rankers import Ranker, load_ranker, mean_score, score_each
from index.ratings.user_names import UserNames
from index.spaces.faiss_index import top_rows
from index.spaces.vectors import Vectors

FOLDER = "ratings"

LIKED = 0.75  # of the way up the rating scale: 4 of 5 stars, 8 of 10
INTERVAL = 0.8  # nominal coverage of the intervals

# Ratings' worth of weight of the average noise variance in a user's own. Chosen on ratings held out of a training part
# of latest-small: log likelihood -1.204, against -1.226 with one noise variance for all users.
NOISE_PRIOR = 6

# An answer ranks, predicts and explains by the same ratings: the users folded in last are kept, with so many ratings in
# all, 40 MB.
_FOLDED_RATINGS = 4000


@dataclass(frozen=True, slots=True)
class Prediction:
    """A predicted rating and its 80% interval, on the data set's scale; NaN in a data set without ratings."""

    movie_id: int
    rating: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class RatingArrays:
    """Parameters and training ratings of a rating model. Each array is one file of the snapshot."""

    user_ids: Int64Array  # (n_users,) ascending
    user_bias: Float32Array  # (n_users,) posterior mean, including the global bias
    user_factors: Float32Array  # (n_users, factors)
    user_samples: Float32Array  # (samples, n_users, f + 1) factors, then bias including the global bias; thinned
    movie_vectors: Float32Array  # (n_movies, factors + 1) factors, then bias; rows of the catalogue
    movie_samples: Float32Array  # (samples, n_movies, f + 1)
    user_noise: Float32Array  # (n_users,) noise variance of the user's ratings
    rated_starts: Int64Array  # (n_users + 1,) user row u rated rated_rows[starts[u]:starts[u + 1]]
    rated_rows: Int32Array  # (n_ratings,) catalogue rows
    rated_values: Float32Array  # (n_ratings,)


@dataclass(frozen=True, slots=True)
class Noise:
    """Noise variance of ratings, which differs between users.

    A user's parameters fit part of the noise in the user's training ratings: with n of them the expected mean squared
    residual is ``residual * n / (n + shrinkage)``.
    """

    variance: float  # posterior mean, over all users
    residual: float  # mean squared residual on training ratings, in the limit of many ratings per user
    shrinkage: float  # in ratings

    @classmethod
    def from_manifest(cls, facts: Mapping[str, float]) -> Noise:
        """Return the noise stored by ``as_manifest``."""
        return cls(facts["variance"], facts["residual"], facts["taken"])

    def as_manifest(self) -> dict[str, float]:
        """Return the numbers under their manifest keys."""
        return {"variance": self.variance, "residual": self.residual, "taken": self.shrinkage}

    def user_variances(self, squares: npt.ArrayLike, counts: npt.ArrayLike) -> Float64Array:
        """Return noise variances of users from the sum of squared residuals and the number of each one's ratings.

        Shrunk towards the mean as if every user had ``NOISE_PRIOR`` more ratings with average residuals.
        """
        n = np.asarray(counts, dtype=np.float64)
        expected = self.residual * np.maximum(n, 1) / (n + self.shrinkage)
        variances: Float64Array = self.variance * (NOISE_PRIOR + np.asarray(squares) / expected) / (NOISE_PRIOR + n)
        return variances


@dataclass(frozen=True, slots=True)
class Contribution:
    """Contribution of one rated movie to a prediction, in units of the rating scale."""

    movie_id: int
    given: float  # the user's rating of the movie
    watched: float  # effect of having rated the movie at all
    rated: float  # effect of the rating's value


@dataclass(frozen=True, slots=True)
class Explanation:
    """A prediction as a sum: ``base`` and all contributions add up to ``rating``, before clipping to the scale."""

    movie_id: int
    rating: float
    base: float  # prediction without ratings; for a user of the model plus the effect of all samples instead of 32
    contributions: tuple[Contribution, ...]  # by descending absolute value
    content: ContentParts | None = None  # None without a cold-start model


@dataclass(frozen=True, slots=True)
class ContentParts:
    """The part of a prediction that comes from content and first ratings: ``share`` times the sum of the others."""

    share: float  # 1 for a movie without ratings in the snapshot
    usual: float  # the user's rating of a movie with mean content
    genres: float
    year: float
    similar: float  # residuals of movies similar in genres, year and people
    poster: float  # residuals of movies with similar posters
    ratings: float  # of the movie


UserOrRatings = int | Mapping[int, float]  # id of a user of the model, or a new user's ratings by movie id


class RatingModel:
    """Posterior mean ratings as inner products, with intervals from a few posterior samples. Immutable.

    A user of the model is given by id, a new user by ratings. These are folded in and not stored.

    Args:
        arrays: parameters and training ratings.
        fold_in: posterior samples for fold-in.
        movie_ids: ids of the movie rows.
        noise: noise variance of ratings.
        scale: lowest and highest rating; predictions are clipped to it.
        ranker: recommendations are ordered by its scores (for a user without ratings by the share of users who rated a
            movie) plus ``rating_weight`` times the predicted rating; without a ranker by the predicted rating alone.
        rating_weight: weight of the predicted rating beside the ranker's score.
        learned: orders the best of these recommendations again; None if the snapshot has none.
        by_movie: index of the ratings by movie; built if None.
        names: ids of users that are no numbers; None without any.
        implicit: the data set has no ratings, only who watched what: movies are ranked, but no ratings predicted.
        watched: movies that users watched and did not rate, for rankers; None without any.
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
        learned: LearnedRanker | None = None,
        by_movie: RatingsByMovie | None = None,
        names: UserNames | None = None,
        implicit: bool = False,
        watched: WatchedMovies | None = None,
    ) -> None:
        self.users = Ids(arrays.user_ids, noun="user", unknown=UnknownUser)
        self.scale = scale
        self.names = names
        self.implicit = implicit
        self._watched = watched
        self._arrays = arrays
        self._movie_ids = movie_ids
        self._noise = noise
        self._fold_in = fold_in
        self._folded: LRUCache[tuple[bytes, bytes], FoldedUser] = LRUCache(
            _FOLDED_RATINGS, lambda folded: 1 + folded.residuals.size
        )
        self._folding = threading.Lock()  # guards it
        self._ranker = ranker
        self._rating_weight = np.float32(rating_weight)
        self._learned = learned
        self._by_movie = by_movie or RatingsByMovie.from_rows(arrays.rated_rows, len(movie_ids))
        self._popularity = (self._by_movie.counts() / max(len(self.users), 1)).astype(np.float32)

    @classmethod
    def load(
        cls,
        snapshot: Path,
        movie_ids: Ids,
        facts: Mapping[str, Any],
        spaces: Mapping[str, tuple[Ids, Vectors]] | None = None,
    ) -> RatingModel:
        """Load the model of a snapshot, with memory-mapped arrays.

        Args:
            snapshot: folder of the snapshot.
            movie_ids: ids of the movie rows.
            facts: the manifest's entry for the rating model.
            spaces: name -> ids and vectors of the snapshot's spaces, which a learned ranker needs; without them it is
                left out.
        """
        arrays = load_arrays(RatingArrays, snapshot / FOLDER)
        low, high = facts["scale"]
        by_movie = snapshot / RATERS_FOLDER  # missing in some older snapshots
        names = snapshot / user_names.FOLDER  # missing if all users are numbers
        learned = facts["ranker"].get("learned", {})  # missing in older snapshots
        watched = snapshot / WATCHED_FOLDER  # missing without events beside ratings
        return cls(
            arrays,
            load_arrays(FoldInArrays, snapshot / fold_ins.FOLDER),
            movie_ids,
            noise=Noise.from_manifest(facts["noise"]),
            scale=(low, high),
            ranker=load_ranker(snapshot / "ranker", facts["ranker"]["forms"]),
            rating_weight=facts["ranker"]["rating_weight"],
            learned=(
                LearnedRanker.load(snapshot / learned_rankers.FOLDER, learned, movie_ids, spaces)
                if spaces is not None and "features" in learned
                else None
            ),
            by_movie=load_arrays(RatingsByMovie, by_movie) if by_movie.is_dir() else None,
            names=load_arrays(UserNames, names) if names.is_dir() else None,
            implicit=facts.get("implicit_data", False),
            watched=load_arrays(WatchedMovies, watched) if watched.is_dir() else None,
        )

    def predict(self, user: UserOrRatings, movie_ids: Sequence[int]) -> list[Prediction]:
        """Return the predicted rating of each movie, in the given order.

        Raises:
            UnknownUser: the user has no training ratings.
            UnknownMovie: one of the movies is not in the catalogue.
            InvalidInput: a new user's rating is off the scale.
            NoPredictions: the data set has no ratings.
        """
        return self.predictions(movie_ids, *self.moments(user, movie_ids))

    def moments(self, user: UserOrRatings, movie_ids: Sequence[int]) -> tuple[Float64Array, Float64Array]:
        """Return mean and variance of the user's ratings of movies, (m,) each, not clipped to the scale.

        Raises:
            UnknownUser, UnknownMovie, InvalidInput, NoPredictions: as in ``predict``.
        """
        self.check_predicts()
        mean, deviation = self._moments(self._profile(user), self._movie_ids.rows(movie_ids))
        return mean, deviation**2

    def predictions(self, movie_ids: Sequence[int], mean: Float64Array, variance: Float64Array) -> list[Prediction]:
        """Return predictions with their intervals, clipped to the scale, from means and variances (m,)."""
        half = NormalDist().inv_cdf((1 + INTERVAL) / 2) * np.sqrt(variance)
        ends = (np.clip(end, *self.scale).tolist() for end in (mean, mean - half, mean + half))
        return [Prediction(*each) for each in zip(movie_ids, *ends, strict=True)]

    def ranked(
        self,
        user: UserOrRatings,
        k: int = 10,
        *,
        allowed: BoolArray | None = None,
        choose: Callable[[Int64Array], Int64Array] | None = None,
        watched: Sequence[int] = (),
    ) -> list[int]:
        """Return the ids of the ``k`` highest-ranked movies that the user has not rated, best first.

        Ranking by predicted rating alone puts movies with few ratings first. Ranking by the ranker alone includes
        movies that the user would watch and dislike.

        Args:
            user: id, or ratings of a new user.
            k: number of movies.
            allowed: (n_movies,) mask of movies that may be returned; None for all.
            choose: rows (m,) of the best movies, ``POOL`` at least, best first -> rows (k,); None for the best ones.
            watched: ids of movies that the user watched and did not rate. They are left out, and count for the rankers
                as rated ones do; predicted ratings do not depend on them.

        Raises:
            UnknownUser: the user has no training ratings.
            UnknownMovie: a new user's rating is of a movie that is not in the catalogue, or a watched movie is not.
            InvalidInput: a new user's rating is off the scale.
        """
        profile = self._profile(user, watched)
        scores = self._ranking_scores(profile, self._eligible(profile, allowed))
        rows = top_rows(scores, k) if choose is None else choose(top_rows(scores, max(k, POOL)))
        ranked: list[int] = self._movie_ids.values[rows].tolist()
        return ranked

    def explain_ranks(
        self,
        user: UserOrRatings,
        movie_ids: Sequence[int],
        watched: Sequence[int] = (),
        allowed: BoolArray | None = None,
    ) -> dict[int, RankExplanation]:
        """Return the contributions of features to the rank of each movie that the learned ranker orders, by movie id.

        Arguments and errors are those of ``ranked``.
        """
        profile, rows = self._profile(user, watched), self._movie_ids.rows(movie_ids)
        if self._learned is None:
            return {}
        explained = self._learned.explain(self._rated_movies(profile), rows, self._eligible(profile, allowed))
        return {int(self._movie_ids.values[row]): found for row, found in explained.items()}

    def explain(self, user: UserOrRatings, movie_ids: Sequence[int]) -> list[Explanation]:
        """Return the contributions of the rated movies to the prediction for each movie, in the given order.

        Raises:
            UnknownUser, UnknownMovie, InvalidInput, NoPredictions: as in ``predict``.
        """
        self.check_predicts()
        profile, rows = self._profile(user), self._movie_ids.rows(movie_ids)
        folded = profile.folded or self._fold(profile.rows, profile.values)
        ratings = self._moments(profile, rows)[0].tolist()
        terms = folded.terms(rows)
        rated_ids = self._movie_ids.values[profile.rows]
        explanations = []
        for movie_id, rating, watched, rated in zip(movie_ids, ratings, terms.watched, terms.rated, strict=True):
            total = watched + rated
            order = np.argsort(-np.abs(total), kind="stable")
            columns = (column[order].tolist() for column in (rated_ids, profile.values, watched, rated))
            contributions = tuple(map(Contribution, *columns))
            # Predictions for users of the model average more samples than the terms; the base takes the difference.
            explanations.append(Explanation(movie_id, rating, rating - float(total.sum()), contributions))
        return explanations

    def rated(self, user_id: int) -> tuple[Int64Array, Float32Array]:
        """Return the catalogue rows rated by the user and the ratings, (m,) each.

        Raises:
            UnknownUser: the user has no training ratings.
        """
        return self._rated(self.users.row(user_id))

    def positions(self, user_id: int) -> slice:
        """Return where a user's training ratings are among all ratings.

        Raises:
            UnknownUser: the user has no training ratings.
        """
        row = self.users.row(user_id)
        return slice(*self._arrays.rated_starts[row : row + 2].tolist())

    def unpredicted(self, movie_ids: Sequence[int]) -> list[Prediction]:
        """Return movies as predictions without ratings, for a data set without ratings."""
        return [Prediction(movie_id, *[math.nan] * 3) for movie_id in movie_ids]

    def counts(self) -> Int64Array:
        """Return the number of training ratings of every movie, (n_movies,)."""
        return self._by_movie.counts()

    def positions_of_movie(self, movie_row: int) -> Int64Array:
        """Return where a movie's training ratings are among all ratings, ascending."""
        return self._by_movie.positions(movie_row)

    def scores_of(self, user: UserOrRatings, watched: Sequence[int] = ()) -> Float32Array:
        """Return the scores (n_movies,) of ranker and predicted rating for a user, rated movies too; larger is better.

        ``watched`` movies count as in ``ranked``.

        Raises:
            UnknownUser, UnknownMovie, InvalidInput: as in ``predict``.
        """
        return self._rated_movies(self._profile(user, watched)).scores["score"]

    def raters(self, movie_row: int) -> tuple[Int64Array, Float32Array]:
        """Return the users who rated a movie (rows, ascending) and their ratings, (m,) each."""
        positions = self._by_movie.positions(movie_row)
        users = np.searchsorted(self._arrays.rated_starts, positions, side="right") - 1
        return users.astype(np.int64), np.asarray(self._arrays.rated_values[positions])

    def distribution(self, users: Int64Array, movies: Int64Array) -> tuple[Float64Array, Float64Array]:
        """Return mean and standard deviation of ratings, (m,) each, for user rows (m,), or one, and movie rows (m,)."""
        arrays = self._arrays
        vectors = arrays.movie_vectors[movies]
        mean = arrays.user_bias[users] + vectors[:, -1]
        mean = mean + np.einsum("ij,ij->i", arrays.user_factors[users], vectors[:, :-1])
        of_user, of_movie = arrays.user_samples[:, users], arrays.movie_samples[:, movies]
        samples = np.einsum("sij,sij->si", of_user[..., :-1], of_movie[..., :-1]) + of_user[..., -1] + of_movie[..., -1]
        spread = samples.var(axis=0, dtype=np.float64)
        return mean.astype(np.float64), np.sqrt(spread + arrays.user_noise[users])

    def ranking_scores(self, user: int) -> Float32Array:
        """Return the recommendation scores (n_movies,) for a user row; larger is better, -inf for rated movies."""
        profile = _Profile(*self._rated(user), user)
        return self._ranking_scores(profile, self._eligible(profile))

    def rated_movies(self, user: int | Mapping[int, float]) -> RatedMovies:
        """Return a user, by row or by ratings, as the learned ranker sees one."""
        profile = _Profile(*self._rated(user), user) if isinstance(user, int) else self._profile(user)
        return self._rated_movies(profile)

    def _eligible(self, profile: _Profile, allowed: BoolArray | None = None) -> BoolArray:
        """Return the mask (n_movies,) of the allowed movies that the user has not rated or watched."""
        eligible = np.ones(len(self._movie_ids), dtype=np.bool_) if allowed is None else allowed.copy()
        eligible[profile.seen] = False
        return eligible

    def _ranking_scores(self, profile: _Profile, eligible: BoolArray) -> Float32Array:
        """Return the recommendation scores (n_movies,), -inf for those that are not eligible (n_movies,)."""
        user = self._rated_movies(profile)
        if self._learned is not None:
            return self._learned.rerank(user, eligible)
        return np.where(eligible, user.scores["score"], np.float32(-np.inf))

    def _rated_movies(self, profile: _Profile) -> RatedMovies:
        if profile.folded is None:
            query = np.append(self._arrays.user_factors[profile.user], np.float32(1))
            ratings = self._arrays.movie_vectors @ query + self._arrays.user_bias[profile.user]
        else:
            ratings = profile.folded.means().astype(np.float32)
        score: Float32Array = self._rating_weight * ratings
        by_ranker: dict[str, Float32Array] = {}
        if self._ranker is not None and profile.seen.size:
            by_ranker = score_each(self._ranker, profile.seen)
            score += mean_score(list(by_ranker.values()))
        elif self._ranker is not None:
            score += self._popularity
        scores = {"score": score, **by_ranker}

        def spread(rows: Int64Array) -> Float64Array:
            return self._moments(profile, rows)[1]

        return RatedMovies(profile.rows, profile.values, scores, ratings, spread, profile.watched)

    def check_predicts(self) -> None:
        """Raise NoPredictions if the data set has no ratings."""
        if self.implicit:
            raise NoPredictions(
                "predicted ratings are off: the data set has no ratings, only who watched what; ask for"
                " recommendations or similar movies, or build with ratings"
            )

    def _moments(self, profile: _Profile, rows: Int64Array) -> tuple[Float64Array, Float64Array]:
        """Return mean and standard deviation of the user's ratings of some movies, (m,) each."""
        if profile.folded is None:
            return self.distribution(np.array([profile.user]), rows)
        mean, variance = profile.folded.moments(rows)
        residuals = profile.folded.residuals
        return mean, np.sqrt(variance + self._noise.user_variances(residuals @ residuals, residuals.size))

    def _profile(self, user: UserOrRatings, watched: Sequence[int] = ()) -> _Profile:
        unrated = self._movie_ids.rows(list(watched))
        if isinstance(user, int):
            row = self.users.row(user)
            rows, values = self._rated(row)
            if self._watched is not None:
                unrated = np.concatenate([unrated, self._watched.of_user(row)])
            return _Profile(rows, values, row, watched=rows_without(unrated, rows))
        low, high = self.scale
        for movie_id, rating in user.items():
            if not low <= rating <= high:
                raise InvalidInput(
                    f"the rating {rating:g} of movie {movie_id} is off the scale: ratings here are {low:g} to {high:g}"
                )
        rows = self._movie_ids.rows(list(user))
        values = np.array(list(user.values()), dtype=np.float32)
        return _Profile(rows, values, -1, self._fold(rows, values), rows_without(unrated, rows))

    def _fold(self, rows: Int64Array, values: Float32Array) -> FoldedUser:
        key = (rows.tobytes(), values.tobytes())
        with self._folding:
            folded = self._folded.get(key)
        if folded is None:
            folded = FoldedUser(self._fold_in, self._arrays.movie_samples, rows, values)
            if rows.size < _FOLDED_RATINGS:
                with self._folding:
                    self._folded[key] = folded
        return folded

    def _rated(self, user: int) -> tuple[Int64Array, Float32Array]:
        part = slice(*self._arrays.rated_starts[user : user + 2])
        return np.asarray(self._arrays.rated_rows[part], dtype=np.int64), np.asarray(self._arrays.rated_values[part])


@dataclass(frozen=True, slots=True)
class _Profile:
    """Ratings of a user of the model, or of a folded-in user."""

    rows: Int64Array  # (m,) rated movies
    values: Float32Array  # (m,) ratings
    user: int  # row; -1 for a folded-in user
    folded: FoldedUser | None = None  # None for a user of the model
    watched: Int64Array = field(default_factory=no_rows)  # (w,) ascending movies that were watched and not rated

    @property
    def seen(self) -> Int64Array:
        """Rated and watched movies, (m + w,)."""
        return np.concatenate([self.rows, self.watched])
