from pathlib import Path

import numpy as np
import pytest

from index.errors import BadData
from indexer.dataset import Ratings
from indexer.evaluate import HELD_OUT, evaluate, kfold, mean_score, per_user
from indexer.methods import SERVED, methods
from indexer.movielens import read_dataset
from tests.conftest import QUICK, World


def test_the_folds_are_those_of_scikit_learn() -> None:
    # What scikit-learn 1.7 gives for 3 shuffled folds of 10, random_state 0.
    expected = [[2, 4, 8, 9], [1, 6, 7], [0, 3, 5]]
    assert [np.flatnonzero(mask).tolist() for mask in kfold(10, 3)] == expected


def test_every_rating_is_held_out_once() -> None:
    assert sum(mask.astype(int) for mask in kfold(103, 5)).tolist() == [1] * 103


def test_the_articles_split_holds_out_ten_ratings_of_every_user_who_has_more() -> None:
    users = np.repeat([3, 5, 9], [30, 10, 11])
    ratings = Ratings(users, np.arange(51), np.ones(51, dtype=np.float32))
    held_out = per_user(ratings, HELD_OUT, np.random.default_rng(0))
    assert {user: int(held_out[users == user].sum()) for user in (3, 5, 9)} == {3: 10, 5: 0, 9: 10}
    other = per_user(ratings, HELD_OUT, np.random.default_rng(1))
    assert not np.array_equal(held_out, other)


def test_the_served_model_beats_every_simple_method_on_a_world_with_taste(world: World) -> None:
    scores = list(evaluate(read_dataset(world.ratings), folds=2, settings=QUICK))
    assert len(scores) == 2 * len(methods())
    means = {name: mean_score([score for score in scores if score.method == name]) for name in methods()}
    served = means[SERVED]
    simple = ("global-mean", "user-mean", "movie-mean", "biases", "user-cosine", "item-cosine")
    assert all(served.rmse < means[name].rmse for name in simple)
    assert served.rmse < 0.75  # the noise is .5, and .14 for rounding
    assert served.coverage is not None
    assert 0.7 < served.coverage < 0.95
    assert served.mse == pytest.approx(served.rmse**2, rel=0.01)


def test_some_methods_can_be_chosen_and_unknown_ones_are_named(world: World) -> None:
    dataset = read_dataset(world.ratings)
    scores = list(evaluate(dataset, protocol="article", names=["als", "user-mean"]))
    assert [(score.method, score.fold) for score in scores] == [("als", 1), ("user-mean", 1)]
    with pytest.raises(BadData, match="there is no method 'svd'; there are global-mean"):
        list(evaluate(dataset, names=["svd"]))


def test_too_few_ratings_to_hold_any_out_are_refused(tmp_path: Path) -> None:
    (tmp_path / "tiny.csv").write_text("user,item,rating\n1,1,3\n1,2,3\n")
    dataset = read_dataset(tmp_path / "tiny.csv")
    with pytest.raises(BadData, match="2 ratings cannot be cut into 5 folds"):
        list(evaluate(dataset, folds=5))
    with pytest.raises(BadData, match="no user has more than 10 ratings"):
        list(evaluate(dataset, protocol="article"))
