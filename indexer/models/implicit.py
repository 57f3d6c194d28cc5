"""Implicit-feedback factorisation by the ``implicit`` library: alternating least squares, and BPR.

Source: Hu, Koren and Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008; Rendle,
Freudenthaler, Gantner and Schmidt-Thieme, "BPR: Bayesian Personalized Ranking from Implicit Feedback", UAI 2009.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from threadpoolctl import threadpool_limits

from index.core.arrays import Float32Array
from index.core.progress import Track, silent
from index.ratings.rankers import ImplicitFactors
from indexer.datasets.training import Training

try:
    from implicit.cpu.als import AlternatingLeastSquares
    from implicit.cpu.bpr import BayesianPersonalizedRanking
except ImportError as error:
    # The wheel needs the system's OpenMP, which small container images and some desktops lack.
    UNAVAILABLE = f"implicit cannot be loaded ({error}): install OpenMP (libgomp1 on Debian, libomp on macOS)"
else:
    UNAVAILABLE = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """Hyperparameters of alternating least squares."""

    factors: PositiveInt = 128
    regularization: PositiveFloat = 60.0
    confidence: PositiveFloat = 10.0  # weight of a rating, against 1 of a missing one; ``alpha`` in the library
    iterations: PositiveInt = 15


@dataclass(frozen=True, slots=True)
class BprSettings:
    """Hyperparameters of BPR."""

    factors: PositiveInt = 100
    regularization: NonNegativeFloat = 0.01
    learning_rate: PositiveFloat = 0.005
    iterations: PositiveInt = 200


@dataclass(frozen=True, slots=True)
class BprFactors:
    """Factors by BPR; the last movie factor is a bias."""

    user_factors: Float32Array  # (n_users, factors + 1)
    item_factors: Float32Array  # (n_movies, factors + 1)

    def scores(self, user: int) -> Float32Array:
        """Return scores (n_movies,) of a user row; larger is better."""
        scores: Float32Array = self.item_factors @ self.user_factors[user]
        return scores


def fit(
    training: Training, rng: np.random.Generator, settings: Settings | None = None, *, track: Track = silent
) -> ImplicitFactors:
    """Fit item factors by alternating least squares; users are folded in later."""
    settings = settings or Settings()
    with _progress("Implicit least squares", settings.iterations, track) as step:
        model = AlternatingLeastSquares(
            factors=settings.factors,
            regularization=settings.regularization,
            alpha=settings.confidence,
            iterations=settings.iterations,
            random_state=int(rng.integers(2**31)),
        )
        model.fit(training.watched, show_progress=False, callback=step)
    factors = model.item_factors.astype(np.float64)
    gram = factors.T @ factors + settings.regularization * np.eye(settings.factors)
    return ImplicitFactors(model.item_factors, gram, np.array(settings.confidence))


def fit_bpr(
    training: Training, rng: np.random.Generator, settings: BprSettings | None = None, *, track: Track = silent
) -> BprFactors:
    """Fit user and movie factors by BPR, on one thread: the result on several threads is not reproducible."""
    settings = settings or BprSettings()
    with _progress("BPR", settings.iterations, track) as step:
        model = BayesianPersonalizedRanking(
            factors=settings.factors,
            regularization=settings.regularization,
            learning_rate=settings.learning_rate,
            iterations=settings.iterations,
            num_threads=1,
            random_state=int(rng.integers(2**31)),
        )
        model.fit(training.watched, show_progress=False, callback=step)
    return BprFactors(model.user_factors, model.item_factors)


@contextmanager
def _progress(label: str, iterations: int, track: Track) -> Iterator[Callable[..., None]]:
    """Yield a callback that advances the progress bar; limit BLAS to one thread, as the library demands."""
    steps = iter(track(range(iterations), label, iterations))
    with threadpool_limits(1, "blas"):

        def step(*_: object) -> None:
            next(steps, None)

        yield step
    next(steps, None)  # ends the progress bar
