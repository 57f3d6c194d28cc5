from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.core.arrays import Float64Array
from index.explain.cells import CELLS, Baseline, Comparison, compare, fit_baseline
from index.posters.vgg16 import DIMENSION, GRID


def poster(**cells: dict[int, float]) -> Float64Array:
    """Return a unit vector with the given channels of the given cells and zeros elsewhere: ``poster(r1c2={7: 3.0})``."""
    grid = np.zeros(GRID)
    for name, channels in cells.items():
        for channel, value in channels.items():
            grid[int(name[1]), int(name[3]), channel] = value
    return np.asarray((grid / np.linalg.norm(grid)).reshape(DIMENSION))


def random_poster(seed: int) -> Float64Array:
    """Return a unit vector that is sparse and non-negative, as activations are, with no two cells equal."""
    values = np.maximum(np.random.default_rng(seed).normal(-0.3, 1, DIMENSION), 0)
    return np.asarray(values / np.linalg.norm(values))


def nothing_in_common() -> Baseline:
    return fit_baseline([random_poster(100)])


def diagonal(comparison: Comparison) -> bool:
    return all(match.cell == match.other for match in comparison.matches)


def test_a_cell_adds_its_inner_product() -> None:
    first = poster(r1c2={7: 3.0}, r6c0={0: 4.0})  # normalised to 0.6 and 0.8
    second = poster(r1c2={7: 1.0})
    comparison = compare(first, second, nothing_in_common())
    assert comparison.cells[1, 2] == pytest.approx(0.6)
    assert comparison.score == pytest.approx(0.6)
    assert np.count_nonzero(comparison.cells) == 1


def test_a_thing_that_was_moved_is_matched_where_it_went() -> None:
    first, second = poster(r0c0={5: 1.0, 6: 2.0}), poster(r4c3={5: 2.0, 6: 4.0})
    comparison = compare(first, second, nothing_in_common())
    assert comparison.score == 0
    (match,) = comparison.matches  # all other cells are empty
    assert (match.cell, match.other) == ((0, 0), (4, 3))
    assert match.strength == pytest.approx(1)
    assert match.contribution == pytest.approx(1)


def test_of_equally_like_cells_the_one_in_the_same_place_is_matched() -> None:
    flat = np.zeros(GRID)
    flat[..., 3] = 1 / 7
    comparison = compare(flat.ravel(), flat.ravel(), nothing_in_common(), k=49)
    assert diagonal(comparison)
    assert len(comparison.matches) > 8


def test_a_pair_next_to_a_better_one_on_both_posters_is_left_out() -> None:
    first = poster(r0c0={1: 3.0}, r0c1={2: 2.0}, r0c2={3: 1.0})
    even = Baseline(0, np.ones((CELLS, CELLS)))  # the same for all positions
    assert [match.cell for match in compare(first, first, even).matches] == [(0, 0), (0, 2)]
    second = poster(r0c0={1: 3.0}, r5c5={2: 2.0}, r0c2={3: 1.0})
    matches = compare(first, second, even).matches
    assert [(match.cell, match.other) for match in matches] == [((0, 0), (0, 0)), ((0, 2), (0, 2)), ((0, 1), (5, 5))]


def test_matches_are_first_where_posters_mostly_differ() -> None:
    # All three have the same sky above; below, the first two are equal.
    sky = {1: 2.0}
    first, second, other = (poster(r0c3=sky, r6c3={channel: 1.0}) for channel in (2, 2, 9))
    matches = compare(first, second, fit_baseline([first, other])).matches
    assert [match.cell for match in matches] == [(6, 3), (0, 3)]


def test_the_baseline_is_the_mean_over_pairs_of_both_halves() -> None:
    posters = [random_poster(seed) for seed in range(5)]
    pairs = [(a, b) for a in (0, 2, 4) for b in (1, 3)]
    baseline = fit_baseline(posters)
    assert baseline.score == pytest.approx(np.mean([posters[a] @ posters[b] for a, b in pairs]))
    cells = [each.reshape(CELLS, -1) for each in posters]
    gaps = np.mean([np.square(cells[a] - cells[b]).sum(axis=1) / 2 for a, b in pairs], axis=0)
    np.testing.assert_allclose(np.diag(baseline.gaps), gaps)
    assert baseline.score == pytest.approx(1 - gaps.sum())


def test_random_pairs_have_no_likeness_on_average() -> None:
    posters = [random_poster(seed) for seed in range(6)]
    baseline = fit_baseline(posters)
    likeness = [compare(posters[a], posters[b], baseline).likeness for a in (0, 2, 4) for b in (1, 3, 5)]
    np.testing.assert_allclose(np.mean(likeness, axis=0), 0, atol=1e-12)


@given(st.integers(0, 50), st.integers(0, 50), st.sampled_from([np.float16, np.float32, np.float64]))
def test_the_49_numbers_add_up_to_the_score(a: int, b: int, kind: type) -> None:
    first, second = random_poster(a).astype(kind), random_poster(b).astype(kind)
    comparison = compare(first, second, nothing_in_common())
    assert comparison.cells.shape == (7, 7)
    assert comparison.cells.sum() == pytest.approx(first.astype(np.float64) @ second.astype(np.float64), abs=1e-5)


@given(st.integers(0, 50), st.integers(0, 50))
def test_swapping_the_posters_swaps_the_cells_and_nothing_else(a: int, b: int) -> None:
    baseline = fit_baseline([random_poster(seed) for seed in (200, 201, 202)])
    there = compare(random_poster(a), random_poster(b), baseline, k=49)
    back = compare(random_poster(b), random_poster(a), baseline, k=49)
    np.testing.assert_allclose(there.cells, back.cells)
    np.testing.assert_allclose(there.likeness, back.likeness)
    assert [(m.cell, m.other) for m in there.matches] == [(m.other, m.cell) for m in back.matches]
    assert [m.strength for m in there.matches] == pytest.approx([m.strength for m in back.matches])


@given(st.integers(0, 50), st.sampled_from([np.float16, np.float32]))
def test_identical_posters_match_themselves_everywhere(seed: int, kind: type) -> None:
    same = random_poster(seed).astype(kind)
    comparison = compare(same, same, fit_baseline([random_poster(200), random_poster(201)]))
    assert len(comparison.matches) == 8
    assert diagonal(comparison)
    assert all(match.strength == pytest.approx(1) for match in comparison.matches)
    np.testing.assert_allclose(comparison.likeness, 1)


def test_nothing_that_is_given_is_changed() -> None:
    first, second = random_poster(1), random_poster(2)
    first.flags.writeable = second.flags.writeable = False
    compare(first, second, fit_baseline([first, second]))
