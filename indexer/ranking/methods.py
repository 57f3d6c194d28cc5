"""All ranking methods by name, for ``posterity evaluate`` and ``posterity tune``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from index.core.arrays import Float32Array
from index.core.progress import Track
from index.ratings.rankers import Ranker, combine_rankers
from index.spaces.blend import Blend
from indexer.config import BLEND
from indexer.datasets.training import Training
from indexer.models import als, ease, factorization_machine, implicit, neighbourhood, sgd
from indexer.models.factorization_machine import Posterior
from indexer.models.neighbourhood import Settings as NeighbourSettings
from indexer.models.ranker_choice import RankerScorer, choose_ranker
from indexer.models.ranker_choice import Settings as RankerSettings
from indexer.models.rating_model import rating_model
from indexer.models.registry import Method, RatingModelAdapter
from indexer.ranking.learned_ranker import blend_of, learn, likeness_spaces

SERVED_RANKER = "served"
BEFORE_LEARNING = "rankers-and-rating"


def ranking_methods(settings: factorization_machine.Settings | None = None) -> Mapping[str, Method]:
    """Return methods that rank movies, simplest first; snapshots use the last one."""
    settings = settings or factorization_machine.Settings()
    posterior = _CachedFit(factorization_machine.fit)  # shared by several methods

    def by_rating(training: Training, rng: np.random.Generator, chosen: Any, *, track: Track) -> RatingModelAdapter:
        return RatingModelAdapter(rating_model(posterior(training, rng, chosen, track=track), training))

    def by_rankers(training: Training, rng: np.random.Generator, chosen: Any, *, track: Track) -> RatingModelAdapter:
        fitted = posterior(training, rng, chosen, track=track)
        ranker = combine_rankers(choose_ranker(training, rng, track=track).rankers)
        return RatingModelAdapter(rating_model(fitted, training, ranker))

    def served(training: Training, rng: np.random.Generator, chosen: Any, *, track: Track) -> RatingModelAdapter:
        fitted = posterior(training, rng, chosen, track=track)
        choice = choose_ranker(training, rng, track=track)
        spaces = likeness_spaces(fitted, training)
        learned = learn(training, choice, RankerSettings(), spaces, chosen, rng, track=track)
        model = rating_model(fitted, training, combine_rankers(choice.rankers), learned.ranker)
        return ServedRanker(model, blend_of(spaces, BLEND, training.movie_ids))

    methods = {
        "popularity": Method(_fit_popularity),
        # The article's methods, by their predicted ratings.
        "user-cosine": Method(neighbourhood.fit, NeighbourSettings("user")),
        "item-cosine": Method(neighbourhood.fit, NeighbourSettings("item")),
        "sgd": Method(sgd.fit, sgd.Settings()),
        "als": Method(als.fit, als.Settings()),
        "predicted-rating": Method(by_rating, settings),
        "bpr": Method(
            implicit.fit_bpr, implicit.BprSettings(), {"factors": (32, 64, 100), "iterations": (100, 200, 400)}
        ),
        "implicit-als": Method(
            as_scorer(implicit.fit),
            implicit.Settings(),
            {"factors": (32, 64, 128), "regularization": (10.0, 30.0, 60.0, 100.0), "confidence": (5.0, 10.0, 20.0)},
        ),
        "ease": Method(
            as_scorer(ease.fit), ease.Settings(), {"regularization": (50.0, 100.0, 200.0, 300.0, 500.0, 1000.0)}
        ),
        BEFORE_LEARNING: Method(by_rankers, settings),
        SERVED_RANKER: Method(served, settings),
    }
    unavailable = ("bpr", "implicit-als") if implicit.UNAVAILABLE else ()
    return {name: method for name, method in methods.items() if name not in unavailable}


@dataclass(frozen=True, slots=True)
class ServedRanker(RatingModelAdapter):
    """Recommendations as they are served, with the blend that makes them diverse."""

    blend: Blend


def as_scorer(fit: Callable[..., Ranker]) -> Callable[..., RankerScorer]:
    """Return ``fit`` with its ranker turned into a Scorer of the training users."""

    def fit_scorer(training: Training, *arguments: Any, **options: Any) -> RankerScorer:
        return RankerScorer(fit(training, *arguments, **options), training.watched)

    return fit_scorer


@dataclass(frozen=True, slots=True)
class _Popularity:
    counts: Float32Array  # (n_movies,)

    def scores(self, _user: int) -> Float32Array:
        return self.counts.copy()


def _fit_popularity(training: Training, _rng: np.random.Generator, _settings: None, *, track: Track) -> _Popularity:  # noqa: ARG001
    return _Popularity(np.bincount(training.movie_rows, minlength=training.shape[1]).astype(np.float32))


class _CachedFit:
    """A fit function that caches the posterior of the last training data."""

    def __init__(self, fit: Callable[..., Posterior]) -> None:
        self._fit = fit
        self._training: Training | None = None
        self._fitted: Posterior | None = None

    def __call__(self, training: Training, *arguments: Any, **options: Any) -> Posterior:
        if self._fitted is None or training is not self._training:
            self._training, self._fitted = training, self._fit(training, *arguments, **options)
        return self._fitted
