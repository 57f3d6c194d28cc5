import json

import numpy as np
import pytest

from index.catalogue.catalogue import Catalogue, Movie, MovieFilter
from index.core.errors import AmbiguousTitle, BadSnapshot, UnknownMovie
from index.core.source_ids import numbers_for

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


def test_a_prefix_counts_before_an_own_id_that_looks_like_one() -> None:
    texts = ("id:6", "imdb:tt0113277", "tmdb:77", "ID: 88")
    named = [Movie(numbers_for([text])[text], text, source_id=text) for text in texts]
    movies = tuple(sorted((*MOVIES, *named), key=lambda movie: movie.movie_id))
    catalogue = Catalogue(movies, (0,) * len(movies), (None,) * len(movies), (None,) * len(movies))
    for find in (catalogue.identify, catalogue.resolve):
        assert find("id:6").title == find("imdb:tt0113277").title == "Heat"
        assert find("tmdb:77").source_id == "tmdb:77"
        with pytest.raises(UnknownMovie):
            find("ID: 88")  # whoever deletes it again must not delete another


def test_a_number_is_an_id_or_a_whole_title_and_never_a_year(catalogue: Catalogue) -> None:
    assert catalogue.resolve("300").title == "300"
    for year in ("1988", "1995"):
        with pytest.raises(UnknownMovie, match=f"there is no movie {year} here"):
            catalogue.resolve(year)


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
    assert [movie.movie_id for movie in catalogue.search("heat", limit=2, offset=1)] == [7, 12]


NAMED = (
    Movie(3, "Grumpier Old Men", 1995),
    Movie(10, "GoldenEye", 1995),
    Movie(12, "Dracula: Dead and Loving It", 1995),
    Movie(300, "Quiz Show", 1994),
    Movie(924, "2001: A Space Odyssey", 1968),
    Movie(1917, "Armageddon", 1998),
    Movie(2001, "Lethal Weapon 2", 1989),
    Movie(3000, "Vampire Ball", 1986),
    Movie(3001, "Vamp", 1988),
    Movie(5300, "3:10 to Yuma", 1957),
    Movie(6658, "10", 1979),
    Movie(7004, "Death Race 2000", 1975),
    Movie(7005, "Amelie (Le Fabuleux destin d'Amélie Poulain)", 2001),
    Movie(7006, "Die Hard", 1988),
    Movie(7007, "Rocky II", 1979),
    Movie(7008, "Heat", 1972),
    Movie(7009, "Heat", 1986),
    Movie(7010, "The Heat", 2013),
    Movie(7011, "Emma", 1996),
    Movie(7012, "Emma", 1996),
    Movie(7013, "Big Hero 6", 2014),
    Movie(7014, "Twelve Monkeys (a.k.a. 12 Monkeys)", 1995),
    Movie(7015, "Seven Pounds", None),
    Movie(7017, "Ronin (1998)", None),
    Movie(51662, "300", 2007),
    Movie(99917, "1917", 2019),
    Movie(99984, "1984", 1956),
)


@pytest.fixture
def named() -> Catalogue:
    return Catalogue(NAMED, (0,) * len(NAMED), (None,) * len(NAMED), (None,) * len(NAMED))


@pytest.mark.parametrize(
    "text", ["3:10 to Yuma", "2001: A Space Odyssey (1968)", "10_", "1_0", "+10", "0x10", "010", "١٠"]
)
def test_a_text_that_begins_with_a_number_is_no_id(named: Catalogue, text: str) -> None:
    with pytest.raises(UnknownMovie, match="is no movie id"):
        named.identify(text)


@pytest.mark.parametrize(
    ("text", "movie_id"),
    [
        ("3:10 to Yuma", 5300),
        ("2001: A Space Odyssey (1968)", 924),
        ("id:10", 10),
        ("id:300", 300),
        ("300 (2007)", 51662),
        ("1984", 99984),
        ("10 (1979)", 6658),
        ("Amelie (2001)", 7005),
        ("Le Fabuleux destin d'Amélie Poulain (2001)", 7005),
        ("Fabuleux destin d’Amelie Poulain, Le (2001)", 7005),
        ("Rocky 2 (1979)", 7007),
        ("12 Monkeys (1995)", 7014),
        ("Heat (2013)", 7010),
        ("vamp", 3001),
        ("Ronin (1998)", 7017),
    ],
)
def test_a_whole_title_is_found_without_a_note(named: Catalogue, text: str, movie_id: int) -> None:
    notes: list[str] = []
    assert named.resolve(text, notes.append).movie_id == movie_id
    assert notes == []


@pytest.mark.parametrize(
    ("text", "movie_id", "note"),
    [
        ("Die Hard (1989)", 7006, "there is no 'Die Hard (1989)' here, but Die Hard (1988) (id 7006)"),
        ("Die Hard (1987)", 7006, "there is no 'Die Hard (1987)' here, but Die Hard (1988) (id 7006)"),
        ("space odyssey", 924, "'space odyssey' is read as 2001: A Space Odyssey (1968) (id 924)"),
        ("vampire 1986", 3000, "'vampire 1986' is read as Vampire Ball (1986) (id 3000)"),
    ],
)
def test_a_title_of_the_year_beside_and_words_of_one_title_are_noted(
    named: Catalogue, text: str, movie_id: int, note: str
) -> None:
    notes: list[str] = []
    assert named.resolve(text, notes.append).movie_id == movie_id
    assert notes == [note]


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("Vamp (1986)", "3001 Vamp \\(1988\\)"),  # not Vampire Ball, of that year
        ("Vampire (1986)", "3000 Vampire Ball"),
        ("Die Hard (1990)", "7006 Die Hard"),
        ("Hard (1988)", "7006 Die Hard"),
        ("Death Race (2000)", "7004 Death Race 2000"),
        ("Seven Pounds (2008)", "7015 Seven Pounds"),
        ("Hero 6 (2014)", "7013 Big Hero 6"),
        ("odyss", "924 2001"),
        ("1_0", "no movie"),
        ("+6", "no movie"),
        ("3:10", "5300 3:10 to Yuma"),
        ("010", "no movie"),
        ("１９１７_", "no movie"),
        ("6", "no movie"),
        ("1968", "no movie"),
        ("99999999999999999999", "no movie"),
        ("imdb:x", "no movie"),
        ("imdb:tt9999999", "no movie"),
    ],
)
def test_no_movie_is_better_than_the_wrong_one(named: Catalogue, text: str, suggestion: str) -> None:
    notes: list[str] = []
    with pytest.raises(UnknownMovie, match=suggestion):
        named.resolve(text, notes.append)
    assert notes == []


@pytest.mark.parametrize(
    ("text", "readings"), [("300", {300, 51662}), ("10", {10, 6658}), ("1917", {1917, 99917}), ("12", {12, 7014})]
)
def test_a_number_that_is_an_id_and_a_title_is_ambiguous(text: str, readings: set[int]) -> None:
    movies = tuple(sorted((*NAMED, Movie(7016, "Zwölf (12)", 2007)), key=lambda movie: movie.movie_id))
    if text == "12":
        readings = {12, 7016}
    catalogue = Catalogue(movies, (0,) * len(movies), (None,) * len(movies), (None,) * len(movies))
    with pytest.raises(AmbiguousTitle, match=f"give id:{text}") as caught:
        catalogue.resolve(text)
    assert {movie_id for movie_id, _ in caught.value.candidates} == readings
    assert catalogue.identify(text).movie_id == int(text)


@pytest.mark.parametrize(("text", "count"), [("Heat", 2), ("Emma (1996)", 2), ("Emma (1995)", 2), ("hea", 3)])
def test_a_title_of_several_movies_is_ambiguous(named: Catalogue, text: str, count: int) -> None:
    with pytest.raises(AmbiguousTitle) as caught:
        named.resolve(text)
    assert len(caught.value.candidates) == count


def test_a_search_with_the_wrong_year_goes_on_with_the_title(named: Catalogue) -> None:
    assert named.search("Die Hard (1995)")[0].movie_id == 7006
    assert named.search("Amelie (1899)")[0].movie_id == 7005
