import numpy as np
import pytest
from implicit.cpu.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits

from index.catalogue.catalogue import Movie
from index.core.errors import InvalidInput
from index.core.ids import Ids
from indexer.datasets.dataset import Ratings
from indexer.datasets.training import Training
from indexer.models import ease, implicit
from indexer.models.ranker_choice import Settings, choose_ranker, of_some_users
from indexer.ranking.methods import ranking_methods


def training(n_users: int = 40, n_movies: int = 30) -> Training:
    """Return ratings of even movies by even users, odd movies by odd users; the last user and movie have none."""
    rng = np.random.default_rng(0)
    pairs = [(u, m) for u in range(n_users - 1) for m in range(n_movies - 1) if u % 2 == m % 2 and rng.random() < 0.6]
    users, movies = np.array(pairs).T
    ratings = Ratings(users, movies, np.ones(users.size, dtype=np.float32))
    return Training(ratings, Ids(range(n_users)), tuple(Movie(i, str(i)) for i in range(n_movies)))


def test_users_are_folded_in_as_the_library_does_it() -> None:
    data, settings = training(), implicit.Settings(factors=6, regularization=2, confidence=5, iterations=8)
    ranker = implicit.fit(data, np.random.default_rng(0), settings)
    with threadpool_limits(1, "blas"):
        library = AlternatingLeastSquares(factors=6, regularization=2, alpha=5)
        library.item_factors = ranker.item_factors
        expected = library.recalculate_user(np.arange(40), data.rated) @ ranker.item_factors.T
    for user in range(40):
        np.testing.assert_allclose(ranker.scores(data.rated[user].indices), expected[user], atol=1e-4)


def test_what_users_of_a_kind_rate_is_ranked_first() -> None:
    data = training()
    als = implicit.fit(data, np.random.default_rng(0), implicit.Settings(factors=8))
    bpr = implicit.fit_bpr(data, np.random.default_rng(0), implicit.BprSettings(factors=8))
    for user in (2, 3):
        for scores in (als.scores(data.rated[user].indices), bpr.scores(user)):
            same, other = scores[user % 2 : 29 : 2], scores[1 - user % 2 : 29 : 2]
            assert same.mean() > other.mean() + 0.1


def test_the_same_seed_fits_the_same() -> None:
    data = training()
    for fit in (implicit.fit, implicit.fit_bpr):
        first, again, other = (fit(data, np.random.default_rng(seed)) for seed in (0, 0, 1))
        np.testing.assert_array_equal(first.item_factors, again.item_factors)
        assert not np.array_equal(first.item_factors, other.item_factors)


def test_the_ranker_that_validates_best_is_chosen() -> None:
    data = training()
    choice = choose_ranker(data, np.random.default_rng(0))
    assert set(choice.validation) == {"ease", "implicit-als", "ease and implicit-als"}
    assert choice.validation[choice.method] == max(choice.validation.values())
    poor = implicit.Settings(factors=1, regularization=1e6, confidence=1000)
    choice = choose_ranker(data, np.random.default_rng(0), Settings(implicit=poor))
    assert choice.validation["implicit-als"] < choice.validation["ease"]
    assert "ease" in choice.method
    assert choice.facts()["settings"]["ease"] == {"regularization": 300.0}
    assert len(choice.rankers) == len(choice.facts()["settings"])


def test_where_no_matrix_of_movies_or_users_fits_factors_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ease, "MAX_ROWS", 20)
    choice = choose_ranker(training(), np.random.default_rng(0))
    assert choice.method == "implicit-als"
    assert choice.validation == {}
    (ranker,) = choice.rankers
    assert ranker.scores(np.array([0, 2])).shape == (30,)


def test_without_openmp_ease_is_served_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(implicit, "UNAVAILABLE", "implicit cannot be loaded (libgomp.so.1): install OpenMP")
    choice = choose_ranker(training(), np.random.default_rng(0))
    assert choice.method == "ease"
    assert choice.warnings == (
        "recommendations are by EASE alone: implicit cannot be loaded (libgomp.so.1): install OpenMP",
    )
    assert not set(ranking_methods()) & {"bpr", "implicit-als"}
    monkeypatch.setattr(ease, "MAX_ROWS", 20)
    with pytest.raises(InvalidInput, match="30 users or movies are too many for EASE, and implicit cannot be loaded"):
        choose_ranker(training(), np.random.default_rng(0))


def test_of_many_users_some_are_drawn_with_all_their_ratings() -> None:
    data = training()
    assert of_some_users(data, np.random.default_rng(0)) is data
    some = of_some_users(data, np.random.default_rng(0), 7)
    users = np.unique(some.user_rows)
    assert users.size == 7
    assert some.values.size == np.isin(data.user_rows, users).sum()


def test_one_rating_is_enough_to_choose() -> None:
    data = training()
    one = data.take(np.arange(data.values.size) == 0)
    assert choose_ranker(one, np.random.default_rng(0)).validation == {}
