from __future__ import annotations

from pathlib import Path

import pytest

from index.core.errors import InvalidInput
from indexer.datasets.labels import kind_of
from indexer.datasets.movielens import read_dataset

MOVIES = "movieId,title,genres\n1,Heat (1995),Crime\n2,Ronin (1998),Crime\n3,Alien (1979),Horror\n"
RATINGS = "userId,movieId,rating\n1,1,5\n1,2,4\n2,1,3\n2,3,2\n"


def folder(path: Path, facts: str | bytes, name: str = "facts.csv") -> Path:
    (path / "movies.csv").write_text(MOVIES)
    (path / "ratings.csv").write_text(RATINGS)
    (path / name).write_bytes(facts.encode() if isinstance(facts, str) else facts)
    return path


def test_any_column_is_a_kind_and_bars_separate_its_labels(tmp_path: Path) -> None:
    facts = (
        "movieId,Director,cast,mood,title\n"
        '1,Michael Mann,Al Pacino|Robert De Niro| al  pacino ,"tense, long",Heat\n'
        "2,,Robert De Niro|,n/a,Ronin\n"
        "9,Nobody,,,Unknown\n"
        "1,,Val Kilmer,,Heat\n"
    )
    dataset = read_dataset(folder(tmp_path, facts))
    assert dataset.labels == {
        "directors": {1: ("michael mann",)},
        "actors": {1: ("al pacino", "robert de niro", "val kilmer"), 2: ("robert de niro",)},
        "mood": {1: ("tense, long",)},
    }
    file = tmp_path / "facts.csv"
    assert f"{file}: skipped facts of unknown movies: 1 (such as line 4, movie 9)" in dataset.warnings


@pytest.mark.parametrize("name", ["Facts.tsv", "facts.csv"])
def test_the_table_may_be_written_in_many_ways(tmp_path: Path, name: str) -> None:
    dataset = read_dataset(folder(tmp_path, "Movie_ID;Keywords\r\n3.0;spaceship|caf\xe9\r\n".encode("latin-1"), name))
    assert dataset.labels == {"keywords": {3: ("spaceship", "café")}}


def test_another_table_may_be_given(tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("movie,keywords\n1,heist\n")
    (tmp_path / "set").mkdir()
    dataset = read_dataset(folder(tmp_path / "set", "movieId,keywords\n1,cops\n"), facts=other)
    assert dataset.labels == {"keywords": {1: ("heist",)}}


def test_without_a_table_there_are_no_labels(tmp_path: Path) -> None:
    assert read_dataset(folder(tmp_path, "x", "notes.md")).labels == {}


def test_a_table_without_movies_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"facts.csv, line 1: no movie column among name, director; expected one of"):
        read_dataset(folder(tmp_path, "name,director\nHeat,Michael Mann\n"))
    with pytest.raises(InvalidInput, match=r"there is no file .*none.csv"):
        read_dataset(folder(tmp_path, "movieId,director\n"), facts=tmp_path / "none.csv")


def test_columns_of_one_kind_have_several_spellings() -> None:
    assert kind_of("Director") == kind_of("directed_by") == "directors"
    assert kind_of("plot keywords") == "keywords"
    assert kind_of("Content_Rating") == "certificates"
    assert kind_of("Mood") == "mood"
