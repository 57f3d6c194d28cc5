"""The evaluation of a build: the rating model on held-out ratings, the manifest's ``evaluation``.

It runs in every build, so its time is bounded: one chain of the sampler instead of several, and a sample of the users
of a large data set. ``posterity evaluate`` is the full evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from index.core.arrays import BoolArray, Float64Array, Int64Array
from index.core.progress import T, Track, silent
from index.ratings.rankers import Ranker
from indexer.config import BLEND
from indexer.datasets.training import Predictor, Training
from indexer.evaluation.contest import LEVELS, Contest, rating_contest
from indexer.metrics.bootstrap import Estimate
from indexer.metrics.diversity import LEVELS as DIVERSITIES
from indexer.metrics.diversity import METRICS, measure_diversity, metric
from indexer.metrics.estimate import FoldResult, estimate_metrics, fold_value
from indexer.models import factorization_machine
from indexer.models.all_users import subsample_users
from indexer.models.factorization_machine import Posterior, Settings
from indexer.models.ranker_choice import of_some_users
from indexer.models.rating_model import rating_model
from indexer.models.registry import SERVED, RatingModelAdapter, rating_methods
from indexer.ranking.learned_ranker import blend_of, likeness_spaces

HELD_OUT = 0.1  # share of the ratings
MAX_HELD_OUT = 50_000  # ratings; enough for an RMSE to within .003
MIN_RATINGS = 200  # with fewer, too few are held out for an estimate
MAX_RATINGS = 2_000_000  # of a larger data set, a sample of users is evaluated
BASELINES = ("global-mean", "user-mean", "movie-mean", "biases", "item-neighbours")
BAND_BASELINE = "biases"  # compared with the served model in every band of movies
BANDS = (0, 3, 10, 30, 100, 300, 1000)  # movies by number of training ratings: each band ends below the next start
MAX_LISTS = 300  # users whose diverse recommendations are judged
CURVE_POINTS = 20  # of the learning curve, at most


def evaluate_build(
    training: Training,
    settings: Settings | None = None,
    *,
    ranker: Callable[[Training, np.random.Generator], Ranker] | None = None,
    seed: int = 0,
    track: Track = silent,
) -> dict[str, Any]:
    """Return the model's metrics as JSON values; of too few ratings only ``left_out``, the reason.

    Args:
        training: all ratings of the build; some are held out here.
        settings: of the served factorisation machine.
        ranker: fits the served ranker; None to leave out what diverse recommendations cost.
        seed: of the split and of the methods.
        track: reports progress.
    """
    settings = settings or Settings()
    given = training.values.size
    if given < MIN_RATINGS:
        return {"left_out": f"{given} ratings are too few to hold some out: at least {MIN_RATINGS} are needed"}
    rng = np.random.default_rng(seed)
    training = subsample_users(training, rng, MAX_RATINGS)
    held_out = _random_mask(training.values.size, rng)
    rest, test = training.take(~held_out), training.take(held_out)

    methods = rating_methods(settings)
    contest = rating_contest(methods)
    fitted = {name: methods[name].fit(rest, rng, methods[name].settings) for name in BASELINES}
    posterior = factorization_machine.fit(
        rest, rng, replace(settings, chains=1), track=_relabel(track, "Evaluating the rating model")
    )
    fitted[SERVED] = RatingModelAdapter(rating_model(posterior, rest))
    metrics = _Metrics(contest, rest)
    of_lists = {} if ranker is None else {"diversity": _diversity(ranker(rest, rng), posterior, rest, test, rng)}
    return of_lists | {
        "protocol": _protocol(given, training.values.size, test.values.size, seed, settings.chains),
        "seed": seed,
        "share": HELD_OUT,
        "held_out": int(test.values.size),
        "training": int(rest.values.size),
        "chains": 1,
        "methods": [
            {"method": name, **metrics.estimates(method, test, ("rmse", "mae"))} for name, method in fitted.items()
        ],
        "curve": _learning_curve(posterior, metrics, test, settings.burn_in),
        "intervals": _intervals(metrics, fitted[SERVED], test),
        "by_ratings": _by_ratings(metrics, {name: fitted[name] for name in (SERVED, BAND_BASELINE)}, test),
    }


@dataclass(frozen=True, slots=True)
class _Metrics:
    """Metrics of fitted methods, the same as in ``posterity evaluate``."""

    contest: Contest
    training: Training

    def result(self, fitted: Predictor, test: Training) -> FoldResult:
        measures, _ = self.contest.measure(fitted, self.training, test)
        return FoldResult("", 1, test.users.values[np.unique(test.user_rows)], measures)

    def estimates(self, fitted: Predictor, test: Training, names: tuple[str, ...]) -> dict[str, Any]:
        """Return each metric's estimate, rounded; a metric that the method does not have is left out."""
        found = estimate_metrics([self.result(fitted, test)], names)
        return {name: _rounded(estimate) for name, estimate in found.items() if estimate is not None}


@dataclass(frozen=True, slots=True)
class _Precomputed:
    """A predictor that returns given predictions."""

    values: Float64Array  # (m,) of the test ratings, in their order

    def predict(self, _users: Int64Array, _movies: Int64Array) -> Float64Array:
        return self.values


def _random_mask(n: int, rng: np.random.Generator) -> BoolArray:
    """Draw a mask (n,) of held-out ratings."""
    mask = np.zeros(n, dtype=np.bool_)
    mask[rng.permutation(n)[: min(int(HELD_OUT * n), MAX_HELD_OUT)]] = True
    return mask


def _learning_curve(posterior: Posterior, metrics: _Metrics, test: Training, burn_in: int) -> list[dict[str, Any]]:
    """Return RMSE by iteration: of the mean over the posterior samples so far, and of the latest sample alone."""

    def rmse(values: Float64Array) -> float | None:
        value = fold_value(metrics.result(_Precomputed(values), test), "rmse")
        return None if value is None else round(value, 4)

    n_samples = posterior.global_bias.size
    points = set(np.unique(np.linspace(0, n_samples - 1, min(n_samples, CURVE_POINTS)).astype(int)).tolist())
    total = np.zeros(test.values.size)
    curve = []
    for at, sample in enumerate(posterior.samples(test.user_rows, test.movie_rows)):
        total += sample
        if at in points:
            curve.append({"iteration": burn_in + at + 1, "mean": rmse(total / (at + 1)), "sample": rmse(sample)})
    return curve


def _intervals(metrics: _Metrics, served: Predictor, test: Training) -> list[dict[str, Any]]:
    """Return coverage on the held-out ratings and mean width (stars) of the served intervals, by level."""
    names = tuple(f"{metric}_{level}" for level in LEVELS for metric in ("inside", "width"))
    found = metrics.estimates(served, test, names)
    return [
        {"level": level / 100, "inside": found[f"inside_{level}"], "width": found[f"width_{level}"]["value"]}
        for level in LEVELS
    ]


def _diversity(
    ranker: Ranker, posterior: Posterior, rest: Training, test: Training, rng: np.random.Generator
) -> dict[str, Any]:
    """Return accuracy and likeness of lists of recommendations by the diversity asked for, without learned trees."""
    blend = blend_of(likeness_spaces(posterior, rest), BLEND, rest.movie_ids)
    test = of_some_users(test, rng, MAX_LISTS)
    users = np.unique(test.user_rows)
    scorer = RatingModelAdapter(rating_model(posterior, rest, ranker))
    result = FoldResult("", 1, users, measure_diversity(scorer, blend, rest, test, users))
    found = estimate_metrics([result], METRICS)
    levels = []
    for level in DIVERSITIES:
        estimates = {name: found[metric(name, level)] for name in ("ndcg", "alike")}
        levels.append({"diversity": level, **{n: _rounded(each) for n, each in estimates.items() if each is not None}})
    return {"users": int(users.size), "levels": levels}


def _by_ratings(metrics: _Metrics, fitted: dict[str, Predictor], test: Training) -> list[dict[str, Any]]:
    """Return RMSE by the movie's number of training ratings; bands without held-out ratings are left out."""
    counts = np.bincount(metrics.training.movie_rows, minlength=test.shape[1])[test.movie_rows]
    bands = []
    for least, below in pairwise((*BANDS, None)):
        within = counts >= (least or 0)
        if below is not None:
            within &= counts < below
        if within.any():
            part = test.take(within)
            rmse = {name: metrics.estimates(method, part, ("rmse",))["rmse"] for name, method in fitted.items()}
            most = None if below is None else below - 1
            bands.append({"least": least, "most": most, "held_out": int(within.sum()), "rmse": rmse})
    return bands


def _rounded(estimate: Estimate) -> dict[str, float]:
    return {name: round(float(getattr(estimate, name)), 4) for name in estimate.__slots__}


def _protocol(given: int, used: int, held_out: int, seed: int, chains: int) -> str:
    """Describe the split and the fit in sentences, for the manifest."""
    sampled = "" if used == given else f"Of {given:,} ratings, the {used:,} by users drawn at random are used. "
    model = (
        f"one chain of the sampler. The served model has {chains} chains and is a little better."
        if chains > 1
        else "a model with the settings of the served one."
    )
    return (
        f"{sampled}{held_out:,} of {used:,} ratings, drawn at random (seed {seed}), are held out and predicted from"
        f" the others, by {model} Intervals of the metrics are 95% bootstrap intervals over users."
    )


def _relabel(track: Track, fixed: str) -> Track:
    """Return ``track`` with a fixed label."""

    def relabelled(items: Iterable[T], label: str, total: int | None = None) -> Iterable[T]:  # noqa: ARG001
        return track(items, fixed, total)

    return relabelled
