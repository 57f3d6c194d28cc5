from __future__ import annotations

from index.catalogue.movie import Movie
from index.imports.read import read_export
from index.imports.write import movies_csv

MOVIES = (
    Movie(1, "Amelie (Le Fabuleux destin d'Amélie Poulain)", 2001, (), "tt0211915", 194),
    Movie(2, 'Say "Yes", Twice', None, (), None, None),
)


def test_a_list_has_the_columns_that_letterboxd_imports() -> None:
    assert movies_csv(MOVIES) == (
        'Title,Year,imdbID,tmdbID\r\nAmelie,2001,tt0211915,194\r\n"Say ""Yes"", Twice",,,\r\n'
    )


def test_a_list_has_the_columns_of_imdb_s_lists() -> None:
    assert movies_csv(MOVIES[:1], "imdb") == "Position,Const,Title,Year\r\n1,tt0211915,Amelie,2001\r\n"


def test_a_list_is_read_back() -> None:
    (first, second) = read_export(movies_csv(MOVIES).encode()).entries
    assert (first.title, first.year, first.imdb_id, first.tmdb_id) == ("Amelie", 2001, "tt0211915", "194")
    assert second.title == 'Say "Yes", Twice'
    assert read_export(movies_csv(MOVIES[:1], "imdb").encode()).entries[0].imdb_id == "tt0211915"
