"""Rating methods and rankers: one contract for all, then hand-checked cases."""

from __future__ import annotations

import numpy as np
import pytest

from index.catalogue.catalogue import Movie
from index.core.ids import Ids
from index.core.progress import silent
from indexer.datasets.dataset import Ratings
from indexer.datasets.training import Predictor, Scorer, Training
from indexer.models import als, baselines, neighbourhood, sgd
from indexer.models.registry import COLD, Method, rating_methods
from indexer.ranking.methods import ranking_methods
from tests.conftest import QUICK

# Users 1 to 8 love movies 10 to 17 and dislike 20 to 27; users 11 to 18 vice versa. Four of five pairs are rated. User 30
# and movie 40 have no ratings.
HATERS, LOVERS = range(11, 19), range(1, 9)
ACTION, ROMANCE = range(10, 18), range(20, 28)
MOVIES = tuple(Movie(i, f"Film {i}", 2000, ("Action" if i in ACTION else "Romance",)) for i in (*ACTION, *ROMANCE, 40))
USERS = Ids([*LOVERS, *HATERS, 30])
PAIRS = [(u, m) for u in (*LOVERS, *HATERS) for m in (*ACTION, *ROMANCE)]
LOVED = {(u, m): (u in LOVERS) == (m in ACTION) for u, m in PAIRS}
TRAINED = [pair for at, pair in enumerate(PAIRS) if at % 5]
METHODS = rating_methods(QUICK)
NAMES = tuple(METHODS)
RANKERS = tuple(ranking_methods(QUICK))
BLIND = {"global-mean", "user-mean", "movie-mean", "biases"}  # methods that do not model taste


def training(pairs: list[tuple[int, int]] = TRAINED) -> Training:
    users, movies = np.array(pairs).T
    values = np.array([4.5 if LOVED[pair] else 1.5 for pair in pairs], dtype=np.float32)
    return Training(Ratings(users, movies, values), USERS, MOVIES)


def fit(method: Method, data: Training, seed: int = 0) -> object:
    return method.fit(data, np.random.default_rng(seed), method.settings, track=silent)


def fitted(name: str, seed: int = 0) -> Predictor:
    model = fit(METHODS[name], training(), seed)
    assert hasattr(model, "predict")
    return model


def predict(model: Predictor, pairs: list[tuple[int, int]]) -> np.ndarray:
    users, movies = np.array(pairs).T
    return model.predict(USERS.find(users), Ids([movie.movie_id for movie in MOVIES]).find(movies))


@pytest.mark.parametrize("name", NAMES)
def test_every_pair_has_a_finite_prediction_even_without_ratings(name: str) -> None:
    predicted = predict(fitted(name), [*PAIRS, (30, 10), (30, 40), (1, 40)])
    assert predicted.shape == (len(PAIRS) + 3,)
    assert predicted.dtype == np.float64
    assert np.isfinite(predicted).all()


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_predicts_the_same(name: str) -> None:
    np.testing.assert_array_equal(predict(fitted(name), PAIRS), predict(fitted(name), PAIRS))


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_what_is_asked_does_not_matter(name: str) -> None:
    model = fitted(name)
    np.testing.assert_allclose(predict(model, PAIRS[::-1])[::-1], predict(model, PAIRS), atol=1e-6)
    np.testing.assert_allclose(predict(model, PAIRS[:1]), predict(model, PAIRS)[:1], atol=1e-6)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in BLIND])
def test_what_was_held_out_is_predicted_on_the_right_side(name: str) -> None:
    held_out = [pair for pair in PAIRS if pair not in TRAINED]
    predicted = predict(fitted(name), held_out)
    loved = np.array([LOVED[pair] for pair in held_out])
    assert predicted[loved].min() > predicted[~loved].max()


@pytest.mark.parametrize("name", NAMES)
def test_one_rating_alone_can_be_learned_from(name: str) -> None:
    model = fit(METHODS[name], training(TRAINED[:1]))
    assert np.isfinite(predict(model, PAIRS)).all()  # type: ignore[arg-type]


@pytest.mark.parametrize("name", RANKERS)
def test_every_ranker_scores_every_unrated_movie_for_everyone(name: str) -> None:
    data = training()
    model: Scorer = fit(ranking_methods(QUICK)[name], data)  # type: ignore[assignment]
    again: Scorer = fit(ranking_methods(QUICK)[name], data)  # type: ignore[assignment]
    for user in range(len(USERS)):
        scores = model.scores(user)
        assert scores.shape == (len(MOVIES),)
        assert scores.dtype == np.float32
        unrated = np.isin(np.arange(len(MOVIES)), data.movie_rows[data.user_rows == user], invert=True)
        assert np.isfinite(scores[unrated]).all()
        assert not np.isnan(scores).any()
        np.testing.assert_array_equal(scores, again.scores(user))
        scores[:] = 0  # the returned array belongs to the caller
        assert model.scores(user)[unrated].any() or user == USERS.row(30)


@pytest.mark.parametrize("name", RANKERS)
def test_every_ranker_learns_from_one_rating(name: str) -> None:
    data = training(TRAINED[:1])
    model: Scorer = fit(ranking_methods(QUICK)[name], data)  # type: ignore[assignment]
    assert np.isfinite(np.delete(model.scores(0), data.movie_rows)).all()


def test_without_movie_ids_films_of_a_genre_are_predicted_alike() -> None:
    unseen = [(user, 40) for user in (*LOVERS, *HATERS)]
    model = fitted(COLD)
    new, known = predict(model, unseen), predict(model, [(user, 20) for user, _ in unseen])
    np.testing.assert_allclose(new, known, atol=1e-9)
    loved = np.array([user in HATERS for user, _ in unseen])
    assert new[loved].min() > new[~loved].max()


def test_means_are_means() -> None:
    ratings = Ratings(np.array([1, 1, 2]), np.array([10, 20, 10]), np.array([5, 3, 1], dtype=np.float32))
    data = Training(ratings, Ids([1, 2, 3]), (Movie(10, "a"), Movie(20, "b"), Movie(30, "c")))
    rng = np.random.default_rng(0)
    rows = np.array([0, 1, 2]), np.array([0, 1, 2])
    mean = baselines.fit(data, rng, baselines.Settings(of_users=False, of_movies=False))
    assert mean.predict(*rows).tolist() == [3, 3, 3]
    of_users = baselines.fit(data, rng, baselines.Settings(of_movies=False, damping=0))
    assert of_users.predict(*rows).tolist() == [4, 1, 3]
    of_movies = baselines.fit(data, rng, baselines.Settings(of_users=False, damping=0))
    assert of_movies.predict(*rows).tolist() == [3, 3, 3]


def test_neighbours_vote_as_the_article_says() -> None:
    # User rows (4, 2), (4, 0), (0, 2): cosines of user 1 to 2 and 3 are 4/sqrt(20) and 2/sqrt(20).
    ratings = Ratings(np.array([1, 1, 2, 3]), np.array([10, 20, 10, 20]), np.array([4, 2, 4, 2], dtype=np.float32))
    data = Training(ratings, Ids([1, 2, 3]), (Movie(10, "a"), Movie(20, "b")))
    near, far = 4 / np.sqrt(20), 2 / np.sqrt(20)
    rows = np.array([0]), np.array([1])

    def vote(**settings: object) -> float:
        chosen = neighbourhood.Settings(**settings)  # type: ignore[arg-type]
        return float(neighbourhood.fit(data, np.random.default_rng(0), chosen).predict(*rows)[0])

    assert vote() == pytest.approx((2 * 1 + 2 * far) / (1 + near + far))  # a missing rating counts as zero
    assert vote(over="raters") == pytest.approx(2)
    assert vote(over="raters", neighbours=1) == pytest.approx(2)
    assert vote(by="item") == pytest.approx((2 * 1 + 4 * 0.5) / (1 + 0.5))  # (4, 4, 0) and (2, 0, 2) have cosine .5


@pytest.mark.parametrize("name", ["user-cosine", "item-cosine", "user-cosine-raters", "item-neighbours", "sgd", "als"])
def test_a_list_is_ranked_by_the_predicted_ratings(name: str) -> None:
    model = fitted(name)
    assert hasattr(model, "scores")
    movies = np.arange(len(MOVIES))
    for user in range(len(USERS)):
        predicted = model.predict(np.full(movies.size, user), movies)
        np.testing.assert_allclose(model.scores(user), predicted, atol=1e-6)


def test_least_squares_reach_a_minimum() -> None:
    data = training()
    settings = als.Settings(factors=3, regularization=0.5, iterations=400)
    model = als.fit(data, np.random.default_rng(0), settings)

    def loss(scale: float) -> float:
        moved = als.Factors(
            model.mean,
            model.user_bias * scale,
            model.movie_bias,
            model.user_factors * scale,
            model.item_factors,
        )
        error = moved.predict(data.user_rows, data.movie_rows) - data.values
        squares = sum(
            float((part**2).sum())
            for part in (moved.user_bias, moved.movie_bias, moved.user_factors, moved.item_factors)
        )
        return float((error**2).sum()) + settings.regularization * squares

    assert loss(1) < min(loss(0.99), loss(1.01))


def test_gradient_descent_keeps_its_learning_curve() -> None:
    held_out = [pair for pair in PAIRS if pair not in TRAINED]
    settings = sgd.Settings(factors=4, epochs=60)
    model = sgd.fit(training(), np.random.default_rng(0), settings, test=training(held_out))
    train, test = np.array(model.curve, dtype=float).T
    assert len(train) == 60
    assert train[-1] < train[0] / 2
    assert test[-1] < test[0] / 2
    assert model.curve[-1][0] == pytest.approx(np.sqrt(np.mean((predict(model, TRAINED) - training().values) ** 2)))
