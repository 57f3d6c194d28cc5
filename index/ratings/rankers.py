"""Rankers: scores of the movies a user would rate next, from the set of movies rated so far.

Scores depend on the rated movies alone, so new users need no fitting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Protocol, get_args

import numpy as np

from index.core.arrays import Float32Array, Float64Array, Int32Array, Int64Array, load_arrays, runs, save_arrays
from index.core.errors import BadSnapshot


class Ranker(Protocol):
    """Model of the movies a user would rate next. Immutable."""

    name: ClassVar[str]

    def scores(self, rated: Int64Array) -> Float32Array:
        """Return a score per movie (n_movies,), rated ones included, given the rated movie rows; larger is likelier."""


@dataclass(frozen=True, slots=True)
class EaseByMovies:
    """EASE with an item-item weight matrix B: scores are X B (see ``indexer.models.ease``)."""

    name: ClassVar[str] = "ease"

    weights: Float32Array  # (n_movies, n_movies) B

    def scores(self, rated: Int64Array) -> Float32Array:
        """Return the sum of the rated movies' rows of B."""
        summed: Float32Array = np.asarray(self.weights[rated]).sum(axis=0)
        return summed


@dataclass(frozen=True)
class EaseByUsers:
    """EASE with a user-user matrix A, for fewer users than movies: scores are x - (x - x XᵀA X) / (λ diag(P))."""

    name: ClassVar[str] = "ease"

    weights: Float32Array  # (n_users, n_users) A
    movie_scale: Float32Array  # (n_movies,) 1 / (λ diag(P))
    rated_users: Int32Array  # (n_ratings,) user row of each rating in X
    rated_rows: Int32Array  # (n_ratings,) its movie row

    def scores(self, rated: Int64Array) -> Float32Array:
        """Return the scores (n_movies,) for the rated movie rows."""
        users, starts, known = self._users_by_movie
        watchers = users[runs(starts[rated], starts[rated + 1] - starts[rated])[0]]
        overlap = np.bincount(watchers, minlength=len(self.weights)).astype(np.float32)
        user_weights = (self.weights @ overlap).astype(np.float64)
        summed = np.zeros(self.movie_scale.size)
        summed[known] = np.add.reduceat(user_weights.take(users), starts[known])
        scores = summed * self.movie_scale
        scores[rated] = 1 - (1 - summed[rated]) * self.movie_scale[rated]
        return scores.astype(np.float32)

    @cached_property
    def _users_by_movie(self) -> tuple[Int64Array, Int64Array, Int64Array]:
        """The user of each rating, by movie, where each movie begins, and the movies with ratings.

        Sums by it take half the time of sums by index.
        """
        order = np.argsort(self.rated_rows, kind="stable")
        starts = np.searchsorted(self.rated_rows[order], np.arange(self.movie_scale.size + 1))
        return self.rated_users[order].astype(np.int64), starts, np.flatnonzero(np.diff(starts))


@dataclass(frozen=True, slots=True)
class ImplicitFactors:
    """Implicit-feedback matrix factorisation with fold-in of the user (see ``indexer.models.implicit``)."""

    name: ClassVar[str] = "implicit_als"

    item_factors: Float32Array  # (n_movies, factors) Y
    gram: Float64Array  # (factors, factors) YᵀY + λI
    confidence: Float64Array  # () confidence in a rating; 1 in a missing one

    def scores(self, rated: Int64Array) -> Float32Array:
        """Return inner products with the user's factors, from one ridge regression."""
        y = np.asarray(self.item_factors[rated], dtype=np.float64)
        confidence = float(self.confidence)
        factors = np.linalg.solve(self.gram + (confidence - 1) * (y.T @ y), confidence * y.sum(axis=0))
        scores: Float32Array = self.item_factors @ factors.astype(np.float32)
        return scores


@dataclass(frozen=True, slots=True)
class MovieNeighbours:
    """Weights of each movie's nearest other movies (see ``indexer.models.movie_neighbours``)."""

    name: ClassVar[str] = "movie_neighbours"

    neighbours: Int32Array  # (n_movies, k) movie rows; those missing have weight 0
    weights: Float32Array  # (n_movies, k)

    def scores(self, rated: Int64Array) -> Float32Array:
        """Return the sums of the weights from the rated movies."""
        rows, weights = self.neighbours[rated].ravel(), self.weights[rated].ravel()
        return np.bincount(rows, weights, minlength=len(self.neighbours)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class MeanRanker:
    """Mean of the scores of several rankers."""

    name: ClassVar[str] = "mean"

    rankers: tuple[Ranker, ...]

    def scores(self, rated: Int64Array) -> Float32Array:
        """Return the mean scores, (n_movies,)."""
        return mean_score([ranker.scores(rated) for ranker in self.rankers])


StoredRanker = EaseByMovies | EaseByUsers | ImplicitFactors | MovieNeighbours

_FORMS: Mapping[str, type[StoredRanker]] = {form.__name__: form for form in get_args(StoredRanker)}


def save_rankers(rankers: Sequence[StoredRanker], folder: Path) -> list[str]:
    """Write the rankers and return the names of their forms, which ``load_ranker`` needs."""
    folder.mkdir()
    forms = [type(ranker).__name__ for ranker in rankers]
    for form, ranker in zip(forms, rankers, strict=True):
        save_arrays(ranker, folder / form)
    return forms


def load_ranker(folder: Path, forms: Sequence[str]) -> Ranker:
    """Load the rankers saved in ``folder`` as one, with memory-mapped arrays.

    Raises:
        BadSnapshot: a form is unknown.
    """
    rankers = []
    for form in forms:
        if form not in _FORMS:
            raise BadSnapshot(
                f"{folder} holds a ranker of the form {form!r}, this version knows {', '.join(_FORMS)}: build again"
            )
        rankers.append(load_arrays(_FORMS[form], folder / form))
    return combine_rankers(rankers)


def mean_score(scores: Sequence[Float32Array]) -> Float32Array:
    """Return the mean (n_movies,) of several rankers' scores, (n_movies,) each; a single one's are not copied."""
    if len(scores) == 1:
        return scores[0]
    mean: Float32Array = np.mean(scores, axis=0, dtype=np.float32)
    return mean


def score_each(ranker: Ranker, rated: Int64Array) -> dict[str, Float32Array]:
    """Return the scores of each ranker in a mean, or of a single one, by name."""
    rankers = ranker.rankers if isinstance(ranker, MeanRanker) else (ranker,)
    return {each.name: each.scores(rated) for each in rankers}


def names_of(ranker: Ranker) -> list[str]:
    """Return the names in ``score_each``."""
    return [each.name for each in (ranker.rankers if isinstance(ranker, MeanRanker) else (ranker,))]


def combine_rankers(rankers: Sequence[StoredRanker]) -> Ranker:
    """Return the only ranker, or the mean of several."""
    return rankers[0] if len(rankers) == 1 else MeanRanker(tuple(rankers))
