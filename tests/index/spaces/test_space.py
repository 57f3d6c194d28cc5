from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from index.core.arrays import Float32Array
from index.core.errors import BadSnapshot, UnknownMovie
from index.core.ids import Ids
from index.core.progress import silent
from index.spaces.faiss_index import flat_index, search_exact, top_rows
from index.spaces.neighbours import NEIGHBOURS
from index.spaces.space import Calibration, Space
from index.spaces.vectors import FlatVectors
from indexer.spaces.writer import calibrate, write_space

# Four movies on a circle, at 0, 10, 90 and 180 degrees; ids differ from rows.
ANGLES = np.radians([0, 10, 90, 180])
IDS = [5, 7, 20, 21]
CIRCLE = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1).astype(np.float32)


def flat(vectors: Float32Array) -> FlatVectors:
    return FlatVectors(flat_index(vectors))


def saved(folder: Path, ids: list[int], vectors: Float32Array) -> Space:
    write_space(folder, Ids(ids), vectors, np.random.default_rng(0), label="circle", track=silent)
    return Space.load("circle", folder, {})


@pytest.fixture
def circle(tmp_path: Path) -> Space:
    return saved(tmp_path / "circle", IDS, CIRCLE)


def test_the_nearest_come_first_with_their_inner_products(circle: Space) -> None:
    matches = circle.similar(5, k=3)
    assert [match.movie_id for match in matches] == [7, 20, 21]
    assert [match.score for match in matches] == pytest.approx([np.cos(np.radians(10)), 0, -1], abs=1e-6)


def test_a_movie_is_never_its_own_neighbour_and_k_may_be_too_large(circle: Space) -> None:
    assert [match.movie_id for match in circle.similar(7, k=50)] == [5, 20, 21]


def test_a_percentile_says_how_many_pairs_are_less_alike(circle: Space) -> None:
    near, middle, far = circle.similar(5, k=3)
    assert near.percentile > middle.percentile > far.percentile
    assert near.percentile > 0.9
    assert far.percentile == 0


def test_an_unknown_movie_is_named_with_the_space(circle: Space) -> None:
    with pytest.raises(UnknownMovie, match="movie 6 has no vector in the circle space"):
        circle.similar(6)


def test_a_filter_never_gives_fewer_than_qualify(circle: Space) -> None:
    allowed = np.array([True, False, False, True])
    assert [match.movie_id for match in circle.similar(7, k=2, allowed=allowed)] == [5, 21]


def test_searching_a_vector_finds_the_movie_it_belongs_to(circle: Space) -> None:
    assert circle.search(CIRCLE[2], k=1)[0].movie_id == 20


def test_vectors_cannot_be_written_to(circle: Space) -> None:
    with pytest.raises(ValueError, match="read-only"):
        circle.vectors.matrix[0, 0] = 1
    assert circle.dimension == 2
    assert len(circle) == 4


def test_parts_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    saved(tmp_path / "a", IDS, CIRCLE)
    np.save(tmp_path / "a" / "movie_ids.npy", [1, 2])
    with pytest.raises(BadSnapshot, match="2 ids, 4 vectors and 4 neighbour lists"):
        Space.load("circle", tmp_path / "a", {})


def test_deeper_than_what_is_stored_is_searched_for(tmp_path: Path) -> None:
    n = NEIGHBOURS + 60
    vectors = np.random.default_rng(1).normal(size=(n, 8)).astype(np.float32)
    space = saved(tmp_path / "many", list(range(n)), vectors)
    found = [match.movie_id for match in space.similar(0, k=n)]
    assert sorted(found) == list(range(1, n))
    assert found[:NEIGHBOURS] == [match.movie_id for match in space.similar(0, k=NEIGHBOURS)]
    # The filter leaves few stored neighbours, so the rest must come from a search.
    allowed = np.zeros(n, dtype=np.bool_)
    allowed[found[NEIGHBOURS - 5 :]] = True
    assert [match.movie_id for match in space.similar(0, k=20, allowed=allowed)] == found[NEIGHBOURS - 5 :][:20]


@given(
    hnp.arrays(np.int8, st.tuples(st.integers(1, 30), st.just(3)), elements=st.integers(-2, 2)),
    st.integers(1, 35),
    st.data(),
)
def test_top_k_equals_sorting_ties_included(vectors: npt.NDArray[np.int8], k: int, data: st.DataObject) -> None:
    floats = vectors.astype(np.float32)
    query = floats[0]
    allowed = data.draw(hnp.arrays(np.bool_, len(vectors)))
    rows, scores = search_exact(flat_index(floats), query, k, allowed)
    every = floats @ query
    expected = [row for row in np.lexsort((np.arange(len(every)), -every)) if allowed[row]][:k]
    assert rows.tolist() == expected
    assert scores.tolist() == every[expected].tolist()


@given(hnp.arrays(np.float32, st.integers(1, 40), elements=st.sampled_from([-np.inf, 0, 1, 2])), st.integers(0, 45))
def test_best_equals_sorting_and_leaves_out_minus_infinity(scores: Float32Array, k: int) -> None:
    expected = [row for row in np.lexsort((np.arange(scores.size), -scores)) if scores[row] > -np.inf][:k]
    assert top_rows(scores, k).tolist() == expected


def test_percentiles_of_one_movie_alone_are_defined() -> None:
    calibration = calibrate(flat(np.ones((1, 3), dtype=np.float32)), np.random.default_rng(0))
    assert calibration.percentile(np.array([0.5], dtype=np.float32)).tolist() == [0.5]


@given(hnp.arrays(np.float32, 20, elements=st.floats(-1, 1, width=32)))
def test_percentiles_rise_with_scores(scores: Float32Array) -> None:
    vectors = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    calibration: Calibration = calibrate(flat(vectors), np.random.default_rng(0))
    shares = calibration.percentile(np.sort(scores))
    assert (np.diff(shares) >= 0).all()
    assert shares.min() >= 0
    assert shares.max() <= 1


def test_standardised_scores_are_in_deviations_from_the_mean_of_random_pairs() -> None:
    line = Calibration(np.array([0, 1], np.float32), np.array([0, 1], np.float32))
    scores = np.array([0.5, 1, 3], np.float32)
    np.testing.assert_allclose(line.standardised(scores), [0, 0.5 * 12**0.5, 2.5 * 12**0.5], rtol=1e-6)
    drawn = np.random.default_rng(0).normal(0.3, 0.1, 10_000).astype(np.float32)
    shares = np.linspace(0, 1, 500)
    normal = Calibration(np.quantile(drawn, shares).astype(np.float32), shares.astype(np.float32))
    np.testing.assert_allclose(normal.standardised(np.array([0.3, 0.5], np.float32)), [0, 2], atol=0.05)
    same = Calibration(np.array([0.5, 0.5, 0.5], np.float32), np.array([0, 0.5, 1], np.float32))
    assert same.standardised(scores).tolist() == [0, 0, 0]
