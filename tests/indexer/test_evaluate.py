from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index.core.errors import InvalidInput
from index.core.progress import silent
from indexer.datasets.dataset import Dataset
from indexer.datasets.movielens import read_dataset
from indexer.datasets.training import Training
from indexer.evaluation.contest import RATING_METRICS, evaluate, rating_contest
from indexer.metrics.bootstrap import Estimate
from indexer.metrics.estimate import FoldResult, estimate_metrics
from indexer.models.registry import COLD, SERVED, methods_for_split, rating_methods
from tests.conftest import QUICK, World

CONTEST = rating_contest(rating_methods(QUICK))


@pytest.fixture
def dataset(world: World) -> Dataset:
    return read_dataset(world.ratings)


def by_method(results: list[FoldResult]) -> dict[str, dict[str, Estimate | None]]:
    names = dict.fromkeys(result.method for result in results)
    return {name: estimate_metrics([each for each in results if each.method == name], RATING_METRICS) for name in names}


def value(figure: Estimate | None) -> float:
    assert figure is not None
    return figure.value


def test_the_served_model_beats_every_simple_method_on_a_world_with_taste(dataset: Dataset) -> None:
    results = list(evaluate(dataset, CONTEST.only(methods_for_split("kfold")), folds=2))
    found = by_method(results)
    assert len(results) == 2 * len(found) == 2 * (len(CONTEST.methods) - 1)
    served = found[SERVED]
    for name in ("global-mean", "user-mean", "movie-mean", "biases", "user-cosine", "item-cosine"):
        assert value(served["rmse"]) < value(found[name]["rmse"]), name
    assert value(served["rmse"]) < 0.75  # noise .5, rounding .14
    assert value(served["mse"]) == pytest.approx(value(served["rmse"]) ** 2)
    inside = [value(served[f"inside_{level}"]) for level in (50, 80, 95)]
    assert inside == sorted(inside)
    assert 0.7 < inside[1] < 0.95
    widths = [value(served[f"width_{level}"]) for level in (50, 80, 95)]
    assert widths == sorted(widths)
    # All users have few ratings.
    assert value(served["few_inside_80"]) == inside[1]
    assert found["als"]["inside_80"] is None


def test_the_learning_curve_of_gradient_descent_is_kept(dataset: Dataset) -> None:
    (result, _) = evaluate(dataset, CONTEST.only(["sgd"]), folds=2)
    curve = np.array(result.facts["curve"])
    assert curve.shape == (40, 2)
    assert curve[-1, 0] < curve[0, 0]
    assert np.isfinite(curve[:, 1]).all()


def test_movies_without_training_ratings_are_predicted_from_their_facts(dataset: Dataset) -> None:
    found = by_method(list(evaluate(dataset, CONTEST.only(methods_for_split("cold")), split="cold", folds=4)))
    assert value(found[COLD]["rmse"]) < value(found["user-mean"]["rmse"]) - 0.2
    assert value(found[SERVED]["rmse"]) < value(found[COLD]["rmse"]) + 0.03
    assert 0.7 < value(found[SERVED]["inside_80"]) < 0.95


def test_users_without_training_ratings_are_predicted_and_counted(dataset: Dataset) -> None:
    # The oldest ratings are all those of the first users.
    order = np.argsort(dataset.ratings.user_ids, kind="stable")
    ratings = replace(dataset.ratings.take(order), timestamps=np.arange(len(dataset.ratings)))
    newer = Dataset(dataset.name, "", dataset.movies, ratings)
    for result in evaluate(newer, CONTEST, split="time"):
        assert result.facts["users_without_training_ratings"] >= 7
        rmse = estimate_metrics([result], ("rmse",))["rmse"]
        assert rmse is not None
        assert np.isfinite(rmse.value)


def test_the_articles_predictions_are_scored_as_they_are(dataset: Dataset) -> None:
    methods = {"item-cosine": rating_methods(QUICK)["item-cosine"]}
    kept, free = (
        by_method(list(evaluate(dataset, rating_contest(methods, clip=keep), split="article")))
        for keep in (True, False)
    )
    assert value(free["item-cosine"]["mse"]) > value(kept["item-cosine"]["mse"])


def test_what_was_kept_of_a_killed_run_is_not_worked_out_again(dataset: Dataset, tmp_path: Path) -> None:
    contest = CONTEST.only(["biases", "user-mean"])
    run = evaluate(dataset, contest, folds=3, checkpoints=tmp_path)
    for _ in range(4):
        next(run)
    run.close()  # killed in the second fold, after its second method
    assert len(list(tmp_path.iterdir())) == 4
    fitted: list[str] = []

    def counting(name: str):  # type: ignore[no-untyped-def]
        def fit(training: Training, *arguments: object, **options: object) -> object:
            fitted.append(name)
            return contest.methods[name].fit(training, *arguments, **options)

        return replace(contest.methods[name], fit=fit)

    again = replace(contest, methods={name: counting(name) for name in contest.methods})
    results = list(evaluate(dataset, again, folds=3, checkpoints=tmp_path, track=silent))
    assert fitted == ["biases", "user-mean"]
    fresh = list(evaluate(dataset, contest, folds=3))
    assert [(o.method, o.fold) for o in results] == [(o.method, o.fold) for o in fresh]
    for ours, theirs in zip(results, fresh, strict=True):
        np.testing.assert_array_equal(ours.measures["mse"], theirs.measures["mse"])


def test_unknown_methods_are_named() -> None:
    with pytest.raises(InvalidInput, match="there is no method 'svd'; there are global-mean"):
        CONTEST.only(["svd"])
