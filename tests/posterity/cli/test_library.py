import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from click.testing import CliRunner, Result
from werkzeug.serving import make_server

from index.library.api_keys import Keys
from index.library.database import Database
from index.library.movies import Library
from index.movie_index import MovieIndex
from index.snapshot.store import SnapshotStore
from posterity.cli.main import main
from server.app import create_app
from tests.conftest import World, unlimited


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


TABLE = """id,title,year,imdb_id,poster
x1,Night Train,2021,tt9999999,poster.png
x2,,2020,,
x3,Meadow,soon,,
x4,Nova,2019,,missing.png
3,Starship 3,1973,tt0000003,
x1,Again,2000,,
"""


@pytest.fixture
def address(data: Path) -> Iterator[str]:
    """The address of a server of the data directory, in this process."""
    server = make_server("127.0.0.1", 0, create_app(unlimited(data)), threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


def test_a_table_is_added_to_a_server_as_to_a_data_directory(
    world: World, data: Path, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "films.csv"
    table.write_text(TABLE)
    shutil.copy(world.posters / "10.png", tmp_path / "poster.png")
    _, key = Keys(Database(data)).create("tests")

    def add(*options: str) -> Result:
        words = ["library", "add", "--from", str(table), "--report", str(tmp_path / "refused.csv"), *options]
        return CliRunner().invoke(main, words, prog_name="posterity")

    first = add("--url", address, "--key", key)
    assert first.exit_code == 0, first.output
    counts = "6 rows: 2 created, 1 here already, 0 updated, 3 refused; 1 posters stored"
    assert first.stdout == f"{table}: {counts}\n"
    refused = (tmp_path / "refused.csv").read_text()
    assert [line.split(",")[1:3] for line in refused.splitlines()[1:]] == [
        ["3", "title"], ["4", "year"], ["5", "poster"], ["7", "id"]
    ]  # fmt: skip
    # Given again, as after an interruption, it adds nothing; the key may be in the environment.
    monkeypatch.setenv("POSTERITY_API_KEY", key)
    again = add("--url", address)
    assert "0 created, 3 here already, 0 updated, 3 refused; 0 posters stored" in again.stdout
    assert len(Library.open(data).changes_since(0).movies) == 2
    # A data directory tells the same.
    other = tmp_path / "other"
    shutil.copytree(world.data, other, symlinks=True)
    assert add("--data", str(other)).stdout == first.stdout
    assert (tmp_path / "refused.csv").read_text() == refused


def test_a_server_that_refuses_or_is_not_there_is_told(data: Path, address: str, tmp_path: Path) -> None:
    table = tmp_path / "films.csv"
    table.write_text("title\nNight Train\n")

    def add(*options: str) -> Result:
        return CliRunner().invoke(main, ["library", "add", "--from", str(table), *options], prog_name="posterity")

    wrong = add("--url", address, "--key", "pst_wrong")
    assert wrong.exit_code == 1
    assert "API key" in wrong.stderr
    assert "needs an API key" in add("--url", address).stderr
    assert add("--url", "ftp://films", "--key", "pst_wrong").exit_code == 1
    assert "which has its own --data" in add("--url", address, "--data", str(data)).stderr
    assert "--key is of a server" in add("--key", "pst_wrong", "--data", str(data)).stderr
    assert Library.open(data).version() == 0
    title = CliRunner().invoke(main, ["library", "add", "--title", "Heat", "--url", address], prog_name="posterity")
    assert "--url is for movies of a table" in title.stderr
