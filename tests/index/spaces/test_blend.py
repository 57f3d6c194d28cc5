from pathlib import Path

import numpy as np
import pytest

from index.core.errors import UnknownMovie
from index.core.ids import Ids
from index.core.progress import silent
from index.spaces.blend import Blend
from index.spaces.faiss_index import flat_index, top_rows
from index.spaces.neighbours import Neighbours, OverlaidNeighbours, load_neighbours
from index.spaces.space import Calibration, Space
from index.spaces.vectors import FlatVectors
from indexer.spaces.writer import calibrate, write_blend

LINE = Calibration(np.array([0, 1], dtype=np.float32), np.array([0, 1], dtype=np.float32))  # percentile = score


def space(name: str, ids: list[int], vectors: list[list[float]]) -> Space:
    n = len(ids)
    none_stored = Neighbours(np.full((n, 1), -1, dtype=np.int32), np.zeros((n, 1), dtype=np.float32))
    return Space(name, Ids(ids), FlatVectors(flat_index(np.array(vectors, dtype=np.float32))), none_stored, LINE)


# Movie 1 is similar to 2 by poster and to 3 by taste. Movie 4 has no poster, 5 is in no space.
LOOK = space("poster", [1, 2, 3], [[1, 0], [0.8, 0], [0.2, 0]])
TASTE = space("taste", [1, 2, 3, 4], [[1, 0], [0.1, 0], [0.9, 0], [0.7, 0]])
MOVIES = Ids([1, 2, 3, 4, 5])


def blend(**weights: float) -> Blend:
    return Blend({"poster": LOOK, "taste": TASTE}, weights, MOVIES)


def test_the_score_is_the_weighted_mean_of_percentiles() -> None:
    scores = {match.movie_id: match.score for match in blend(poster=1, taste=3).similar(1, 10)}
    assert scores == pytest.approx({2: (0.8 + 0.3) / 4, 3: (0.2 + 2.7) / 4, 4: 0.7})


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
def test_movies_that_no_space_puts_high_are_left_out_only_where_they_cannot_matter(spread: float) -> None:
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
