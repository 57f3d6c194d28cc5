"""Ratings of movies without ratings, or with few, predicted from their content and their first ratings. numpy only.

A second factorisation machine knows movies by genres and year alone. The rest of a user's taste is estimated from the
user's residuals: their mean over the rated movies, weighted by similarity, in facts and, where validation found them to
help, in people and in posters. Of the movies similar in facts those whose posters look alike count more. The rest of a
movie is estimated from the residuals of its raters, shrunk towards 0. So the more ratings a movie has, the less its
prediction depends on its content.

A prediction is a sum of parts, linear in the user's residuals, and is explained by them.

Source: Nadaraya, "On Estimating Regression", 1964 (weighted means of residuals); van den Oord, Dieleman and Schrauwen,
"Deep content-based music recommendation", NIPS 2013 (content in place of missing ratings).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from index.catalogue.movie import Movie
from index.core.arrays import (
    AnyFloatArray,
    BoolArray,
    Float16Array,
    Float32Array,
    Float64Array,
    Int64Array,
    load_arrays,
)
from index.core.ids import Ids
from index.ratings.content import (
    PEOPLE_FOLDER,
    Facts,
    SharedPeople,
    Vocabulary,
    centred_looks,
    facts_similarity,
    look_similarity,
)
from index.ratings.fold_in import FoldedUser, FoldInArrays
from index.ratings.model import ContentParts, Noise
from index.spaces.space import Space

FOLDER = "cold_start"
FOLD_IN = "cold_start_fold_in"

# Ratings' worth of this model in the mean with the rating model, which knows a movie by its own parameters.
CONTENT_RATINGS = 4.0
_FACTS_PRIOR = 5.0  # added to the summed similarities: few similar movies say little
_PEOPLE_PRIOR = 6.0
_LOOKS_PRIOR = 2.0
_EMPHASIS = 0.16  # of a usual likeness of posters: how much more a movie similar in facts counts that looks similar
_LOOKS_ALONE = 0.6  # share of the mean by posters alone, beside that emphasis
_PEERS = 100  # movies whose taste vectors and ranking scores a new movie gets
_PEER_POWER = 2  # of their similarity, as lists by new movies gain from few but close peers
_PEER_GENRE_POWER = 2  # of their similarity in facts
_PEER_YEARS = 3.0  # years apart that count as near: people watch films of one time, however they rate them
_PEER_PEOPLE = 1.5  # weight of their similarity by people, beside 1 of genres and year
_PEER_RATINGS = 10.0  # a peer with this many ratings counts half
_PEERS_PRIOR = 1.0
_BLOCK = 64  # movies compared at a time


@dataclass(frozen=True, slots=True)
class ColdStartArrays:
    """Parameters of the model. Each array is one file of the snapshot."""

    weights: Float32Array  # (m,) posterior mean of each feature's weight
    interactions: Float32Array  # (m, m) of pairs of features; 0 on the diagonal
    preferences: Float32Array  # (n_users, m + 1) effect of each feature on the user's ratings, then the user's bias
    user_noise: Float32Array  # (n_users,) noise variance of the user's ratings
    residuals: Float32Array  # (n_ratings,) of the training ratings, in the order of the rating model
    samples: Float32Array  # (samples, m, f + 1) factors, then weight, of the features, for fold-in
    usual: Float32Array  # (m,) mean features of the training ratings
    genres: Float32Array  # (n_movies, n_genres) as in Facts
    years: Float64Array  # (n_movies,) as in Facts
    looks: Float16Array  # (n_movies, 512) centred compact looks, zeros without a poster; (0, 512) without posters
    look_centre: Float32Array  # (512,) mean compact look


@dataclass(frozen=True, slots=True)
class ColdStartFacts:
    """Numbers of the model, in the manifest."""

    vocabulary: Vocabulary
    noise: Mapping[str, float]  # as of Noise.as_manifest
    movie_variance: float  # of movies' mean residuals
    movie_prior: float  # ratings' worth of the content in a movie's mean residual
    inflation: float  # of the noise variance, measured on held-out movies
    look_share: float  # of what posters add; 0 if validation found them not to help
    usual_common: tuple[float, float]  # mean terms by genres and by year that users share
    people_share: float = 0.0  # of the mean residual by people; 0 without people, or if they did not help
    usual_look: float = 0.0  # mean similarity of two posters; 0 in older snapshots: ``look_share`` is of posters alone

    @classmethod
    def from_manifest(cls, entry: Mapping[str, Any]) -> ColdStartFacts:
        """Return the facts stored by ``as_manifest``."""
        vocabulary = Vocabulary(*(tuple(entry["vocabulary"][name]) for name in ("genres", "rarity", "centres")))
        return cls(
            vocabulary,
            entry["noise"],
            entry["movie_variance"],
            entry["movie_prior"],
            entry["inflation"],
            entry["look_share"],
            (entry["usual_common"][0], entry["usual_common"][1]),
            entry.get("people_share", 0.0),  # missing in older snapshots
            entry.get("usual_look", 0.0),
        )

    def as_manifest(self) -> dict[str, Any]:
        """Return the facts as JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Content:
    """Content of some movies (k)."""

    features: Float64Array  # (k, m)
    facts: Facts
    looks: Float32Array  # (k, 512) centred, zeros without a poster
    rows: Int64Array  # (k,) in the snapshot's catalogue; -1 for added movies

    @classmethod
    def joined(cls, parts: Sequence[Content]) -> Content:
        """Return the content of the movies of several parts, at least one."""
        genres, years = (np.concatenate([getattr(part.facts, name) for part in parts]) for name in ("genres", "years"))
        features, looks, rows = (
            np.concatenate([getattr(part, name) for part in parts]) for name in ("features", "looks", "rows")
        )
        return cls(features, Facts(genres, years), looks, rows)

    def take(self, chosen: Int64Array) -> Content:
        """Return that of some of the movies, by position."""
        return Content(self.features[chosen], self.facts.take(chosen), self.looks[chosen], self.rows[chosen])


@dataclass(frozen=True, slots=True)
class ColdUser:
    """A user as this model sees them: of the snapshot, or folded in."""

    preferences: Float64Array  # (m + 1,)
    rows: Int64Array  # (r,) rated movies
    residuals: Float64Array  # (r,)
    noise: float  # variance


@dataclass(frozen=True, slots=True)
class ColdPredictions:
    """Predicted ratings of some movies (k) as sums of parts."""

    mean: Float64Array  # (k,) not clipped to the scale
    variance: Float64Array  # (k,) of a rating, its noise included
    usual: float  # of a movie with mean content
    genres: Float64Array  # (k,)
    year: Float64Array  # (k,)
    by_facts: Float64Array  # (k, r) contribution of each rated movie, as it is similar in genres and year
    by_people: Float64Array  # (k, r) as they share people
    by_look: Float64Array  # (k, r) as its poster is similar
    ratings: Float64Array  # (k,) of the movie

    @property
    def by_rated(self) -> Float64Array:
        """Contribution (k, r) of each rated movie, by all kinds of similarity."""
        return self.by_facts + self.by_people + self.by_look

    def parts(self, at: int, share: float) -> ContentParts:
        """Return the parts of a prediction by position, with its share in the served prediction."""
        similar = (self.by_facts + self.by_people).sum(axis=1)
        alone = (self.genres, self.year, similar, self.by_look.sum(axis=1), self.ratings)
        return ContentParts(share, self.usual, *(float(part[at]) for part in alone))


class ColdStart:
    """Predictions for movies by content. Immutable, so threads may share it.

    Args:
        arrays: parameters.
        fold_in: posterior samples for fold-in.
        facts: numbers of the model.
        counts: (n_movies,) training ratings of each.
        people: movies that share people; None without people.
    """

    def __init__(
        self,
        arrays: ColdStartArrays,
        fold_in: FoldInArrays,
        facts: ColdStartFacts,
        counts: Int64Array,
        people: SharedPeople | None = None,
    ) -> None:
        self.facts = facts
        self._people = people
        self._arrays = arrays
        self._fold_in = fold_in
        self._snapshot_facts = Facts(arrays.genres, arrays.years)
        self._counts = counts
        self._noise = Noise.from_manifest(facts.noise)
        self._n_genres = len(facts.vocabulary.genres)

    @classmethod
    def load(cls, snapshot: Path, entry: Mapping[str, Any] | None, counts: Int64Array) -> ColdStart | None:
        """Load the model of a snapshot, with memory-mapped arrays; None if the snapshot has none.

        Args:
            snapshot: folder of the snapshot.
            entry: of the model in the manifest; None in older snapshots.
            counts: (n_movies,) training ratings of each.
        """
        if entry is None:
            return None
        arrays = load_arrays(ColdStartArrays, snapshot / FOLDER)
        fold_in = load_arrays(FoldInArrays, snapshot / FOLD_IN)
        facts = ColdStartFacts.from_manifest(entry)
        people = load_arrays(SharedPeople, snapshot / PEOPLE_FOLDER) if facts.people_share else None
        return cls(arrays, fold_in, facts, counts, people)

    @property
    def uses_posters(self) -> bool:
        """Return True if posters take part, because they helped on held-out movies."""
        return self.facts.look_share > 0

    def of_snapshot(self, rows: Int64Array) -> Content:
        """Return the content of movies of the snapshot, by row."""
        arrays = self._arrays
        looks = np.zeros((rows.size, arrays.look_centre.size), dtype=np.float32)
        if len(arrays.looks):
            looks = np.asarray(arrays.looks[rows], dtype=np.float32)
        facts = self._snapshot_facts.take(rows)
        return Content(self.facts.vocabulary.features_of(facts), facts, looks, rows)

    def of_movies(self, movies: Sequence[Movie], looks: Mapping[int, Float32Array | None], rows: Int64Array) -> Content:
        """Return the content of movies that are not in the snapshot, or otherwise.

        Args:
            movies: with genres and years.
            looks: movie id -> compact look (512,), not centred, of a poster that changed since the build; None without
                a usable one. Other movies keep the snapshot's.
            rows: (k,) in the snapshot's catalogue; -1 for added movies.
        """
        vocabulary, arrays = self.facts.vocabulary, self._arrays
        found = np.zeros((len(movies), arrays.look_centre.size), dtype=np.float32)
        for at, movie in enumerate(movies):
            look = looks.get(movie.movie_id)
            if look is not None:
                found[at] = centred_looks(look[None], arrays.look_centre)[0]
            elif movie.movie_id not in looks and rows[at] >= 0 and len(arrays.looks):
                found[at] = arrays.looks[rows[at]]
        return Content(vocabulary.features(movies), vocabulary.facts(movies), found, rows)

    def user(self, row: int, rows: Int64Array, positions: slice) -> ColdUser:
        """Return a user of the snapshot.

        Args:
            row: of the user.
            rows: (r,) rated movies.
            positions: of the ratings among all ratings.
        """
        arrays = self._arrays
        residuals = np.asarray(arrays.residuals[positions], dtype=np.float64)
        return ColdUser(arrays.preferences[row].astype(np.float64), rows, residuals, float(arrays.user_noise[row]))

    def fold(self, rows: Int64Array, values: Float32Array) -> ColdUser:
        """Return a user who is not in the snapshot, from the ratings (r,) of movies of the snapshot."""
        features = self.facts.vocabulary.features_of(self._snapshot_facts.take(rows))
        factors, weights = self._arrays.samples[..., :-1].astype(np.float64), self._arrays.samples[..., -1]
        latent = np.einsum("rm,smf->srf", features, factors)
        squares = np.square(factors).sum(axis=2) @ np.square(features).T
        bias = weights @ features.T + (np.square(latent).sum(axis=2) - squares) / 2
        movies = np.concatenate([latent, bias[..., None]], axis=2)
        source = self._fold_in
        rated = FoldInArrays(source.rated[:, rows], source.prior, source.noise_precision, source.global_bias)
        folded = FoldedUser(rated, movies, np.arange(rows.size), values)
        n_samples = len(folded.samples)
        preferences = np.einsum("sf,smf->m", folded.samples[:, :-1], factors) / n_samples
        noise = self._noise.user_variances(folded.residuals @ folded.residuals, folded.residuals.size)
        bias_of_user = folded.samples[:, -1].mean()
        return ColdUser(np.append(preferences, bias_of_user), rows, folded.residuals, float(noise))

    def predict(
        self, user: ColdUser, movies: Content, ratings: Sequence[tuple[int, float]] | Float64Array | None = None
    ) -> ColdPredictions:
        """Return a user's predicted ratings of movies.

        A rating of the same movie by the user is not used.

        Args:
            user: of the snapshot, or folded in.
            movies: content of the movies (k).
            ratings: number and mean residual of each movie's ratings, from ``movie_residuals``; None for no ratings.
        """
        n = self._n_genres
        weights = self._arrays.weights + user.preferences[:-1]
        usual = np.asarray(self._arrays.usual, dtype=np.float64)
        common = self._common(movies.features)
        usual_genres, usual_year = usual[:n] @ weights[:n], usual[n:] @ weights[n:]
        genres = movies.features[:, :n] @ weights[:n] - usual_genres + common[0] - self.facts.usual_common[0]
        year = movies.features[:, n:] @ weights[n:] - usual_year + common[1] - self.facts.usual_common[1]
        # Of what is not known a movie without ratings has the usual; residuals of training ratings know no better.
        unrated = (movies.rows < 0) | (self._counts[movies.rows] == 0)
        genres[unrated & ~movies.features[:, :n].any(axis=1)] = 0
        year[unrated & ~movies.features[:, n:].any(axis=1)] = 0
        base = float(user.preferences[-1] + usual_genres + usual_year + sum(self.facts.usual_common))

        others = movies.rows[:, None] != user.rows
        rated = self._snapshot_facts.take(user.rows)
        similar = facts_similarity(movies.facts, rated) * others
        of_facts = _shares(similar, _FACTS_PRIOR)
        by_facts = of_facts * user.residuals
        by_people, by_look = np.zeros_like(by_facts), np.zeros_like(by_facts)
        if self._people is not None and self.facts.people_share:
            shared = self._people.similarities(movies.rows, user.rows) * others
            by_people = self.facts.people_share * _shares(shared, _PEOPLE_PRIOR) * user.residuals
        if self.uses_posters and movies.looks.any():
            looks = self._arrays.looks[user.rows]
            known = np.logical_and.outer(movies.looks.any(axis=1), looks.any(axis=1))
            alike = look_similarity(movies.looks, looks) * others
            by_look = self._of_looks(similar, of_facts, alike, known) * user.residuals

        given = np.array(ratings if ratings is not None else [(0, 0.0)] * len(movies.rows)).reshape(-1, 2)
        counts, prior = given[:, 0], self.facts.movie_prior
        of_ratings = given[:, 1] * counts / (counts + prior)
        spread = self.facts.movie_variance * prior / (counts + prior)
        mean = base + genres + year + (by_facts + by_people + by_look).sum(axis=1) + of_ratings
        variance = self.facts.inflation * user.noise + spread
        return ColdPredictions(mean, variance, base, genres, year, by_facts, by_people, by_look, of_ratings)

    def _of_looks(
        self, similar: Float32Array, of_facts: Float64Array, alike: Float32Array, known: BoolArray
    ) -> Float64Array:
        """Return what posters add to the shares of rated movies (k, r).

        Movies that are similar in facts count more if they look alike; and any count that look alike.

        Args:
            similar: (k, r) by facts.
            of_facts: (k, r) the shares by facts alone.
            alike: (k, r) by posters.
            known: (k, r) True if both have posters.
        """
        alone = _shares(alike, _LOOKS_PRIOR)
        if not self.facts.usual_look:
            return self.facts.look_share * alone
        emphasised = _shares(similar * self._emphasis(alike, known), _FACTS_PRIOR)
        return self.facts.look_share * (_LOOKS_ALONE * alone + emphasised - of_facts)

    def _emphasis(self, alike: Float32Array, known: BoolArray) -> Float32Array:
        """Return the factors (k, r) of other similarities, by that of posters: 1 where it is usual or not known."""
        if not self.facts.usual_look:
            return np.ones_like(alike)
        relative = (1 + _EMPHASIS * alike / self.facts.usual_look) / (1 + _EMPHASIS)
        factors: Float32Array = np.where(known, relative, 1).astype(np.float32)
        return factors

    def usual_ratings(self, rows: Int64Array) -> Float64Array:
        """Return the ratings (k,) of movies with mean content by users of the snapshot, by row."""
        preferences = np.asarray(self._arrays.preferences[rows], dtype=np.float64)
        personal: Float64Array = preferences[:, :-1] @ self._arrays.usual + preferences[:, -1]
        return personal + float(self._arrays.weights @ self._arrays.usual) + sum(self.facts.usual_common)

    def residuals(self, positions: Int64Array) -> Float64Array:
        """Return the residuals of training ratings, by position among all ratings."""
        return np.asarray(self._arrays.residuals[positions], dtype=np.float64)

    def peers(self, movies: Content) -> tuple[Int64Array, Float32Array]:
        """Return the rated movies most similar in content to some movies (k): rows (k, p) and weights (k, p).

        The weights add up to less than 1: the less, the fewer and the less known the peers are.
        """
        peers = min(_PEERS, len(self._rated))
        rows, weights = np.empty((len(movies.rows), peers), np.int64), np.empty((len(movies.rows), peers), np.float32)
        for start in range(0, len(rows), _BLOCK):
            part = slice(start, start + _BLOCK)
            facts = Facts(movies.facts.genres[part], movies.facts.years[part])
            similar = facts_similarity(facts, self._rated_facts, genre_power=_PEER_GENRE_POWER, years_apart=_PEER_YEARS)
            if self._people is not None and self.facts.people_share:
                similar += _PEER_PEOPLE * self._people.similarities(movies.rows[part], self._rated)
            if self.uses_posters and movies.looks[part].any():
                alike = look_similarity(movies.looks[part], self._arrays.looks[self._rated])
                known = np.logical_and.outer(movies.looks[part].any(axis=1), self._rated_with_poster)
                similar *= np.sqrt(self._emphasis(alike, known))
            similar = similar**_PEER_POWER * self._standing
            best = np.argsort(-similar, axis=1, kind="stable")[:, :peers]
            chosen = np.take_along_axis(similar, best, axis=1)
            rows[part] = self._rated[best]
            weights[part] = chosen / (chosen.sum(axis=1, keepdims=True) + _PEERS_PRIOR)
        return rows, weights

    def taste_vectors(self, movies: Content, movie_ids: Ids, taste: Space) -> Float32Array:
        """Return predicted taste vectors (k, d): the weighted mean of the peers'; zeros without peers.

        Args:
            movies: content of the movies (k).
            movie_ids: of the snapshot's catalogue.
            taste: the snapshot's taste space.
        """
        rows, weights = self.peers(movies)
        known, places = np.unique(rows, return_inverse=True)
        in_space = taste.ids.find(movie_ids.values[known])
        vectors = np.zeros((known.size, taste.dimension), dtype=np.float32)
        vectors[in_space >= 0] = taste.vectors.rows(in_space[in_space >= 0])
        return mean_of_peers(vectors[places.reshape(rows.shape)], weights)

    @cached_property
    def unrated(self) -> tuple[Int64Array, Int64Array, Float32Array]:
        """Rows (k,) of the snapshot's movies without ratings, and their ``peers``; computed on first use."""
        rows = np.flatnonzero(self._counts == 0)
        return rows, *self.peers(self.of_snapshot(rows))

    @cached_property
    def _rated(self) -> Int64Array:
        return np.flatnonzero(self._counts)

    @cached_property
    def _rated_facts(self) -> Facts:
        return self._snapshot_facts.take(self._rated)

    @cached_property
    def _rated_with_poster(self) -> BoolArray:
        return np.array(self._arrays.looks[self._rated].any(axis=1))

    @cached_property
    def _standing(self) -> Float32Array:
        counts = self._counts[self._rated]
        return (counts / (counts + _PEER_RATINGS)).astype(np.float32)

    def _common(self, features: Float64Array) -> Float64Array:
        """Return the terms of pairs of features that all users share, (2, k): by genres and by year.

        Those of a genre and a year count half for each.
        """
        return common_terms(features, self._arrays.interactions, self._n_genres)


def mean_of_peers(vectors: Float32Array, weights: Float32Array) -> Float32Array:
    """Return the weighted mean (k, d) of the vectors (k, p, d) of each movie's peers; weights (k, p)."""
    means: Float32Array = np.einsum("kp,kpd->kd", weights, vectors)
    return means


def common_terms(features: Float64Array, interactions: AnyFloatArray, n_genres: int) -> Float64Array:
    """Return the terms of pairs of features, (2, k): with genres and with years; a mixed pair counts half for each."""
    products = features @ interactions * features / 2
    terms: Float64Array = np.stack([products[:, :n_genres].sum(axis=1), products[:, n_genres:].sum(axis=1)])
    return terms


def own_share(counts: npt.ArrayLike) -> Float64Array:
    """Return the share (k,) of the rating model in the prediction for movies with these numbers of training ratings.

    Each model is worth as many ratings as it rests on.
    """
    n = np.asarray(counts, dtype=np.float64)
    share: Float64Array = n / (n + CONTENT_RATINGS)
    return share


def _shares(similarities: AnyFloatArray, prior: float) -> Float64Array:
    """Return each similarity (k, r) as a share of the sum over its row and a prior."""
    total = similarities.sum(axis=1, keepdims=True, dtype=np.float64)
    shares: Float64Array = similarities / (total + prior)
    return shares
