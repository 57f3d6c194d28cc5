"""Hyperparameter search by nested cross-validation, for any method.

Each outer fold chooses settings by an inner cross-validation on its training part, and scores them on its held-out
part. The nested score is therefore unbiased; the best trial's own score is optimistic. The final settings are chosen by
the same cross-validation on all ratings.

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
from indexer.evaluation.contest import Contest, fit_and_measure, rating_contest
from indexer.evaluation.splits import kfold
from indexer.metrics.estimate import fold_value
from indexer.metrics.ranking import RANKING_METRICS, measure_ranking
from indexer.models.registry import Method, rating_methods
from indexer.models.settings import changed
from indexer.ranking.methods import ranking_methods


@dataclass(frozen=True, slots=True)
class Trial:
    """Settings and their score."""

    settings: Mapping[str, Any]  # the varied ones
    score: float  # mean of the folds
    folds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Tuned:
    """The result of a search."""

    method: str
    metric: str  # "rmse", or "ndcg_10" for a ranker
    settings: Mapping[str, Any]  # all settings of the method, chosen on all ratings
    trials: tuple[Trial, ...]  # on all ratings, best first
    nested: tuple[Trial, ...]  # the choice of each outer fold, scored on its held-out ratings
    nested_score: float  # mean over ``nested``


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
    """Choose the settings of a method by nested cross-validation.

    Args:
        dataset: the ratings.
        name: a method of ``posterity evaluate``.
        search: setting -> values to try; the method's own grid by default.
        trials: number of combinations to draw at random; all of them by default.
        folds: of the inner and of the outer cross-validation.
        seed: of the method and of the draw.
        track: reports progress.

    Raises:
        InvalidInput: the method or a setting does not exist, or a value is invalid.
    """
    contest, metric = _contest_and_metric(name)
    method = contest.methods[name]
    candidates = combinations(method, name, search or method.search, trials, np.random.default_rng(seed))
    steps = iter(track(range((folds + 1) * folds * len(candidates) + folds), f"Tuning {name}"))

    def score(training: Training, test: Training, settings: Mapping[str, Any], fold: int) -> float:
        chosen = replace(method, settings=replace(method.settings, **settings), keeps_curve=False)
        value = fold_value(fit_and_measure(name, chosen, contest, fold, training, test, seed, silent), metric)
        next(steps, None)
        return float("nan") if value is None else value

    def cross_validate(training: Training) -> tuple[Trial, ...]:
        parts = [(training.take(~held_out), training.take(held_out)) for held_out in kfold(training.values.size, folds)]
        scored = []
        for settings in candidates:
            scores = tuple(score(*part, settings, fold) for fold, part in enumerate(parts, start=1))
            scored.append(Trial(settings, float(np.mean(scores)), scores))
        return tuple(sorted(scored, key=lambda trial: trial.score if metric == "rmse" else -trial.score))

    whole = Training.of(dataset)
    nested = []
    for fold, held_out in enumerate(kfold(whole.values.size, folds), start=1):
        training, test = whole.take(~held_out), whole.take(held_out)
        best = cross_validate(training)[0]
        outer = score(training, test, best.settings, fold)
        nested.append(Trial(best.settings, outer, (outer,)))
    on_all = cross_validate(whole)
    next(steps, None)  # exhausts the iterator, so that the progress bar ends
    settings = asdict(replace(method.settings, **on_all[0].settings))
    return Tuned(name, metric, settings, on_all, tuple(nested), float(np.mean([trial.score for trial in nested])))


def combinations(
    method: Method, name: str, search: Mapping[str, Sequence[Any]], trials: int | None, rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Return the combinations to try, validated: all, or ``trials`` drawn at random.

    Raises:
        InvalidInput: the method has no settings, a setting does not exist, or a value is invalid.
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
    """Write a search as a JSON file for ``read_choices``."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"dataset": dataset.name, **asdict(tuned)}, indent=2) + "\n")


def _contest_and_metric(name: str) -> tuple[Contest, str]:
    """Return the contest of a method, and the metric to tune for."""
    ranking = {key: method for key, method in ranking_methods().items() if method.search}
    if name in ranking:
        return Contest(ranking, measure_ranking, RANKING_METRICS), "ndcg_10"
    contest = rating_contest(rating_methods())
    if name not in contest.methods:
        raise InvalidInput(f"there is no method {name!r}; there are {', '.join((*contest.methods, *ranking))}")
    return contest, "rmse"
