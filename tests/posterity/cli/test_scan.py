"""Tests of the command scan, from a folder to answers."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import posterity
from posterity.cli.console import myself
from posterity.cli.main import main
from tests.conftest import write_ratings
from tests.indexer.shelf.libraries import film, nfo
from tests.indexer.shelf.test_scan import make, titles


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exit_code == 0, result.output
    return result


def library(root: Path, numbers: range) -> Path:
    """Write films with NFO files and without posters."""
    for number in numbers:
        made = film(number)
        make(root, f"{made.named}/{made.named}.mkv")
        (root / made.named / "movie.nfo").write_text(nfo(made))
    return root


def test_a_folder_alone_becomes_a_catalogue_and_what_left_it_leaves_the_answers(tmp_path: Path) -> None:
    root, data = library(tmp_path / "films", range(1, 9)), tmp_path / "data"
    output = run("scan", root, "--data", data).output
    assert "8 films in 8 files" in output
    assert "shelf: 8 movies without ratings" in output
    with posterity.open(data) as index:
        assert len(index.movies(limit=20)) == 8
        assert all(movie["owned"] for movie in index.movies(limit=20, owned=True))
        assert not index.movies(owned=False)
        similar = index.similar(f"imdb:{film(1).imdb_id}", by="facts", limit=3)
        assert len(similar) == 3
    assert "No input changed" in run("scan", root, "--data", data).output
    refused = CliRunner().invoke(main, ["scan", str(root), "--all", "--data", str(data)])
    assert refused.exit_code == 1
    assert "no data set" in refused.stderr
    shutil.rmtree(root / film(8).named)
    run("scan", root, "--data", data)
    with posterity.open(data) as index:
        found = {movie["title"] for movie in index.movies(limit=20)}
    assert found == {film(number).title for number in range(1, 8)}


def test_joined_ratings_predict_films_of_the_shelf_and_unrated_ones_too(tmp_path: Path) -> None:
    root, data = tmp_path / "films", tmp_path / "data"
    make(root, *(f"Starship {n} ({1970 + n}) [imdbid-tt{n:07d}]/a.mkv" for n in range(1, 11)))
    make(
        root, *(f"The Wedding {n} ({1990 + n}) {{tmdb-{1000 + n}}}/a.mkv" for n in range(12, 21)), "New (2024)/New.mkv"
    )
    (root / "New (2024)" / "New.nfo").write_text("<movie><title>New</title><genre>Science Fiction</genre></movie>")
    write_ratings(tmp_path / "ratings")
    output = run("scan", root, "--data", data, "--ratings", tmp_path / "ratings", "--no-build").output
    assert "10 by IMDb id, 9 by TMDB id; 1 are not there" in output
    run(
        "build", "--data", data, "--iterations", 30, "--no-evaluation", "--no-ltr"
    )  # the shelf, as nothing else is given
    with posterity.open(data) as index:
        movies = {movie["title"]: movie["movie_id"] for movie in index.movies(limit=50)}
        assert len(movies) == 20
        predicted = index.predict(2, [movies["New"], 12])
        assert predicted[0]["rating"] > predicted[1]["rating"]  # user 2 loves spaceships
        assert {match["movie"]["title"] for match in index.similar(1, by="taste", limit=5)} <= {
            title for title in movies if title.startswith("Starship")
        } | {"New"}


def test_the_summary_is_json_on_request(tmp_path: Path) -> None:
    root = make(tmp_path / "films", "Heat (1995)/Heat.mkv", "Heat (1995)/Heat-trailer.mkv")
    found = json.loads(run("scan", root, "--data", tmp_path / "data", "--no-build", "--json").stdout)
    assert (found["films"], found["skipped"]) == (1, {"an extra": 1})


def test_a_folder_without_films_is_an_error_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    result = CliRunner().invoke(main, ["scan", str(tmp_path / "films"), "--data", str(tmp_path / "data")])
    assert result.exit_code == 1
    assert "is the disk mounted?" in result.output


@pytest.mark.long
def test_watch_scans_after_changes_until_it_is_stopped(tmp_path: Path) -> None:
    root, data = make(tmp_path / "films", "Heat (1995)/Heat.mkv"), tmp_path / "data"
    command = [*myself(), "scan", str(root), "--data", str(data), "--no-build", "--watch", "--quiet", "1s"]
    with subprocess.Popen(command) as process:
        try:
            _wait_for(data, ["Heat (1995)"])
            make(root, "Fargo (1996)/Fargo.mkv")
            _wait_for(data, ["Fargo (1996)", "Heat (1995)"])
            shutil.rmtree(root / "Heat (1995)")
            _wait_for(data, ["Fargo (1996)"])
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:
            process.kill()


def _wait_for(data: Path, expected: list[str]) -> None:
    deadline = time.monotonic() + 120
    while not (data / "shelf" / "shelf.csv").exists() or titles(data) != expected:
        assert time.monotonic() < deadline
        time.sleep(0.2)
