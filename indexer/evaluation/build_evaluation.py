"""How good the rating model is, on ratings that it was not fitted to: what a manifest says under ``evaluation``.

Every build asks, so it must not take long: one chain of the sampler is fitted where the served model has several, and
much data is sampled. ``posterity evaluate`` asks at length.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from index.core.arrays import BoolArray, Float64Array, Int64Array
from index.core.progress import T, Track, silent
from indexer.datasets.training import Predictor, Training
from indexer.evaluation.contest import LEVELS, Contest, rating_contest
from indexer.metrics.estimate import Estimate, Outcome, figures, value_of
from indexer.models import factorization_machine
from indexer.models.all_users import subsample_users
from indexer.models.factorization_machine import Posterior, Settings
from indexer.models.rating_model import rating_model
from indexer.models.registry import SERVED, ServedModel, rating_methods

HELD_OUT = 0.1  # share of the ratings
HELD_OUT_MOST = 50_000  # so many tell RMSE to .003
LEAST = 200  # ratings: of fewer, too few are held out to say anything
MOST = 2_000_000  # ratings: of more, some users stand for all
BASELINES = ("global-mean", "user-mean", "movie-mean", "biases", "item-neighbours")
BESIDE = "biases"  # the baseline beside which every band of films stands
BANDS = (0, 3, 10, 30, 100, 300, 1000)  # films by their number of ratings: each from one to below the next
STOPS = 20  # of the learning curve, about


def evaluate_build(
    training: Training, settings: Settings | None = None, *, seed: int = 0, track: Track = silent
) -> dict[str, Any]:
    """The model's figures, as plain values; ``left_out``, with the reason, where there are too few ratings for any.

    Args:
        settings: of the machine that is served.
    """
    settings = settings or Settings()
    given = training.values.size
    if given < LEAST:
        return {"left_out": f"{given} ratings are too few to hold some out: it takes {LEAST}"}
    rng = np.random.default_rng(seed)
    training = subsample_users(training, rng, MOST)
    held_out = _drawn(training.values.size, rng)
    rest, test = training.take(~held_out), training.take(held_out)

    methods = rating_methods(settings)
    contest = rating_contest(methods)
    fitted = {name: methods[name].fit(rest, rng, methods[name].settings) for name in BASELINES}
    posterior = factorization_machine.fit(
        rest, rng, replace(settings, chains=1), track=_labelled(track, "Trying the rating model")
    )
    fitted[SERVED] = ServedModel(rating_model(posterior, rest))
    judge = _Judge(contest, rest)
    return {
        "protocol": _protocol(given, training.values.size, test.values.size, seed, settings.chains),
        "seed": seed,
        "share": HELD_OUT,
        "held_out": int(test.values.size),
        "training": int(rest.values.size),
        "chains": 1,
        "methods": [
            {"method": name, **judge.figures(method, test, ("rmse", "mae"))} for name, method in fitted.items()
        ],
        "curve": _curve(posterior, judge, test, settings.burn_in),
        "intervals": _intervals(judge, fitted[SERVED], test),
        "by_ratings": _by_ratings(judge, {name: fitted[name] for name in (SERVED, BESIDE)}, test),
    }


@dataclass(frozen=True, slots=True)
class _Judge:
    """Judges methods as ``posterity evaluate`` does."""

    contest: Contest
    training: Training

    def outcome(self, fitted: Predictor, test: Training) -> Outcome:
        measures, _ = self.contest.judge(fitted, self.training, test)
        return Outcome("", 1, test.users.values[np.unique(test.user_rows)], measures)

    def figures(self, fitted: Predictor, test: Training, names: tuple[str, ...]) -> dict[str, Any]:
        """Each figure's value with its interval, rounded; figures that the method has not are left out."""
        found = figures([self.outcome(fitted, test)], names)
        return {name: _rounded(figure) for name, figure in found.items() if figure is not None}


@dataclass(frozen=True, slots=True)
class _Known:
    """Predictions that were made before."""

    values: Float64Array  # (m,) of the ratings that will be asked for

    def predict(self, _users: Int64Array, _movies: Int64Array) -> Float64Array:
        return self.values


def _drawn(n: int, rng: np.random.Generator) -> BoolArray:
    """A mask (n,) of what is held out."""
    mask = np.zeros(n, dtype=np.bool_)
    mask[rng.permutation(n)[: min(int(HELD_OUT * n), HELD_OUT_MOST)]] = True
    return mask


def _curve(posterior: Posterior, judge: _Judge, test: Training, burn_in: int) -> list[dict[str, Any]]:
    """RMSE of the mean of all samples so far, and of the last one alone, after every few iterations that are kept."""

    def rmse(values: Float64Array) -> float | None:
        value = value_of(judge.outcome(_Known(values), test), "rmse")
        return None if value is None else round(value, 4)

    kept = posterior.global_bias.size
    stops = set(np.unique(np.linspace(0, kept - 1, min(kept, STOPS)).astype(int)).tolist())
    total = np.zeros(test.values.size)
    curve = []
    for at, sample in enumerate(posterior.samples(test.user_rows, test.movie_rows)):
        total += sample
        if at in stops:
            curve.append({"iteration": burn_in + at + 1, "mean": rmse(total / (at + 1)), "sample": rmse(sample)})
    return curve


def _intervals(judge: _Judge, served: Predictor, test: Training) -> list[dict[str, Any]]:
    """How many of the held-out ratings lie within the intervals that are served, and how wide these are, in stars."""
    found = judge.figures(served, test, tuple(f"{what}_{level}" for level in LEVELS for what in ("inside", "width")))
    return [
        {"level": level / 100, "inside": found[f"inside_{level}"], "width": found[f"width_{level}"]["value"]}
        for level in LEVELS
    ]


def _by_ratings(judge: _Judge, fitted: dict[str, Predictor], test: Training) -> list[dict[str, Any]]:
    """RMSE for films with few training ratings, and with many; bands of which nothing is held out are left out."""
    counts = np.bincount(judge.training.movie_rows, minlength=test.shape[1])[test.movie_rows]
    bands = []
    for least, below in pairwise((*BANDS, None)):
        within = counts >= (least or 0)
        if below is not None:
            within &= counts < below
        if within.any():
            part = test.take(within)
            rmse = {name: judge.figures(method, part, ("rmse",))["rmse"] for name, method in fitted.items()}
            most = None if below is None else below - 1
            bands.append({"least": least, "most": most, "held_out": int(within.sum()), "rmse": rmse})
    return bands


def _rounded(figure: Estimate) -> dict[str, float]:
    return {name: round(float(getattr(figure, name)), 4) for name in figure.__slots__}


def _protocol(given: int, used: int, held_out: int, seed: int, chains: int) -> str:
    """What was done, in words."""
    sampled = "" if used == given else f"Of {given:,} ratings, the {used:,} by users drawn at random are used. "
    served = (
        f" one of the sampler's chains, where the served model has {chains}, and so is a little better."
        if chains > 1
        else " a model with the settings of the served one."
    )
    return (
        f"{sampled}{held_out:,} of {used:,} ratings, drawn at random (seed {seed}), are held out and predicted from"
        f" the others, by{served} Intervals of the figures are 95% bootstrap intervals over users."
    )


def _labelled(track: Track, words: str) -> Track:
    """The same ``track`` with words of its own."""

    def labelled(items: Iterable[T], label: str, total: int | None = None) -> Iterable[T]:  # noqa: ARG001
        return track(items, words, total)

    return labelled
