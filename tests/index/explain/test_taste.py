"""Taste explanations, checked against counts in the ratings file of the small test data set."""

from __future__ import annotations

import csv

import pytest

from index.core.errors import NotComparable, UnknownMovie
from index.movie_index import MovieIndex
from tests.conftest import World


def given(world: World, movie: int) -> dict[int, float]:
    with (world.ratings / "ratings.csv").open() as stream:
        return {int(r["userId"]): float(r["rating"]) for r in csv.DictReader(stream) if int(r["movieId"]) == movie}


@pytest.mark.parametrize(("movie", "other"), [(3, 5), (3, 13), (12, 23)])
def test_counts_of_users_are_those_of_the_ratings(
    movie_index: MovieIndex, world: World, movie: int, other: int
) -> None:
    taste = movie_index.explainer.taste(movie, other)
    first, second = given(world, movie), given(world, other)
    low, high = movie_index.users.scale
    assert taste.liked_from == low + 0.75 * (high - low)
    liked = {user for user, rating in first.items() if rating >= taste.liked_from}
    assert taste.liked == len(liked)
    assert taste.liked_and_rated == len(liked & set(second))
    assert taste.liked_both == sum(second.get(user, 0) >= taste.liked_from for user in liked)
    assert taste.raters == len(second)
    assert taste.liked_other == sum(rating >= taste.liked_from for rating in second.values())


def test_users_who_like_a_spaceship_movie_like_another_and_no_wedding(movie_index: MovieIndex) -> None:
    spaceship, wedding = movie_index.explainer.taste(3, 5), movie_index.explainer.taste(3, 13)
    assert spaceship.liked_both > 0.5 * spaceship.liked_and_rated
    assert wedding.liked_both < 0.2 * wedding.liked_and_rated
    assert spaceship.genres == ("Sci-Fi", "Action")
    assert wedding.genres == ()


def test_score_and_percentile_are_those_of_the_search(movie_index: MovieIndex) -> None:
    for match in movie_index.similar(3, 5, by="taste"):
        taste = movie_index.explainer.taste(3, match.movie_id)
        assert taste.score == pytest.approx(match.score, abs=1e-5)
        assert taste.percentile == pytest.approx(match.percentile, abs=1e-3)


def test_a_movie_without_ratings_and_an_unknown_movie_are_refused(movie_index: MovieIndex) -> None:
    with pytest.raises(NotComparable, match="no ratings"):
        movie_index.explainer.taste(3, 21)
    with pytest.raises(UnknownMovie, match="no movie 99"):
        movie_index.explainer.taste(99, 3)
