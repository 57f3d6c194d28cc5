from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from indexer.datasets.movielens import CITATION, read_dataset
from indexer.fetch.movielens import MD5
from posterity.cli.fetch import EDITIONS
from tests.indexer.fetch.conftest import fetch, tree
from tests.indexer.fetch.standins import ZIP, Fault, StandIns, content, md5, page, publish, status, zipped


def test_an_edition_comes_as_it_is_unzipped_with_its_terms_told_once(
    site: StandIns, film_folder: Path, tmp_path: Path
) -> None:
    result = fetch("movielens", "--data", tmp_path)
    assert result.exit_code == 0, result.output
    folder = tmp_path / "fetched" / "movielens" / "ml-latest-small"
    assert tree(folder) == tree(film_folder / "ratings")
    assert f"ml-latest-small.zip is verified by its MD5\nMovieLens latest-small is in {folder}\n" in result.stdout
    assert f"{CITATION} Its terms in full: {folder / 'README.txt'}" in result.stdout
    assert "Downloading ml-latest-small.zip" in result.stderr
    assert len(read_dataset(folder).movies) == 23
    assert list((tmp_path / "fetched" / ".unfinished" / "movielens").iterdir()) == []

    requests = len(site.seen)
    again = fetch("movielens", "--data", tmp_path)
    assert again.stdout == f"MovieLens latest-small is already in {folder} (--again fetches it again)\n"
    assert len(site.seen) == requests


def test_a_newer_edition_takes_the_place_of_the_older(site: StandIns, film_folder: Path, tmp_path: Path) -> None:
    fetch("movielens", "--data", tmp_path)
    files = tree(film_folder / "ratings") | {"new.txt": b"new"}
    del files["README.txt"]
    publish(site, zipped({f"ml-latest-small/{name}": data for name, data in files.items()}))
    assert fetch("movielens", "--again", "--data", tmp_path).exit_code == 0
    assert tree(tmp_path / "fetched" / "movielens") == {f"ml-latest-small/{name}": data for name, data in files.items()}


def test_an_edition_that_was_being_replaced_by_a_killed_call_is_not_lost(site: StandIns, tmp_path: Path) -> None:
    fetch("movielens", "--data", tmp_path)
    folder = tmp_path / "fetched" / "movielens" / "ml-latest-small"
    files = tree(folder)
    folder.rename(tmp_path / "fetched" / ".unfinished" / "movielens" / "ml-latest-small.replaced")
    site.fail(ZIP, status(404))
    assert fetch("movielens", "--data", tmp_path).exit_code == 1
    assert tree(folder) == files


@pytest.mark.parametrize("layout", ["MD5 (ml-latest-small.zip) = {}\n", "{}  ml-latest-small.zip\n", "{}"])
def test_every_layout_of_a_published_sum_is_understood(site: StandIns, tmp_path: Path, layout: str) -> None:
    site.files[f"{ZIP}.md5"] = layout.format(md5(site.files[ZIP]).upper()).encode()
    assert "is verified by its MD5" in fetch("movielens", "--data", tmp_path).stdout
    site.files[f"{ZIP}.md5"] = layout.format("0" * 32).encode()
    result = fetch("movielens", "--again", "--data", tmp_path)
    assert result.exit_code == 1
    assert f"has the MD5 {md5(site.files[ZIP])}, but {'0' * 32} is expected" in result.stderr


@pytest.mark.parametrize("answer", [status(404), page, content(b"no sum")])
def test_without_a_published_sum_the_zip_checks_itself_and_that_is_said(
    site: StandIns, tmp_path: Path, answer: Fault
) -> None:
    site.fail(f"{ZIP}.md5", answer)
    result = fetch("movielens", "--data", tmp_path)
    assert result.exit_code == 0
    assert "by its size and CRCs only: no MD5 is published beside it" in result.stdout


def test_sums_are_of_the_editions_that_never_change() -> None:
    assert {edition for edition, sum_ in MD5.items() if sum_ is None} == {"latest-small", "latest"}
    assert all(sum_ is None or len(sum_) == 32 for sum_ in MD5.values())
    assert set(EDITIONS) == set(MD5)


def test_an_edition_that_never_changes_is_held_to_its_known_sum(site: StandIns, tmp_path: Path) -> None:
    publish(site, site.files[ZIP], ZIP.replace("latest-small", "25m"))
    result = fetch("movielens", "25m", "--data", tmp_path)
    assert result.exit_code == 1
    assert str(MD5["25m"]) in result.stderr
    assert not list(tmp_path.rglob("*.csv"))


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ({"ml-latest-small/README.txt": b"x"}, "ml-latest-small.zip contains no ratings"),
        ({"ml-1m/ratings.dat": b"x"}, "not in its folder ml-latest-small/"),
        ({"ml-latest-small/../../ratings.csv": b"x"}, "not in its folder"),
        ({}, "contains no ratings"),
    ],
)
def test_a_zip_of_something_else_leaves_nothing(
    site: StandIns, tmp_path: Path, members: dict[str, bytes], why: str
) -> None:
    publish(site, zipped(members))
    result = fetch("movielens", "--data", tmp_path)
    assert result.exit_code == 1
    assert why in result.stderr
    assert "Traceback" not in result.output
    assert not (tmp_path / "fetched" / "movielens").exists()
    assert not list(tmp_path.rglob("*.part"))


def sources(folder: Path, site: StandIns, film_folder: Path) -> list[Path | str]:
    """Return every kind of local and mirror source."""
    (folder / "zips").mkdir()
    (folder / "zips" / "ml-latest-small.zip").write_bytes(site.files[ZIP])
    shutil.copytree(film_folder / "ratings", folder / "unzipped" / "ml-latest-small")
    return [
        folder / "zips" / "ml-latest-small.zip",
        folder / "zips",
        folder / "unzipped",
        folder / "unzipped" / "ml-latest-small",
        f"{site.address}{ZIP}",
        f"{site.address}/datasets/movielens",
    ]


def test_mirrors_and_local_copies_give_the_same(site: StandIns, film_folder: Path, tmp_path: Path) -> None:
    for number, source in enumerate(sources(tmp_path, site, film_folder)):
        data = tmp_path / str(number)
        result = fetch("movielens", "--from", source, "--data", data)
        assert result.exit_code == 0, result.output
        assert tree(data / "fetched" / "movielens" / "ml-latest-small") == tree(film_folder / "ratings")


def test_a_local_sum_is_held_to(site: StandIns, tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(site.files[ZIP])
    (tmp_path / "x.zip.md5").write_text("0" * 32)
    assert "is expected" in fetch("movielens", "--from", tmp_path / "x.zip", "--data", tmp_path).stderr


def test_a_source_that_is_none_is_told(site: StandIns, tmp_path: Path) -> None:
    result = fetch("movielens", "--from", tmp_path / "nowhere", "--data", tmp_path)
    assert site.seen == []
    assert "nowhere is neither ml-latest-small.zip nor a folder" in result.stderr
    assert fetch("movielens", "5m", "--data", tmp_path).exit_code == 2
