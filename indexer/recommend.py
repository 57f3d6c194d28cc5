"""Which ranker a data set's recommendations come from: the one that wins on ratings held out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp

from index.ranker import Ranker
from index.track import Track, silent
from indexer.models import ease, implicit
from indexer.models.contract import FloatArray, Training
from indexer.ranking import judge_lists

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

    def scores(self, user: int) -> FloatArray:
        """(n_movies,) for a user row; larger is likelier."""
        mine = self.rated.indices[slice(*self.rated.indptr[user : user + 2])]
        return self.ranker.scores(mine.astype(np.int64))


@dataclass(frozen=True, slots=True)
class Choice:
    """The ranker that won, fitted on everything."""

    ranker: Ranker
    method: str
    settings: Mapping[str, Any]
    validation: Mapping[str, float]  # method -> nDCG@10 on what was held out; empty where only one could compete

    def facts(self) -> dict[str, Any]:
        """What the manifest says of it."""
        return {
            "method": self.method,
            "settings": dict(self.settings),
            "validation": {"metric": "nDCG@10", "share": VALIDATION, "scores": dict(self.validation)},
            "rating_weight": RATING_WEIGHT,
        }


def choose_ranker(
    training: Training, rng: np.random.Generator, settings: Settings | None = None, *, track: Track = silent
) -> Choice:
    """EASE or implicit-feedback ALS, whichever ranks held-out ratings higher.

    EASE needs a matrix of movies x movies or users x users; where neither would fit in memory it does not compete.
    """
    settings = settings or Settings()
    candidates: dict[str, tuple[Any, Any]] = {"implicit-als": (implicit.fit, settings.implicit)}
    if ease.fits_in_memory(training):
        candidates = {"ease": (ease.fit, settings.ease)} | candidates
    validation = _validate(candidates, training, rng, track) if len(candidates) > 1 else {}
    method = max(validation, key=lambda name: validation[name]) if validation else next(iter(candidates))
    fit, chosen = candidates[method]
    return Choice(fit(training, rng, chosen, track=track), method, asdict(chosen), validation)


def _validate(
    candidates: Mapping[str, tuple[Any, Any]], training: Training, rng: np.random.Generator, track: Track
) -> dict[str, float]:
    """nDCG@10 of each candidate on the same held-out ratings; empty where there are too few to hold any out."""
    held_out = rng.random(training.values.size) < VALIDATION
    if not held_out.any() or held_out.all():
        return {}
    rest, test = training.take(~held_out), training.take(held_out)
    users = np.unique(test.user_rows)
    if users.size > ASKED:
        test = test.take(np.isin(test.user_rows, rng.choice(users, ASKED, replace=False)))
    found = {}
    for name, (fit, chosen) in candidates.items():
        measures, _ = judge_lists(Ranked(fit(rest, rng, chosen, track=track), rest.rated), rest, test)
        total, count = measures[_METRIC].sum(axis=1)
        found[name] = round(float(total / count), 4)
    return found
