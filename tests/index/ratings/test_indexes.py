from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from index.ratings.indexes import RatingsByMovie

MOVIES = 9


@given(st.lists(st.integers(0, MOVIES - 1)))
def test_the_positions_of_a_movie_are_those_of_its_ratings(rated: list[int]) -> None:
    rows = np.array(rated, dtype=np.int32)
    by_movie = RatingsByMovie.from_rows(rows, MOVIES)
    assert by_movie.counts().tolist() == [rated.count(movie) for movie in range(MOVIES)]
    for movie in range(MOVIES):
        assert by_movie.positions(movie).tolist() == np.flatnonzero(rows == movie).tolist()
