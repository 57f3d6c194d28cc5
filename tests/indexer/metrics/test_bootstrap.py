from __future__ import annotations

import numpy as np

from indexer.metrics.bootstrap import RESAMPLES, estimate, interval, resample_means, resample_totals


def test_an_interval_of_a_mean_is_as_wide_as_its_standard_error_says() -> None:
    values = np.random.default_rng(1).normal(3, 2, size=400)
    found = estimate(values, np.mean)
    assert found.value == values.mean()
    assert found.low < 3 < found.high
    np.testing.assert_allclose(found.high - found.low, 2 * 1.96 * 2 / 20, rtol=0.1)


def test_groups_are_drawn_whole_and_the_same_every_time() -> None:
    totals = np.array([[1.0, 10.0, 100.0], [1.0, 1.0, 1.0]])
    drawn = resample_totals(totals, seed=3)
    assert drawn.shape == (RESAMPLES, 2)
    assert set(drawn[:, 1]) == {3.0}  # as many groups as there are
    assert set(drawn[:, 0]) <= {a + 10 * b + 100 * (3 - a - b) for a in range(4) for b in range(4 - a)}
    np.testing.assert_array_equal(drawn, resample_totals(totals, seed=3))
    assert (drawn != resample_totals(totals, seed=4)).any()


def test_means_over_groups_leave_unknown_values_out() -> None:
    values = np.array([[1.0, 1.0, np.nan, 3.0], [np.nan, np.nan, np.nan, 5.0]])
    groups = np.array([7, 7, 8, 9])
    means = resample_means(values, groups)
    assert set(means[:, 0][~np.isnan(means[:, 0])]) <= {1.0, 5 / 3, 7 / 5, 2.0, 7 / 3, 3.0}
    known = means[:, 1][~np.isnan(means[:, 1])]
    assert set(known) == {5.0}
    assert known.size < RESAMPLES  # a resample without the third group knows nothing
    assert interval(means[:, 1]) == (5.0, 5.0)
