from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from index.movie_index import MovieIndex
from index.ratings.fold_in import FoldedUser
from indexer import build as build_module
from indexer.build import build
from indexer.config import Plan
from indexer.datasets.movielens import read_dataset
from indexer.datasets.training import Training
from indexer.models.all_users import solve_all_users, subsample_users
from indexer.models.factorization_machine import Posterior, Settings, default_settings, fit
from indexer.models.rating_model import fold_in_arrays
from tests.conftest import QUICK, World


@pytest.fixture(scope="module")
def training(world: World) -> Training:
    return Training.of(read_dataset(world.ratings))


@pytest.fixture(scope="module")
def some(training: Training) -> Training:
    return subsample_users(training, np.random.default_rng(0), training.values.size // 2)


@pytest.fixture(scope="module")
def posterior(some: Training) -> Posterior:
    return fit(some, np.random.default_rng(0), Settings(factors=3, chains=1, iterations=60))


class Nought:
    """A generator whose normal draws are all the mean, or all one deviation off it."""

    def __init__(self, value: float = 0) -> None:
        self._value = value

    def normal(self, size: tuple[int, ...]) -> Any:
        return np.full(size, self._value)

    def spawn(self, n: int) -> list[Nought]:
        return [self] * n


def test_some_users_are_there_with_all_that_they_rated(training: Training, some: Training) -> None:
    assert 0 < len(some.users) < len(training.users)
    assert training.values.size // 3 < some.values.size <= training.values.size // 2
    theirs = np.isin(training.ratings.user_ids, some.users.values)
    np.testing.assert_array_equal(some.ratings.movie_ids, training.ratings.movie_ids[theirs])
    assert some.movies is training.movies
    assert subsample_users(training, np.random.default_rng(0), training.values.size) is training


def test_everyone_is_solved_for_as_a_stranger_is_folded_in(training: Training, posterior: Posterior) -> None:
    whole = solve_all_users(posterior, training, Nought())  # type: ignore[arg-type]
    arrays = fold_in_arrays(posterior)
    movies = np.concatenate([whole.movie_factors, whole.movie_bias[..., None]], axis=2)
    for user in range(len(training.users)):
        mine = training.user_rows == user
        folded = FoldedUser(arrays, movies, training.movie_rows[mine], training.ratings.values[mine])
        np.testing.assert_allclose(whole.user_factors[:, user], folded.samples[:, :-1], atol=2e-4)
        bias = whole.user_bias[:, user] + whole.global_bias
        np.testing.assert_allclose(bias, folded.samples[:, -1], atol=2e-4)


def test_who_rated_nothing_is_solved_for_too(training: Training, posterior: Posterior) -> None:
    nobody = solve_all_users(posterior, training.take(training.user_rows > 0), Nought())  # type: ignore[arg-type]
    movies = np.concatenate([nobody.movie_factors, nobody.movie_bias[..., None]], axis=2)
    folded = FoldedUser(fold_in_arrays(posterior), movies, np.empty(0, np.int64), np.empty(0, np.float32))
    np.testing.assert_allclose(nobody.user_factors[:, 0], folded.samples[:, :-1], atol=2e-4)


def test_draws_scatter_as_folding_in_says(training: Training, posterior: Posterior) -> None:
    user, movies = 3, np.arange(len(training.movies))
    kept = posterior.thinned
    samples = np.concatenate([posterior.movie_factors[kept], posterior.movie_bias[kept][..., None]], axis=2)
    mine = training.user_rows == user
    folded = FoldedUser(fold_in_arrays(posterior), samples, training.movie_rows[mine], training.ratings.values[mine])
    mean, variance = folded.moments(movies)
    drawn = []
    for seed in range(150):
        whole = solve_all_users(posterior, training.take(mine), np.random.default_rng(seed))
        drawn += list(whole.samples(np.full(movies.size, user), movies))
    np.testing.assert_allclose(np.mean(drawn, axis=0), mean, atol=0.03)
    np.testing.assert_allclose(np.var(drawn, axis=0), variance, rtol=0.1)


def test_the_samples_that_are_kept_are_those_of_the_posterior(training: Training, posterior: Posterior) -> None:
    whole = solve_all_users(posterior, training, np.random.default_rng(0))
    assert whole.thinned.tolist() == list(range(32))
    np.testing.assert_array_equal(whole.movie_factors, posterior.movie_factors[posterior.thinned])
    assert whole.user_bias.shape == (32, len(training.users))


def test_a_build_of_very_many_ratings_knows_everyone(
    world: World, training: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = training.values.size // 2
    monkeypatch.setattr(build_module, "subsample_users", lambda training, rng: subsample_users(training, rng, most))
    settings = replace(QUICK, iterations=60, burn_in=20)
    manifest = build(Plan(world.ratings, tmp_path / "data", settings=settings, evaluation=False))
    assert manifest.ratings["trained_on"]["ratings"] <= most
    assert manifest.ratings["trained_on"]["users"] < len(training.users)
    index = MovieIndex.open(tmp_path / "data")
    errors = []
    for user in training.users.values.tolist():
        mine = training.ratings.user_ids == user
        predicted = index.users.predict(user, training.ratings.movie_ids[mine].tolist())
        errors += [each.rating - value for each, value in zip(predicted, training.values[mine], strict=True)]
    assert np.sqrt(np.mean(np.square(errors))) < 0.6 * training.values.std()


def test_settings_suit_the_number_of_ratings(training: Training, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = Settings()
    assert default_settings(training) == usual
    n = training.values.size
    for work, chains in ((n * 400, 4), (n * 399, 3), (n * 150, 1), (n, 1)):
        monkeypatch.setattr("indexer.models.factorization_machine.MAX_WORK", work)
        assert default_settings(training) == replace(usual, chains=chains)
    monkeypatch.undo()
    per_chain = 4 * sum(training.shape) * 17 * 80
    monkeypatch.setattr("indexer.models.factorization_machine.MAX_BYTES", 2.5 * per_chain)
    assert default_settings(training).chains == 2
