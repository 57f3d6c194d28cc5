import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from index.ratings.diversity import POOL, diversify

# Movies 0 to 3 are best in this order. 0 and 1 are alike, and so are 2 and 3; the others are not.
ROWS = np.arange(4)


def pairs(rows: np.ndarray) -> np.ndarray:
    return (rows[:, None] // 2 == rows // 2).astype(np.float32)


def test_without_diversity_the_order_stays() -> None:
    assert diversify(ROWS, 4, 0, pairs(ROWS)).tolist() == [0, 1, 2, 3]


def test_a_movie_like_one_above_it_waits() -> None:
    assert diversify(ROWS, 4, 0.5, pairs(ROWS)).tolist() == [0, 2, 1, 3]
    assert diversify(ROWS, 3, 1, pairs(ROWS)).tolist()[:2] == [0, 2]


def test_what_cannot_be_compared_is_unlike() -> None:
    assert diversify(ROWS, 2, 0.5, np.full((4, 4), -np.inf, dtype=np.float32)).tolist() == [0, 1]


def test_movies_after_the_pool_keep_their_order() -> None:
    rows = np.arange(POOL + 3)
    assert diversify(rows, POOL + 2, 0.9, pairs(rows[:POOL]))[POOL:].tolist() == [POOL, POOL + 1]
    assert sorted(diversify(rows, POOL + 3, 0.9, pairs(rows[:POOL])).tolist()) == rows.tolist()


def test_no_movies_are_no_list() -> None:
    assert diversify(ROWS[:0], 5, 0.5, pairs(ROWS[:0])).tolist() == []


@given(st.floats(0, 1), st.integers(0, 30), st.integers(0, 30))
def test_a_shorter_list_is_the_beginning_of_a_longer_one(diversity: float, shorter: int, longer: int) -> None:
    shorter, longer = sorted((shorter, longer))
    rows = np.random.default_rng(0).permutation(25)
    found = diversify(rows, longer, diversity, pairs(rows))
    np.testing.assert_array_equal(diversify(rows, shorter, diversity, pairs(rows)), found[:shorter])
