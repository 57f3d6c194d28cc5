"""Which movies a user would pick next, from which movies they rated at all. numpy only.

Every ranker scores from the rated movies alone, so a stranger is served as anyone else is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from index.errors import BadSnapshot

FloatArray = npt.NDArray[np.float32]
RowArray = npt.NDArray[np.int64]


class Ranker(Protocol):
    """Scores of every movie, from what was rated. Immutable."""

    def scores(self, rated: RowArray) -> FloatArray:
        """(n_movies,) for someone who rated these movie rows; larger is likelier. What was rated has a score too."""

    def arrays(self) -> Mapping[str, npt.NDArray[np.generic]]:
        """What must be saved, by name."""


@dataclass(frozen=True, slots=True)
class EaseByMovies:
    """EASE with X B as its scores (see ``indexer.models.ease``)."""

    weights: FloatArray  # (n_movies, n_movies) B

    def scores(self, rated: RowArray) -> FloatArray:
        """The rated movies' rows of B, summed."""
        summed: FloatArray = np.asarray(self.weights[rated]).sum(axis=0)
        return summed

    def arrays(self) -> Mapping[str, npt.NDArray[np.generic]]:
        """B alone."""
        return {"weights": self.weights}


@dataclass(frozen=True, slots=True)
class EaseByUsers:
    """The same scores from a users x users matrix: x - (x - x XᵀA X) / (λ diag(P))."""

    weights: FloatArray  # (n_users, n_users) A
    movie_scale: FloatArray  # (n_movies,) 1 / (λ diag(P))
    rated_users: npt.NDArray[np.int32]  # (n_ratings,) user row of each rating that A was made from
    rated_rows: npt.NDArray[np.int32]  # (n_ratings,) its movie row

    def scores(self, rated: RowArray) -> FloatArray:
        """What A says of everyone who shares a movie, summed over what they rated."""
        x = np.zeros(self.movie_scale.size, dtype=np.float32)
        x[rated] = 1
        shared = np.bincount(self.rated_users, weights=x[self.rated_rows], minlength=len(self.weights))
        shares = self.weights @ shared.astype(np.float32)
        summed = np.bincount(self.rated_rows, weights=shares[self.rated_users], minlength=x.size)
        return (x - (x - summed) * self.movie_scale).astype(np.float32)

    def arrays(self) -> Mapping[str, npt.NDArray[np.generic]]:
        """A, the scale and the ratings."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class ImplicitFactors:
    """Implicit-feedback factors: users are solved for anew, movies stay (see ``indexer.models.implicit``)."""

    item_factors: FloatArray  # (n_movies, factors) Y
    gram: npt.NDArray[np.float64]  # (factors, factors) YᵀY + λI
    confidence: npt.NDArray[np.float64]  # () in a rating being there, where its absence has 1

    def scores(self, rated: RowArray) -> FloatArray:
        """Inner products with the factors of someone who rated these: one ridge regression."""
        y = np.asarray(self.item_factors[rated], dtype=np.float64)
        confidence = float(self.confidence)
        factors = np.linalg.solve(self.gram + (confidence - 1) * (y.T @ y), confidence * y.sum(axis=0))
        scores: FloatArray = self.item_factors @ factors.astype(np.float32)
        return scores

    def arrays(self) -> Mapping[str, npt.NDArray[np.generic]]:
        """Factors, their regularised product, and the confidence."""
        return {name: getattr(self, name) for name in self.__slots__}


_FORMS = {form.__name__: form for form in (EaseByMovies, EaseByUsers, ImplicitFactors)}


def save_ranker(ranker: Ranker, folder: Path) -> str:
    """Writes what ``load_ranker`` reads; back comes the form's name, which it must be told."""
    folder.mkdir()
    for name, array in ranker.arrays().items():
        np.save(folder / f"{name}.npy", array)
    return type(ranker).__name__


def load_ranker(folder: Path, form: str) -> Ranker:
    """The ranker saved in ``folder``, its arrays memory-mapped.

    Raises:
        BadSnapshot: there is no such form.
    """
    if form not in _FORMS:
        raise BadSnapshot(f"{folder} holds a ranker of the form {form!r}, this version knows {', '.join(_FORMS)}")
    made = _FORMS[form]
    ranker: Ranker = made(*(np.load(folder / f"{name}.npy", mmap_mode="r") for name in made.__slots__))
    return ranker
