from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from posterity.cli.main import main
from tests.conftest import World


def run(world: World, *arguments: object) -> Result:
    words = ["explain", *(str(argument) for argument in arguments), "--data", str(world.data)]
    return CliRunner().invoke(main, words, prog_name="posterity")


def test_the_table_has_the_numbers_and_the_matches(world: World) -> None:
    lines = run(world, "Starship 3", "imdb:tt0000004").output.splitlines()
    assert lines[0] == "Starship 3 (1973) and Starship 4 (1974)"
    assert "of random pairs" in lines[1]
    score = float(lines[1].split()[1].rstrip(":"))
    grid = [line.split()[1:] for line in lines[lines.index("Contribution of each part of the posters to the score") :]]
    heat = [float(value) for row in grid[4:11] for value in row]
    assert len(heat) == 49
    assert sum(heat) == pytest.approx(score, abs=0.004)
    assert any(line.startswith(" 1   ") for line in lines)
    assert "untrained weights" in lines[-1]


def test_as_json_it_is_what_the_api_says(world: World) -> None:
    reply = json.loads(run(world, 3, 4, "--json").output)
    assert (reply["movie"]["movie_id"], reply["other"]["movie_id"]) == (3, 4)
    assert sum(map(sum, reply["heat"])) == pytest.approx(reply["score"], abs=1e-5)
    assert reply["weights"] == "untrained"
    assert reply["snapshot"] == world.manifest.id


def test_a_blend_is_explained_by_what_each_space_adds(world: World, tmp_path: Path) -> None:
    lines = [line.split() for line in run(world, 3, 4, "--by", "blend").output.splitlines() if line.strip()]
    added = {words[0]: float(words[-1]) for words in lines if words[0] in {"poster", "taste", "facts", "sum"}}
    assert sum(value for name, value in added.items() if name != "sum") == pytest.approx(added["sum"], abs=0.002)
    reply = json.loads(run(world, 3, 4, "--by", "blend", "--json").output)
    assert sum(part["contribution"] for part in reply["parts"]) == pytest.approx(reply["score"], abs=1e-12)
    assert reply["score"] == pytest.approx(added["sum"], abs=0.001)
    assert "--out draws posters" in run(world, 3, 4, "--by", "blend", "--out", tmp_path / "why.png").stderr


def test_it_is_drawn_where_it_is_told(world: World, tmp_path: Path) -> None:
    out = tmp_path / "why.PNG"
    assert f"Drawn in {out}" in run(world, 3, 4, "--out", out).output
    with Image.open(out) as image:
        assert image.size[0] == 888
    json.loads(run(world, 3, 4, "--out", tmp_path / "again.png", "--json").output)
    assert (tmp_path / "again.png").read_bytes() == out.read_bytes()


@pytest.mark.parametrize(
    ("out", "message"),
    [("why.jpg", "why.jpg does not end in .png"), ("nowhere/why.png", "there is no folder"), ("", "directory")],
)
def test_a_place_that_cannot_be_written_to_is_refused(world: World, tmp_path: Path, out: str, message: str) -> None:
    result = run(world, 3, 4, "--out", tmp_path / out)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert str(tmp_path)[:40] in result.stderr
    assert not list(tmp_path.iterdir())


def test_a_movie_without_a_poster_is_named(world: World) -> None:
    for pair in ((3, 20), (20, 3)):
        result = run(world, *pair)
        assert result.exit_code == 1
        assert "id 20) has no poster: compare by taste, facts, blend" in result.stderr
    assert "no movie is called 'zzz'" in run(world, 3, "zzz").stderr
