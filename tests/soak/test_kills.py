"""The harness with few kills. Run it with many by hand (CONTRIBUTING.md)."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import World
from tests.soak.build_kills import Builds, kill_builds
from tests.soak.server_kills import kill_servers

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")


@pytest.mark.long
def test_whatever_a_killed_server_acknowledged_is_there_and_whole(world: World, tmp_path: Path) -> None:
    shutil.copytree(world.data, tmp_path / "data", symlinks=True)
    (tmp_path / "server").mkdir()
    tally = kill_servers(tmp_path / "data", 2, np.random.default_rng(0), tmp_path / "server")
    assert tally.failures == []
    assert tally.counts["kills of the server"] == 2
    kinds = {"add", "add with key", "add with poster", "replace", "remove", "rate", "take back"}
    assert {f"acknowledged: {kind}" for kind in kinds} <= tally.counts.keys()


@pytest.mark.long
def test_a_killed_build_leaves_what_is_served_whole_and_the_next_merges_everything(
    world: World, tmp_path: Path
) -> None:
    shutil.copytree(world.data, tmp_path / "data", symlinks=True)
    builds = Builds(world.ratings, world.posters, tmp_path / "data", tmp_path / "log")
    tally = kill_builds(builds, 1, np.random.default_rng(0), seconds=0)
    assert tally.failures == []
    assert tally.checks > 0
