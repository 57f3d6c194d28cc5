from pathlib import Path

import numpy as np
import pytest

from index.core.errors import NotComparable, UnknownMovie
from index.core.ids import Ids
from index.core.progress import silent
from index.spaces.blend import Blend
from index.spaces.faiss_index import flat_index, top_rows
from index.spaces.neighbours import Neighbours, OverlaidNeighbours, load_neighbours
from index.spaces.random_pairs import RandomPairs, calibration_of, coefficients, correlations
from index.spaces.space import Calibration, Space
from index.spaces.vectors import FlatVectors
from indexer.spaces.writer import calibrate, write_blend

LINE = Calibration(np.array([0, 1], dtype=np.float32), np.array([0, 1], dtype=np.float32))  # percentile = score
SPREAD = 12**-0.5  # standard deviation of scores spread evenly from 0 to 1, around 0.5
UNRELATED = RandomPairs(("poster", "taste"), np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]], dtype=np.float32))


def space(name: str, ids: list[int], vectors: list[list[float]]) -> Space:
    n = len(ids)
    none_stored = Neighbours(np.full((n, 1), -1, dtype=np.int32), np.zeros((n, 1), dtype=np.float32))
    return Space(name, Ids(ids), FlatVectors(flat_index(np.array(vectors, dtype=np.float32))), none_stored, LINE)


# Movie 1 is similar to 2 by poster and to 3 by taste. Movie 4 has no poster, 5 is in no space.
LOOK = space("poster", [1, 2, 3], [[1, 0], [0.8, 0], [0.2, 0]])
TASTE = space("taste", [1, 2, 3, 4], [[1, 0], [0.1, 0], [0.9, 0], [0.7, 0]])
MOVIES = Ids([1, 2, 3, 4, 5])


def blend(pairs: RandomPairs = UNRELATED, **weights: float) -> Blend:
    return Blend({"poster": LOOK, "taste": TASTE}, weights, MOVIES, random_pairs=pairs)


def test_the_score_is_the_weighted_sum_of_standardised_scores_in_its_standard_deviations() -> None:
    scores = {match.movie_id: match.score for match in blend(poster=1, taste=3).similar(1, 10)}
    unit = SPREAD * 10**0.5  # of the sum, as the spaces are unrelated
    expected = {2: (0.3 + 3 * -0.4) / unit, 3: (-0.3 + 3 * 0.4) / unit, 4: 3 * 0.2 / unit}
    assert scores == pytest.approx(expected, abs=1e-6)


def test_a_space_that_a_movie_lacks_counts_as_much_as_the_others_let_expect() -> None:
    correlated = RandomPairs(
        ("poster", "taste"), np.array([[1, 1], [1, 1], [-1, -1], [-1, 1], [1, -1], [-1, -1]], dtype=np.float32)
    )
    assert correlated.correlations(["poster", "taste"])[0, 1] == pytest.approx(1 / 3)
    scores = {match.movie_id: match.score for match in blend(correlated, poster=1, taste=1).similar(1, 10)}
    unit = SPREAD * (2 + 2 / 3) ** 0.5
    assert scores == pytest.approx({2: (0.3 - 0.4) / unit, 3: (-0.3 + 0.4) / unit, 4: (0.2 + 0.2 / 3) / unit}, abs=1e-6)


def test_on_average_a_missing_score_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    correlated = np.array([[1, 0.2, 0.4], [0.2, 1, 0.5], [0.4, 0.5, 1]])
    scores = rng.multivariate_normal(np.zeros(3), correlated, 200_000)
    factors = coefficients([0.25, 1, 1], correlated)
    whole = scores @ factors[0b111]
    assert whole.std() == pytest.approx(1, abs=0.01)
    for shared in range(1, 7):
        known = [at for at in range(3) if shared >> at & 1]
        part = scores @ factors[shared]
        assert all(factors[shared, at] == 0 for at in range(3) if at not in known)
        high = part > np.quantile(part, 0.99)  # among the nearest, too
        assert (whole[high] - part[high]).mean() == pytest.approx(0, abs=0.05)


def test_beyond_every_random_pair_a_higher_score_still_counts_more() -> None:
    pairs = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    calibration = calibration_of(pairs)
    beyond = pairs.max() + np.arange(5, dtype=np.float32)
    assert (np.diff(calibration.percentile(beyond).astype(np.float64)) >= 0).all()
    assert calibration.percentile(beyond)[0] < calibration.percentile(beyond)[1] <= 1
    assert calibration.percentile(np.median(pairs)[None])[0] == pytest.approx(0.5, abs=0.01)
    standardised = calibration.standardised(beyond)
    assert (np.diff(standardised) > 0.9).all()


def test_contributions_add_up_to_the_score_that_a_search_finds() -> None:
    for weights in ({"poster": 1.0, "taste": 3.0}, {"taste": 1.0}):
        both = blend(**weights)
        for match in both.similar(1, 10):
            (explained,) = both.explain(1, [match.movie_id])
            assert sum(part.contribution for part in explained.parts) == explained.score
            assert explained.score == pytest.approx(match.score, abs=1e-6)
            assert explained.percentile == pytest.approx(match.percentile, abs=1e-6)
            assert {part.space for part in explained.parts} == set(match.spaces)
            assert explained.parts == tuple(sorted(explained.parts, key=lambda part: -part.contribution))
    taste, look = blend(poster=1, taste=3).explain(1, [3])[0].parts
    assert (taste.space, taste.weight, taste.score, taste.percentile) == pytest.approx(("taste", 3, 0.9, 0.9))
    assert look.contribution < 0


def test_two_movies_without_a_common_space_are_not_explained() -> None:
    with pytest.raises(NotComparable, match="movies 1 and 4 have nothing to be compared by: no poster of both"):
        blend(poster=1).explain(1, [4])
    with pytest.raises(UnknownMovie, match="movie 7"):
        blend(poster=1).explain(1, [7])


def test_a_movie_that_lacks_a_space_is_scored_on_what_it_has_and_says_so() -> None:
    spaces = {match.movie_id: match.spaces for match in blend(poster=1, taste=1).similar(1, 10)}
    assert spaces == {2: ("poster", "taste"), 3: ("poster", "taste"), 4: ("taste",)}


def test_a_space_without_weight_has_no_say() -> None:
    assert [match.movie_id for match in blend(poster=1, taste=0).similar(1, 10)] == [2, 3]


def test_a_movie_with_nothing_to_compare_by_is_unknown() -> None:
    with pytest.raises(UnknownMovie, match="movie 5"):
        blend(poster=1, taste=1).similar(5, 10)


def test_a_filter_is_obeyed() -> None:
    allowed = np.array([True, False, True, True, True])
    assert [match.movie_id for match in blend(poster=1, taste=1).similar(1, 2, allowed=allowed)] == [4, 3]


def test_stored_neighbours_give_the_same_answer(tmp_path: Path) -> None:
    both = blend(poster=1, taste=1)
    write_blend(tmp_path / "blend", both, len(MOVIES), track=silent)
    stored = OverlaidNeighbours.unchanged(load_neighbours(tmp_path / "blend"))
    for movie_id in (1, 2, 3, 4):
        for allowed in (None, np.array([False, True, False, True, True])):
            for k in (1, 2, 10):
                assert both.similar(movie_id, k, allowed=allowed, stored=stored) == both.similar(
                    movie_id, k, allowed=allowed
                )


@pytest.mark.parametrize("spread", [1, 0])  # 0: all scores are equal
def test_a_search_finds_what_a_comparison_with_all_movies_finds(spread: float) -> None:
    rng = np.random.default_rng(0)
    n = 600
    of_space = {"poster": np.arange(0, n, 2), "taste": np.arange(n), "facts": np.arange(n // 3, n)}
    spaces = {}
    for name, rows in of_space.items():
        vectors = 1 + spread * rng.normal(size=(rows.size, 8)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        flat = FlatVectors(flat_index(vectors))
        spaces[name] = Space(name, Ids(rows), flat, None, calibrate(flat, rng))
    every = Blend(spaces, {"poster": 1, "taste": 2, "facts": 1}, Ids(np.arange(n)))
    asked = np.arange(0, n, 7)
    for k in (1, 10, 100, n):
        for row, line, (rows, scores) in zip(asked, every.score_rows(asked), every.nearest(asked, k), strict=True):
            expected = top_rows(line, k)
            assert row not in rows
            assert rows.tolist() == expected.tolist()
            assert scores.tolist() == line[expected].tolist()


def test_other_weights_of_the_same_spaces() -> None:
    assert blend(poster=1, taste=1).with_weights({"taste": 1}).similar(1, 10) == blend(taste=1).similar(1, 10)


def test_a_space_whose_scores_are_all_alike_is_correlated_with_none() -> None:
    scores = np.array([[0, 1, 2], [0, -1, -2], [0, 2, 4]], np.float32)  # the first, as of equal posters
    np.testing.assert_array_equal(correlations(scores), [[1, 0, 0], [0, 1, 1], [0, 1, 1]])
    assert np.isfinite(coefficients([1, 1, 1], correlations(scores))).all()
