from __future__ import annotations

import csv
import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from indexer.datasets.movielens import read_dataset
from indexer.fetch.facts import COLUMNS, facts_of
from tests.conftest import write_ratings
from tests.indexer.fetch.conftest import fetch
from tests.indexer.fetch.standins import KEY, Fault, StandIns, breaks, content, hangs_up, page, status
from tests.indexer.fetch.test_interrupted import begin, wait_until

ENTRY: dict[str, Any] = {
    "overview": 'A crew, far from home,\nfinds a "signal".',
    "original_language": "en",
    "production_countries": [{"iso_3166_1": "GB", "name": "United Kingdom"}],
    "belongs_to_collection": {"id": 1, "name": "Starship Collection", "poster_path": None},
    "keywords": {"keywords": [{"id": 1, "name": "space travel"}, {"id": 2, "name": "this|that"}]},
    "credits": {
        "cast": [{"name": "Second Billed", "order": 1}, {"name": "First Billed", "order": 0}],
        "crew": [
            {"job": "Director", "name": "Ada One"},
            {"job": "Screenplay", "name": "Bo Two"},
            {"job": "Writer", "name": "Bo Two"},
            {"job": "Gaffer", "name": "Cy Three"},
            {"job": "Original Music Composer", "name": "Di Four"},
            {"job": "Director of Photography", "name": "Ed Five"},
        ],
    },
    "release_dates": {
        "results": [
            {"iso_3166_1": "US", "release_dates": [{"certification": "", "type": 1}, {"certification": "NR", "type": 4},
                                                   {"certification": "PG", "type": 3}]},
            {"iso_3166_1": "GB", "release_dates": [{"certification": "12A", "type": 3}]},
        ]
    },
}  # fmt: skip


@pytest.fixture
def ratings(site: StandIns, tmp_path: Path) -> Path:
    """Folder of the test catalogue, of which films 1 and 2 have facts."""
    write_ratings(tmp_path / "ratings")
    site.facts |= {1001: ENTRY, 1002: {**ENTRY, "overview": None, "credits": None}}
    return tmp_path / "ratings"


def facts(ratings: Path, *more: object) -> Result:
    return fetch("facts", "--ratings", ratings, "--data", ratings.parent / "data", "--rate", 40, *more)


def rows(table: Path) -> dict[str, dict[str, str]]:
    with table.open(newline="", encoding="utf-8") as stream:
        return {row["movieId"]: row for row in csv.DictReader(stream)}


def test_every_film_is_asked_for_once_and_a_build_finds_the_table(site: StandIns, ratings: Path) -> None:
    result = facts(ratings)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "Facts: 22 found, 0 missing, 0 failed",
        f"The facts are in {ratings.parent / 'data/fetched/facts'}",
        f"{ratings / 'facts.csv'} has facts of 22 movies",
        result.stdout.splitlines()[-1],
    ]
    assert "not endorsed or certified by TMDB" in result.stdout
    assert sorted(seen.path for seen in site.seen) == sorted(f"/3/movie/{1000 + n}" for n in range(1, 24) if n != 22)
    assert {seen.query["append_to_response"][0] for seen in site.seen} == {"keywords,credits,release_dates"}

    table = rows(ratings / "facts.csv")
    assert list(table) == [str(n) for n in range(1, 24) if n != 22]
    assert table["1"] == {
        "movieId": "1",
        "director": "Ada One",
        "writers": "Bo Two",
        "composer": "Di Four",
        "cinematographer": "Ed Five",
        "actors": "First Billed|Second Billed",
        "keywords": "space travel|this/that",
        "collection": "Starship Collection",
        "certificate": "PG",
        "language": "en",
        "country": "United Kingdom",
        "overview": 'A crew, far from home, finds a "signal".',
    }
    assert (table["2"]["director"], table["2"]["overview"], table["3"]["keywords"]) == ("", "", "")

    dataset = read_dataset(ratings)
    assert dataset.labels["collections"] == {1: ("starship collection",), 2: ("starship collection",)}
    assert dataset.labels["actors"] == {1: ("first billed", "second billed")}
    assert "overview" not in dataset.labels
    assert not dataset.warnings

    before, asked = (ratings / "facts.csv").read_bytes(), len(site.seen)
    again = facts(ratings)
    assert again.stdout.startswith("Facts: 22 found (0 of them new), 0 missing, 0 failed")
    assert (len(site.seen), (ratings / "facts.csv").read_bytes()) == (asked, before)
    assert rows_of_country(ratings, "gb")["1"]["certificate"] == "12A"
    assert len(site.seen) == asked  # certificates of all countries are kept


def rows_of_country(ratings: Path, country: str) -> dict[str, dict[str, str]]:
    other = ratings.parent / "other.csv"
    result = facts(ratings, "--country", country, "--out", other)
    assert f"{other} has facts of 22 movies: give it to posterity build by --facts {other}" in result.stdout
    return rows(other)


@pytest.mark.parametrize(
    "fault", [status(429, Retry_After="0"), status(429), status(500), status(503), breaks(20), hangs_up]
)
def test_what_passes_is_waited_for(site: StandIns, ratings: Path, fault: Fault) -> None:
    site.fail("/3/movie/1001", fault)
    result = facts(ratings)
    assert "Facts: 22 found, 0 missing, 0 failed" in result.stdout, result.output
    assert len(site.asked("/3/movie/1001")) == 2
    assert rows(ratings / "facts.csv")["1"]["certificate"] == "PG"


def test_a_film_of_another_id_is_found_by_imdb_and_a_series_and_an_unknown_one_are_told(
    site: StandIns, ratings: Path
) -> None:
    site.fail("/3/movie/1001", status(404))
    series = content(json.dumps({"movie_results": [], "tv_results": [{"id": 7}]}).encode(), "application/json")
    for film in (2, 3):
        site.fail(f"/3/movie/{1000 + film}", status(404))
    site.fail("/3/find/tt0000002", series)
    del site.imdb["tt0000003"]
    result = facts(ratings)
    assert "Facts: 20 found, 2 missing, 0 failed" in result.stdout
    assert "  missing: 1, TMDB lists it as a series (such as movie 2)" in result.stdout
    assert "  missing: 1, TMDB does not know the movie (such as movie 3)" in result.stdout
    table = rows(ratings / "facts.csv")
    assert table["1"]["director"] == "Ada One"
    assert not {"2", "3"} & set(table)


@pytest.mark.parametrize("answer", [page, content(b"{"), content(b"[]"), content(b"{}"), content(b'{"id": "x"}')])
def test_an_answer_that_is_no_movie_is_told_and_asked_for_again(site: StandIns, ratings: Path, answer: Fault) -> None:
    site.fail("/3/movie/1001", answer)
    result = facts(ratings)
    assert result.exit_code == 0, result.output
    assert "Facts: 21 found, 0 missing, 1 failed" in result.stdout
    assert re.search(r"  failed: 1, .* gave .* \(such as movie 1\)", result.stdout)
    assert "1" not in rows(ratings / "facts.csv")
    assert "Facts: 22 found (1 of them new), 0 missing, 0 failed" in facts(ratings).stdout
    assert "1" in rows(ratings / "facts.csv")


def test_a_key_that_is_refused_or_missing_ends_it_and_is_not_shown(
    ratings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMDB_API_KEY", "f" * 32)
    result = facts(ratings)
    assert result.exit_code == 1
    assert re.search(r"Error: http://127.0.0.1:\d+/3/movie/\d+ refuses the key \(status 401\)", result.stderr)
    assert "f" * 32 not in result.output
    assert not (ratings / "facts.csv").exists()
    monkeypatch.delenv("TMDB_API_KEY")
    assert "https://www.themoviedb.org/settings/api" in facts(ratings).stderr


def test_an_own_table_is_not_overwritten(site: StandIns, ratings: Path) -> None:
    (ratings / "facts.csv").write_text("movieId,director\n1,Mine\n")
    result = facts(ratings)
    assert result.exit_code == 1
    assert f"{ratings / 'facts.csv'} exists and is not of this command" in result.stderr
    assert "--out" in result.stderr
    assert site.seen == []
    assert facts(ratings, "--country", "usa").exit_code == 2


def test_a_fetch_that_is_killed_resumes_and_ends_with_the_same_bytes(site: StandIns, ratings: Path) -> None:
    assert facts(ratings).exit_code == 0
    whole = (ratings / "facts.csv").read_bytes()
    (ratings / "facts.csv").unlink()
    for number in (signal.SIGKILL, signal.SIGINT):
        site.seen.clear()
        site.speed = 2000.0  # bytes a second: half a second each
        # So few requests a second that most are still to come, also when a busy machine kills late.
        with begin(ratings.parent / "killed", "facts", "--ratings", str(ratings), "--rate", "4") as process:
            kept = ratings.parent / "killed" / "fetched" / "facts"
            assert wait_until(lambda kept=kept: any(kept.glob("*.json")), process)
            process.send_signal(number)
            _, errors = process.communicate(timeout=60)
        assert "Traceback" not in errors
        assert KEY not in errors
        assert 0 < len(list(kept.glob("*.json"))) < 22
    site.speed = None
    site.seen.clear()
    had = len(list(kept.glob("*.json")))
    result = fetch("facts", "--ratings", ratings, "--data", ratings.parent / "killed", "--rate", 40)
    assert result.exit_code == 0, result.output
    assert (ratings / "facts.csv").read_bytes() == whole
    assert len(site.seen) <= 22 - had + 8  # those in work when it was killed have no row in the ledger


def test_facts_of_another_movie_that_had_the_id_are_not_taken(ratings: Path) -> None:
    assert facts(ratings).exit_code == 0
    links = (ratings / "links.csv").read_text()
    (ratings / "links.csv").write_text(links.replace("1,0000001,1001\n", "1,,\n").replace("2,0000002,1002", "2,,1003"))
    assert facts(ratings).exit_code == 0
    table = rows(ratings / "facts.csv")
    assert "1" not in table
    assert table["2"]["collection"] == ""


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"credits": []},
        {"credits": {"cast": {}, "crew": [1, None, {"job": "Director"}, {"job": "Director", "name": 3}]}},
        {"credits": {"cast": [{"name": "a", "order": "first"}, {"name": " \n "}]}, "overview": 3},
        {"keywords": {"keywords": "many"}, "release_dates": {"results": [{"iso_3166_1": 1}, {"release_dates": {}}]}},
        {"belongs_to_collection": "a saga", "production_countries": [None], "original_language": 7},
    ],
)
def test_members_of_other_types_are_no_facts(entry: dict[str, Any]) -> None:
    found = facts_of(entry)
    assert set(found) == set(COLUMNS)
    assert [value for name, value in found.items() if value and name not in {"actors", "overview"}] == []
