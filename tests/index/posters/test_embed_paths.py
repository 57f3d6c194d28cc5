"""Posters embedded by one path are found by uploads embedded by another."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from index.library.entries import Poster
from index.library.movies import Library
from index.movie_index import MovieIndex
from indexer.build import build
from indexer.config import Plan
from tests.conftest import QUICK, World
from tests.tolerances import BFLOAT16, PATH_DISTANCE

MOVIES = (1, 11)
PATHS = ("float32", "bfloat16")


@pytest.fixture(scope="module", params=[BFLOAT16, pytest.param("float32", marks=pytest.mark.long)])
def built(request: pytest.FixtureRequest, world: World, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """The path that a few posters of the film world were embedded by, and their data directory."""
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "posters").mkdir()
    for movie_id in MOVIES:
        (file,) = world.posters.glob(f"{movie_id}.*")
        shutil.copy(file, folder / "posters")
    plan = Plan(
        world.ratings,
        folder / "data",
        folder / "posters",
        "untrained",
        QUICK,
        evaluation=False,
        embed_path=request.param,
    )
    manifest = build(plan)
    assert manifest.spaces["poster"]["path"]["name"] == request.param
    return request.param, plan.data


def test_every_poster_finds_its_own_movie_first_by_any_path(built: tuple[str, Path]) -> None:
    _, data = built
    found = {}
    for path in PATHS:
        index = MovieIndex.open(data, embed_path=path)
        for movie_id in MOVIES:
            matches = index.similar_to_poster(index.poster(movie_id).read_bytes(), len(MOVIES))
            assert matches[0].movie_id == movie_id
            assert round(matches[0].score, 3) == 1
            found[path, movie_id] = {match.movie_id: match.score for match in matches}
    for movie_id in MOVIES:
        assert found["float32", movie_id] == pytest.approx(found["bfloat16", movie_id], abs=PATH_DISTANCE)


def test_a_poster_that_is_added_by_another_path_is_next_to_its_copy(built: tuple[str, Path], tmp_path: Path) -> None:
    path, data = built
    (other,) = set(PATHS) - {path}
    shutil.copytree(data, tmp_path / "data", symlinks=True)
    index = MovieIndex.open(tmp_path / "data", embed_path=other)
    content = index.poster(11).read_bytes()
    weights = index.manifest.weights
    assert weights is not None
    Library.open(tmp_path / "data").put(
        index.catalogue.movie(1), Poster(content, index.embed(content), weights["sha256"])
    )
    (match,) = MovieIndex.open(tmp_path / "data").similar(11, 1, by="poster")
    assert match.movie_id == 1
    assert round(match.score, 3) == 1
