import dataclasses
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest

from index.core.arrays import save_arrays
from index.core.errors import InvalidInput, UnknownMovie, UnknownUser
from index.core.ids import Ids
from index.ratings.fold_in import FoldInArrays
from index.ratings.learned_ranker import Features, LearnedRanker, MovieFeatures
from index.ratings.model import Noise, RatingArrays, RatingModel
from index.ratings.rankers import EaseByMovies, save_rankers
from indexer.ranking.learned_ranker import Examples, fit_trees
from indexer.ranking.learned_ranker import Settings as TreeSettings

# Two users and three movies with one factor: +1 for user 10 and movie 1, -1 for user 20 and movie 3, 0 for movie 2. The
# bias of both users is 3; user 10 rated movie 3.
MOVIES = Ids([1, 2, 3])
ARRAYS = RatingArrays(
    user_ids=np.array([10, 20]),
    user_bias=np.array([3.0, 3.0], dtype=np.float32),
    user_factors=np.array([[1.0], [-1.0]], dtype=np.float32),
    user_samples=np.array([[[1, 3], [-1, 3]], [[1, 3.5], [-1, 2.5]]], dtype=np.float32),
    movie_vectors=np.array([[1, 0.5], [0, 0], [-1, 0]], dtype=np.float32),
    movie_samples=np.array([[[1, 0.5], [0, 0], [-1, 0]]] * 2, dtype=np.float32),
    user_noise=np.array([0.25, 0.25], dtype=np.float32),
    rated_starts=np.array([0, 1, 1]),
    rated_rows=np.array([2], dtype=np.int32),
    rated_values=np.array([2.5], dtype=np.float32),
)


# Two samples without weights of rated movies; the prior mean of a user's own factor and bias is 0.
FOLD_IN = FoldInArrays(
    rated=np.zeros((2, 3, 2), dtype=np.float32),
    prior=np.array([[[0, 0], [1, 1]], [[0, 0], [1, 1]]], dtype=np.float32),
    noise_precision=np.array([4, 4], dtype=np.float32),
    global_bias=np.array([3, 3], dtype=np.float32),
)
NOISE = Noise(variance=0.25, residual=0.2, shrinkage=1)


# Movie 2 is the best known.
MOVIE_FEATURES = MovieFeatures(
    popularity=np.array([1, 3, 2], dtype=np.float32),
    mean=np.array([3, 3, 3], dtype=np.float32),
    deviation=np.ones(3, dtype=np.float32),
    year=np.full(3, np.nan, dtype=np.float32),
)


def trees_by_popularity() -> str:
    """Return trees that rank movies by popularity alone."""
    names = Features(["score"], {}, MOVIE_FEATURES, {}).names
    features = np.zeros((300, len(names)), dtype=np.float32)
    features[:, names.index("popularity")] = np.tile([1, 3, 2], 100)
    liked = np.tile([0, 1, 0], 100)
    data = Examples(features, liked, np.repeat(np.arange(100), 3), np.ones(300, dtype=np.int64))
    return fit_trees(data, names, TreeSettings(trees=5, smallest_leaf=5), np.random.default_rng(0))


def make(arrays: RatingArrays = ARRAYS, **options: Any) -> RatingModel:
    return RatingModel(arrays, FOLD_IN, MOVIES, noise=NOISE, scale=(0.5, 5), **options)


@pytest.fixture
def model() -> RatingModel:
    return make()


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
    extreme = make(high_bias)
    assert extreme.predict(10, [1])[0].rating == 5
    assert extreme.predict(20, [1])[0].rating == 0.5


def test_recommendations_leave_out_what_was_rated_and_put_the_best_first(model: RatingModel) -> None:
    assert model.ranked(10) == [1, 2]
    assert model.ranked(20, k=2) == [3, 2]


def test_with_a_ranker_it_decides_the_order_and_ratings_stand_beside() -> None:
    # Users who rated movie 3 rate movie 2 next; user 20 has no ratings.
    weights = np.array([[0, 0, 0], [0, 0, 0], [0.1, 0.7, 0]], dtype=np.float32)
    ranker = EaseByMovies(weights)

    def model(rating_weight: float) -> RatingModel:
        return make(ranker=ranker, rating_weight=rating_weight)

    assert model(0).ranked(10) == [2, 1]
    assert [p.rating for p in model(0).predict(10, [2, 1])] == [3, 4.5]
    assert model(0).ranked(20) == [3, 1, 2]  # by popularity, then id
    assert model(0).ranked(10, allowed=np.array([True, False, True])) == [1]
    # Movie 1 is predicted 1.5 higher, movie 2 has .6 more from the ranker: they tie at a weight of .4.
    assert model(0.39).ranked(10) == [2, 1]
    assert model(0.41).ranked(10) == [1, 2]
    assert model(0.01).ranked(20) == [3, 2, 1]


def test_a_watched_movie_counts_for_the_ranker_as_a_rated_one_and_predicts_nothing() -> None:
    # Users who rated movie 3 rate movie 2 next; users who rated movie 1 rate movie 3.
    ranker = EaseByMovies(np.array([[0, 0, 0.8], [0, 0, 0], [0.1, 0.7, 0]], dtype=np.float32))
    model = make(ranker=ranker, rating_weight=0)
    assert model.ranked({}) == [3, 1, 2]  # by popularity
    for user in (20, {}):  # neither has ratings
        assert model.ranked(user, watched=[3]) == [2, 1]
        assert model.ranked(user, watched=[1]) == [3, 2]
    assert model.ranked({3: 2.0}, watched=[1]) == [2] == model.ranked({3: 2.0}, watched=[1, 3])
    assert model.scores_of({3: 2.0}, [1]).tolist() == pytest.approx([0.1, 0.7, 0.8])
    with pytest.raises(UnknownMovie, match="no movie 9"):
        model.ranked({}, watched=[9])


def test_the_features_of_the_trees_have_scores_by_watched_movies_and_none_of_their_ratings() -> None:
    ranker = EaseByMovies(np.array([[0, 0, 0.8], [0, 0, 0], [0.1, 0.7, 0]], dtype=np.float32))
    features = Features(["score"], {"ease": ranker}, MOVIE_FEATURES, {})
    model = make(learned=LearnedRanker(features, trees_by_popularity()))
    user = dataclasses.replace(model.rated_movies({3: 2.0}), watched=np.array([0]))
    column = {
        name: features.candidates(user, np.array([False, True, False])).features[0, at]
        for at, name in enumerate(features.names)
    }
    assert column["ease"] == pytest.approx(0.7)
    assert column["ease_relative"] == pytest.approx(0)  # movie 2 is the only one that was not seen
    assert column["ratings_of_user"] == pytest.approx(np.log1p(1))


def test_who_rated_nothing_is_recommended_what_most_people_rate() -> None:
    ranker = EaseByMovies(np.zeros((3, 3), dtype=np.float32))
    assert make(ranker=ranker, rating_weight=0.01).ranked({}) == [3, 1, 2]
    assert make(ranker=ranker, rating_weight=10).ranked({}) == [1, 3, 2]


def test_recommendations_obey_a_filter_and_leave_it_as_it_was(model: RatingModel) -> None:
    allowed = np.array([False, True, True])
    assert model.ranked(10, allowed=allowed) == [2]
    assert allowed.tolist() == [False, True, True]


def test_strangers_are_named(model: RatingModel) -> None:
    with pytest.raises(UnknownUser, match="no user 11"):
        model.ranked(11)
    with pytest.raises(UnknownMovie, match="no movie 4"):
        model.predict(10, [1, 4])


def test_a_stranger_is_folded_in(model: RatingModel) -> None:
    # Movie 2 has factor 0: its rating moves the bias alone, by 4 / (4 + 1) of the residual.
    assert [p.rating for p in model.predict({2: 4.0}, [2, 3, 1])] == pytest.approx([3.8, 3.8, 4.3])
    # A high rating of movie 1 raises its prediction and lowers that of movie 3.
    towards, away = model.predict({1: 5.0}, [1, 3])
    assert towards.rating > 4.5
    assert away.rating < 3.5 - 0.001
    assert away.low < away.rating < away.high
    assert model.ranked({1: 5.0}) == [2, 3]
    assert model.ranked({}, k=2) == [1, 2]


def test_ratings_in_an_explanation_add_up(model: RatingModel) -> None:
    for user in (10, 20, {1: 5.0, 3: 1.0}, {}):
        (explanation,) = model.explain(user, [2])
        total = explanation.base + sum(part.watched + part.rated for part in explanation.contributions)
        assert total == pytest.approx(explanation.rating)
        assert explanation.rating == pytest.approx(model.predict(user, [2])[0].rating)
    largest_first = [abs(part.watched + part.rated) for part in model.explain({1: 5.0, 3: 3.0}, [1])[0].contributions]
    assert largest_first == sorted(largest_first, reverse=True)
    assert [(part.movie_id, part.given) for part in model.explain(10, [1])[0].contributions] == [(3, 2.5)]


def test_a_strangers_rating_must_be_on_the_scale_and_of_a_movie_that_is_there(model: RatingModel) -> None:
    with pytest.raises(InvalidInput, match=r"the rating 7 of movie 1 is off the scale: ratings here are 0.5 to 5"):
        model.predict({1: 7.0}, [2])
    with pytest.raises(InvalidInput, match="off the scale"):
        model.ranked({1: float("nan")})
    with pytest.raises(UnknownMovie, match="no movie 9"):
        model.ranked({9: 3.0})


def test_people_who_are_harder_to_predict_have_wider_intervals(model: RatingModel) -> None:
    assert NOISE.user_variances(0, 0) == 0.25
    steady, as_others, erratic = NOISE.user_variances([0.2, 20 * 0.2 * 20 / 21, 20], [20, 20, 20])
    assert steady < as_others < erratic
    assert as_others == pytest.approx(0.25)

    def width(user: dict[int, float]) -> float:
        (prediction,) = model.predict(user, [2])
        return prediction.high - prediction.low

    assert width({1: 4.5, 3: 2.5}) < width({1: 0.5, 3: 5.0, 2: 0.5})


def test_a_learned_ranker_decides_the_order_and_explains_it() -> None:
    learned = LearnedRanker(Features(["score"], {}, MOVIE_FEATURES, {}), trees_by_popularity())
    model = make(learned=learned)
    assert make().ranked(10) == [1, 2]
    assert model.ranked(10) == [2, 1]
    assert model.ranked({3: 2.5}) == [2, 1]  # someone new, by the same trees
    assert model.ranked(10, allowed=np.array([True, False, True])) == [1]
    explained = model.explain_ranks(10, [2])
    assert explained[2].contributions[0].name == "popularity"
    assert model.explain_ranks(10, [2], allowed=np.array([True, False, True])) == {}
    assert model.explain_ranks({}, [2]) == {}  # without ratings the most rated movies come first
    assert make().explain_ranks(10, [2]) == {}


@pytest.mark.parametrize(("rating_weight", "order"), [(0.39, [2, 1]), (0.41, [1, 2])])
def test_a_saved_model_answers_the_same(tmp_path: Path, rating_weight: float, order: list[int]) -> None:
    save_arrays(ARRAYS, tmp_path / "ratings")
    save_arrays(FOLD_IN, tmp_path / "fold_in")
    ranker = EaseByMovies(np.array([[0, 0, 0], [0, 0, 0], [0.1, 0.7, 0]], dtype=np.float32))
    form = save_rankers([ranker], tmp_path / "ranker")
    facts = {
        "noise": {"variance": 0.25, "residual": 0.2, "taken": 1},
        "scale": [0.5, 5],
        "ranker": {"forms": form, "rating_weight": rating_weight},
    }
    again = RatingModel.load(tmp_path, MOVIES, facts)
    model = make(ranker=ranker, rating_weight=rating_weight)
    assert again.ranked(10) == order
    assert again.rated(10)[0].tolist() == [2]
    for user in (10, 20, {1: 5.0, 3: 2.0}):
        assert again.predict(user, [1, 2, 3]) == model.predict(user, [1, 2, 3])
        assert again.ranked(user) == model.ranked(user)
        assert again.explain(user, [2, 1]) == model.explain(user, [2, 1])
