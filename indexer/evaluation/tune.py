"""Hyperparameters by nested cross-validation, for any method.

Each outer fold chooses by cross-validation inside its own training part, and is scored on what that choice has not
seen: so the nested score says what to expect of a tuned method, where the best trial's own score is too kind. The
settings that come out are chosen in the same way on everything.

Source: Cawley and Talbot, "On Over-fitting in Model Selection and Subsequent Selection Bias in Performance Evaluation",
JMLR 2010.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from index.core.errors import InvalidInput
from index.core.progress import Track, silent
from indexer.datasets.dataset import Dataset
from indexer.datasets.training import Training
from indexer.evaluation.contest import Contest, outcome_of, rating_contest
from indexer.evaluation.splits import kfold
from indexer.metrics.estimate import value_of
from indexer.metrics.ranking import RANKING_FIGURES, judge_lists
from indexer.models.registry import Method, ranking_methods, rating_methods
from indexer.models.settings import changed


@dataclass(frozen=True, slots=True)
class Trial:
    """Settings, and how well they did."""

    settings: Mapping[str, Any]  # those that were varied
    score: float
    folds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Tuned:
    """What was tried, and what came out."""

    method: str
    metric: str  # "rmse", or "ndcg_10" for a ranker
    settings: Mapping[str, Any]  # all of them, as chosen on everything
    trials: tuple[Trial, ...]  # on everything, best first
    nested: tuple[Trial, ...]  # what each outer fold chose, scored on what it held out
    nested_score: float  # mean of these


def tune(
    dataset: Dataset,
    name: str,
    *,
    search: Mapping[str, Sequence[Any]] | None = None,
    trials: int | None = None,
    folds: int = 3,
    seed: int = 0,
    track: Track = silent,
) -> Tuned:
    """The settings of a method that predict, or rank, held-out ratings best.

    Args:
        name: of a method of ``posterity evaluate``.
        search: setting -> values to try; the method's own by default.
        trials: how many combinations to draw at random; all of them by default.
        folds: of the inner and of the outer cross-validation.

    Raises:
        InvalidInput: there is no such method or setting, or a value cannot be used.
    """
    contest, metric = _contest(name)
    method = contest.methods[name]
    candidates = combinations(method, name, search or method.search, trials, np.random.default_rng(seed))
    steps = iter(track(range((folds + 1) * folds * len(candidates) + folds), f"Tuning {name}"))

    def score(training: Training, test: Training, settings: Mapping[str, Any], fold: int) -> float:
        chosen = replace(method, settings=replace(method.settings, **settings), watches=False)
        value = value_of(outcome_of(name, chosen, contest, fold, training, test, seed, silent), metric)
        next(steps, None)
        return float("nan") if value is None else value

    def tried(training: Training) -> tuple[Trial, ...]:
        parts = [(training.take(~held_out), training.take(held_out)) for held_out in kfold(training.values.size, folds)]
        found = []
        for settings in candidates:
            each = tuple(score(*part, settings, fold) for fold, part in enumerate(parts, start=1))
            found.append(Trial(settings, float(np.mean(each)), each))
        return tuple(sorted(found, key=lambda trial: trial.score if metric == "rmse" else -trial.score))

    whole = Training.of(dataset)
    nested = []
    for fold, held_out in enumerate(kfold(whole.values.size, folds), start=1):
        training, test = whole.take(~held_out), whole.take(held_out)
        best = tried(training)[0]
        outer = score(training, test, best.settings, fold)
        nested.append(Trial(best.settings, outer, (outer,)))
    everything = tried(whole)
    next(steps, None)  # lets the progress bar see its end
    settings = asdict(replace(method.settings, **everything[0].settings))
    return Tuned(name, metric, settings, everything, tuple(nested), float(np.mean([trial.score for trial in nested])))


def combinations(
    method: Method, name: str, search: Mapping[str, Sequence[Any]], trials: int | None, rng: np.random.Generator
) -> list[dict[str, Any]]:
    """What to try, each checked: every combination, or some at random.

    Raises:
        InvalidInput: there is nothing to vary, no such setting, or a value that cannot be used.
    """
    if method.settings is None or not search:
        raise InvalidInput(f"{name} has nothing to tune: name another method, or a setting and its values")
    every = []
    for values in product(*search.values()):
        settings = changed(method.settings, dict(zip(search, values, strict=True)), name)
        every.append({setting: getattr(settings, setting) for setting in search})
    if trials is None or trials >= len(every):
        return every
    return [every[at] for at in sorted(rng.choice(len(every), trials, replace=False).tolist())]


def save_tuned(tuned: Tuned, dataset: Dataset, file: Path) -> None:
    """Writes what ``read_choices`` reads, with all that was tried."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"dataset": dataset.name, **asdict(tuned)}, indent=2) + "\n")


def _contest(name: str) -> tuple[Contest, str]:
    """The contest that a method is in, and the figure that is tuned for."""
    ranking = {key: method for key, method in ranking_methods().items() if method.search}
    if name in ranking:
        return Contest(ranking, judge_lists, RANKING_FIGURES), "ndcg_10"
    contest = rating_contest(rating_methods())
    if name not in contest.methods:
        raise InvalidInput(f"there is no method {name!r}; there are {', '.join((*contest.methods, *ranking))}")
    return contest, "rmse"
