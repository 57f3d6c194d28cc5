from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.catalogue.catalogue import Catalogue, Movie
from index.core.ids import Ids
from index.library.movies import Library
from index.movie_index import MovieIndex
from index.ratings.elicitation import CANDIDATES, MAX_STEPS, elicitation_order, rating_steps
from index.spaces.faiss_index import flat_index
from index.spaces.space import Calibration, Space
from index.spaces.vectors import FlatVectors
from tests.conftest import SPACE, WEDDINGS


def catalogue(counts: list[int], posters: list[bool] | None = None) -> Catalogue:
    """Return movies with ids from 1 and these numbers of ratings."""
    movies = tuple(Movie(movie_id, f"Film {movie_id}") for movie_id in range(1, len(counts) + 1))
    files = tuple("p.jpg" if there else None for there in posters or [True] * len(counts))
    return Catalogue(movies, tuple(counts), tuple(3.0 for _ in counts), files)


def taste(directions: dict[int, float]) -> Space:
    """Return movies on a circle, by id at angles in degrees; a cosine of .9 is the 90th percentile."""
    angles = np.deg2rad([directions[movie_id] for movie_id in sorted(directions)])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    calibration = Calibration(np.array([-1, 0.9, 1], np.float32), np.array([0, 0.9, 1], np.float32))
    return Space("taste", Ids(sorted(directions)), FlatVectors(flat_index(vectors)), None, calibration)


def test_films_loved_like_one_that_was_taken_wait_for_the_next_round() -> None:
    # Similar in taste: movies 1 to 3, and 4 and 5. Lower ids have more ratings.
    space = taste({1: 0, 2: 5, 3: 10, 4: 90, 5: 95, 6: 180})
    assert elicitation_order(catalogue([60, 50, 40, 30, 20, 10]), space) == [1, 4, 6, 2, 5, 3]


def test_the_best_known_with_posters_come_first_and_only_those_with_a_taste() -> None:
    known = catalogue([10, 20, 30, 40], [True, True, True, False])
    assert elicitation_order(known, taste({1: 0, 2: 90, 4: 180})) == [2, 1, 4]


def test_where_nobody_rated_anything_nothing_is_asked() -> None:
    assert elicitation_order(catalogue([0, 0]), taste({7: 0})) == []


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 359)), min_size=1, max_size=60))
def test_each_is_asked_once_and_a_round_is_spread_out(films: list[tuple[int, int]]) -> None:
    counts = [count for count, _ in films]
    angles = {movie_id: float(angle) for movie_id, (_, angle) in enumerate(films, start=1)}
    order = elicitation_order(catalogue(counts), taste(angles))
    assert sorted(order) == list(range(1, len(films) + 1))
    assert counts[order[0] - 1] == max(counts)
    # The second movie is the most rated of those far from the first, if there are any.
    far = [i for i in order if np.cos(np.deg2rad(angles[i] - angles[order[0]])) < 0.9 - 1e-3]
    if far:
        assert counts[order[1] - 1] >= max(counts[i - 1] for i in far)


def test_no_more_are_asked_than_many_know() -> None:
    n = CANDIDATES + 5
    order = elicitation_order(catalogue(list(range(n, 0, -1))), taste(dict.fromkeys(range(1, n + 1), 0.0)))
    assert order == list(range(1, CANDIDATES + 1))


def test_a_snapshot_asks_about_what_was_rated_in_it(movie_index: MovieIndex) -> None:
    assert set(movie_index.to_ask) <= {*SPACE, *WEDDINGS, 23}


def test_a_removed_film_is_not_asked_about(data: Path, movie_index: MovieIndex) -> None:
    Library.open(data).remove(movie_index.to_ask[0])
    assert movie_index.to_ask[0] not in MovieIndex.open(data).to_ask


@pytest.mark.parametrize(
    ("scale", "steps"),
    [
        ((0.5, 5), [0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5]),
        ((1, 5), [1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5]),
        ((1, 10), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        ((1, 100), [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]),
        ((3, 3), [3]),
    ],
)
def test_ratings_to_choose_from(scale: tuple[float, float], steps: list[float]) -> None:
    assert rating_steps(scale) == steps


@given(st.integers(-100, 100), st.integers(0, 10**6))
def test_ratings_to_choose_from_are_few_and_on_the_scale(halves: int, width: int) -> None:
    low = halves / 2
    steps = rating_steps((low, low + width))
    assert 1 <= len(steps) <= MAX_STEPS
    assert steps == sorted(set(steps))
    assert low <= steps[0]
    assert steps[-1] == low + width
