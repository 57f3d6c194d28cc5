from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from index.catalogue.catalogue import Movie
from index.core.errors import UnknownMovie
from index.core.ids import Ids
from index.snapshot.gallery import GalleryMovie
from indexer.datasets.dataset import Ratings
from indexer.datasets.training import Training
from indexer.evaluation import gallery
from indexer.evaluation.candidates import scored_space
from indexer.evaluation.gallery import build_gallery, gallery_rows, neighbours

# Ids that are not MovieLens': the article's movies are known by title and year. Movie 13, another Heat, is rated most.
MOVIES = (
    Movie(10, "Heat", 1995, ("Crime",)),
    Movie(11, "Toy Story", 1995, ("Animation",)),
    Movie(12, "Alien", 1979, ("Horror",)),
    Movie(13, "Heat", 1986, ("Action",)),
    Movie(14, "Clueless", 1995, ("Comedy",)),
)


def rated(*raters_of: int, implicit: bool = False) -> Training:
    """Return ratings in which the first so many of 20 users rated each movie."""
    pairs = [(user, 10 + row) for row, raters in enumerate(raters_of) for user in range(raters)]
    users, movies = np.array(pairs).T
    values = np.where((users + movies) % 2, 2.0, 4.0).astype(np.float32)
    return Training(Ratings(users, movies, values, implicit=implicit), Ids(range(20)), MOVIES)


def test_the_articles_movies_come_first_then_popular_ones() -> None:
    assert gallery_rows(rated(9, 9, 10, 12, 8)) == [0, 1, 3, 2, 4]
    assert gallery_rows(rated(20, 9, 10, 12, 8))[:2] == [0, 1]


def test_a_movie_of_the_article_without_ratings_is_left_out() -> None:
    assert gallery_rows(rated(0, 9, 10, 12, 8)) == [1, 3, 2, 4]


def test_popular_movies_are_chosen_among_those_with_a_poster() -> None:
    assert gallery_rows(rated(9, 9, 10, 12, 8), posters=[14]) == [0, 1, 4]
    assert gallery_rows(rated(0, 0, 0, 12, 8), posters=[12]) == []  # nobody rated it


def test_given_movies_take_the_place_of_popular_ones() -> None:
    assert gallery_rows(rated(9, 9, 10, 12, 8), shown=[14, 10]) == [0, 1, 4]
    with pytest.raises(UnknownMovie):
        gallery_rows(rated(9, 9, 10, 12, 8), shown=[99])


def test_neighbours_are_ids_best_first() -> None:
    training = rated(9, 9, 10, 12, 8)
    scores = np.array([[0, 1, 3, 2], [1, 0, 0, 0], [3, 0, 0, 0], [2, 0, 0, 0]], dtype=np.float32)
    space = scored_space(np.arange(4), lambda at: scores[at], len(MOVIES))
    assert neighbours({"a": space}, training, [0, 4], 2) == (
        GalleryMovie(10, {"a": (12, 13)}),
        GalleryMovie(14, {"a": ()}),  # not in the space
    )


def test_the_cosine_of_ratings_prefers_what_the_same_people_rated() -> None:
    found = build_gallery(rated(10, 10, 20, 3, 0), ()).movies
    assert found[0].nearest["item-cosine"][0] == 12 - 1  # the same ten users, by the same pattern of ratings
    assert found[0].nearest["item-cosine"][-1] == 13
    assert set(found[0].nearest["sgd"]) == {11, 12, 13}
    assert build_gallery(rated(10, 10, 20, 3, 0), ()).movies == found


def test_without_ratings_nothing_is_fitted_by_gradient_descent() -> None:
    training = rated(10, 10, 20, 3, 0)
    ones = replace(training.ratings, values=np.ones_like(training.ratings.values), implicit=True)
    (first, *_) = build_gallery(Training(ones, training.users, MOVIES), ()).movies
    assert set(first.nearest) == {"item-cosine"}


def test_of_many_ratings_users_are_drawn_and_their_number_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery, "MAX_RATINGS", 30)
    found = build_gallery(rated(10, 10, 20, 3, 0), ())
    assert 0 < found.ratings <= 30
    assert [movie.movie_id for movie in found.movies][:2] == [10, 11]
