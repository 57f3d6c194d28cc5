"""The learned ranker: features by hand, trees of one split, and what is done without LightGBM."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import numpy as np
import pytest

from index.core.arrays import save_arrays
from index.core.errors import BadSnapshot
from index.core.ids import Ids
from index.ratings.learned_ranker import (
    TREES_FILE,
    Features,
    LearnedRanker,
    Likeness,
    MovieFeatures,
    RatedMovies,
    mean_of_best,
    no_rows,
)
from index.ratings.rankers import MovieNeighbours, save_rankers
from index.spaces.faiss_index import flat_index
from index.spaces.vectors import FlatVectors
from indexer.ranking.learned_ranker import Examples, Settings, fit_trees

N = 12
MOVIES = Ids(np.arange(1, N + 1))
# The user rated movies 0 and 1; movie m is neighbour of m - 1.
NEIGHBOURS = MovieNeighbours(
    np.minimum(np.arange(N) + 1, N - 1)[:, None].astype(np.int32), np.ones((N, 1), dtype=np.float32)
)
FEATURES = MovieFeatures(
    popularity=np.arange(N, dtype=np.float32),
    mean=np.full(N, 3.5, dtype=np.float32),
    deviation=np.ones(N, dtype=np.float32),
    year=np.array([1990, 2000, np.nan, *[2010] * (N - 3)], dtype=np.float32),
)
# Movies 0, 1 and 2 have vectors.
VECTORS = Ids([1, 2, 3]), FlatVectors(flat_index(np.array([[1, 0], [0, 1], [0.6, 0.8]], dtype=np.float32)))


def features() -> Features:
    return Features(["score"], {"neighbours": NEIGHBOURS}, FEATURES, {"taste": Likeness.of(*VECTORS, MOVIES)})


def user() -> RatedMovies:
    score = -np.arange(N, dtype=np.float32)
    return RatedMovies(
        np.array([0, 1]),
        np.array([5, 3], dtype=np.float32),
        {"score": score},
        np.linspace(1, 5, N, dtype=np.float32),
        lambda rows: np.full(rows.size, 0.9),
    )


def eligible() -> np.ndarray:
    mask = np.ones(N, dtype=np.bool_)
    mask[:2] = False
    return mask


def trees(wanted: int = 5) -> str:
    """Return trees that learned from many users to put one movie first."""
    one = features().candidates(user(), eligible())
    n = one.rows.size
    data = Examples(
        np.tile(one.features, (60, 1)),
        np.tile((one.rows == wanted).astype(np.int64), 60),
        np.repeat(np.arange(60), n),
        np.ones(60 * n, dtype=np.int64),
    )
    return fit_trees(data, features().names, Settings(trees=5, smallest_leaf=5), np.random.default_rng(0))


def column(name: str, row: int) -> float:
    found = features().candidates(user(), eligible())
    return float(found.features[found.rows.tolist().index(row), features().names.index(name)])


def test_features_are_of_the_user_and_the_movie() -> None:
    assert column("score", 2) == -2
    assert column("score_relative", 2) == pytest.approx(-2 - np.mean(-np.arange(2, 12)))
    assert column("neighbours", 2) == 1
    assert column("predicted_rating", N - 1) == 5
    assert column("rating_spread", 3) == pytest.approx(0.9)
    assert column("taste_rated", 2) == pytest.approx((0.6 + 0.8) / 2)
    assert column("taste_liked", 2) == pytest.approx((0.6 - 0.8) / 2)  # one star above the mean, and one below
    assert column("popularity_difference", 4) == 3.5
    assert column("year_difference", 3) == 2010 - 1995
    assert column("ratings_of_user", 3) == pytest.approx(np.log(3))
    assert column("mean_of_user", 3) == 4


def test_what_is_unknown_is_nan() -> None:
    assert np.isnan(column("taste_rated", 3))
    assert np.isnan(column("year", 2))


def test_candidates_are_eligible() -> None:
    assert features().candidates(user(), eligible()).rows.tolist() == list(range(2, N))
    assert features().candidates(user(), np.zeros(N, dtype=np.bool_)).rows.size == 0


def test_a_filter_changes_who_is_a_candidate_and_no_feature() -> None:
    every = features().candidates(user(), eligible())
    some = features().candidates(user(), eligible() & (np.arange(N) % 2 == 0))
    assert 0 < some.rows.size < every.rows.size
    np.testing.assert_allclose(some.features, every.features[np.isin(every.rows, some.rows)], rtol=1e-6)


def test_the_mean_of_the_best_is_that_of_the_candidates() -> None:
    rng = np.random.default_rng(0)
    scores, seen = rng.normal(size=500).astype(np.float32), rng.choice(500, 40, replace=False)
    unseen = np.where(np.isin(np.arange(500), seen), -np.inf, scores)
    best = mean_of_best(scores, seen)
    assert best == pytest.approx(np.sort(unseen)[-10:].mean())
    assert mean_of_best(scores[np.sort(np.argsort(unseen)[-60:])], no_rows()) == best
    assert mean_of_best(scores[:3], np.array([0])) == pytest.approx(scores[1:3].mean())
    assert mean_of_best(scores[:3], np.arange(3)) == 0


def test_the_trees_decide_the_order() -> None:
    scores = LearnedRanker(features(), trees(5)).rerank(user(), eligible())
    assert scores.argmax() == 5
    assert np.isneginf(scores[:2]).all()
    assert np.isfinite(scores[2:]).all()


def test_movies_that_are_no_candidates_follow_in_the_order_before(monkeypatch: pytest.MonkeyPatch) -> None:
    ranker = LearnedRanker(features(), trees(3))
    monkeypatch.setattr("index.ratings.learned_ranker.CANDIDATES", 2)  # 2 and 3, by either score
    scores = ranker.rerank(user(), eligible())
    order = np.argsort(-scores, kind="stable")[: N - 2].tolist()
    assert order[0] == 3
    assert order[2:] == list(range(4, N))


def test_contributions_add_up_to_the_score() -> None:
    ranker = LearnedRanker(features(), trees(5))
    rows = np.array([5, 2, 7])
    scores = ranker.rerank(user(), eligible())[rows]
    explained = ranker.explain(user(), rows, eligible())
    sums = [
        explained[row].base + sum(part.contribution for part in explained[row].contributions) for row in rows.tolist()
    ]
    np.testing.assert_allclose(np.diff(sums), np.diff(scores), atol=1e-5)
    first = [abs(part.contribution) for part in explained[5].contributions]
    assert first == sorted(first, reverse=True)
    assert ranker.explain(user(), np.zeros(0, dtype=np.int64), eligible()) == {}


def test_only_what_the_trees_order_is_explained_by_them(monkeypatch: pytest.MonkeyPatch) -> None:
    ranker = LearnedRanker(features(), trees(3))
    monkeypatch.setattr("index.ratings.learned_ranker.CANDIDATES", 2)  # 2 and 3, by either score
    assert set(ranker.explain(user(), np.arange(N), eligible())) == {2, 3}
    filtered = eligible() & (np.arange(N) != 2)
    assert set(ranker.explain(user(), np.arange(N), filtered)) == {3, 4}


def test_the_same_examples_make_the_same_trees() -> None:
    assert trees() == trees()


def saved(folder: Path) -> dict[str, object]:
    save_arrays(FEATURES, folder / "movies")
    (folder / "rankers").mkdir()
    forms = save_rankers([NEIGHBOURS], folder / "rankers" / "neighbours")
    (folder / TREES_FILE).write_text(trees())
    return {
        "given": ["score"],
        "least_ratings": 2,
        "rankers": {"neighbours": forms[0]},
        "likeness": ["taste"],
        "features": list(features().names),
    }


def test_a_saved_ranker_scores_the_same(tmp_path: Path) -> None:
    again = LearnedRanker.load(tmp_path, saved(tmp_path), MOVIES, {"taste": VECTORS})
    ours = LearnedRanker(features(), trees())
    np.testing.assert_array_equal(again.rerank(user(), eligible()), ours.rerank(user(), eligible()))


def test_a_user_with_fewer_ratings_than_it_learned_about_keeps_the_order_before() -> None:
    few = LearnedRanker(features(), trees(5), least=3)  # the user has two
    scores = few.rerank(user(), eligible())
    assert np.argsort(-scores, kind="stable")[: N - 2].tolist() == list(range(2, N))
    assert few.explain(user(), np.array([3]), eligible()) == {}


def test_other_features_are_refused(tmp_path: Path) -> None:
    facts = saved(tmp_path) | {"features": ["moon phase"]}
    with pytest.raises(BadSnapshot, match="other features than this version of Posterity computes: build again"):
        LearnedRanker.load(tmp_path, facts, MOVIES, {"taste": VECTORS})


def test_without_lightgbm_the_order_stays_and_the_log_says_why(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ranker = LearnedRanker(features(), trees())
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with caplog.at_level(logging.WARNING):
        scores = ranker.rerank(user(), eligible())
    assert np.argsort(-scores, kind="stable")[: N - 2].tolist() == list(range(2, N))
    assert ranker.explain(user(), np.array([3]), eligible()) == {}
    assert "install it, and OpenMP" in caplog.text
