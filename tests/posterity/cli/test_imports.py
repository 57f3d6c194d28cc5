"""The command line with ratings from elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

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
    assert result.exit_code == 0, result.stderr
    same = run(
        world.data, "recommend", "-", "--rated", "3=5", "--rated", "5=3.5", "--rated", "12=0.5", "-k", 30, "--json"
    )
    listed, all_listed = (
        [each["movie"]["movie_id"] for each in json.loads(each.stdout)["results"]] for each in (result, same)
    )
    assert listed == [movie_id for movie_id in all_listed if movie_id not in {4, 6}]  # without what was watched
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
