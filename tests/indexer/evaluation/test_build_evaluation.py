"""The evaluation of a build, against metrics computed by hand."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from index.catalogue.catalogue import Movie
from indexer.datasets.dataset import Dataset, Ratings
from indexer.datasets.training import Training
from indexer.evaluation import build_evaluation as module
from indexer.evaluation.build_evaluation import BASELINES, HELD_OUT, evaluate_build
from indexer.models import ease, factorization_machine
from indexer.models.registry import SERVED
from tests.conftest import QUICK


def training(users: int = 40, movies: int = 20, *, constant: bool = False) -> Training:
    """Return training data in which everyone rated everything: even users like even movies, odd users odd ones."""
    rng = np.random.default_rng(0)
    user, movie = (grid.ravel() for grid in np.meshgrid(np.arange(1, users + 1), np.arange(1, movies + 1)))
    stars = np.where((user + movie) % 2 == 0, 4.5, 1.5) + rng.normal(0, 0.3, user.size)
    stars = np.full(user.size, 3.0) if constant else np.clip(np.round(2 * stars) / 2, 0.5, 5)
    ratings = Ratings(user, movie, stars.astype(np.float32))
    films = tuple(Movie(i, f"Film {i}", 2000 + i % 5, ("Drama",)) for i in range(1, movies + 1))
    return Training.of(Dataset("hand", "", films, ratings))


def held_out(whole: Training, seed: int = 0) -> np.ndarray:
    mask = np.zeros(whole.values.size, dtype=bool)
    mask[np.random.default_rng(seed).permutation(mask.size)[: int(HELD_OUT * mask.size)]] = True
    return mask


def test_a_tenth_is_held_out_and_the_baselines_are_its_plain_means() -> None:
    whole = training()
    found = evaluate_build(whole, QUICK)
    mask = held_out(whole)
    assert (found["training"], found["held_out"]) == (720, 80)
    assert "80 of 800 ratings, drawn at random (seed 0), are held out" in found["protocol"]
    methods = {each["method"]: each for each in found["methods"]}
    assert list(methods) == [*BASELINES, SERVED]
    rest, test = whole.values[~mask], whole.values[mask]
    assert methods["global-mean"]["rmse"]["value"] == pytest.approx(
        np.sqrt(np.mean((test - rest.mean()) ** 2)), abs=1e-4
    )
    assert methods["global-mean"]["mae"]["value"] == pytest.approx(np.abs(test - rest.mean()).mean(), abs=1e-4)
    movies = {i: rest[whole.movie_rows[~mask] == i].mean() for i in range(20)}
    errors = test - np.array([movies[row] for row in whole.movie_rows[mask]])
    assert methods["movie-mean"]["rmse"]["value"] == pytest.approx(np.sqrt(np.mean(errors**2)), abs=1e-4)
    assert methods[SERVED]["rmse"]["value"] < 0.6 < methods["biases"]["rmse"]["value"]


def test_the_curve_is_the_mean_of_the_samples_so_far() -> None:
    whole = training()
    mask = held_out(whole)
    rest, test = whole.take(~mask), whole.take(mask)
    rng = np.random.default_rng(0)
    rng.permutation(mask.size)  # the split's own draw
    posterior = factorization_machine.fit(rest, rng, QUICK)
    samples = np.stack(list(posterior.samples(test.user_rows, test.movie_rows)))
    assert posterior.predict(test.user_rows, test.movie_rows) == pytest.approx(samples.mean(axis=0))

    curve = evaluate_build(whole, QUICK)["curve"]
    assert (curve[0]["iteration"], curve[-1]["iteration"]) == (QUICK.burn_in + 1, QUICK.iterations)
    assert curve[0]["mean"] == curve[0]["sample"]
    for stop in curve:
        kept = stop["iteration"] - QUICK.burn_in
        for name, values in (("mean", samples[:kept].mean(axis=0)), ("sample", samples[kept - 1])):
            error = np.clip(values, rest.values.min(), rest.values.max()) - test.values
            assert stop[name] == pytest.approx(np.sqrt(np.mean(error**2)), abs=1e-4)


def test_intervals_hold_more_the_wider_they_are() -> None:
    intervals = evaluate_build(training(), QUICK)["intervals"]
    assert [each["level"] for each in intervals] == [0.5, 0.8, 0.95]
    for narrow, wide in pairwise(intervals):
        assert narrow["width"] < wide["width"]
        assert narrow["inside"]["value"] <= wide["inside"]["value"]


def test_films_are_banded_by_the_ratings_that_they_have_in_training() -> None:
    bands = evaluate_build(training(), QUICK)["by_ratings"]
    assert [(band["least"], band["most"], band["held_out"]) for band in bands] == [(30, 99, 80)]
    whole = training(users=11, movies=40)
    few = whole.take((whole.movie_rows >= 20) | (whole.user_rows < 3))  # half of the movies have at most three ratings
    mask = held_out(few)
    counts = np.bincount(few.movie_rows[~mask], minlength=40)[few.movie_rows[mask]]
    expected = [(0, 2, int((counts < 3).sum())), (3, 9, int(((counts >= 3) & (counts < 10)).sum()))]
    expected += [(10, 29, int((counts >= 10).sum()))]
    bands = evaluate_build(few, QUICK)["by_ratings"]
    assert [(band["least"], band["most"], band["held_out"]) for band in bands] == [each for each in expected if each[2]]
    assert len(bands) > 1


def test_the_same_seed_gives_the_same_figures_and_another_others() -> None:
    whole = training()
    assert evaluate_build(whole, QUICK) == evaluate_build(whole, QUICK)
    assert evaluate_build(whole, QUICK, seed=1)["methods"] != evaluate_build(whole, QUICK)["methods"]


def test_diversity_costs_accuracy_that_is_measured_on_the_same_ratings() -> None:
    every = training(movies=40)
    whole = every.take(np.random.default_rng(1).random(every.values.size) < 0.5)  # so that there is much to recommend
    found = evaluate_build(whole, QUICK, ranker=ease.fit)["diversity"]
    mask = held_out(whole)
    assert found["users"] == np.unique(whole.user_rows[mask]).size
    assert [each["diversity"] for each in found["levels"]] == [0, 0.25, 0.5, 0.75, 1]
    for each in found["levels"]:
        for figure in (each["ndcg"], each["alike"]):
            assert 0 <= figure["low"] <= figure["value"] <= figure["high"] <= 1
    assert found["levels"][0]["alike"]["value"] > found["levels"][-1]["alike"]["value"]
    assert "diversity" not in evaluate_build(whole, QUICK)


def test_too_few_ratings_give_a_reason_instead() -> None:
    assert evaluate_build(training(5, 20), QUICK) == {
        "left_out": "100 ratings are too few to hold some out: at least 200 are needed"
    }


@pytest.mark.parametrize(
    "whole", [training(1, 300), training(300, 1), training(constant=True)], ids=["one user", "one film", "constant"]
)
def test_odd_data_is_evaluated_too(whole: Training) -> None:
    found = evaluate_build(whole, QUICK)
    for each in found["methods"]:
        assert np.isfinite([*each["rmse"].values(), *each["mae"].values()]).all()


def test_of_very_many_ratings_some_users_stand_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_RATINGS", 500)
    monkeypatch.setattr(module, "MAX_HELD_OUT", 30)
    found = evaluate_build(training(), QUICK)
    assert found["held_out"] == 30
    assert found["training"] + 30 == 500  # 25 users with 20 ratings each
    assert found["protocol"].startswith("Of 800 ratings, the 500 by users drawn at random are used. 30 of 500 ratings")


def test_one_chain_stands_for_several_and_says_so() -> None:
    words: list[tuple[str, int | None]] = []

    def track(items, label, total=None):  # type: ignore[no-untyped-def]
        words.append((label, total))
        return items

    found = evaluate_build(training(), replace(QUICK, chains=3), track=track)
    assert "one chain of the sampler. The served model has 3 chains" in found["protocol"]
    assert words == [("Evaluating the rating model", QUICK.iterations)]
