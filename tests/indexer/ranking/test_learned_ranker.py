"""Training of the learned ranker: examples by hand, and what is left out of a build, and why."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from index.catalogue.catalogue import Movie
from index.core.ids import Ids
from index.ratings.learned_ranker import Features, LearnedRanker
from index.ratings.rankers import MovieNeighbours
from indexer.datasets.dataset import Ratings
from indexer.datasets.training import Training
from indexer.models import movie_neighbours
from indexer.models.ranker_choice import Settings as RankerSettings
from indexer.models.ranker_choice import choose_ranker
from indexer.models.rating_model import rating_model
from indexer.ranking import learned_ranker
from indexer.ranking.learned_ranker import Examples, Learned, examples, learn, likeness_spaces, movie_features
from tests.conftest import QUICK

N_USERS, N_MOVIES = 60, 30


def training_of(triples: list[tuple[int, int, float]], n_movies: int = 4) -> Training:
    users, movies, values = (np.array(column) for column in zip(*triples, strict=True))
    catalogue = tuple(Movie(i, f"Film {i}", 1990 + i if i else None, ("Drama",)) for i in range(n_movies))
    return Training(Ratings(users, movies, values.astype(np.float32)), Ids(np.unique(users)), catalogue)


@pytest.fixture(scope="module")
def tastes() -> Training:
    """Users of two tastes, who rate most movies of their own half of the catalogue and few of the other."""
    rng = np.random.default_rng(0)
    triples = [
        (user, movie, 4.0 + rng.integers(0, 2) if own else 1.0 + rng.integers(0, 3))
        for user in range(N_USERS)
        for movie in range(N_MOVIES)
        for own in [(user + movie) % 2 == 0]
        if rng.random() < (0.7 if own else 0.15)
    ]
    return training_of(triples, N_MOVIES)


def test_features_of_movies_are_shrunk_towards_the_mean_of_all() -> None:
    found = movie_features(training_of([(1, 0, 5), (2, 0, 5), (1, 1, 2), (3, 3, 2)]))
    np.testing.assert_allclose(np.expm1(found.popularity), [2, 1, 0, 1], rtol=1e-6)
    np.testing.assert_allclose(found.mean, [3.5 + 3 / 7, 3.5 - 1.5 / 6, 3.5, 3.5 - 1.5 / 6], rtol=1e-6)
    assert found.deviation[2] == pytest.approx(1.5)  # without ratings, that of all
    assert np.isnan(found.year[0])
    assert found.year[3] == 1993


def test_neighbours_by_cosine_and_by_random_walk() -> None:
    # Movies 0 and 1 have both their raters in common, movie 2 one of two.
    data = training_of([(1, 0, 5), (2, 0, 5), (1, 1, 4), (2, 1, 4), (2, 2, 3), (3, 2, 3)])
    rng = np.random.default_rng(0)
    cosine = movie_neighbours.fit(data, rng).scores(np.array([0]))
    np.testing.assert_allclose(cosine, [0, 1, 0.5, 0], rtol=1e-6)
    walk = movie_neighbours.fit(data, rng, movie_neighbours.RP3BETA).scores(np.array([0]))
    np.testing.assert_allclose(walk, [0, (1 / 2 + 1 / 3) / 2 / 2**0.6, 1 / 3 / 2 / 2**0.6, 0], rtol=1e-5)


def test_neighbours_of_a_sitting_are_those_rated_within_minutes() -> None:
    data = training_of([(1, 0, 5), (1, 1, 4), (1, 2, 3), (2, 0, 5), (2, 2, 4), (2, 3, 4)])
    settings = replace(movie_neighbours.SAME_SITTING, seconds=100)
    rng = np.random.default_rng(0)

    def scores(seconds: list[int] | None) -> list[float]:
        times = None if seconds is None else np.array(seconds)
        timed = replace(data, ratings=replace(data.ratings, timestamps=times))
        return movie_neighbours.fit(timed, rng, settings).scores(np.array([0])).tolist()

    # Each rating is in two sittings, which overlap by half. User 1 rates movies 0 and 1 within 30 seconds, in both, and
    # 2 a day later; user 2 rates 0 and 3 within 20 seconds, in one of two, and 2 a day before.
    n_ratings = 2 * np.array([2, 1, 2, 1])
    expected = pytest.approx(np.array([0, 2 / 2, 0, 1 / 2]) / n_ratings[0] / n_ratings**0.6, rel=1e-5)
    assert scores([1010, 1040, 90_000, 2140, -90_000, 2160]) == expected
    assert scores([-5990, -5960, 0, 3140, 900_000_000, 3160]) == expected  # in any years
    walk = movie_neighbours.fit(data, rng, movie_neighbours.RP3BETA).scores(np.array([0]))
    assert scores(None) == pytest.approx(walk.tolist())


def test_only_the_nearest_neighbours_are_kept(tastes: Training) -> None:
    rng = np.random.default_rng(0)
    few = movie_neighbours.fit(tastes, rng, movie_neighbours.Settings(neighbours=3))
    every = movie_neighbours.fit(tastes, rng)
    assert few.weights.shape == (N_MOVIES, 3)
    np.testing.assert_allclose(np.sort(few.weights), np.sort(every.weights)[:, -3:], rtol=1e-6)
    assert isinstance(few, MovieNeighbours)


def test_examples_are_a_users_candidates_with_what_was_held_out(tastes: Training) -> None:
    held_out = np.arange(tastes.values.size) % 4 == 0
    train, test = tastes.take(~held_out), tastes.take(held_out)
    posterior = learned_ranker.factorization_machine.fit(train, np.random.default_rng(0), QUICK)
    features = Features(["score"], {}, movie_features(train), {})
    data = examples(rating_model(posterior, train), features, train, test)
    assert np.array_equal(np.unique(data.users), np.unique(test.user_rows))
    # Fewer movies than candidates: every unrated one is a candidate.
    assert (data.liked > 0).sum() == test.values.size
    begin, end = data.starts[:2]
    user = data.users[begin]
    mean = train.values[train.user_rows == user].mean()
    assert (data.liked[begin:end] == 2).sum() == (test.values[test.user_rows == user] >= mean).sum()
    assert (data.relevant[begin:end] == (test.user_rows == user).sum()).all()
    assert end - begin == N_MOVIES - (train.user_rows == user).sum()


def test_ndcg_of_lists_counts_what_is_no_candidate() -> None:
    data = Examples(
        np.zeros((4, 1), np.float32), np.array([0, 1, 2, 0]), np.array([3, 3, 8, 8]), np.array([2, 2, 1, 1])
    )
    ideal = 1 + 1 / np.log2(3)
    np.testing.assert_allclose(data.ndcg([0, 1, 0, 1]), [1 / ideal, 1 / np.log2(3)])


def test_it_is_chosen_by_held_out_ratings_of_other_users(tastes: Training, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    choice = choose_ranker(tastes, rng)
    posterior = learned_ranker.factorization_machine.fit(tastes, rng, QUICK)
    spaces = likeness_spaces(posterior, tastes)
    settings = learned_ranker.Settings(trees=10, smallest_leaf=5)
    found = learn(tastes, choice, RankerSettings(), spaces, QUICK, rng, settings)
    assert set(found.validation) == {"learned", "before"}
    assert (found.ranker is None) == bool(found.left_out)
    # The ranker is written and read as it is, independently of the choice above.
    rankers = {"neighbours": movie_neighbours.fit(tastes, rng)}
    features = Features(["score"], rankers, movie_features(tastes), {})
    entry = json.loads(json.dumps(Learned(features=features, rankers=rankers, trees="tree").save(tmp_path / "learned")))
    again = LearnedRanker.load(tmp_path / "learned", entry, tastes.movie_ids, {})
    assert again.features.names == features.names


def test_splits_in_other_processes_and_trees_by_several_threads_are_the_same(
    tastes: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    choice = choose_ranker(tastes, np.random.default_rng(0))
    posterior = learned_ranker.factorization_machine.fit(tastes, np.random.default_rng(0), QUICK)
    fitted: list[tuple[bytes, str]] = []

    def fit_trees(data: Examples, *arguments: Any) -> str:
        trees = fit(data, *arguments)
        fitted.append((data.features.tobytes(), re.sub(r"\[num_threads: \d+\]", "", trees)))
        return trees

    fit = learned_ranker.fit_trees
    monkeypatch.setattr(learned_ranker, "fit_trees", fit_trees)
    monkeypatch.setattr(learned_ranker, "SPLITS", 2)
    for divided_from, threads in ((tastes.values.size, 1), (0, 3)):
        monkeypatch.setattr(learned_ranker, "DIVIDED_FROM", divided_from)
        monkeypatch.setattr(learned_ranker, "THREADS", threads)
        rng, settings = np.random.default_rng(1), learned_ranker.Settings(trees=10, smallest_leaf=5)
        learn(tastes, choice, RankerSettings(), likeness_spaces(posterior, tastes), QUICK, rng, settings)
    half = len(fitted) // 2
    assert half >= 2
    assert fitted[:half] == fitted[half:]


def test_too_few_users_or_too_many_ratings_are_not_learned_from(
    tastes: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = tastes.take(tastes.user_rows < 10)
    rng = np.random.default_rng(0)
    choice = choose_ranker(few, rng)
    found = learn(few, choice, RankerSettings(), {}, replace(QUICK), rng)
    assert found.left_out == "at least 50 users with several ratings are needed to learn from"
    assert found.save(Path("unused"))["left_out"] == found.left_out
    monkeypatch.setattr(learned_ranker, "MAX_RATINGS", 100)
    assert "take too long" in learn(tastes, choice, RankerSettings(), {}, QUICK, rng).left_out
