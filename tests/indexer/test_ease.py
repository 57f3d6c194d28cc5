from pathlib import Path

import numpy as np
import pytest

from index.catalogue import Movie
from index.ids import Ids
from index.ranker import Ranker
from indexer.dataset import Ratings
from indexer.models import ease
from indexer.models.contract import Training
from indexer.movielens import read_dataset
from indexer.ranking import evaluate_ranking
from tests.conftest import QUICK, World


def training(n_users: int, n_movies: int) -> Training:
    rng = np.random.default_rng(0)
    users, movies = np.nonzero(rng.random((n_users, n_movies)) < 0.3)
    ratings = Ratings(users, movies, np.ones(users.size, dtype=np.float32))
    return Training(ratings, Ids(range(n_users)), tuple(Movie(i, str(i)) for i in range(n_movies)))


@pytest.mark.parametrize(("n_users", "n_movies"), [(12, 30), (30, 12), (9, 9)])
def test_both_forms_give_the_scores_of_the_papers_formula(n_users: int, n_movies: int) -> None:
    data = training(n_users, n_movies)
    x = (data.user_items.toarray() != 0).astype(float)
    p = np.linalg.inv(x.T @ x + 7 * np.eye(n_movies))
    b = np.eye(n_movies) - p / np.diag(p)
    np.testing.assert_allclose(np.diag(b), 0, atol=1e-12)
    ranker = ease.fit(data, np.random.default_rng(0), ease.Settings(7))
    assert ranker.weights.shape == (min(n_users, n_movies),) * 2
    for user in range(n_users):
        np.testing.assert_allclose(ranker.scores(user), (x @ b)[user], atol=1e-5)


def test_a_saved_ranker_scores_the_same(tmp_path: Path) -> None:
    ranker = ease.fit(training(12, 30), np.random.default_rng(0))
    ranker.save(tmp_path / "ranker")
    again = Ranker.load(tmp_path / "ranker", ranker.rated_starts, ranker.rated_rows)
    np.testing.assert_array_equal(again.scores(3), ranker.scores(3))


def test_a_user_without_ratings_has_no_preference() -> None:
    ratings = Ratings(np.array([1, 1, 2]), np.array([1, 2, 1]), np.ones(3, dtype=np.float32))
    data = Training(ratings, Ids([1, 2, 3]), (Movie(1, "a"), Movie(2, "b")))
    assert ease.fit(data, np.random.default_rng(0)).scores(2).tolist() == [0, 0]


def test_a_ranker_beats_popularity_on_a_world_with_taste(world: World) -> None:
    dataset = read_dataset(world.ratings)
    # Everyone here rates at random, so what is relevant cannot be told; leave those who love what they rate.
    loved = dataset.ratings.take(dataset.ratings.values >= 3.5)
    dataset = type(dataset)(dataset.name, "", dataset.movies, loved)
    scores = list(evaluate_ranking(dataset, folds=2, settings=QUICK))
    ndcg = {score.method: score.ndcg_10 for score in scores if score.fold == 1}
    assert ndcg["ease"] > ndcg["popularity"] + 0.1
    for score in scores:
        assert 0 <= score.ndcg_10 <= 1
        assert score.recall_10 <= score.recall_20 <= 1
        assert 0 < score.catalogue_10 <= 1
