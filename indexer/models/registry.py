"""Every method by name, as ``posterity evaluate`` compares them and ``posterity tune`` tunes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from index.core.arrays import Float32Array, Float64Array, Int64Array
from index.core.progress import Track
from index.ratings.model import RatingModel
from index.ratings.rankers import Ranker, combine_rankers
from indexer.datasets.training import Training
from indexer.models import (
    als,
    baselines,
    ease,
    factorization_machine,
    implicit,
    neighbourhood,
    sgd,
)
from indexer.models.baselines import Settings as Means
from indexer.models.factorization_machine import Posterior
from indexer.models.neighbourhood import Settings as Votes
from indexer.models.ranker_choice import Ranked, choose_ranker
from indexer.models.rating_model import rating_model

SERVED = "factorization-machine"
SERVED_RANKER = "served"
COLD = "cold-machine"


@dataclass(frozen=True, slots=True)
class Method:
    """How a method is fitted: ``fit(training, rng, settings, track=…)``."""

    fit: Callable[..., Any]
    settings: Any = None
    search: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)  # setting -> values that tuning tries
    watches: bool = False  # fit takes ``test`` as well, to keep a learning curve of it


@dataclass(frozen=True, slots=True)
class ServedModel:
    """The factorisation machine as the server answers: reduced factors, intervals."""

    model: RatingModel

    def predict(self, users: Int64Array, movies: Int64Array) -> Float64Array:
        """Ratings (m,) of user rows and movie rows (m,) each."""
        return self.distribution(users, movies)[0]

    def distribution(self, users: Int64Array, movies: Int64Array) -> tuple[Float64Array, Float64Array]:
        """Mean and standard deviation (m,) of each rating."""
        mean, deviation = self.model.distribution(users, movies)
        return mean.astype(np.float64), deviation.astype(np.float64)

    def scores(self, user: int) -> Float32Array:
        """What recommendations are ordered by, (n_movies,)."""
        return self.model.ranking_scores(user)


def rating_methods(settings: factorization_machine.Settings | None = None) -> Mapping[str, Method]:
    """Methods that predict ratings, simplest first. ``settings`` are those of the factorisation machines."""
    settings = settings or factorization_machine.Settings()
    best_of = {"neighbours": (10, 20, 40, 80)}
    machine = {"factors": (8, 16, 24), "iterations": (60, 100, 150)}
    return {
        "global-mean": Method(baselines.fit, Means(of_users=False, of_movies=False)),
        "user-mean": Method(baselines.fit, Means(of_movies=False, damping=0)),
        "movie-mean": Method(baselines.fit, Means(of_users=False, damping=0)),
        "biases": Method(baselines.fit, Means(), {"damping": (1.0, 2.0, 5.0, 10.0, 20.0)}),
        "user-cosine": Method(neighbourhood.fit, Votes("user")),
        "item-cosine": Method(neighbourhood.fit, Votes("item")),
        "user-cosine-raters": Method(neighbourhood.fit, Votes("user", "raters"), best_of),
        "item-cosine-raters": Method(neighbourhood.fit, Votes("item", "raters"), best_of),
        "user-neighbours": Method(neighbourhood.fit, Votes("user", "raters", 40, subtract_biases=True), best_of),
        "item-neighbours": Method(neighbourhood.fit, Votes("item", "raters", 40, subtract_biases=True), best_of),
        "sgd": Method(
            sgd.fit,
            sgd.Settings(),
            {"factors": (10, 20, 40), "regularization": (0.05, 0.1, 0.15), "learning_rate": (0.005, 0.01, 0.02)},
            watches=True,
        ),
        "als": Method(als.fit, als.Settings(), {"factors": (5, 10, 20, 40), "regularization": (4.0, 8.0, 12.0, 16.0)}),
        "bayesian-mf": Method(factorization_machine.fit, replace(settings, implicit=False, facts=False), machine),
        "bayesian-mf-implicit": Method(factorization_machine.fit, replace(settings, facts=False), machine),
        COLD: Method(factorization_machine.fit, replace(settings, ids=False), machine),
        SERVED: Method(_fit_served, settings, machine),
    }


def baseline_methods(protocol: str) -> tuple[str, ...]:
    """Names of the rating methods that are worth comparing under a protocol."""
    if protocol == "cold":
        return "global-mean", "user-mean", "biases", COLD, SERVED
    return tuple(name for name in rating_methods() if name != COLD)


def ranking_methods(settings: factorization_machine.Settings | None = None) -> Mapping[str, Method]:
    """Methods that say what a user would pick next, simplest first; the last is what is served."""
    settings = settings or factorization_machine.Settings()
    posterior = _Last(factorization_machine.fit)  # two methods want the same one

    def by_rating(training: Training, rng: np.random.Generator, chosen: Any, *, track: Track) -> ServedModel:
        return ServedModel(rating_model(posterior(training, rng, chosen, track=track), training))

    def served(training: Training, rng: np.random.Generator, chosen: Any, *, track: Track) -> ServedModel:
        fitted = posterior(training, rng, chosen, track=track)
        ranker = combine_rankers(choose_ranker(training, rng, track=track).rankers)
        return ServedModel(rating_model(fitted, training, ranker))

    methods = {
        "popularity": Method(_fit_popularity),
        "predicted-rating": Method(by_rating, settings),
        "bpr": Method(
            implicit.fit_bpr, implicit.BprSettings(), {"factors": (32, 64, 100), "iterations": (100, 200, 400)}
        ),
        "implicit-als": Method(
            ranked(implicit.fit),
            implicit.Settings(),
            {"factors": (32, 64, 128), "regularization": (10.0, 30.0, 60.0, 100.0), "confidence": (5.0, 10.0, 20.0)},
        ),
        "ease": Method(
            ranked(ease.fit), ease.Settings(), {"regularization": (50.0, 100.0, 200.0, 300.0, 500.0, 1000.0)}
        ),
        SERVED_RANKER: Method(served, settings),
    }
    unavailable = ("bpr", "implicit-als") if implicit.UNAVAILABLE else ()
    return {name: method for name, method in methods.items() if name not in unavailable}


def ranked(fit: Callable[..., Ranker]) -> Callable[..., Ranked]:
    """The same fit, of a ranker that is asked by user row."""

    def fit_ranked(training: Training, *arguments: Any, **options: Any) -> Ranked:
        return Ranked(fit(training, *arguments, **options), training.rated)

    return fit_ranked


@dataclass(frozen=True, slots=True)
class _Popularity:
    counts: Float32Array  # (n_movies,)

    def scores(self, _user: int) -> Float32Array:
        return self.counts.copy()


def _fit_popularity(training: Training, _rng: np.random.Generator, _settings: None, *, track: Track) -> _Popularity:  # noqa: ARG001
    return _Popularity(np.bincount(training.movie_rows, minlength=training.shape[1]).astype(np.float32))


def _fit_served(training: Training, rng: np.random.Generator, settings: Any, *, track: Track) -> ServedModel:
    return ServedModel(rating_model(factorization_machine.fit(training, rng, settings, track=track), training))


class _Last:
    """A fit that remembers the last training it was given."""

    def __init__(self, fit: Callable[..., Posterior]) -> None:
        self._fit = fit
        self._training: Training | None = None
        self._fitted: Posterior | None = None

    def __call__(self, training: Training, *arguments: Any, **options: Any) -> Posterior:
        if self._fitted is None or training is not self._training:
            self._training, self._fitted = training, self._fit(training, *arguments, **options)
        return self._fitted
