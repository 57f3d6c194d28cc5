"""Movies and users on the command line: no text is read as the id of another movie or user."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from index.library.movies import Library
from index.movie_index import MovieIndex
from posterity.cli.main import main
from tests.conftest import World


def run(data: Path, *arguments: object) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments), "--data", str(data)], prog_name="posterity")


@pytest.mark.parametrize(
    "text",
    ["3:10 to Yuma", "3: A Space Odyssey (1968)", "3_0", "+3", "03", "٣", "3 (1973)", "Starship 3 (1974)", "Starship 3 (1990)",
     "Starsh 3", "1973", "999"],
)  # fmt: skip
def test_remove_takes_nothing_but_an_id_or_a_whole_title(data: Path, text: str) -> None:
    result = run(data, "library", "remove", text)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert len(result.stderr.splitlines()) == 1
    assert Library.open(data).version() == 0


def test_a_title_that_begins_with_the_id_of_another_movie_is_removed_itself(data: Path) -> None:
    assert run(data, "library", "add", "--title", "3:10 to Yuma", "--year", 1957).output == "1000000000\n"
    removed = run(data, "library", "remove", "3:10 to Yuma (1957)")
    assert removed.output == "Removed 3:10 to Yuma (1957) (id 1000000000)\n"
    assert MovieIndex.open(data).catalogue.movie(3).title == "Starship 3"


def test_a_number_that_is_an_id_and_a_title_is_said_to_be_both(data: Path) -> None:
    run(data, "library", "add", "--title", "3", "--year", 2012)
    for command in (["similar", 3], ["library", "remove", 3], ["predict", 1, 3], ["recommend", "-", "--rated", "3=5"]):
        result = run(data, *command)
        assert result.exit_code == 1
        assert "3 is the id of Starship 3 (1973), and a title: give id:3" in result.stderr
        assert "1000000000 3 (2012)" in result.stderr
    assert run(data, "library", "remove", "3 (2012)").output == "Removed 3 (2012) (id 1000000000)\n"
    assert run(data, "library", "remove", "id:3").output == "Removed Starship 3 (1973) (id 3)\n"


def test_a_title_that_is_not_quite_the_text_is_noted(world: World) -> None:
    result = run(world.data, "predict", 1, "Starship 3 (1974)")
    assert result.stderr == "Note: there is no 'Starship 3 (1974)' here, but Starship 3 (1973) (id 3)\n"
    assert "Starship 3 (1973)" in result.stdout
    assert run(world.data, "predict", 1, "starship iii (1973)").stderr == ""


@pytest.mark.parametrize("user", ["1_0", "+1", "01", "٣", "0x1", "1.0", "x", "", str(2**63)])
def test_a_user_is_plain_digits(world: World, user: str) -> None:
    for command in (["predict", user, 1], ["recommend", user]):
        result = run(world.data, *command)
        assert result.exit_code == 1
        assert f"{user!r} is no user id: give plain digits" in result.stderr


@pytest.mark.parametrize("rated", ["1=4_5", "1=nan", "1=inf", "1=٤", "1=", "1=1e1"])
def test_a_rating_is_a_plain_number(world: World, rated: str) -> None:
    result = run(world.data, "recommend", "-", "--rated", rated)
    assert result.exit_code == 2
    assert "write MOVIE=STARS" in result.stderr


def test_a_movie_is_rated_once(world: World) -> None:
    result = run(world.data, "recommend", "-", "--rated", "3=4", "--rated", "Starship 3=5")
    assert result.exit_code == 2
    assert "is rated twice" in result.stderr


def test_an_option_for_an_id_takes_plain_digits(data: Path) -> None:
    result = run(data, "library", "add", "--title", "Heat", "--tmdb", "1_0")
    assert result.exit_code == 2
    assert "'1_0' is no id: write plain digits" in result.stderr


def test_a_movie_to_replace_is_given_by_an_id_and_not_by_a_title(data: Path) -> None:
    for text in ("1_0", "Starship 3"):
        result = run(data, "library", "add", "--title", "Heat", "--id", text)
        assert result.exit_code == 1
        assert f"{text!r} is no movie id" in result.stderr
    assert run(data, "library", "add", "--title", "Heat", "--id", "tmdb:1003").stdout == "3\n"
