import json
from pathlib import Path

import numpy as np
import pytest

from index.core.errors import InvalidInput
from indexer.config import Choices, read_choices
from indexer.datasets.dataset import Dataset, Ratings
from indexer.datasets.movielens import read_dataset
from indexer.evaluation.tune import combinations, save_tuned, tune
from indexer.models import als, ease, factorization_machine
from indexer.models.registry import SERVED, Method, rating_methods
from indexer.models.settings import changed
from indexer.ranking.methods import ranking_methods
from tests.conftest import World

RNG = np.random.default_rng(0)


@pytest.fixture
def dataset(world: World) -> Dataset:
    return read_dataset(world.ratings)


def test_the_settings_that_predict_best_win(dataset: Dataset) -> None:
    search = {"factors": ["1", "2"], "regularization": [0.5, 1000.0]}
    tuned = tune(dataset, "als", search=search, folds=2)
    assert tuned.metric == "rmse"
    assert len(tuned.trials) == 4
    scores = [trial.score for trial in tuned.trials]
    assert scores == sorted(scores)  # of errors, the smallest is first
    assert tuned.settings == {"factors": tuned.trials[0].settings["factors"], "regularization": 0.5, "iterations": 15}
    assert tuned.trials[0].score == pytest.approx(np.mean(tuned.trials[0].folds))
    assert {trial.settings["regularization"] for trial in tuned.nested} == {0.5}
    assert tuned.nested_score == pytest.approx(np.mean([trial.score for trial in tuned.nested]))
    assert tuned.nested_score < tuned.trials[-1].score


def test_a_ranker_is_tuned_for_the_order_of_its_lists(dataset: Dataset) -> None:
    tuned = tune(dataset, "ease", search={"regularization": [1.0, 100.0]}, folds=2)
    assert tuned.metric == "ndcg_10"
    assert tuned.trials[0].score >= tuned.trials[1].score


def test_each_outer_fold_chooses_without_what_it_holds_out() -> None:
    """On noise, the inner folds must choose the same settings in every outer fold."""
    rng = np.random.default_rng(0)
    users, movies = np.nonzero(rng.random((30, 20)) < 0.5)
    noise = Ratings(users, movies, rng.integers(1, 6, users.size).astype(np.float32))
    from index.catalogue.catalogue import Movie

    data = Dataset("noise", "", tuple(Movie(i, str(i)) for i in range(20)), noise)
    tuned = tune(data, "als", search={"regularization": [0.01, 1.0, 100.0]}, folds=3)
    # On noise, the strongest regularization is best in every training part.
    assert all(trial.settings == {"regularization": 100.0} for trial in tuned.nested)


def test_some_combinations_are_drawn_at_random_and_no_other() -> None:
    method = rating_methods()["als"]
    every = combinations(method, "als", method.search, None, RNG)
    assert len(every) == 16
    some = combinations(method, "als", method.search, 5, np.random.default_rng(0))
    assert len(some) == 5
    assert all(settings in every for settings in some)
    assert combinations(method, "als", method.search, 99, RNG) == every


@pytest.mark.parametrize(
    ("name", "search", "message"),
    [
        ("svd", {}, "there is no method 'svd'; there are global-mean"),
        ("global-mean", {}, "global-mean has nothing to tune"),
        ("als", {"colour": [1]}, "als has no setting 'colour'; it has factors, regularization, iterations"),
        ("als", {"factors": ["many"]}, "als: factors: .* not 'many'"),
        ("als", {"factors": [0]}, "als: factors: .*greater than 0, not 0"),
        ("als", {"regularization": [-1.0]}, "als: regularization: .* not -1.0"),
        (SERVED, {"iterations": [10]}, "10 iterations are too few: the first 20 are discarded"),
    ],
)
def test_what_cannot_be_tuned_is_named(
    dataset: Dataset, name: str, search: dict[str, list[object]], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        tune(dataset, name, search=search)


@pytest.mark.parametrize("methods", [rating_methods(), ranking_methods()], ids=["ratings", "ranking"])
def test_every_methods_own_search_can_be_tried(methods: dict[str, Method]) -> None:
    for name, method in methods.items():
        if method.search:
            assert combinations(method, name, method.search, None, RNG)


def test_a_build_takes_what_was_tuned_for_what_it_serves(dataset: Dataset, tmp_path: Path) -> None:
    file = tmp_path / "ease.json"
    save_tuned(tune(dataset, "ease", search={"regularization": [7.0]}, folds=2), dataset, file)
    machine = tmp_path / "machine.json"
    machine.write_text(json.dumps({"method": SERVED, "settings": {"factors": 5}}))
    report = tmp_path / "report.json"
    report.write_text(json.dumps({"sections": {"similarity": {"weights": {"taste": 1, "facts": 0.5}}}}))
    chosen = read_choices([file, machine, report])
    assert chosen.machine == factorization_machine.Settings(factors=5)
    assert chosen.rankers.ease == ease.Settings(7)
    assert chosen.blend == {**Choices().blend, "taste": 1, "facts": 0.5}
    assert read_choices([]) == Choices()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is neither a file of posterity tune nor"),
        ("[]", "is neither a file of posterity tune nor"),
        ('{"method": "ease"}', "is neither a file of posterity tune nor"),
        ('{"sections": {"ratings-kfold": {}}}', "is neither a file of posterity tune nor"),
        ('{"sections": {"similarity": {"weights": {"taste": -1}}}}', "weight of 'taste' is -1.0"),
        ('{"sections": {"similarity": {"weights": {"smell": 1}}}}', "of poster, taste, facts"),
        (
            '{"sections": {"similarity": {"weights": {"taste": 0, "poster": 0, "facts": 0}}}}',
            "every weight of the blend",
        ),
        (
            '{"method": "als", "settings": {}}',
            "tunes als, which builds do not use: give files for factorization-machine",
        ),
        ('{"method": "ease", "settings": {"lambda": 1}}', "has no setting 'lambda'"),
    ],
)
def test_a_file_that_is_not_of_tuning_is_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "tuned.json"
    file.write_text(text)
    with pytest.raises(InvalidInput, match=message):
        read_choices([file])


def test_settings_are_checked_and_may_be_text() -> None:
    assert changed(als.Settings(), {"factors": "7", "regularization": 2}, "als") == als.Settings(7, 2.0)
    with pytest.raises(InvalidInput, match="als: factors"):
        changed(als.Settings(), {"factors": 1.5}, "als")
