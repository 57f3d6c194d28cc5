from pathlib import Path

import numpy as np
import pytest

from indexer.metrics.estimate import FoldResult, estimate_metrics, fold_value

# User 1 has two errors of 1 in the first fold and one of 3 in the second, user 2 one of 0; user 3 has no interval.
FIRST = FoldResult(
    "m", 1, np.array([1, 2]), {"mse": np.array([[2.0, 0], [2, 1]]), "few_inside_80": np.array([[1.0, 0], [1, 0]])}
)
SECOND = FoldResult(
    "m", 2, np.array([1, 3]), {"mse": np.array([[9.0, 4], [1, 1]]), "few_inside_80": np.array([[0.0, 0], [1, 0]])}
)


def test_figures_are_means_over_all_that_was_held_out() -> None:
    found = estimate_metrics([FIRST, SECOND], ("mse", "rmse", "few_inside_80", "ndcg_10"))
    assert found["mse"] is not None
    assert found["rmse"] is not None
    assert found["few_inside_80"] is not None
    assert found["mse"].value == 15 / 5
    assert found["rmse"].value == pytest.approx(np.sqrt(3))
    assert found["few_inside_80"].value == 0.5
    assert found["ndcg_10"] is None


def test_one_folds_value() -> None:
    assert fold_value(FIRST, "rmse") == pytest.approx(np.sqrt(2 / 3))
    assert fold_value(FoldResult("m", 1, np.array([1]), {"mse": np.zeros((2, 1))}), "mse") is None


def test_intervals_are_of_whole_users_drawn_again() -> None:
    rng = np.random.default_rng(0)
    # 400 users with 10 equal errors each: the interval must be that of 400 values, not of 4,000.
    values = rng.normal(5, 1, 400)
    result = FoldResult("m", 1, np.arange(400), {"mae": np.stack([10 * values, np.full(400, 10.0)])})
    figure = estimate_metrics([result], ("mae",))["mae"]
    assert figure is not None
    assert figure.value == pytest.approx(values.mean())
    half = 1.96 * values.std() / np.sqrt(400)
    assert figure.low == pytest.approx(values.mean() - half, abs=0.02)
    assert figure.high == pytest.approx(values.mean() + half, abs=0.02)
    assert figure == estimate_metrics([result], ("mae",))["mae"]


def test_a_saved_outcome_comes_back(tmp_path: Path) -> None:
    result = FoldResult("als", 3, np.array([7, 9]), {"mse": np.ones((2, 2))}, {"seconds": 1.5, "curve": [[1, None]]})
    result.save(tmp_path / "als-3.npz")
    again = FoldResult.load(tmp_path / "als-3.npz")
    assert (again.method, again.fold, again.facts) == ("als", 3, result.facts)
    np.testing.assert_array_equal(again.users, result.users)
    np.testing.assert_array_equal(again.measures["mse"], result.measures["mse"])
    assert [file.name for file in tmp_path.iterdir()] == ["als-3.npz"]
