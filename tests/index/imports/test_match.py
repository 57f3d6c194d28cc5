from __future__ import annotations

import pytest

from index.catalogue.catalogue import Catalogue
from index.catalogue.movie import Movie
from index.imports.export import Entry
from index.imports.match import Found, match

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
