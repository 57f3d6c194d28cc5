from __future__ import annotations

import csv
import gzip
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from index.catalogue.movie import Movie
from index.core.errors import InvalidInput
from indexer.datasets.own_catalogue import OwnCatalogue, read_catalogue, write_report

ROWS = [
    {"id": "A-1", "title": "Red Dust", "year": 1999, "genres": ["Western", "Drama"], "imdb_id": "tt0000101",
     "tmdb_id": 11, "poster": "red.jpg", "director": ["Ann Lee", "Bo Ray"], "runtime": 101},
    {"id": "A-2", "title": "Étoile, The (2001)", "year": None, "genres": [], "imdb_id": None,
     "tmdb_id": None, "poster": None, "director": [], "runtime": None},
]  # fmt: skip


def as_csv(folder: Path) -> Path:
    file = folder / "films.csv"
    with file.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream, delimiter=";")
        table.writerow(["ID", "Title", "Release Year", "Genre", "IMDb_ID", "TMDb id", "Poster", "Director", "Runtime"])
        for row in ROWS:
            shown = ["|".join(value) if isinstance(value, list) else "" if value is None else value
                     for value in row.values()]  # fmt: skip
            table.writerow(shown)
    return file


def as_json_lines(folder: Path) -> Path:
    file = folder / "films.jsonl"
    file.write_text("\n\n".join(json.dumps(row) for row in ROWS) + "\n", encoding="utf-8")
    return file


def as_parquet(folder: Path) -> Path:
    fastparquet = pytest.importorskip("fastparquet")
    file = folder / "films.parquet"
    lists = [{name: json.dumps(value) if isinstance(value, list) else value for name, value in row.items()}
             for row in ROWS]  # fmt: skip
    fastparquet.write(str(file), pd.DataFrame(lists))
    return file


def gzipped(folder: Path) -> Path:
    file = folder / "films.jsonl.gz"
    file.write_bytes(gzip.compress(as_json_lines(folder).read_bytes()))
    return file


def zipped(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "films.zip", "w") as archive:
        archive.write(as_csv(folder), "films.csv")
    return folder / "films.zip"


@pytest.mark.parametrize("write", [as_csv, as_json_lines, as_parquet, gzipped, zipped])
def test_the_same_rows_are_read_from_any_kind_of_table(write: Callable[[Path], Path], tmp_path: Path) -> None:
    found = read_catalogue(write(tmp_path))
    assert found.refused == ()
    first, second = found.rows
    assert first.own_id == first.key == "A-1"
    assert first.movie == Movie(0, "Red Dust", 1999, ("Western", "Drama"), "tt0000101", 11)
    assert (first.poster, second.poster) == ("red.jpg", "")
    assert first.labels["directors"] == ("ann lee", "bo ray")
    assert second.movie == Movie(0, "The Étoile", 2001)
    assert "directors" not in second.labels


def read(folder: Path, text: str, name: str = "films.csv") -> OwnCatalogue:
    (folder / name).write_text(text, encoding="utf-8")
    return read_catalogue(folder / name)


BAD = """id,title,year,imdb_id,tmdb_id
1,Good,1990,tt0000001,1
,No id,1990,,
3,,1990,,
4,Odd year,MCM,,
5,Odd link,1990,0x12,
6,Odd number,1990,,-7
1,Twice,1991,,
8,Good too,,,
9,"Two\x01Bells",,,
10,Too,many,,fields,here
"""


def test_each_bad_row_is_refused_by_name_and_costs_no_other(tmp_path: Path) -> None:
    found = read(tmp_path, BAD)
    assert [row.own_id for row in found.rows] == ["1", "8"]
    told = {each.line: (each.column, each.value) for each in found.refused}
    assert told == {
        3: ("id", ""), 4: ("title", ""), 5: ("year", "MCM"), 6: ("imdb_id", "0x12"), 7: ("tmdb_id", "-7"),
        8: ("id", "1"), 10: ("title", "Two\x01Bells"), 11: ("", ""),
    }  # fmt: skip
    assert "line 2 has the same" in str(found.refused[5])
    assert "fields, 5 expected" in found.refused[-1].reason
    write_report(tmp_path / "report.csv", tmp_path / "films.csv", found.refused)
    with (tmp_path / "report.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len(found.refused)
    assert (rows[2]["line"], rows[2]["column"], rows[2]["value"]) == ("5", "year", "MCM")


def test_an_id_with_a_prefix_is_refused_by_name(tmp_path: Path) -> None:
    found = read(tmp_path, "id,title\n5,Heat\nid:5,Cold\n")
    assert [row.own_id for row in found.rows] == ["5"]
    assert [(each.line, each.value) for each in found.refused] == [(3, "id:5")]


def test_a_line_that_is_no_json_is_refused_and_the_others_are_read(tmp_path: Path) -> None:
    found = read(tmp_path, '{"title": "A"}\n[1]\n{"title": \n{"title": "B", "year": "2001-05-03"}\n', "films.jsonl")
    assert [str(row.movie) for row in found.rows] == ["A", "B (2001)"]
    assert [each.line for each in found.refused] == [2, 3]
    assert "no JSON object" in found.refused[0].reason


def test_an_imdb_id_is_of_one_row(tmp_path: Path) -> None:
    found = read(
        tmp_path, "id,title,imdb_id\na,Heat,tt0113277\nb,Heat again,113277\nc,Cold,tt0000002\nd,Third,\ne,Fourth,\n"
    )
    assert [row.own_id for row in found.rows] == ["a", "c", "d", "e"]
    assert [(each.line, each.column, each.value) for each in found.refused] == [(3, "imdb_id", "tt0113277")]
    assert "line 2 has this IMDb id" in found.refused[0].reason


def test_rows_without_ids_are_told_by_their_links_or_titles(tmp_path: Path) -> None:
    found = read(tmp_path, "title,year,imdb\nHeat,1995,tt0113277\nHeat,1986,\nHeat,1986,\nHeat,1995,113277\n")
    assert [row.key for row in found.rows] == ["tt0113277", "Heat (1986)"]
    assert [(each.line, each.column) for each in found.refused] == [(4, "title"), (5, "imdb")]


def test_a_column_of_texts_is_no_column_of_facts(tmp_path: Path) -> None:
    found = read(tmp_path, f"id,title,mood,plot\n1,A,dark|slow,{'word ' * 60}\n2,B,dark,short\n")
    assert [dict(row.labels) for row in found.rows] == [{"mood": ("dark", "slow")}, {"mood": ("dark",)}]
    assert "plot has texts" in found.notes[-1]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.csv", b"", "is empty"),
        ("a.csv", b"id,year\n1,1990\n", "no title column among id, year"),
        ("a.jsonl", b"[1, 2]\n", "holds no JSON object"),
        ("a.zip", b"PK\x03\x04broken", "is damaged"),
        ("missing.csv", None, "there is no file"),
    ],
)
def test_a_file_that_is_no_catalogue_is_refused(name: str, content: bytes | None, problem: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidInput, match=problem):
        read_catalogue(tmp_path / name)


@pytest.mark.parametrize("column", ["SKU", "asin", "Product ID", "slug", "ean", "item_id", "GUID"])
def test_an_id_is_known_by_many_names(tmp_path: Path, column: str) -> None:
    (tmp_path / "films.csv").write_text(f"{column},title,year\nA-1,Red Dust,1999\nA-1,Blue Dust,2000\n")
    catalogue = read_catalogue(tmp_path / "films.csv")
    assert [row.own_id for row in catalogue.rows] == ["A-1"]
    assert [refusal.line for refusal in catalogue.refused] == [3]


def test_a_list_of_objects_is_read_as_one_object_per_line(tmp_path: Path) -> None:
    file = tmp_path / "films.json"
    file.write_text(json.dumps([{"id": 1, "title": "Heat", "year": 1995}, 5, {"id": 2, "title": "Fargo"}], indent=2))
    found = read_catalogue(file)
    assert [(row.line, row.own_id, str(row.movie)) for row in found.rows] == [
        (1, "1", "Heat (1995)"),
        (3, "2", "Fargo"),
    ]
    assert [str(each) for each in found.refused] == ["line 2: '': '5' is no JSON object"]
    file.write_text('[1\n{"id": 1, "title": "Heat"}\n')  # no list: lines
    found = read_catalogue(file)
    assert ([row.line for row in found.rows], [each.line for each in found.refused]) == ([2], [1])


def test_a_column_of_titles_alone_is_split_at_no_space(tmp_path: Path) -> None:
    file = tmp_path / "films.csv"
    file.write_text('title\nNight Train\n"Good, the Bad and the Ugly, The (1966)"\n')
    found = read_catalogue(file)
    assert [str(row.movie) for row in found.rows] == ["Night Train", "The Good, the Bad and the Ugly (1966)"]
    assert not found.refused


def test_a_column_tells_what_is_on_the_shelf(tmp_path: Path) -> None:
    file = tmp_path / "films.csv"
    file.write_text("title,Owned\nA,yes\nB,no\nC,\nD,TRUE\nE,0\nF,maybe\n")
    found = read_catalogue(file)
    assert {row.movie.title: row.owned for row in found.rows} == {
        "A": True,
        "B": False,
        "C": False,
        "D": True,
        "E": False,
    }
    assert [str(each) for each in found.refused] == ["line 7, Owned: 'maybe': write yes or no"]
    file.write_text("title\nA\n")
    assert [row.owned for row in read_catalogue(file).rows] == [None]
