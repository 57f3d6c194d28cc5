"""Tests of names of files and folders."""

from __future__ import annotations

import pytest

from indexer.shelf.names import Name, combined, holds_extras, is_season, read_name, why_no_film, without_part


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Heat (1995)", Name("Heat", 1995)),
        ("Heat (1995) [imdbid-tt0113277]", Name("Heat", 1995, "tt0113277")),
        ("Heat (1995) {imdb-tt0113277} {edition-Director's Cut}", Name("Heat", 1995, "tt0113277")),
        ("Heat (1995) {tmdb-949} - 1080p", Name("Heat", 1995, None, 949)),
        ("Heat (1995) [tmdbid=949]", Name("Heat", 1995, None, 949)),
        ("Heat (1995) [imdbid-nonsense]", Name("Heat", 1995, invalid=("[imdbid-nonsense]",))),
        ("Heat.1995.1080p.BluRay.x264-GROUP", Name("Heat", 1995)),
        ("Heat 1995", Name("Heat", 1995)),
        ("The.Matrix.1080p.BluRay", Name("The Matrix")),
        ("[Group] Heat (1995) [1080p]", Name("Heat", 1995)),
        ("Blade.Runner.2049.2017.2160p.UHD", Name("Blade Runner 2049", 2017)),
        ("Blade Runner 2049", Name("Blade Runner 2049")),
        ("2001 A Space Odyssey", Name("2001 A Space Odyssey")),
        ("2001.A.Space.Odyssey.1968.720p", Name("2001 A Space Odyssey", 1968)),
        ("1917", Name("1917")),
        ("1917 (2019)", Name("1917", 2019)),
        ("(500) Days of Summer (2009)", Name("(500) Days of Summer", 2009)),
        ("[REC] (2007)", Name("REC", 2007)),
        ("[REC]² (2009)", Name("REC²", 2009)),
        ("[REC]2.2009.720p", Name("REC2", 2009)),
        ("[Group] 300 (2006)", Name("300", 2006)),
        ("Space 1999 The Movie", Name("Space 1999 The Movie")),
        ("The.French.Dispatch.2021.German.1080p.WEB", Name("The French Dispatch", 2021)),
    ],
)
def test_titles_years_and_ids_are_read(text: str, expected: Name) -> None:
    assert read_name(text) == expected


@pytest.mark.parametrize(
    "stem", ["Heat-trailer", "Heat.sample", "trailer", "Heat (1995)-behindthescenes", "Show S01E02", "Show 1x02"]
)
def test_extras_and_episodes_are_no_films(stem: str) -> None:
    assert why_no_film(stem) is not None


@pytest.mark.parametrize("stem", ["The Big Short", "4x4 (2019)", "Trailer Park Boys (2006)", "Movie 720x480", "Se7en"])
def test_films_with_such_words_are(stem: str) -> None:
    assert why_no_film(stem) is None


def test_shorts_are_extras_only_beside_a_film() -> None:
    assert holds_extras("Trailers", of_a_film=False)
    assert holds_extras("Shorts", of_a_film=True)
    assert not holds_extras("Shorts", of_a_film=False)


def test_seasons_are_known_in_some_languages() -> None:
    assert all(map(is_season, ["Season 1", "season01", "Staffel 2", "S03", "Series 4"]))
    assert not any(map(is_season, ["Season of the Witch (2011)", "Seasons", "S", "Saw 3"]))


def test_parts_are_cut_off() -> None:
    assert without_part("Heat (1995)-cd2") == ("Heat (1995)", "cd")
    assert without_part("Heat (1995) - pt1") == ("Heat (1995)", "pt")
    assert without_part("Heat (1995)") is None


@pytest.mark.parametrize(
    ("file", "folder", "title"),
    [
        ("grp-heat1080", "Heat (1995)", "Heat"),  # Radarr
        ("movie", "Heat (1995)", "Heat"),
        ("Heat", "Action", "Heat"),
        ("Parasite (2019)", "Movies (2019)", "Parasite"),
        ("Alien (1979)", "Best of 1995", "Alien"),
    ],
)
def test_the_folder_names_its_only_film_if_it_says_more(file: str, folder: str, title: str) -> None:
    assert combined(read_name(file), read_name(folder)).title == title
