"""The command line with ratings from elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from index.answers.imports import import_export
from index.movie_index import MovieIndex
from posterity.cli.main import main
from tests.conftest import World
from tests.index.imports import samples


def run(data: Path, *arguments: object) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments), "--data", str(data)])


@pytest.fixture
def export(tmp_path: Path) -> Path:
    file = tmp_path / "letterboxd.zip"
    file.write_bytes(samples.letterboxd())
    return file


def test_certain_matches_are_used_and_the_rest_is_named_on_stderr(world: World, export: Path) -> None:
    result = run(world.data, "recommend", "-", "--import", export, "-k", 30, "--json")
    same = MovieIndex.open(world.data).users.recommend({3: 5, 5: 3.5, 12: 0.5}, 30, watched=(6, 4))
    assert listed(result) == [each.movie_id for each in same]
    assert {3, 4, 5, 6, 12}.isdisjoint(listed(result))
    assert "Letterboxd: 3 rated, 2 watched, 1 to watch" in result.stderr
    assert "ratings.csv, row 5: A Film Nobody Has (1999): nothing here is called so" in result.stderr


def test_the_watchlist_alone_is_ranked(world: World, export: Path) -> None:
    result = run(world.data, "recommend", "-", "--import", export, "--watchlist", "--csv", "letterboxd")
    assert result.stdout == "Title,Year,imdbID,tmdbID\r\nStarship 7,1977,tt0000007,1007\r\n".replace("\r\n", "\n")
    imdb = run(world.data, "recommend", "-", "--import", export, "--watchlist", "--csv", "imdb")
    assert "1,tt0000007,Starship 7,1977" in imdb.stdout


def test_a_rating_by_option_wins_over_the_export(world: World, export: Path) -> None:
    both = run(world.data, "predict", "-", 8, "--import", export, "--rated", "3=1", "--json")
    export.write_bytes(samples.LETTERBOXD_RATINGS.replace(",5\n", ",1\n").encode())
    assert both.exit_code == 0, both.stderr
    assert json.loads(both.stdout)["results"][0]["movie"]["movie_id"] == 8


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("recommend", "1", "--import", "EXPORT"), "are for someone new"),
        (("recommend", "-", "--watchlist", "--rated", "3=4"), "give --import FILE"),
        (("recommend", "-", "--import", "EXPORT", "--csv", "imdb", "--json"), "either --csv or --json"),
        (("recommend", "-"), "give --rated MOVIE=STARS or --import FILE"),
        (("recommend", "-", "--import", "missing.csv"), "does not exist"),
    ],
)
def test_what_does_not_go_together_is_a_usage_error(
    world: World, export: Path, arguments: tuple[str, ...], problem: str
) -> None:
    result = run(world.data, *(str(export) if each == "EXPORT" else each for each in arguments))
    assert result.exit_code == 2
    assert problem in " ".join(result.stderr.split())


def test_a_file_that_is_no_export_is_one_line(world: World, export: Path) -> None:
    export.write_text("nothing of the kind")
    result = run(world.data, "recommend", "-", "--import", export)
    assert result.exit_code == 1
    assert "letterboxd.zip has no column of titles or ids" in result.stderr


def listed(result: Result) -> list[int]:
    assert result.exit_code == 0, result.stderr
    return [each["movie"]["movie_id"] for each in json.loads(result.stdout)["results"]]


@pytest.fixture
def guest(tmp_path: Path) -> Path:
    file = tmp_path / "guest.csv"
    file.write_text("title,year,rating\nStarship 1,1971,1\nThe Wedding 12,2002,5\nThe Wedding 13,2003,4.5\n")
    return file


def test_two_exports_are_recommended_to_together(world: World, export: Path, guest: Path) -> None:
    both = ("recommend", "-", "--import", export, "--import", guest)
    result = run(world.data, *both, "--together", "fair", "-k", 30, "--json")
    reply = json.loads(result.stdout)
    assert (reply["people"], reply["together"]) == (["letterboxd.zip", "guest.csv"], "fair")
    # Movies that either rated or watched are left out.
    assert {1, 3, 4, 5, 6, 12, 13}.isdisjoint(listed(result))
    assert all(len(each["predictions"]) == 2 for each in reply["results"])
    assert "Letterboxd: 3 rated" in result.stderr
    assert "table: 3 rated" in result.stderr
    assert listed(run(world.data, *both, "--watchlist", "--json")) == [7]
    assert listed(run(world.data, *both, "--watchlist-of-all", "--json")) == []
    assert 13 in listed(run(world.data, *both, "--seen", "-k", 30, "--json"))
    table = run(world.data, *both, "-k", 3).stdout
    assert "Recommended to letterboxd.zip and guest.csv together, by mean" in table


def test_users_and_exports_may_be_mixed(world: World, guest: Path) -> None:
    result = run(world.data, "recommend", 1, 2, "-", "--import", guest, "-k", 30, "--json")
    assert json.loads(result.stdout)["people"] == ["user 1", "user 2", "guest.csv"]
    assert listed(run(world.data, "recommend", 1, 2, "--json")) == listed(
        run(world.data, "recommend", 1, 2, "--together", "mean", "--json")
    )


def test_a_list_is_read_back_by_the_import(world: World, export: Path, guest: Path, tmp_path: Path) -> None:
    both = ("recommend", "-", "--import", export, "--import", guest, "-k", 6)
    for arguments in (both, ("recommend", "1", "-k", 6)):
        movies = listed(run(world.data, *arguments, "--json"))
        for layout in ("letterboxd", "imdb"):
            file = tmp_path / "watchlist.csv"
            file.write_text(run(world.data, *arguments, "--csv", layout).stdout)
            again = import_export(MovieIndex.open(world.data), file.read_bytes(), file.name)
            # A title without a year, as of movie 22, is of no certain film.
            assert {each.certain.movie_id for each in again.watchlist} == set(movies) - {22}
            assert {each.entry.title for each in again.uncertain} <= {"Nothing Known"}
            assert not again.unknown


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("recommend", "1", "--together", "fair"), "are for several people"),
        (("recommend", "1", "2", "--new"), "are for one person"),
        (("recommend", "-", "-", "--rated", "3=4"), "Give - once"),
        (("recommend", "1", "2", "--rated", "3=4"), "give - for USER"),
        (
            ("recommend", "-", "--import", "EXPORT", "--import", "EXPORT", "--rated", "3=4"),
            "there are several --import",
        ),
        (("recommend", "1", "2", "--watchlist"), "give --import FILE"),
    ],
)
def test_what_does_not_go_together_for_a_group_is_a_usage_error(
    world: World, export: Path, arguments: tuple[str, ...], problem: str
) -> None:
    result = run(world.data, *(str(export) if each == "EXPORT" else each for each in arguments))
    assert result.exit_code == 2
    assert problem in " ".join(result.stderr.split())


def test_an_empty_watchlist_says_if_it_was_seen_or_is_not_here(world: World, tmp_path: Path) -> None:
    file = tmp_path / "ratings.csv"
    file.write_text("title,year,rating,list\nStarship 3,1973,4,\nStarship 3,1973,,watchlist\n")
    seen = run(world.data, "recommend", "-", "--import", file, "--watchlist", "--json")
    assert listed(seen) == []
    assert "every film on the watchlist that is here was rated or watched" in seen.stderr
    file.write_text("title,year,rating,list\nStarship 3,1973,4,\nGone,1950,,watchlist\n")
    gone = run(world.data, "recommend", "-", "--import", file, "--watchlist", "--json")
    assert listed(gone) == []
    assert "none of the films on the watchlist is here" in gone.stderr


def test_eleven_people_are_too_many(world: World) -> None:
    result = run(world.data, "recommend", *range(1, 12))
    assert result.exit_code == 1
    assert "at most 10" in result.stderr
