import json

import numpy as np
import pytest

from index.catalogue.catalogue import Catalogue, Movie, MovieFilter
from index.core.errors import AmbiguousTitle, BadSnapshot, UnknownMovie

MOVIES = (
    Movie(6, "Heat", 1995, ("Action", "Crime"), "tt0113277", 949),
    Movie(7, "The Heat", 2013, ("Action", "Comedy"), "tt2404463", 136795),
    Movie(9, "Amélie", 2001, ("Romance",), "tt0211915", 194),
    Movie(12, "Dead Heat", 1988, ("Action",)),
    Movie(300, "300", 2007),
    Movie(400, "Quai des brumes", None, ("Crime",)),
)


@pytest.fixture
def catalogue() -> Catalogue:
    return Catalogue(MOVIES, (50, 80, 5, 1, 0, 0), (4.0, 3.0, 3.5, 2.0, None, None), (None,) * 6)


@pytest.mark.parametrize("text", ["6", " 6 ", "imdb:tt0113277", "IMDB:TT0113277", "tmdb:949", "heat (1995)", "Heat"])
def test_every_way_to_write_a_movie_finds_it(catalogue: Catalogue, text: str) -> None:
    assert catalogue.resolve(text).movie_id == 6


def test_a_number_that_is_an_id_is_an_id_and_otherwise_a_title(catalogue: Catalogue) -> None:
    assert catalogue.resolve("300").title == "300"
    assert catalogue.resolve("1988").title == "Dead Heat"


def test_titles_need_no_accents_articles_or_case(catalogue: Catalogue) -> None:
    assert catalogue.resolve("amelie").movie_id == 9
    assert [movie.movie_id for movie in catalogue.search("the HEA")] == [7, 6, 12]


def test_an_exact_title_comes_before_a_better_known_longer_one(catalogue: Catalogue) -> None:
    assert catalogue.search("dead heat")[0].movie_id == 12
    assert catalogue.search("heat 1995")[0].movie_id == 6


def test_a_title_that_fits_several_movies_lists_them(catalogue: Catalogue) -> None:
    with pytest.raises(AmbiguousTitle, match="6 Heat \\(1995\\)") as caught:
        catalogue.resolve("hea")
    assert {movie_id for movie_id, _ in caught.value.candidates} == {6, 7, 12}


@pytest.mark.parametrize("text", ["imdb:tt9999999", "tmdb:x", "no such film", "", "   ", "99999999999999999999"])
def test_what_nobody_has_is_unknown(catalogue: Catalogue, text: str) -> None:
    with pytest.raises(UnknownMovie):
        catalogue.resolve(text)


def test_identify_takes_no_titles(catalogue: Catalogue) -> None:
    with pytest.raises(UnknownMovie, match="'Heat' is no movie id"):
        catalogue.identify("Heat")


def test_a_filter_lets_through_what_it_says(catalogue: Catalogue) -> None:
    def ids(where: MovieFilter) -> list[int]:
        return catalogue.ids.values[catalogue.allowed(where)].tolist()

    assert ids(MovieFilter(genres=("action", "CRIME"))) == [6]
    assert ids(MovieFilter(year_from=2001)) == [7, 9, 300]
    assert ids(MovieFilter(year_to=1995)) == [6, 12]
    assert ids(MovieFilter(exclude=(6, 7, 5))) == [9, 12, 300, 400]
    assert not MovieFilter()
    assert MovieFilter(year_to=1)


def test_a_genre_that_is_written_in_two_ways_is_one() -> None:
    movies = (Movie(1, "a", None, ("Sci-Fi",)), Movie(2, "b", None, ("sci-fi", "War")))
    both = Catalogue(movies, (0, 0), (None, None), (None, None))
    assert both.allowed(MovieFilter(genres=("SCI-FI",))).tolist() == [True, True]


def test_a_catalogue_survives_json(catalogue: Catalogue) -> None:
    again = Catalogue.from_json(json.loads(json.dumps(catalogue.to_json())))
    assert again.movies == catalogue.movies
    assert again.rating_means == catalogue.rating_means
    np.testing.assert_array_equal(again.ids.values, catalogue.ids.values)


def test_columns_that_do_not_fit_together_are_refused(catalogue: Catalogue) -> None:
    columns = catalogue.to_json()
    columns["title"].pop()
    with pytest.raises(BadSnapshot, match=r"movies\.json"):
        Catalogue.from_json(columns)


def test_an_unknown_title_is_told_what_may_have_been_meant(catalogue: Catalogue) -> None:
    with pytest.raises(UnknownMovie, match=r"no movie is called 'Amlie'; perhaps 9 Amélie \(2001\); give an id"):
        catalogue.resolve("Amlie")


def test_a_search_goes_on_with_titles_that_are_only_like_it(catalogue: Catalogue) -> None:
    assert [movie.movie_id for movie in catalogue.search("amlie")] == [9]
    assert catalogue.titled("amlie") == []
    assert [movie.movie_id for movie in catalogue.search("heat", limit=2, offset=1)] == [6, 12]
