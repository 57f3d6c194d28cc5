from pathlib import Path

import numpy as np
import pytest

from index.core.errors import BadSnapshot
from index.ratings.rankers import (
    EaseByMovies,
    EaseByUsers,
    ImplicitFactors,
    StoredRanker,
    combine_rankers,
    load_ranker,
    save_rankers,
)

RNG = np.random.default_rng(0)
RANKERS: list[StoredRanker] = [
    EaseByMovies(RNG.normal(size=(4, 4)).astype(np.float32)),
    EaseByUsers(
        RNG.normal(size=(3, 3)).astype(np.float32),
        np.ones(4, dtype=np.float32),
        np.array([0, 0, 1, 2], dtype=np.int32),
        np.array([0, 1, 1, 3], dtype=np.int32),
    ),
    ImplicitFactors(RNG.normal(size=(4, 2)).astype(np.float32), np.eye(2) * 5, np.array(3.0)),
]


@pytest.mark.parametrize("ranker", RANKERS, ids=lambda ranker: type(ranker).__name__)
def test_a_saved_ranker_scores_the_same(ranker: StoredRanker, tmp_path: Path) -> None:
    again = load_ranker(tmp_path / "ranker", save_rankers([ranker], tmp_path / "ranker"))
    for rated in ([0, 2], [1], []):
        rows = np.array(rated, dtype=np.int64)
        scores = again.scores(rows)
        assert scores.shape == (4,)
        assert scores.dtype == np.float32
        np.testing.assert_array_equal(scores, ranker.scores(rows))


@pytest.mark.parametrize("ranker", RANKERS, ids=lambda ranker: type(ranker).__name__)
def test_who_rated_nothing_has_no_preference(ranker: StoredRanker) -> None:
    assert ranker.scores(np.array([], dtype=np.int64)).tolist() == [0, 0, 0, 0]


def test_scores_by_movies_are_sums_of_rows() -> None:
    weights = np.array([[0, 1, 2], [3, 0, 4], [5, 6, 0]], dtype=np.float32)
    assert EaseByMovies(weights).scores(np.array([0, 2])).tolist() == [5, 7, 2]


def test_several_rankers_are_one_by_the_mean_of_their_scores(tmp_path: Path) -> None:
    both = [RANKERS[0], RANKERS[2]]
    saved = load_ranker(tmp_path / "ranker", save_rankers(both, tmp_path / "ranker"))
    rated = np.array([1, 3])
    expected = (both[0].scores(rated) + both[1].scores(rated)) / 2
    np.testing.assert_allclose(combine_rankers(both).scores(rated), expected, rtol=1e-6)
    np.testing.assert_array_equal(saved.scores(rated), combine_rankers(both).scores(rated))


def test_an_unknown_form_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadSnapshot, match="a ranker of the form 'Oracle', this version knows EaseByMovies"):
        load_ranker(tmp_path, ["Oracle"])
