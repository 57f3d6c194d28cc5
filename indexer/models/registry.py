"""All rating methods by name, for ``posterity evaluate`` and ``posterity tune``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from index.core.arrays import Float32Array, Float64Array, Int64Array
from index.core.progress import Track
from index.ratings.cold_start import ColdStart, own_share
from index.ratings.model import RatingModel
from indexer.datasets.training import Training
from indexer.models import (
    als,
    baselines,
    cold_start,
    factorization_machine,
    neighbourhood,
    sgd,
)
from indexer.models.baselines import Settings as BaselineSettings
from indexer.models.neighbourhood import Settings as NeighbourSettings
from indexer.models.rating_model import rating_model

SERVED = "factorization-machine"
COLD = "cold-machine"


@dataclass(frozen=True, slots=True)
class Method:
    """A method with its settings."""

    fit: Callable[..., Any]  # fit(training, rng, settings, track=…)
    settings: Any = None
    search: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)  # setting -> values to try in tuning
    keeps_curve: bool = False  # fit takes ``test`` as well, for a learning curve


@dataclass(frozen=True, slots=True)
class RatingModelAdapter:
    """A rating model, as the server would load it, behind the interface of rating methods."""

    model: RatingModel

    def predict(self, users: Int64Array, movies: Int64Array) -> Float64Array:
        """Return ratings (m,) of user rows (m,) and movie rows (m,)."""
        return self.distribution(users, movies)[0]

    def distribution(self, users: Int64Array, movies: Int64Array) -> tuple[Float64Array, Float64Array]:
        """Return mean and standard deviation (m,) of each rating."""
        mean, deviation = self.model.distribution(users, movies)
        return mean.astype(np.float64), deviation.astype(np.float64)

    def scores(self, user: int) -> Float32Array:
        """Return scores (n_movies,) of a user row, by which recommendations are ordered; -inf for rated movies."""
        return self.model.ranking_scores(user)


@dataclass(frozen=True, slots=True)
class ServedAdapter(RatingModelAdapter):
    """The rating model beside the cold-start model, weighed as the server does, without posters."""

    cold: ColdStart
    training: Training

    def distribution(self, users: Int64Array, movies: Int64Array) -> tuple[Float64Array, Float64Array]:
        """Return mean and standard deviation (m,) of each rating."""
        mean, deviation = self.model.distribution(users, movies)
        *parts, variance = cold_start.predictions(self.cold, self.training, users, movies)
        share = own_share(np.bincount(self.training.movie_rows, minlength=self.training.shape[1])[movies])
        of_both = share * mean + (1 - share) * np.sum(parts, axis=0)
        return of_both, np.sqrt(share * np.square(deviation, dtype=np.float64) + (1 - share) * variance)


def rating_methods(settings: factorization_machine.Settings | None = None) -> Mapping[str, Method]:
    """Return methods that predict ratings, simplest first; ``settings`` apply to factorisation machines."""
    settings = settings or factorization_machine.Settings()
    neighbours = {"neighbours": (10, 20, 40, 80)}
    machine = {"factors": (8, 16, 24), "iterations": (60, 100, 150)}
    return {
        "global-mean": Method(baselines.fit, BaselineSettings(of_users=False, of_movies=False)),
        "user-mean": Method(baselines.fit, BaselineSettings(of_movies=False, damping=0)),
        "movie-mean": Method(baselines.fit, BaselineSettings(of_users=False, damping=0)),
        "biases": Method(baselines.fit, BaselineSettings(), {"damping": (1.0, 2.0, 5.0, 10.0, 20.0)}),
        "user-cosine": Method(neighbourhood.fit, NeighbourSettings("user")),
        "item-cosine": Method(neighbourhood.fit, NeighbourSettings("item")),
        "user-cosine-raters": Method(neighbourhood.fit, NeighbourSettings("user", "raters"), neighbours),
        "item-cosine-raters": Method(neighbourhood.fit, NeighbourSettings("item", "raters"), neighbours),
        "user-neighbours": Method(
            neighbourhood.fit, NeighbourSettings("user", "raters", 40, subtract_biases=True), neighbours
        ),
        "item-neighbours": Method(
            neighbourhood.fit, NeighbourSettings("item", "raters", 40, subtract_biases=True), neighbours
        ),
        "sgd": Method(
            sgd.fit,
            sgd.Settings(),
            {"factors": (10, 20, 40), "regularization": (0.05, 0.1, 0.15), "learning_rate": (0.005, 0.01, 0.02)},
            keeps_curve=True,
        ),
        "als": Method(als.fit, als.Settings(), {"factors": (5, 10, 20, 40), "regularization": (4.0, 8.0, 12.0, 16.0)}),
        "bayesian-mf": Method(factorization_machine.fit, replace(settings, implicit=False, facts=False), machine),
        "bayesian-mf-implicit": Method(factorization_machine.fit, replace(settings, facts=False), machine),
        COLD: Method(factorization_machine.fit, replace(settings, ids=False), machine),
        SERVED: Method(_fit_served, settings, machine),
    }


def methods_for_split(split: str) -> tuple[str, ...]:
    """Return the names of the rating methods to compare on a split."""
    if split == "cold":
        return "global-mean", "user-mean", "biases", COLD, SERVED
    return tuple(name for name in rating_methods() if name != COLD)


def _fit_served(training: Training, rng: np.random.Generator, settings: Any, *, track: Track) -> RatingModelAdapter:
    model = rating_model(factorization_machine.fit(training, rng, settings, track=track), training)
    cold = cold_start.fit(training, None, rng, settings, track=track).model(training)
    return ServedAdapter(model, cold, training)
