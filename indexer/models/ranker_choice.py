"""Choice of the ranker with the best nDCG@10 on held-out ratings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp

from index.core.arrays import Float32Array
from index.core.errors import InvalidInput
from index.core.progress import Track, silent
from index.ratings.rankers import Ranker, StoredRanker, combine_rankers
from indexer.datasets.training import Training
from indexer.metrics.ranking import measure_ranking
from indexer.models import ease, implicit

# Weight of the predicted rating, in stars, that is added to a ranker's score. Chosen on ratings held out of the first
# fold's training part: nDCG@10 .2128 against .2083 without, and .1972 against .1832 for movies rated above the user's
# mean.
RATING_WEIGHT = 0.04
VALIDATION = 0.2  # share of ratings held out to compare rankers
MAX_USERS = 5000  # of the comparison

_METRIC = "ndcg_10"


@dataclass(frozen=True, slots=True)
class Settings:
    """Hyperparameters of the candidate rankers."""

    ease: ease.Settings = field(default_factory=ease.Settings)
    implicit: implicit.Settings = field(default_factory=implicit.Settings)


@dataclass(frozen=True, slots=True)
class RankerScorer:
    """Scorer of the users of some training data by a ranker."""

    ranker: Ranker
    rated: sp.csr_matrix  # (n_users, n_movies), as of ``Training.watched``

    def scores(self, user: int) -> Float32Array:
        """Return scores (n_movies,) of a user row; larger is better."""
        movie_rows = self.rated.indices[slice(*self.rated.indptr[user : user + 2])]
        return self.ranker.scores(movie_rows.astype(np.int64))


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen rankers, fitted on all ratings; the scores of two are averaged."""

    rankers: tuple[StoredRanker, ...]
    settings: Mapping[str, Mapping[str, Any]]  # ranker name -> hyperparameters
    validation: Mapping[str, float]  # name -> nDCG@10 on held-out ratings; empty if nothing was compared
    warnings: tuple[str, ...] = ()  # unavailable rankers, and the reasons

    @property
    def method(self) -> str:
        """Name of the choice, as in ``validation``."""
        return _name(tuple(self.settings))

    def facts(self) -> dict[str, Any]:
        """Return the manifest entry."""
        return {
            "method": self.method,
            "settings": {name: dict(settings) for name, settings in self.settings.items()},
            "validation": {"metric": "nDCG@10", "share": VALIDATION, "scores": dict(self.validation)},
            "rating_weight": RATING_WEIGHT,
        }


def choose_ranker(
    training: Training, rng: np.random.Generator, settings: Settings | None = None, *, track: Track = silent
) -> Choice:
    """Choose among EASE, implicit-feedback ALS and the mean of both by nDCG@10 on held-out ratings; fit it on all.

    EASE is left out if neither the matrix of movies x movies nor that of users x users fits into memory.

    Args:
        training: all ratings.
        rng: draws the held-out ratings and the starting values.
        settings: hyperparameters; None for the defaults.
        track: shows progress.

    Raises:
        InvalidInput: the data set is too large for EASE, and ALS is not installed.
    """
    settings = settings or Settings()
    fits: dict[str, tuple[Any, Any]] = {}
    if ease.fits_in_memory(training):
        fits["ease"] = ease.fit, settings.ease
    if not implicit.UNAVAILABLE:
        fits["implicit-als"] = implicit.fit, settings.implicit
    if not fits:
        raise InvalidInput(f"{min(training.shape):,} users or movies are too many for EASE, and {implicit.UNAVAILABLE}")
    warnings = (f"recommendations are by EASE alone: {implicit.UNAVAILABLE}",) if implicit.UNAVAILABLE else ()
    validation = _validate(fits, training, rng, track) if len(fits) > 1 else {}
    (*_, only) = fits
    names = max(validation, key=lambda names: validation[names]) if validation else (only,)
    rankers = tuple(fits[name][0](training, rng, fits[name][1], track=track) for name in names)
    scores = {_name(names): score for names, score in validation.items()}
    return Choice(rankers, {name: asdict(fits[name][1]) for name in names}, scores, warnings)


def refit(choice: Choice, settings: Settings, training: Training, rng: np.random.Generator) -> Ranker:
    """Fit the chosen rankers to other training data."""
    fits: dict[str, tuple[Any, Any]] = {
        "ease": (ease.fit, settings.ease), "implicit-als": (implicit.fit, settings.implicit),
    }  # fmt: skip
    return combine_rankers([fits[name][0](training, rng, fits[name][1]) for name in choice.settings])


def of_some_users(ratings: Training, rng: np.random.Generator, limit: int = MAX_USERS) -> Training:
    """Return the ratings of ``limit`` users drawn at random; all ratings of fewer."""
    users = np.unique(ratings.user_rows)
    if users.size <= limit:
        return ratings
    return ratings.take(np.isin(ratings.user_rows, rng.choice(users, limit, replace=False)))


def _validate(
    fits: Mapping[str, tuple[Any, Any]], training: Training, rng: np.random.Generator, track: Track
) -> dict[tuple[str, ...], float]:
    """Return nDCG@10 of each ranker and of their mean on the same held-out ratings; empty if these are too few."""
    held_out = rng.random(training.values.size) < VALIDATION
    if not held_out.any() or held_out.all():
        return {}
    train, test = training.take(~held_out), training.take(held_out)
    test = of_some_users(test, rng)
    fitted = {name: fit(train, rng, settings, track=track) for name, (fit, settings) in fits.items()}
    ndcg = {}
    for names in (*((name,) for name in fits), tuple(fits)):
        scorer = RankerScorer(combine_rankers([fitted[name] for name in names]), train.watched)
        measures, _ = measure_ranking(scorer, train, test)
        total, count = measures[_METRIC].sum(axis=1)
        ndcg[names] = round(float(total / count), 4)
    return ndcg


def _name(names: Sequence[str]) -> str:
    return " and ".join(names)
