"""Public layouts of ratings, in small data sets of our own: each reads whole, and is built into a snapshot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from index.movie_index import MovieIndex
from indexer.build import build
from indexer.config import Plan
from indexer.datasets.movielens import read_dataset
from tests.conftest import QUICK
from tests.indexer.datasets.layouts import OF_ONE_USER, OTHERS, PUBLIC, SPACE, TITLES, given, movielens_100k

ALL = PUBLIC | OTHERS
# Each of these is built in every run: numbers, texts as ids, and one person's ratings. The others take the same steps.
BUILT = ("MovieLens 10M", "Amazon", "IMDb")


@pytest.mark.parametrize("name", ALL)
def test_a_public_layout_is_read_to_the_last_row(tmp_path: Path, name: str) -> None:
    dataset = read_dataset(ALL[name](tmp_path))
    one_user = name in OF_ONE_USER
    assert len(dataset.ratings) == (len(TITLES) if one_user else len(list(given())))
    assert np.unique(dataset.ratings.user_ids).size == (1 if one_user else 30)
    assert len(dataset.movies) == len(TITLES)
    assert dataset.ratings.timestamps is not None
    assert np.unique(dataset.ratings.timestamps).size >= len(TITLES)
    skipped = [warning for warning in dataset.warnings if "skipped" in warning or "kept the latest" in warning]
    assert skipped == []
    if name != "Amazon":  # which has no titles
        found = {movie.title: movie for movie in dataset.movies}
        assert found.keys() == {title for title, _, _ in TITLES.values()}
        for title, year, genres in TITLES.values():
            assert found[title].year == year
            if name not in {"Letterboxd", "Netflix Prize", "Netflix Prize on Kaggle"}:
                assert sorted(found[title].genres) == sorted(genres.split("|"))


@pytest.mark.parametrize("name", [pytest.param(name, marks=() if name in BUILT else pytest.mark.long) for name in ALL])
def test_a_public_layout_is_built_and_finds_like_films(tmp_path: Path, name: str) -> None:
    (tmp_path / "in").mkdir()
    build(Plan(ALL[name](tmp_path / "in"), tmp_path / "data", settings=QUICK, evaluation=False))
    index = MovieIndex.open(tmp_path / "data")
    assert len(index.catalogue) == len(TITLES)
    first, *_ = (movie for movie in index.catalogue.movies if movie.title in (*SPACE, "B000000001"))
    by = "facts" if name in OF_ONE_USER else "taste"
    nearest = [index.catalogue.movie(match.movie_id) for match in index.similar(first.movie_id, 5, by=by)]
    if name == "Letterboxd":  # has years, but no genres
        assert len(nearest) == 5
        return
    alike = SPACE if name != "Amazon" else tuple(f"B{at:09d}" if at % 2 else f"Movie {at:010d}" for at in range(1, 7))
    assert {movie.title for movie in nearest} <= set(alike)


@pytest.mark.parametrize("name", sorted(OF_ONE_USER))
def test_one_persons_export_says_what_it_can_and_cannot_give(tmp_path: Path, name: str) -> None:
    dataset = read_dataset(PUBLIC[name](tmp_path))
    assert any(
        "ratings of one person" in warning and "genres" in warning and "need the ratings of many" in warning
        for warning in dataset.warnings
    )
    if name == "IMDb":
        assert {movie.imdb_id for movie in dataset.movies} == {f"tt{at + 100:07d}" for at in TITLES}


def test_a_fold_of_movielens_100k_has_the_titles_beside_it(tmp_path: Path) -> None:
    dataset = read_dataset(movielens_100k(tmp_path) / "u1.base")
    assert len(dataset.ratings) == len(list(given())) - 20
    assert dataset.movies[0].title == SPACE[0]
