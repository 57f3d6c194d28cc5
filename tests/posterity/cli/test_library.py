import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from index.library.movies import Library
from index.movie_index import MovieIndex
from index.snapshot.store import SnapshotStore
from posterity.cli.main import main
from tests.conftest import World


@pytest.fixture
def data(world: World, tmp_path: Path) -> Path:
    """A data directory to change."""
    shutil.copytree(world.data, tmp_path / "data", symlinks=True)
    return tmp_path / "data"


def run(data: Path, *arguments: object) -> Result:
    words = ["library", *(str(argument) for argument in arguments), "--data", str(data)]
    return CliRunner().invoke(main, words, prog_name="posterity")


def test_a_movie_is_added_with_its_poster_and_listed(world: World, data: Path) -> None:
    picture = world.posters / "10.png"
    facts = ("--year", 2021, "--genre", "Sci-Fi", "--genre", "Action", "--imdb", "tt9999999", "--tmdb", 77)
    result = run(data, "add", "--title", "Night Train", *facts, "--poster", picture)
    assert result.output == "1000000000\n"
    shown = json.loads(run(data, "list", "--json").output)
    (movie,) = shown["movies"]
    poster = movie.pop("poster")
    assert movie == {
        "movie_id": 1_000_000_000,
        "title": "Night Train",
        "year": 2021,
        "genres": ["Sci-Fi", "Action"],
        "imdb_id": "tt9999999",
        "tmdb_id": 77,
    }
    assert (shown["version"], shown["removed"]) == (1, [])
    assert (data / "posters" / poster).read_bytes() == picture.read_bytes()
    (entry,) = Library.open(data).changes_since(0).movies
    index = MovieIndex.open(data)
    assert entry.weights_sha256 == index.manifest.spaces["poster"]["weights"]["sha256"]
    assert entry.vector is not None
    found = index.spaces["poster"].search(entry.vector.astype("float32"), 2)
    assert {match.movie_id for match in found} == {10, 1_000_000_000}  # the same picture
    table = run(data, "list").output
    assert "Night Train (2021)" in table
    assert "added" in table


def test_a_movie_is_replaced_removed_and_brought_back(data: Path) -> None:
    assert run(data, "add", "--title", "Heat", "--id", 6).output == "6\n"
    assert "replaced" in run(data, "list").output
    assert run(data, "remove", "heat").output == "Removed Heat (id 6)\n"
    assert "removed" in run(data, "list").output
    assert "no movie is called 'heat'" in run(data, "remove", "heat").stderr
    assert "there is no movie 6" in run(data, "remove", 6).stderr
    assert run(data, "add", "--title", "Heat", "--id", 6).output == "6\n"
    assert json.loads(run(data, "list", "--json").output)["removed"] == []


@pytest.mark.parametrize("name", ["1000000000", "imdb:tt9999999", "tmdb:77", "night train"])
def test_an_added_movie_is_removed_by_any_of_its_names(data: Path, name: str) -> None:
    run(data, "add", "--title", "Night Train", "--imdb", "tt9999999", "--tmdb", 77)
    assert run(data, "remove", name).output == "Removed Night Train (id 1000000000)\n"
    assert run(data, "add", "--title", "Another").output == "1000000001\n"


def test_a_movie_of_the_snapshot_is_removed(data: Path) -> None:
    assert run(data, "remove", "Starship 3").output == "Removed Starship 3 (1973) (id 3)\n"
    assert json.loads(run(data, "list", "--json").output) == {"version": 1, "movies": [], "removed": [3]}


def test_a_poster_waits_for_the_next_build_where_none_are_compared(world: World, data: Path) -> None:
    built = CliRunner().invoke(
        main, ["build", "--ratings", str(world.ratings), "--data", str(data), "--iterations", "30"]
    )
    assert built.exit_code == 0
    result = run(data, "add", "--title", "Night Train", "--poster", world.posters / "10.png")
    assert result.stdout == "1000000000\n"
    assert "the next build compares this one" in result.stderr
    (entry,) = Library.open(data).changes_since(0).movies
    assert entry.poster is not None
    assert entry.vector is entry.weights_sha256 is None
    assert run(data, "add", "--title", "Night Train", "--poster", __file__).exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("add", "--title", "  "), "the title is empty"),
        (("add", "--title", "Heat", "--year", 95), "the year is 95; it must be from 1800 to 2200"),
        (("add", "--title", "Heat", "--imdb", "113277"), "'113277' is no IMDb id"),
        (("add", "--title", "Heat", "--tmdb", 0), "0 is no TMDB id"),
        (("add", "--title", "Heat", "--genre", ""), "the genre is empty"),
        (
            ("add", "--title", "Heat", "--poster", __file__),
            "this is no JPEG, PNG, WebP, GIF, AVIF, TIFF, BMP or HEIC picture",
        ),
        (("add", "--title", "Heat", "--id", 99), "there is no movie 99 here: leave --id out to add a movie"),
        (("add", "--title", "Heat", "--imdb", "tt0000003"), "imdb:tt0000003 is Starship 3 (1973) (id 3)"),
        (("add", "--title", "Heat", "--id", 4, "--tmdb", 1003), "tmdb:1003 is Starship 3 (1973) (id 3)"),
        (("remove", "wedding"), "'wedding' fits 11 movies, give an id: "),
        (("remove", 99), "there is no movie 99 here"),
        (("remove", 1973), "there is no movie 1973 here"),  # one film is of that year
        (("remove", "imdb:tt0000099"), "no movie here has the IMDB id"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line_and_changes_nothing(
    world: World, data: Path, arguments: tuple[object, ...], message: str
) -> None:
    result = run(data, *arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert Library.open(data).version() == 0
    assert SnapshotStore(data).current_id() == world.manifest.id


@pytest.mark.parametrize("arguments", [("add", "--title", "Heat"), ("remove", "6")])
def test_without_a_snapshot_there_is_nothing_to_change(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    result = run(tmp_path, *arguments)
    assert result.exit_code == 1
    assert "run posterity build" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_empty_library_is_listed_without_making_one(tmp_path: Path) -> None:
    assert json.loads(run(tmp_path, "list", "--json").output) == {"version": 0, "movies": [], "removed": []}
    assert "nothing to show" in run(tmp_path, "list").output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [("add",), ("add", "--title", "Heat", "--year", "soon"), ("remove",)])
def test_wrong_usage_is_exit_code_2(data: Path, arguments: tuple[str, ...]) -> None:
    assert run(data, *arguments).exit_code == 2
