"""Which movies a user would pick next, from which movies they rated at all. numpy only.

Every ranker scores from the rated movies alone, so a stranger is served as anyone else is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from index.core.arrays import Float32Array, Float64Array, Int32Array, Int64Array, load_arrays, save_arrays
from index.core.errors import BadSnapshot


class Ranker(Protocol):
    """Scores of every movie, from what was rated. Immutable."""

    def scores(self, rated: Int64Array) -> Float32Array:
        """(n_movies,) for someone who rated these movie rows; larger is likelier. What was rated has a score too."""


@dataclass(frozen=True, slots=True)
class EaseByMovies:
    """EASE with X B as its scores (see ``indexer.models.ease``)."""

    weights: Float32Array  # (n_movies, n_movies) B

    def scores(self, rated: Int64Array) -> Float32Array:
        """The rated movies' rows of B, summed."""
        summed: Float32Array = np.asarray(self.weights[rated]).sum(axis=0)
        return summed


@dataclass(frozen=True, slots=True)
class EaseByUsers:
    """The same scores from a users x users matrix: x - (x - x XᵀA X) / (λ diag(P))."""

    weights: Float32Array  # (n_users, n_users) A
    movie_scale: Float32Array  # (n_movies,) 1 / (λ diag(P))
    rated_users: Int32Array  # (n_ratings,) user row of each rating that A was made from
    rated_rows: Int32Array  # (n_ratings,) its movie row

    def scores(self, rated: Int64Array) -> Float32Array:
        """What A says of everyone who shares a movie, summed over what they rated."""
        x = np.zeros(self.movie_scale.size, dtype=np.float32)
        x[rated] = 1
        shared = np.bincount(self.rated_users, weights=x[self.rated_rows], minlength=len(self.weights))
        shares = self.weights @ shared.astype(np.float32)
        summed = np.bincount(self.rated_rows, weights=shares[self.rated_users], minlength=x.size)
        return (x - (x - summed) * self.movie_scale).astype(np.float32)


@dataclass(frozen=True, slots=True)
class ImplicitFactors:
    """Implicit-feedback factors: users are solved for anew, movies stay (see ``indexer.models.implicit``)."""

    item_factors: Float32Array  # (n_movies, factors) Y
    gram: Float64Array  # (factors, factors) YᵀY + λI
    confidence: Float64Array  # () in a rating being there, where its absence has 1

    def scores(self, rated: Int64Array) -> Float32Array:
        """Inner products with the factors of someone who rated these: one ridge regression."""
        y = np.asarray(self.item_factors[rated], dtype=np.float64)
        confidence = float(self.confidence)
        factors = np.linalg.solve(self.gram + (confidence - 1) * (y.T @ y), confidence * y.sum(axis=0))
        scores: Float32Array = self.item_factors @ factors.astype(np.float32)
        return scores


@dataclass(frozen=True, slots=True)
class Mean:
    """Several rankers as one."""

    rankers: tuple[Ranker, ...]

    def scores(self, rated: Int64Array) -> Float32Array:
        """The mean of their scores."""
        mean: Float32Array = np.mean([ranker.scores(rated) for ranker in self.rankers], axis=0, dtype=np.float32)
        return mean


Part = EaseByMovies | EaseByUsers | ImplicitFactors

_FORMS: Mapping[str, type[Part]] = {form.__name__: form for form in (EaseByMovies, EaseByUsers, ImplicitFactors)}


def save_rankers(rankers: Sequence[Part], folder: Path) -> list[str]:
    """Writes what ``load_ranker`` reads; back come the names of the rankers' forms, which it must be told."""
    folder.mkdir()
    forms = [type(ranker).__name__ for ranker in rankers]
    for form, ranker in zip(forms, rankers, strict=True):
        save_arrays(ranker, folder / form)
    return forms


def load_ranker(folder: Path, forms: Sequence[str]) -> Ranker:
    """The rankers saved in ``folder`` as one, their arrays memory-mapped.

    Raises:
        BadSnapshot: there is no such form.
    """
    rankers = []
    for form in forms:
        if form not in _FORMS:
            raise BadSnapshot(f"{folder} holds a ranker of the form {form!r}, this version knows {', '.join(_FORMS)}")
        rankers.append(load_arrays(_FORMS[form], folder / form))
    return together(rankers)


def together(rankers: Sequence[Part]) -> Ranker:
    """One ranker of several."""
    return rankers[0] if len(rankers) == 1 else Mean(tuple(rankers))
