import numpy as np
import pytest

from index.core.errors import InvalidInput
from indexer.datasets.dataset import Ratings
from indexer.evaluation.splits import HELD_OUT, SPLITS, kfold, movie_folds, newest, newest_of_each_user, per_user


def ratings(users: object, movies: object, stamps: object = None) -> Ratings:
    ids, items = np.array(users), np.array(movies)
    times = None if stamps is None else np.array(stamps)
    return Ratings(ids, items, np.ones(ids.size, dtype=np.float32), times)


def test_the_folds_are_those_of_scikit_learn() -> None:
    # The folds of scikit-learn 1.7: 3 shuffled folds of 10, random_state 0.
    expected = [[2, 4, 8, 9], [1, 6, 7], [0, 3, 5]]
    assert [np.flatnonzero(mask).tolist() for mask in kfold(10, 3)] == expected


def test_every_rating_is_held_out_once() -> None:
    assert sum(mask.astype(int) for mask in kfold(103, 5)).tolist() == [1] * 103


def test_the_articles_split_holds_out_ten_ratings_of_every_user_who_has_more() -> None:
    users = np.repeat([3, 5, 9], [30, 10, 11])
    held_out = per_user(ratings(users, np.arange(51)), HELD_OUT, np.random.default_rng(0))
    assert {user: int(held_out[users == user].sum()) for user in (3, 5, 9)} == {3: 10, 5: 0, 9: 10}
    other = per_user(ratings(users, np.arange(51)), HELD_OUT, np.random.default_rng(1))
    assert not np.array_equal(held_out, other)


def test_the_newest_ratings_are_held_out() -> None:
    data = ratings([1] * 10, range(10), [5, 9, 1, 2, 3, 9, 4, 0, 6, 7])
    assert np.flatnonzero(newest(data, 0.2)).tolist() == [1, 5]
    assert np.flatnonzero(newest(data, 0.1)).tolist() == [5]  # equal timestamps: the last one
    with pytest.raises(InvalidInput, match="have no timestamps"):
        newest(ratings([1], [1]), 0.2)
    with pytest.raises(InvalidInput, match="too few to hold out the newest 20%"):
        newest(ratings([1], [1], [1]), 0.2)


def test_the_newest_ratings_of_each_user_are_held_out() -> None:
    data = ratings([1, 2, 1, 1, 2, 1, 1, 2, 2, 3], range(10), [5, 9, 9, 2, 7, 9, 4, 9, 6, 99])
    assert np.flatnonzero(newest_of_each_user(data, 0.25)).tolist() == [5, 7]  # equal timestamps: the last one
    assert np.flatnonzero(newest_of_each_user(data, 0.5)).tolist() == [1, 2, 5, 7]
    with pytest.raises(InvalidInput, match="have no timestamps"):
        newest_of_each_user(ratings([1], [1]), 0.2)


def test_cold_movies_have_no_rating_in_training() -> None:
    movies = np.repeat(np.arange(7), [1, 2, 3, 4, 5, 6, 7])
    data = ratings(np.arange(28), movies)
    masks = list(movie_folds(data, 3))
    assert sum(mask.astype(int) for mask in masks).tolist() == [1] * 28
    for mask in masks:
        assert not set(movies[mask]) & set(movies[~mask])
    with pytest.raises(InvalidInput, match="7 rated movies cannot be cut into 8 folds"):
        list(movie_folds(data, 8))


@pytest.mark.parametrize("name", SPLITS)
def test_every_split_holds_something_out_and_leaves_something(name: str) -> None:
    data = ratings(np.repeat([1, 2, 3], 20), np.tile(np.arange(20), 3), np.arange(60))
    masks = list(SPLITS[name].masks(data, 4, 0))
    assert len(masks) == (4 if "{folds}" in SPLITS[name].description else 1)
    for mask in masks:
        assert mask.shape == (60,)
        assert mask.any()
        assert not mask.all()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("kfold", "2 ratings cannot be cut into 5 folds"),
        ("article", "no user has more than 10 ratings"),
        ("time", "too few to hold out"),
        ("user-time", "no user has 5 ratings"),
        ("cold", "2 rated movies cannot be cut into 5 folds"),
    ],
)
def test_too_few_ratings_to_hold_any_out_are_refused(name: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        list(SPLITS[name].masks(ratings([1, 1], [1, 2], [1, 2]), 5, 0))
