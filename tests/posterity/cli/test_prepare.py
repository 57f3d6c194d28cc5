from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from index.core.errors import WeightsUnavailable
from index.snapshot.store import FORMAT, SnapshotStore
from indexer import demo
from indexer.config import Plan
from indexer.datasets.movielens import Own
from indexer.datasets.sources import choose_sources, sample_folder
from indexer.models.registry import SERVED
from posterity.cli.fetch import Sources, fetch_all
from posterity.cli.main import main
from tests.paths import GOLDEN


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TMDB_API_KEY", "TMDB_ACCESS_TOKEN", "POSTERITY_MOVIELENS"):
        monkeypatch.delenv(name, raising=False)


class Steps:
    """Stand-ins of fetching and building, which only note what they are called with."""

    def __init__(self) -> None:
        self.fetched: list[tuple[str, Path, Sources]] = []
        self.built: list[Plan] = []
        self.errors: dict[str, Exception] = {}

    def fetch_all(self, edition: str, data: Path, sources: Sources) -> None:
        self.fetched.append((edition, data, sources))
        if "fetch" in self.errors:
            raise self.errors["fetch"]

    def run_plan(self, plan: Plan, *, if_new: bool) -> None:
        assert if_new
        self.built.append(plan)
        if "build" in self.errors:
            raise self.errors["build"]


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    stand_ins = Steps()
    monkeypatch.setattr("posterity.cli.build.fetch_all", stand_ins.fetch_all)
    monkeypatch.setattr("posterity.cli.build.run_plan", stand_ins.run_plan)
    return stand_ins


def prepare(data: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["prepare", "--data", str(data), *arguments])


def test_without_a_key_it_is_the_sample_once(demo_data: Path) -> None:
    (built,) = SnapshotStore(demo_data).ids()
    result = prepare(demo_data)
    assert result.exit_code == 0
    assert result.stderr.startswith(f"Snapshot {built} already exists: posterity-sample, built by Posterity ")
    assert SnapshotStore(demo_data).ids() == [built]


@pytest.mark.parametrize("name", ["TMDB_API_KEY", "TMDB_ACCESS_TOKEN"])
def test_with_a_key_it_is_movielens(
    name: str, steps: Steps, embed_path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "abc")
    fetched = tmp_path / "fetched"
    for edition in ("ml-latest-small", "ml-25m"):
        (fetched / "movielens" / edition).mkdir(parents=True)
    (fetched / "movielens" / "ml-latest-small" / "links.csv").touch()
    (fetched / "posters").mkdir()
    (fetched / "posters" / "1.jpg").touch()
    assert prepare(tmp_path).exit_code == 0
    ((edition, data, _),) = steps.fetched
    assert (edition, data) == ("latest-small", tmp_path)
    (plan,) = steps.built
    ratings = fetched / "movielens" / "ml-latest-small"
    assert plan == Plan(ratings, tmp_path, fetched / "posters", "imagenet", embed_path=embed_path)


@pytest.mark.parametrize("edition", ["25m", "100k"])
def test_the_edition_and_its_sources_are_variables(
    edition: str, steps: Steps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTERITY_MOVIELENS", edition)
    monkeypatch.setenv("POSTERITY_MOVIELENS_FROM", "mirror")
    (tmp_path / "fetched" / "movielens" / f"ml-{edition}").mkdir(parents=True)
    assert prepare(tmp_path).exit_code == 0
    ((fetched, _, sources),) = steps.fetched
    assert (fetched, sources.movielens_from, sources.size) == (edition, "mirror", "w500")
    assert len(steps.built) == 1


def test_an_edition_without_posters_needs_no_key(tmp_path: Path, steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr("posterity.cli.build.fetch_all", fetch_all)
    monkeypatch.setattr("posterity.cli.fetch._movielens", lambda edition, *_, **__: asked.append(edition))
    (tmp_path / "fetched" / "movielens" / "ml-100k").mkdir(parents=True)
    assert prepare(tmp_path, "--edition", "100k").exit_code == 0
    assert asked == ["100k"]
    assert len(steps.built) == 1


def test_an_edition_with_posters_asks_for_the_key(tmp_path: Path) -> None:
    result = prepare(tmp_path, "--edition", "latest")
    assert result.exit_code == 1
    assert "posters and facts need a TMDB key" in result.stderr


def test_an_empty_variable_is_none(steps: Steps, demo_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TMDB_API_KEY", "POSTERITY_MOVIELENS"):
        monkeypatch.setenv(name, "")
    assert "posterity-sample" in prepare(demo_data).stderr
    assert steps.fetched == []


@pytest.mark.parametrize("step", ["fetch", "build"])
def test_where_fetching_or_building_fails_what_is_there_is_served(
    step: str, steps: Steps, data: Path, tmp_path: Path
) -> None:
    steps.errors[step] = WeightsUnavailable("the host does not answer")
    for folder in (data, tmp_path / "empty"):
        (folder / "fetched" / "movielens" / "ml-latest").mkdir(parents=True)
    result = prepare(data, "--edition", "latest")
    assert result.exit_code == 0
    served = SnapshotStore(data).current_id()
    assert result.stderr == f"Warning: the host does not answer. Snapshot {served} is served as it is\n"
    result = prepare(tmp_path / "empty", "--edition", "latest")
    assert (result.exit_code, result.stderr) == (1, "Error: the host does not answer\n")


def altered(data: Path, **changes: Any) -> Path:
    """A data directory whose manifest says something else; its checksum no longer fits."""
    file = SnapshotStore(data).path() / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_bytes()) | changes))
    return data


def test_films_of_ones_own_stay_whatever_built_them(data: Path) -> None:
    built = SnapshotStore(data).current_id()
    result = prepare(data)
    assert result.exit_code == 0
    assert f"Snapshot {built} already exists: ratings, built by" in result.stderr
    assert SnapshotStore(data).ids() == [built]


def test_films_of_ones_own_stay_with_a_key_and_an_edition_is_asked_for_by_name(
    steps: Steps, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMDB_API_KEY", "abc")
    assert prepare(data).exit_code == 0
    assert (steps.fetched, steps.built) == ([], [])
    (data / "fetched" / "movielens" / "ml-latest").mkdir(parents=True)
    assert prepare(data, "--edition", "latest").exit_code == 0
    assert len(steps.fetched) == len(steps.built) == 1


def test_a_scanned_shelf_is_never_replaced_by_what_is_fetched(
    steps: Steps, embed_path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = tmp_path / "shelf"
    (tmp_path / "fetched" / "movielens" / "ml-latest-small").mkdir(parents=True)
    shelf.mkdir()
    for name in ("shelf.csv", "ratings.csv", "facts.csv"):
        (shelf / name).touch()
    own, facts = Own(shelf / "shelf.csv"), shelf / "facts.csv"
    expected = Plan(shelf, tmp_path, None, "imagenet", facts=facts, own=own, embed_path=embed_path)
    assert prepare(tmp_path).exit_code == 0  # nor by the sample
    monkeypatch.setenv("TMDB_API_KEY", "abc")
    assert prepare(tmp_path).exit_code == 0
    assert (steps.fetched, steps.built) == ([], [expected, expected])
    result = prepare(tmp_path, "--edition", "latest-small")
    assert "has a scanned shelf, which is built" in result.stderr
    assert [edition for edition, _, _ in steps.fetched] == ["latest-small"]
    assert steps.built[2:] == [expected]


@pytest.mark.parametrize("version", ["v2", "v3", "v4"])
def test_films_of_ones_own_in_an_older_format_stay(version: str, tmp_path: Path) -> None:
    data = shutil.copytree(GOLDEN / version, tmp_path / "data", symlinks=True)
    result = prepare(data)
    assert result.exit_code == 0
    assert len(SnapshotStore(data).ids()) == 1


def test_films_of_ones_own_that_cannot_be_read_are_never_replaced_by_the_sample(data: Path) -> None:
    altered(data, format=FORMAT + 1)
    result = prepare(data)
    assert result.exit_code == 1
    assert f"format version {FORMAT + 1}" in result.stderr
    sample_folder(data).mkdir()
    (data / "fetched" / "movielens" / "ml-latest").mkdir(parents=True)
    assert prepare(data).exit_code == 1


def test_a_sample_that_is_damaged_is_built_again(data: Path) -> None:
    altered(data, created="never")
    sample_folder(data).mkdir()
    assert not demo.demo_is_built(data, "imagenet")


def test_a_sample_keeps_the_untrained_weights_that_it_fell_back_to(demo_data: Path, tmp_path: Path) -> None:
    assert choose_sources(demo_data, None, None, "imagenet").weights == "untrained"
    assert choose_sources(demo_data, None, None, "my.h5").weights == "my.h5"
    assert choose_sources(demo_data, tmp_path, None, "imagenet").weights == "imagenet"
    (tmp_path / "sample" / "ratings").mkdir(parents=True)
    assert choose_sources(tmp_path, None, None, "imagenet").weights == "imagenet"


def test_the_sample_that_was_prepared_is_nothing_new_for_a_build(demo_data: Path, tmp_path: Path) -> None:
    tuned = tmp_path / "tuned.json"
    tuned.write_text(json.dumps({"method": SERVED, "settings": {"chains": 1}}))  # as of the fixture
    result = CliRunner().invoke(
        main, ["build", "--if-new", "--no-ltr", "--tuned", str(tuned), "--data", str(demo_data)]
    )
    assert "nothing to build" in result.stderr
