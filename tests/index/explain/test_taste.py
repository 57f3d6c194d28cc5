"""Why two movies are loved alike: counted by hand in the small film world's own file of ratings."""

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
def test_the_people_are_those_of_the_ratings(movie_index: MovieIndex, world: World, movie: int, other: int) -> None:
    taste = movie_index.explainer.taste(movie, other)
    first, second = given(world, movie), given(world, other)
    low, high = movie_index.users.scale
    assert taste.loved_from == low + 0.75 * (high - low)
    lovers = {user for user, rating in first.items() if rating >= taste.loved_from}
    assert taste.lovers == len(lovers)
    assert taste.lovers_who_rated == len(lovers & set(second))
    assert taste.lovers_of_both == sum(second.get(user, 0) >= taste.loved_from for user in lovers)
    assert taste.raters == len(second)
    assert taste.lovers_of_other == sum(rating >= taste.loved_from for rating in second.values())


def test_who_loves_a_spaceship_loves_another_and_no_wedding(movie_index: MovieIndex) -> None:
    spaceship, wedding = movie_index.explainer.taste(3, 5), movie_index.explainer.taste(3, 13)
    assert spaceship.lovers_of_both > 0.5 * spaceship.lovers_who_rated
    assert wedding.lovers_of_both < 0.2 * wedding.lovers_who_rated
    assert spaceship.genres == ("Sci-Fi", "Action")
    assert wedding.genres == ()


def test_score_and_percentile_are_those_of_the_search(movie_index: MovieIndex) -> None:
    for match in movie_index.similar(3, 5, by="taste"):
        taste = movie_index.explainer.taste(3, match.movie_id)
        assert taste.score == pytest.approx(match.score, abs=1e-5)
        assert taste.percentile == pytest.approx(match.percentile, abs=1e-3)


def test_a_movie_without_ratings_or_that_is_not_there_is_told(movie_index: MovieIndex) -> None:
    with pytest.raises(NotComparable, match="no ratings"):
        movie_index.explainer.taste(3, 21)
    with pytest.raises(UnknownMovie, match="no movie 99"):
        movie_index.explainer.taste(99, 3)
