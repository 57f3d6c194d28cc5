"""Which ranker a data set's recommendations come from: the one that wins on ratings held out of it."""

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
from indexer.metrics.ranking import judge_lists
from indexer.models import ease, implicit

# Of a star of predicted rating beside a ranker's score, in the order of recommendations. Chosen on ratings held out of
# the first fold's training part: nDCG@10 .2128 against .2083 without, and .1972 against .1832 for films rated over the
# user's mean.
RATING_WEIGHT = 0.04
VALIDATION = 0.2  # share of ratings that rankers are compared on
ASKED = 5000  # users at most, in that comparison

_METRIC = "ndcg_10"


@dataclass(frozen=True, slots=True)
class Settings:
    """Of the rankers that compete."""

    ease: ease.Settings = field(default_factory=ease.Settings)
    implicit: implicit.Settings = field(default_factory=implicit.Settings)


@dataclass(frozen=True, slots=True)
class Ranked:
    """A ranker that is asked by user row."""

    ranker: Ranker
    rated: sp.csr_matrix  # (n_users, n_movies)

    def scores(self, user: int) -> Float32Array:
        """(n_movies,) for a user row; larger is likelier."""
        mine = self.rated.indices[slice(*self.rated.indptr[user : user + 2])]
        return self.ranker.scores(mine.astype(np.int64))


@dataclass(frozen=True, slots=True)
class Choice:
    """The rankers that won, fitted on everything: one, or two that are taken together."""

    rankers: tuple[StoredRanker, ...]
    settings: Mapping[str, Mapping[str, Any]]  # of each, by name
    validation: Mapping[str, float]  # nDCG@10 on what was held out; empty where only one could compete
    warnings: tuple[str, ...] = ()  # which could not, and why

    @property
    def method(self) -> str:
        """Its name, as in ``validation``."""
        return _name(tuple(self.settings))

    def facts(self) -> dict[str, Any]:
        """What the manifest says of it."""
        return {
            "method": self.method,
            "settings": {name: dict(settings) for name, settings in self.settings.items()},
            "validation": {"metric": "nDCG@10", "share": VALIDATION, "scores": dict(self.validation)},
            "rating_weight": RATING_WEIGHT,
        }


def choose_ranker(
    training: Training, rng: np.random.Generator, settings: Settings | None = None, *, track: Track = silent
) -> Choice:
    """EASE, implicit-feedback ALS, or the mean of both: whichever ranks held-out ratings highest.

    EASE needs a matrix of movies x movies or users x users; where neither would fit in memory it does not compete.

    Raises:
        InvalidInput: there is too much for EASE, and ALS cannot be loaded here.
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
    (*_, first) = fits
    names = max(validation, key=lambda names: validation[names]) if validation else (first,)
    rankers = tuple(fits[name][0](training, rng, fits[name][1], track=track) for name in names)
    scores = {_name(names): score for names, score in validation.items()}
    return Choice(rankers, {name: asdict(fits[name][1]) for name in names}, scores, warnings)


def _validate(
    fits: Mapping[str, tuple[Any, Any]], training: Training, rng: np.random.Generator, track: Track
) -> dict[tuple[str, ...], float]:
    """nDCG@10 of each ranker and of all together on the same held-out ratings; empty where there are too few."""
    held_out = rng.random(training.values.size) < VALIDATION
    if not held_out.any() or held_out.all():
        return {}
    rest, test = training.take(~held_out), training.take(held_out)
    users = np.unique(test.user_rows)
    if users.size > ASKED:
        test = test.take(np.isin(test.user_rows, rng.choice(users, ASKED, replace=False)))
    fitted = {name: fit(rest, rng, settings, track=track) for name, (fit, settings) in fits.items()}
    found = {}
    for names in (*((name,) for name in fits), tuple(fits)):
        measures, _ = judge_lists(Ranked(combine_rankers([fitted[name] for name in names]), rest.rated), rest, test)
        total, count = measures[_METRIC].sum(axis=1)
        found[names] = round(float(total / count), 4)
    return found


def _name(names: Sequence[str]) -> str:
    return " and ".join(names)
