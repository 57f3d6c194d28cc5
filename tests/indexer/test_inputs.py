from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from index.catalogue.catalogue import Movie
from index.library.movies import Library
from index.snapshot.store import SnapshotStore
from indexer import inputs
from indexer.config import Plan
from indexer.inputs import input_fingerprint, matching_manifest
from posterity.cli.main import main
from tests.conftest import QUICK, World


@pytest.fixture
def plan(world: World) -> Plan:
    """Return the plan that the world was built with."""
    return Plan(world.ratings, world.data, world.posters, "untrained", QUICK)


def test_a_build_of_the_same_would_make_the_same(world: World, plan: Plan) -> None:
    there = matching_manifest(plan)
    assert there is not None
    assert there.id == world.manifest.id


@pytest.mark.parametrize(
    "change",
    [
        lambda plan: replace(plan, seed=1),
        lambda plan: replace(plan, posters=None),
        lambda plan: replace(plan, weights="imagenet"),
        lambda plan: replace(plan, settings=replace(plan.settings, iterations=61)),
        lambda plan: replace(plan, evaluation=False),
    ],
    ids=["seed", "posters", "weights", "iterations", "evaluation"],
)
def test_other_settings_make_another(plan: Plan, change: Callable[[Plan], Plan]) -> None:
    assert matching_manifest(change(plan)) is None


def test_another_embedding_path_makes_no_other(plan: Plan) -> None:
    assert input_fingerprint(replace(plan, embed_path="float32")) == input_fingerprint(
        replace(plan, embed_path="bfloat16")
    )


def test_other_files_make_another(plan: Plan, world: World, tmp_path: Path) -> None:
    ratings = shutil.copytree(world.ratings, tmp_path / "ratings")
    plan = replace(plan, ratings=ratings)
    before = input_fingerprint(plan)
    assert input_fingerprint(plan) == before
    os.utime(ratings / "ratings.csv", ns=(0, 10**18))
    assert input_fingerprint(plan) != before


def test_another_version_makes_another(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "version", lambda _: "99.0")
    assert matching_manifest(plan) is None


def test_a_change_of_the_library_makes_another_and_so_does_a_library_that_cannot_be_read(data: Path) -> None:
    there = SnapshotStore(data).manifest()
    assert inputs.includes_library(there, data)
    Library.open(data).put(Movie(6, "Heat"))
    assert not inputs.includes_library(there, data)
    (data / "library.db").write_bytes(b"no library")
    assert not inputs.includes_library(there, data)


def test_where_nothing_can_be_read_nothing_is_built(plan: Plan, tmp_path: Path) -> None:
    assert matching_manifest(replace(plan, data=tmp_path)) is None


@pytest.mark.system
def test_the_command_builds_once(world: World, tmp_path: Path) -> None:
    arguments = ["build", "--if-new", "--ratings", str(world.ratings), "--data", str(tmp_path), "--iterations", "30"]
    first = CliRunner().invoke(main, arguments)
    assert "is published" in first.stdout
    second = CliRunner().invoke(main, arguments)
    assert (second.exit_code, second.stdout) == (0, "")
    (only,) = SnapshotStore(tmp_path).ids()
    assert second.stderr == f"No input changed since snapshot {only}: nothing to build\n"
    assert "is published" in CliRunner().invoke(main, [*arguments, "--seed", "1"]).stdout


def test_facts_are_an_input_wherever_they_are(plan: Plan, world: World, tmp_path: Path) -> None:
    ratings = shutil.copytree(world.ratings, tmp_path / "ratings")
    for given in (ratings, ratings / "ratings.csv"):
        beside = replace(plan, ratings=given)
        before = input_fingerprint(beside)
        (ratings / "facts.csv").write_text("movieId,director\n1,Someone\n")
        assert input_fingerprint(beside) != before
        (ratings / "facts.csv").unlink()
        assert input_fingerprint(beside) == before
    elsewhere = tmp_path / "elsewhere.csv"
    elsewhere.write_text("movieId,director\n1,Someone\n")
    with_facts = replace(plan, facts=elsewhere)
    before = input_fingerprint(with_facts)
    assert before != input_fingerprint(plan)
    elsewhere.write_text("movieId,director\n1,Someone else\n")
    assert input_fingerprint(with_facts) != before
    assert input_fingerprint(replace(with_facts, label_weights={"directors": 1})) != input_fingerprint(with_facts)
