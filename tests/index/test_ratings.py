import dataclasses
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest

from index.errors import UnknownMovie, UnknownUser
from index.ids import Ids
from index.ranker import Ranker
from index.ratings import RatingArrays, RatingModel

# Two users and three movies on one taste axis: user 10 is for it, user 20 against; movie 1 has it, movie 3 the
# opposite, movie 2 neither. Everybody starts from 3; user 10 rated movie 3.
MOVIES = Ids([1, 2, 3])
ARRAYS = RatingArrays(
    user_ids=np.array([10, 20]),
    user_bias=np.array([3.0, 3.0], dtype=np.float32),
    user_factors=np.array([[1.0], [-1.0]], dtype=np.float32),
    user_samples=np.array([[[1, 3], [-1, 3]], [[1, 3.5], [-1, 2.5]]], dtype=np.float32),
    movie_vectors=np.array([[1, 0.5], [0, 0], [-1, 0]], dtype=np.float32),
    movie_samples=np.array([[[1, 0.5], [0, 0], [-1, 0]]] * 2, dtype=np.float32),
    rated_starts=np.array([0, 1, 1]),
    rated_rows=np.array([2], dtype=np.int32),
    rated_values=np.array([2.5], dtype=np.float32),
)


@pytest.fixture
def model() -> RatingModel:
    return RatingModel(ARRAYS, MOVIES, noise_variance=0.25, scale=(0.5, 5))


def test_a_prediction_is_biases_plus_the_inner_product(model: RatingModel) -> None:
    assert [p.rating for p in model.predict(10, [1, 2, 3])] == pytest.approx([4.5, 3, 2])
    assert [p.rating for p in model.predict(20, [3, 1])] == pytest.approx([4, 2.5])


def test_the_interval_holds_model_spread_and_noise(model: RatingModel) -> None:
    (prediction,) = model.predict(10, [2])
    half = NormalDist().inv_cdf(0.9) * np.sqrt(0.25 + np.var([3, 3.5]))
    assert (prediction.low, prediction.high) == pytest.approx((3 - half, 3 + half))


def test_predictions_stay_on_the_scale(model: RatingModel) -> None:
    assert model.predict(10, [1])[0].high == 5
    high_bias = dataclasses.replace(ARRAYS, user_bias=np.array([9, -9], dtype=np.float32))
    extreme = RatingModel(high_bias, MOVIES, noise_variance=0.25, scale=(0.5, 5))
    assert extreme.predict(10, [1])[0].rating == 5
    assert extreme.predict(20, [1])[0].rating == 0.5


def test_recommendations_leave_out_what_was_rated_and_put_the_best_first(model: RatingModel) -> None:
    assert [p.movie_id for p in model.recommend(10)] == [1, 2]
    assert [p.movie_id for p in model.recommend(20, k=2)] == [3, 2]


def test_with_a_ranker_it_decides_the_order_and_ratings_stand_beside() -> None:
    # By movies: who rated movie 3 picks movie 2 next; user 20 rated nothing, so ties go by id.
    weights = np.array([[0, 0, 0], [0, 0, 0], [0.1, 0.7, 0]], dtype=np.float32)
    ranker = Ranker(weights, np.empty(0, dtype=np.float32), ARRAYS.rated_starts, ARRAYS.rated_rows)

    def model(rating_weight: float) -> RatingModel:
        return RatingModel(
            ARRAYS, MOVIES, noise_variance=0.25, scale=(0.5, 5), ranker=ranker, rating_weight=rating_weight
        )

    assert [(p.movie_id, p.rating) for p in model(0).recommend(10)] == [(2, 3), (1, 4.5)]
    assert [p.movie_id for p in model(0).recommend(20)] == [1, 2, 3]
    assert [p.movie_id for p in model(0).recommend(10, allowed=np.array([True, False, True]))] == [1]
    # Movie 1 is predicted 1.5 stars higher: from a weight of .4 a star on that counts for more than .6 of the ranker.
    assert [p.movie_id for p in model(0.39).recommend(10)] == [2, 1]
    assert [p.movie_id for p in model(0.41).recommend(10)] == [1, 2]
    assert [p.movie_id for p in model(0.01).recommend(20)] == [3, 2, 1]


def test_recommendations_obey_a_filter_and_leave_it_as_it_was(model: RatingModel) -> None:
    allowed = np.array([False, True, True])
    assert [p.movie_id for p in model.recommend(10, allowed=allowed)] == [2]
    assert allowed.tolist() == [False, True, True]


def test_strangers_are_named(model: RatingModel) -> None:
    with pytest.raises(UnknownUser, match="no user 11"):
        model.recommend(11)
    with pytest.raises(UnknownMovie, match="no movie 4"):
        model.predict(10, [1, 4])


def test_a_saved_model_predicts_the_same(model: RatingModel, tmp_path: Path) -> None:
    (tmp_path / "ratings").mkdir()
    for name, array in ARRAYS.items():
        np.save(tmp_path / "ratings" / f"{name}.npy", array)
    facts = {"noise_variance": 0.25, "scale": [0.5, 5]}
    again = RatingModel.load(tmp_path, MOVIES, facts)
    assert again.predict(20, [1, 2, 3]) == model.predict(20, [1, 2, 3])
    assert again.rated(10)[0].tolist() == [2]


def test_a_saved_ranker_and_its_weight_come_back(tmp_path: Path) -> None:
    (tmp_path / "ratings").mkdir()
    for name, array in ARRAYS.items():
        np.save(tmp_path / "ratings" / f"{name}.npy", array)
    weights = np.array([[0, 0, 0], [0, 0, 0], [0.1, 0.7, 0]], dtype=np.float32)
    Ranker(weights, np.empty(0, np.float32), ARRAYS.rated_starts, ARRAYS.rated_rows).save(tmp_path / "ranker")
    for rating_weight, order in ((0.39, [2, 1]), (0.41, [1, 2])):
        facts = {"noise_variance": 0.25, "scale": [0.5, 5], "ranker": {"rating_weight": rating_weight}}
        assert [p.movie_id for p in RatingModel.load(tmp_path, MOVIES, facts).recommend(10)] == order
