"""Alternating least squares by Spark's MLlib: predicted ratings, and a ranker of implicit feedback.

MLlib has no biases, so ratings are centred first by those of ``indexer.models.baselines``. It weighs the regularization
of a user or movie by the number of its ratings.

Source: Zhou, Wilkinson, Schreiber and Pan, "Large-scale Parallel Collaborative Filtering for the Netflix Prize", 2008;
Hu, Koren and Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from pydantic import PositiveFloat, PositiveInt

from index.core.arrays import Float64Array, Int64Array
from index.core.progress import Track, silent
from index.ratings.rankers import ImplicitFactors
from indexer.datasets.training import Training
from indexer.models import baselines
from indexer.models.als import Factors
from indexer.models.ranker_choice import RankerScorer
from indexer.models.registry import Method

NAME, IMPLICIT_NAME = "mllib-als", "mllib-implicit-als"


@dataclass(frozen=True, slots=True)
class Settings:
    """Hyperparameters."""

    factors: PositiveInt = 20
    regularization: PositiveFloat = 0.12  # times the number of ratings
    iterations: PositiveInt = 15


@dataclass(frozen=True, slots=True)
class ImplicitSettings:
    """Hyperparameters of implicit feedback."""

    factors: PositiveInt = 128
    regularization: PositiveFloat = 0.5  # times the number of ratings
    confidence: PositiveFloat = 10.0  # weight of a rating, against 1 of a missing one
    iterations: PositiveInt = 15


def methods_of(session: Any) -> tuple[Mapping[str, Method], Mapping[str, Method]]:
    """Return methods that predict ratings, and methods that rank, on a session of Spark."""
    search = {"factors": (10, 20, 40), "regularization": (0.05, 0.08, 0.12, 0.2)}
    rating = Method(partial(fit, session), Settings(), search)
    ranking = Method(partial(_fit_scorer, session), ImplicitSettings(), {"regularization": (0.2, 0.5, 1.0)})
    return {NAME: rating}, {NAME: rating, IMPLICIT_NAME: ranking}


def fit(
    session: Any,
    training: Training,
    rng: np.random.Generator,
    settings: Settings | None = None,
    *,
    track: Track = silent,
) -> Factors:
    """Fit biases, then factors of what these leave."""
    settings = settings or Settings()
    biases = baselines.fit(training, rng, track=track)
    left = training.values - biases.predict(training.user_rows, training.movie_rows)
    users, movies = _factors(session, training, left, rng, settings, implicitPrefs=False)
    return Factors(biases.mean, biases.of_user, biases.of_movie, users, movies)


def fit_implicit(
    session: Any,
    training: Training,
    rng: np.random.Generator,
    settings: ImplicitSettings | None = None,
    *,
    track: Track = silent,  # noqa: ARG001  Spark shows none
) -> ImplicitFactors:
    """Fit item factors to who watched what; users are folded in later, with the mean user's regularization."""
    settings = settings or ImplicitSettings()
    watched = training.watched.tocoo()
    rows = watched.row.astype(np.int64), watched.col.astype(np.int64)
    _, movies = _factors(
        session, training, watched.data, rng, settings, rows=rows, implicitPrefs=True, alpha=settings.confidence - 1
    )
    ridge = settings.regularization * watched.nnz / max(1, np.unique(rows[0]).size)
    gram = movies.T @ movies + ridge * np.eye(settings.factors)
    return ImplicitFactors(movies.astype(np.float32), gram, np.array(settings.confidence))


def _fit_scorer(session: Any, training: Training, *arguments: Any, **options: Any) -> RankerScorer:
    return RankerScorer(fit_implicit(session, training, *arguments, **options), training.watched)


def _factors(
    session: Any,
    training: Training,
    values: Float64Array,
    rng: np.random.Generator,
    settings: Settings | ImplicitSettings,
    *,
    rows: tuple[Int64Array, Int64Array] | None = None,
    **options: Any,
) -> tuple[Float64Array, Float64Array]:
    """Return factors of users (n_users, f) and movies (n_movies, f); zeros without a rating."""
    from pyspark.ml.recommendation import ALS

    users, movies = rows or (training.user_rows, training.movie_rows)
    columns = {"user": users.astype(np.int32), "item": movies.astype(np.int32), "rating": values.astype(np.float32)}
    model = ALS(
        rank=settings.factors,
        maxIter=settings.iterations,
        regParam=settings.regularization,
        seed=int(rng.integers(2**31)),
        **options,
    ).fit(session.createDataFrame(pd.DataFrame(columns)))
    found = []
    for n, frame in zip(training.shape, (model.userFactors, model.itemFactors), strict=True):
        factors = np.zeros((n, settings.factors))
        for row in frame.collect():
            factors[row.id] = row.features
        found.append(factors)
    return found[0], found[1]
