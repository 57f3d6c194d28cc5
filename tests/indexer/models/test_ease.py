import numpy as np
import pytest

from index.catalogue.catalogue import Movie
from index.core.ids import Ids
from indexer.datasets.dataset import Ratings
from indexer.datasets.training import Training
from indexer.models import ease


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
    assert len(ranker.weights) == min(n_users, n_movies)
    # Scores depend on the rated movies alone, for training users and for a new one.
    stranger = np.zeros((1, n_movies))
    stranger[0, [0, 3, 8]] = 1
    for row in np.vstack([x, stranger]):
        np.testing.assert_allclose(ranker.scores(np.flatnonzero(row)), row @ b, atol=1e-5)
