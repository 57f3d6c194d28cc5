from __future__ import annotations

import csv
from pathlib import Path

import pytest

from index.catalogue.catalogue import Catalogue
from index.catalogue.movie import Movie
from index.catalogue.title_forms import parse_title
from index.core.errors import UnknownMovie
from index.imports.export import Entry
from index.imports.match import Found, match
from tests.index.imports.well_known import FILMS

MOVIES = (
    Movie(1, "Solaris (Solyaris)", 1972, (), "tt0069293", 593),
    Movie(2, "Solaris", 2002, (), "tt0307479", 2103),
    Movie(3, "The Ring", 2002, (), "tt0298130", 565),
    Movie(4, "Amelie (Le Fabuleux destin d'Amélie Poulain)", 2001, (), "tt0211915", 194),
    Movie(5, "Psycho", 1998, (), "tt0155975", 11252),
    Movie(6, "Hero", 2002, (), "tt0299977", 79),
    Movie(7, "Hero", 2002, (), None, 80),
    Movie(8, "Old Boy (Oldboy)", 2003, (), None, 670),
)


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    n = len(MOVIES)
    return Catalogue(MOVIES, (1,) * n, (3.0,) * n, (None,) * n)


def found(catalogue: Catalogue, **entry: object) -> Found:
    (result,) = match([Entry("row 2", "rated", **entry)], catalogue)  # type: ignore[arg-type]
    return result


@pytest.mark.parametrize(
    ("entry", "movie_id"),
    [
        ({"imdb_id": "tt0307479", "title": "Solaris", "year": 1972}, 2),
        ({"tmdb_id": "593"}, 1),
        ({"own_id": "3"}, 3),
        ({"title": "Solaris", "year": 1972}, 1),
        ({"title": "Solyaris", "year": 1972}, 1),
        ({"title": "solaris", "year": 2002}, 2),
        ({"title": "Amélie", "year": 2001}, 4),
        ({"title": "Ring, The", "year": 2002}, 3),
        ({"title": "Old Boy", "year": 2003, "imdb_id": "tt0364569"}, 8),  # the catalogue does not know its id
        ({"title": "Oldboy", "year": 2003}, 8),
        ({"title": "The Ring", "year": 2003}, 3),  # released elsewhere a year later
    ],
)
def test_an_id_or_a_title_with_its_year_is_certain(
    catalogue: Catalogue, entry: dict[str, object], movie_id: int
) -> None:
    result = found(catalogue, **entry)
    assert result.movie is not None
    assert result.movie.movie_id == movie_id
    assert bool(result.note) == (entry.get("year") == 2003 and movie_id == 3)


@pytest.mark.parametrize(
    ("entry", "candidates", "note"),
    [
        ({"title": "Psycho"}, [5], "without a year"),  # the better known one is not here
        ({"title": "Psycho", "year": 1960}, [], "nothing here is called so"),
        ({"title": "Hero", "year": 2002}, [6, 7], "several"),
        ({"title": "Solaris", "year": 1973}, [1], ""),
        ({"title": "Sollaris", "year": 2002}, [2], "this title and this year"),
        ({"title": "Psycho", "year": 1998, "imdb_id": "tt9999999"}, [5], "has another id"),
        ({"title": "Psycho", "year": 1998, "tmdb_id": "9"}, [5], "has another id"),
        ({"title": "Psycho", "year": 1999, "imdb_id": "tt9999999"}, [5], "this title and this year"),
        ({"imdb_id": "tt9999999"}, [], "nothing here has this id"),
        ({"title": "Nothing At All Like This", "year": 1950}, [], "nothing here is called so"),
    ],
)
def test_nothing_is_guessed_silently(
    catalogue: Catalogue, entry: dict[str, object], candidates: list[int], note: str
) -> None:
    result = found(catalogue, **entry)
    if entry.get("year") == 1973:
        assert result.movie is not None
        assert "1972" in result.note
        return
    assert result.movie is None
    assert [movie.movie_id for movie in result.candidates][: len(candidates)] == candidates
    assert note in result.note


def test_the_comparisons_of_an_export_are_bounded(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.imports.match.MAX_COMPARED", 2)
    asked = [
        ("Sollaris", 2002),
        ("Amelia", None),
        ("Sollaris", 2002),
        ("Amelia", None),
        ("Psycho", None),
        ("Psycho", 1998),
    ]
    entries = [Entry(f"row {at}", "rated", title, year) for at, (title, year) in enumerate(asked)]
    results = list(match(entries, catalogue))
    assert [bool(each.candidates) for each in results] == [True, True, False, False, True, False]
    assert results[2].note == "not compared with similar titles, as 2 others of the export were"
    assert results[3].note == results[2].note
    assert results[5].certain.movie_id == 5  # a certain match needs no comparison


def test_what_is_not_certain_has_candidates_by_longer_shorter_and_wrong_titles() -> None:
    movies = (
        Movie(1, "Star Wars: Episode V - The Empire Strikes Back", 1980),
        Movie(2, "Birdman", 2014),
        Movie(3, "Andrei Rublev", 1969),
        Movie(4, "The Godfather", 1972),
        Movie(5, "The Godfather", 1932),
    )
    n = len(movies)
    few = Catalogue(movies, (1,) * n, (3.0,) * n, (None,) * n)
    asked = [
        ("The Empire Strikes Back", 1980, 1),
        ("Birdman or (The Unexpected Virtue)", 2014, 2),
        ("Andrei Rublev", 1966, 3),
        ("The Godfahter", 1973, 4),
    ]
    for title, year, movie_id in asked:
        result = found(few, title=title, year=year)
        assert result.movie is None
        assert [movie.movie_id for movie in result.candidates] == [movie_id], title
        with pytest.raises(UnknownMovie, match="nothing has this title"):
            _ = result.certain


@pytest.mark.realdata
def test_well_known_films_are_found_by_title_and_year_and_none_is_wrong(realdata: Path) -> None:
    folder = realdata / "ml-latest-small-2016"
    with (folder / "links.csv").open() as links, (folder / "movies.csv").open(encoding="utf-8") as titles:
        imdb = {row["movieId"]: f"tt{row['imdbId']}" for row in csv.DictReader(links)}
        movies = sorted(
            (
                Movie(int(row["movieId"]), *parse_title(row["title"]), (), imdb[row["movieId"]])
                for row in csv.DictReader(titles)
            ),
            key=lambda movie: movie.movie_id,
        )
    n = len(movies)
    whole = Catalogue(movies, (1,) * n, (3.0,) * n, (None,) * n)
    assert len(FILMS) >= 250
    results = [found(whole, title=title, year=year) for title, year, _ in FILMS]
    certain = [(result.movie, imdb_id) for result, (_, _, imdb_id) in zip(results, FILMS, strict=True) if result.movie]
    assert len(certain) >= 0.97 * len(FILMS)
    assert [str(movie) for movie, imdb_id in certain if movie.imdb_id != imdb_id] == []
    for result, (title, _, imdb_id) in zip(results, FILMS, strict=True):
        assert result.movie or imdb_id in {movie.imdb_id for movie in result.candidates}, title
    # A title alone is never taken.
    assert all(found(whole, title=title).movie is None for title, _, _ in FILMS)
