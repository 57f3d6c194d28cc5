"""Every rating method by name, as ``posterity evaluate`` compares them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from index.ranker import Ranker
from index.ratings import RatingModel
from index.track import Track
from indexer.models import als, baselines, factorization_machine, neighbourhood, sgd
from indexer.models.contract import Array, Predictor, Rows, Training
from indexer.models.factorization_machine import Posterior
from indexer.taste import rating_arrays

SERVED = "factorization-machine"

# Of a star of predicted rating beside EASE's score, in the order of recommendations. Chosen on ratings held out of the
# first fold's training part: nDCG@10 .2128 against .2083 without, and .1972 against .1832 for films rated over the
# user's mean.
RATING_WEIGHT = 0.04

Fit = Callable[[Training, np.random.Generator, Track], Predictor]


@dataclass(frozen=True, slots=True)
class Served:
    """The factorisation machine as the server answers: reduced factors, 80% intervals."""

    model: RatingModel

    def predict(self, users: Rows, movies: Rows) -> Array:
        """Ratings (m,) of user rows and movie rows (m,) each."""
        return self.model.predict_rows(users, movies)[0].astype(np.float64)

    def interval(self, users: Rows, movies: Rows) -> tuple[Array, Array]:
        """Low and high end (m,) of the 80% interval."""
        _, low, high = self.model.predict_rows(users, movies)
        return low.astype(np.float64), high.astype(np.float64)


def methods(settings: factorization_machine.Settings | None = None) -> Mapping[str, Fit]:
    """Name -> how to fit it, simplest first. ``settings`` are those of the factorisation machines."""
    settings = settings or factorization_machine.Settings()
    means, votes = baselines.Settings, neighbourhood.Settings

    def served(training: Training, rng: np.random.Generator, track: Track) -> Predictor:
        posterior = factorization_machine.fit(training, rng, settings, track=track)
        return Served(rating_model(posterior, training))

    def machine(
        training: Training, rng: np.random.Generator, track: Track, *, implicit: bool, facts: bool
    ) -> Predictor:
        chosen = replace(settings, implicit=implicit, facts=facts)
        return factorization_machine.fit(training, rng, chosen, track=track)

    return {
        "global-mean": lambda t, r, _: baselines.fit(t, r, means(of_users=False, of_movies=False)),
        "user-mean": lambda t, r, _: baselines.fit(t, r, means(of_movies=False, damping=0)),
        "movie-mean": lambda t, r, _: baselines.fit(t, r, means(of_users=False, damping=0)),
        "biases": lambda t, r, _: baselines.fit(t, r),
        "user-cosine": lambda t, r, _: neighbourhood.fit(t, r, votes("user")),
        "item-cosine": lambda t, r, _: neighbourhood.fit(t, r, votes("item")),
        "user-cosine-raters": lambda t, r, _: neighbourhood.fit(t, r, votes("user", "raters")),
        "item-cosine-raters": lambda t, r, _: neighbourhood.fit(t, r, votes("item", "raters")),
        "user-neighbours": lambda t, r, _: neighbourhood.fit(t, r, votes("user", "raters", 40, subtract_biases=True)),
        "item-neighbours": lambda t, r, _: neighbourhood.fit(t, r, votes("item", "raters", 40, subtract_biases=True)),
        "sgd": lambda t, r, track: sgd.fit(t, r, track=track),
        "als": lambda t, r, track: als.fit(t, r, track=track),
        "bayesian-mf": lambda t, r, track: machine(t, r, track, implicit=False, facts=False),
        "bayesian-mf-implicit": lambda t, r, track: machine(t, r, track, implicit=True, facts=False),
        SERVED: served,
    }


def rating_model(posterior: Posterior, training: Training, ranker: Ranker | None = None) -> RatingModel:
    """The model as the server would have it."""
    return RatingModel(
        rating_arrays(posterior, training),
        training.movie_ids,
        noise_variance=float(posterior.noise_variance.mean()),
        scale=training.ratings.scale,
        ranker=ranker,
        rating_weight=1.0 if ranker is None else RATING_WEIGHT,
    )
