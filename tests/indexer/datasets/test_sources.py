from __future__ import annotations

from pathlib import Path

import pytest

from index.core.errors import InvalidInput
from indexer.datasets.sources import (
    Sources,
    choose_sources,
    movielens_folder,
    posters_folder,
    weights_path,
)
from tests.conftest import World


def edition(data: Path, name: str, *, links: bool = True) -> Path:
    folder = movielens_folder(data) / name
    folder.mkdir(parents=True)
    (folder / "ratings.csv").touch()
    if links:
        (folder / "links.csv").touch()
    return folder


def poster(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "1.jpg").touch()
    return folder


def test_a_build_that_is_told_nothing_takes_what_was_fetched(tmp_path: Path) -> None:
    ratings, posters = edition(tmp_path, "ml-latest"), poster(posters_folder(tmp_path))
    poster(tmp_path / "sample" / "posters")
    (tmp_path / "sample" / "ratings").mkdir()
    assert choose_sources(tmp_path, None, None, "imagenet") == Sources(ratings, posters, "imagenet")
    weights_path(tmp_path).touch()
    assert choose_sources(tmp_path, None, None, "imagenet").weights == str(weights_path(tmp_path))
    assert choose_sources(tmp_path, None, None, "untrained").weights == "untrained"
    assert choose_sources(tmp_path, None, Path("mine"), "imagenet").posters == Path("mine")


def test_fetched_posters_are_never_those_of_other_ratings(tmp_path: Path) -> None:
    poster(posters_folder(tmp_path))
    (tmp_path / "sample" / "ratings").mkdir(parents=True)
    assert choose_sources(tmp_path, Path("mine"), None, "file.h5") == Sources(Path("mine"), None, "file.h5")
    assert choose_sources(tmp_path, None, None, "x").posters == tmp_path / "sample" / "posters"
    edition(tmp_path, "ml-100k", links=False)  # the posters belong to another edition
    assert choose_sources(tmp_path, None, None, "x").posters is None


def test_without_posters_or_with_an_empty_folder_there_are_none(tmp_path: Path) -> None:
    edition(tmp_path, "ml-latest")
    assert choose_sources(tmp_path, None, None, "x").posters is None
    posters_folder(tmp_path).mkdir()
    assert choose_sources(tmp_path, None, None, "x").posters is None


def test_of_several_editions_the_reader_asks_for_one(tmp_path: Path) -> None:
    edition(tmp_path, "ml-latest")
    edition(tmp_path, "ml-25m")
    assert choose_sources(tmp_path, None, None, "x").ratings == movielens_folder(tmp_path)
    assert choose_sources(tmp_path, None, None, "x", edition="25m").ratings == movielens_folder(tmp_path) / "ml-25m"
    assert choose_sources(tmp_path, None, None, "x", edition="1m").ratings == movielens_folder(tmp_path)


def test_of_several_editions_the_one_that_is_served_is_built_again(data: Path, world: World) -> None:
    assert world.manifest.dataset["name"] == "ratings"
    edition(data, "ml-latest")
    served = edition(data, "ratings")
    assert choose_sources(data, None, None, "x").ratings == served
    assert choose_sources(data, None, None, "x", edition="latest").ratings == movielens_folder(data) / "ml-latest"


def test_without_anything_it_is_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"posterity fetch movielens\), or give --ratings"):
        choose_sources(tmp_path, None, None, "x")
