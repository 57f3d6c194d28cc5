from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import World
from tests.soak import processes
from tests.soak.editions import NAMES, build_editions
from tests.soak.snapshots import DAMAGED, soak


@pytest.mark.long
@pytest.mark.skipif(not processes.HERE, reason="needs /proc")
def test_snapshots_that_change_under_load_are_never_mixed(world: World, tmp_path: Path) -> None:
    shutil.copytree(world.data, tmp_path / "data", symlinks=True)  # its posters are already embedded
    editions = build_editions(tmp_path, NAMES[:2])
    run = soak(tmp_path / "data", editions, seconds=15, every=2.5, uploads=False, follow_within=60)
    assert run.failures == []
    assert len(run.publications) >= DAMAGED
    assert run.verdicts.asked.total() > 100
    assert "worker" in run.report()
