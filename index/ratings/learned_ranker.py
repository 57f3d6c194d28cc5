"""Learned ranker: gradient-boosted trees that order candidates by features of a user and a movie.

Candidates are the best movies by each of several scores. Of each one the features are those scores, the predicted
rating and its spread, likeness to what the user rated and liked, and how well known and how old the movie is against
what the user usually rates. Trees order the candidates; all other movies follow by the score without the trees.

All features follow from the user's ratings, so new users need no training.

Source: Ke et al., "LightGBM: A Highly Efficient Gradient Boosting Decision Tree", NIPS 2017; Lundberg et al.,
"Consistent Individualized Feature Attribution for Tree Ensembles", 2018 (the contributions).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from index.core.arrays import BoolArray, Float32Array, Float64Array, Int64Array, load_arrays
from index.core.errors import BadSnapshot
from index.core.ids import Ids
from index.ratings.rankers import Ranker, load_ranker
from index.spaces.faiss_index import top_rows
from index.spaces.vectors import Vectors

if TYPE_CHECKING:
    from lightgbm import Booster

FOLDER = "learned"
TREES_FILE = "trees.txt"  # LightGBM's own format
CANDIDATES = 60  # by each score
UNAVAILABLE = "LightGBM cannot be loaded: install it, and OpenMP (libgomp1 on Debian, libomp on macOS)"

_log = logging.getLogger(__name__)
_BEST = 10  # a score is also given relative to the mean of the user's best ones

# Spaces whose likeness is a feature. Posters are not: their vectors are long, and they did not change the order.
SPACES = ("taste", "facts")


def no_rows() -> Int64Array:
    """Return no rows, (0,)."""
    return np.empty(0, dtype=np.int64)


def rows_without(rows: Int64Array, others: Int64Array) -> Int64Array:
    """Return the rows, ascending, that are not among others."""
    return np.setdiff1d(rows, others) if rows.size else rows  # mostly there are none


@dataclass(frozen=True, slots=True)
class MovieFeatures:
    """Features of movies, whoever asks. Each array is one file of the snapshot."""

    popularity: Float32Array  # (n_movies,) log(1 + number of ratings)
    mean: Float32Array  # (n_movies,) mean rating, shrunk towards the mean of all ratings
    deviation: Float32Array  # (n_movies,) standard deviation of ratings, shrunk in the same way
    year: Float32Array  # (n_movies,) of release; NaN if unknown


@dataclass(frozen=True, slots=True)
class Likeness:
    """Likeness of movies to those a user rated, in one space."""

    vectors: Vectors
    rows: Int64Array  # (n_movies,) row in the space of each movie; -1 if it has no vector

    @classmethod
    def of(cls, ids: Ids, vectors: Vectors, movie_ids: Ids) -> Likeness:
        """Return the likeness in a space with ids and vectors, for movies in the order of ``movie_ids``."""
        return cls(vectors, ids.find(movie_ids.values))

    def scores(self, rated: Int64Array, weights: Float32Array, movies: Int64Array) -> Float32Array:
        """Return the inner products (w, m) of movies (m,) with weighted sums of the rated movies' vectors.

        Args:
            rated: (n,) movie rows.
            weights: (w, n).
            movies: (m,) movie rows; the product of one without a vector is NaN.
        """
        rows = self.rows[rated]
        known = rows >= 0
        queries = weights[:, known] @ self.vectors.rows(rows[known])
        found = self.rows[movies]
        present = found >= 0
        scores = np.full((len(weights), movies.size), np.nan, dtype=np.float32)
        scores[:, present] = queries @ self.vectors.rows(found[present]).T
        return scores


@dataclass(frozen=True, slots=True)
class RatedMovies:
    """A user, as the learned ranker sees one."""

    rows: Int64Array  # (n,) rated movies; at least one
    values: Float32Array  # (n,) ratings
    scores: Mapping[str, Float32Array]  # (n_movies,) each: "score", the order without trees, and the rankers' in it
    predicted: Float32Array  # (n_movies,) predicted ratings, not clipped
    deviation: Callable[[Int64Array], Float64Array]  # standard deviations of the predicted ratings of movie rows (m,)
    watched: Int64Array = field(
        default_factory=no_rows
    )  # (w,) movies that were watched, not rated: for the rankers alone

    @property
    def seen(self) -> Int64Array:
        """Rated and watched movies, (n + w,)."""
        return np.concatenate([self.rows, self.watched])


class FeatureContribution(NamedTuple):
    """Contribution of one feature to a movie's score."""

    name: str
    value: float  # of the feature; NaN if unknown
    contribution: float


@dataclass(frozen=True, slots=True)
class RankExplanation:
    """A movie's score as a sum: ``base``, the mean score, and the contributions add up to it."""

    base: float
    contributions: tuple[FeatureContribution, ...]  # by descending absolute value


@dataclass(frozen=True, slots=True)
class Candidates:
    """The movies that the trees order, and their features."""

    rows: Int64Array  # (m,) ascending
    features: Float32Array  # (m, n_features)


class Features:
    """Candidates and their features. Immutable.

    Args:
        given: names of the scores that come with a user.
        rankers: further ones, by name. All scores are features, and each one adds candidates.
        movies: features of movies.
        likeness: by name of the space.
    """

    def __init__(
        self,
        given: Sequence[str],
        rankers: Mapping[str, Ranker],
        movies: MovieFeatures,
        likeness: Mapping[str, Likeness],
    ) -> None:
        self.given = given
        self.rankers = rankers
        self.movies = movies
        self.likeness = likeness
        self.names = (
            *(f"{name}{form}" for name in (*given, *rankers) for form in ("", "_relative")),
            "predicted_rating",
            "rating_spread",
            *(f"{name}_{of}" for name in likeness for of in ("rated", "liked")),
            "popularity",
            "popularity_difference",
            "mean_rating",
            "rating_deviation",
            "year",
            "year_difference",
            "ratings_of_user",
            "mean_of_user",
            "popularity_of_user",
        )

    def candidates(self, user: RatedMovies, eligible: BoolArray) -> Candidates:
        """Return the best eligible movies by every score, with their features.

        Args:
            user: with at least one rating.
            eligible: (n_movies,) mask; rated movies must not be.
        """
        scores = self._scores(user)
        chosen = np.zeros(eligible.size, dtype=np.bool_)
        for line in scores:
            chosen[top_rows(np.where(eligible, line, np.float32(-np.inf)), CANDIDATES)] = True
        rows = np.flatnonzero(chosen)
        unfiltered = np.count_nonzero(eligible) == eligible.size - user.seen.size
        return Candidates(rows, self._features(user, scores, rows, rows if unfiltered else None))

    def _scores(self, user: RatedMovies) -> list[Float32Array]:
        given = (user.scores[name] for name in self.given)
        return [*given, *(ranker.scores(user.seen) for ranker in self.rankers.values())]

    def _features(
        self, user: RatedMovies, scores: list[Float32Array], rows: Int64Array, best: Int64Array | None
    ) -> Float32Array:
        """Return the features of some movies (m,); ``best`` are rows with the best by every score, None if unknown."""
        movies, n = self.movies, user.rows.size
        columns: list[Any] = []
        for line in scores:
            top = mean_of_best(line, user.seen) if best is None else mean_of_best(line[best], no_rows())
            columns += [line[rows], line[rows] - top]
        columns += [user.predicted[rows], user.deviation(rows)]
        weights = (np.stack([np.ones(n), user.values - user.values.mean()]) / n).astype(np.float32)
        for likeness in self.likeness.values():
            columns += list(likeness.scores(user.rows, weights, rows))
        popularity, years = movies.popularity[user.rows].mean(), movies.year[user.rows]
        year = years[~np.isnan(years)].mean() if not np.isnan(years).all() else np.nan
        columns += [movies.popularity[rows], movies.popularity[rows] - popularity]
        columns += [movies.mean[rows], movies.deviation[rows], movies.year[rows], movies.year[rows] - year]
        columns += [np.full(rows.size, value) for value in (np.log1p(n), user.values.mean(), popularity)]
        return np.column_stack(columns).astype(np.float32)


def mean_of_best(scores: Float32Array, seen: Int64Array) -> float:
    """Return the mean of the ten largest scores (n,), but for those at rows ``seen``; 0 of none."""
    unseen = scores.copy()
    unseen[seen] = -np.inf
    best = np.partition(unseen, -_BEST)[-_BEST:] if unseen.size > _BEST else unseen
    best = np.sort(best[best > -np.inf])  # rounded alike in any order
    return float(best.mean()) if best.size else 0.0


class LearnedRanker:
    """Trees over features. Immutable, so threads may share it.

    Args:
        features: of candidates.
        trees: LightGBM's text model.
        least: number of ratings from which on a user is ranked by the trees; they learned nothing about fewer.
    """

    def __init__(self, features: Features, trees: str, least: int = 1) -> None:
        self.features = features
        self.least = least
        self._trees = trees

    @cached_property
    def _booster(self) -> Booster | None:
        """The trees, parsed at first use, as LightGBM takes a second to import; None if it cannot be loaded."""
        try:
            from lightgbm import Booster
        except (ImportError, OSError) as error:
            _log.warning("recommendations are not ordered by the learned ranker: %s (%s)", UNAVAILABLE, error)
            return None
        return Booster(model_str=self._trees)

    @classmethod
    def load(
        cls, folder: Path, facts: Mapping[str, Any], movie_ids: Ids, spaces: Mapping[str, tuple[Ids, Vectors]]
    ) -> LearnedRanker:
        """Load the learned ranker of a snapshot, with memory-mapped arrays.

        Args:
            folder: that ``save`` wrote.
            facts: the manifest's entry, as ``save`` returned it.
            movie_ids: ids of the movie rows.
            spaces: name -> ids and vectors of the snapshot's spaces.

        Raises:
            BadSnapshot: the trees are of other features than this version computes.
        """
        rankers = {name: load_ranker(folder / "rankers" / name, [form]) for name, form in facts["rankers"].items()}
        likeness = {name: Likeness.of(*spaces[name], movie_ids) for name in facts["likeness"]}
        features = Features(facts["given"], rankers, load_arrays(MovieFeatures, folder / "movies"), likeness)
        if list(features.names) != list(facts["features"]):
            raise BadSnapshot(f"{folder} is of other features than this version of Posterity computes: build again")
        return cls(features, (folder / TREES_FILE).read_text(), facts["least_ratings"])

    def rerank(self, user: RatedMovies, eligible: BoolArray) -> Float32Array:
        """Return scores (n_movies,): candidates by the trees, all other eligible movies below, the rest -inf."""
        scores = np.where(eligible, user.scores["score"], np.float32(-np.inf))
        if not self._ranks(user) or self._booster is None:
            return scores
        candidates = self.features.candidates(user, eligible)
        if candidates.rows.size:
            raw = self._booster.predict(candidates.features, raw_score=True, num_threads=1)  # as it is explained
            by_trees = np.asarray(raw, dtype=np.float32)
            others = scores > -np.inf
            others[candidates.rows] = False
            best_other = scores[others].max() if others.any() else np.float32(0)
            scores[candidates.rows] = by_trees - by_trees.min() + best_other + 1
        return scores

    def _ranks(self, user: RatedMovies) -> bool:
        return user.rows.size >= max(self.least, 1)

    def explain(self, user: RatedMovies, rows: Int64Array, eligible: BoolArray) -> dict[int, RankExplanation]:
        """Return the contributions to the scores of those of some movies (m,) that the trees order, by row.

        Args:
            user: as in ``rerank``.
            rows: (m,) of movies.
            eligible: (n_movies,) as in ``rerank``.
        """
        if not self._ranks(user) or self._booster is None:
            return {}
        candidates = self.features.candidates(user, eligible)
        chosen = np.isin(candidates.rows, rows)
        if not chosen.any():  # LightGBM refuses to explain no movie
            return {}
        features = candidates.features[chosen]
        parts = np.asarray(self._booster.predict(features, pred_contrib=True, num_threads=1))
        explanations = {}
        for row, values, contributions in zip(
            candidates.rows[chosen].tolist(), features.tolist(), parts.tolist(), strict=True
        ):
            columns = zip(self.features.names, values, contributions, strict=False)  # the mean score is the last
            ordered = sorted(map(FeatureContribution._make, columns), key=lambda each: -abs(each.contribution))
            explanations[row] = RankExplanation(contributions[-1], tuple(ordered))
        return explanations
