from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from index.core.errors import BadImage
from index.posters.images import decode_image, shown
from tests.conftest import World
from tests.soak import processes
from tests.soak.pictures import KINDS, written
from tests.soak.uploads import made, soak


@pytest.mark.long
@pytest.mark.skipif(not processes.HERE, reason="needs /proc")
def test_mutated_pictures_are_answered_or_refused(world: World, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(world.data, data, symlinks=True)
    run = soak(data, count=60, clients=2, keep=tmp_path / "kept")
    # Times are checked by the long run only, on an idle machine.
    assert [failure for failure in run.failures if "took more than" not in failure] == []
    assert sum(each.total() for each in run.statuses.values()) == 60
    assert run.decoded <= 40
    assert "after 60" in run.report()


@pytest.mark.parametrize("name", KINDS)
def test_unchanged_pictures_are_what_they_are_called(name: str) -> None:
    data = written(KINDS[name], np.random.default_rng(0))
    assert min(decode_image(data).size) >= 100


@pytest.mark.parametrize("count", [30, pytest.param(1000, marks=pytest.mark.long)])
def test_mutated_pictures_are_decoded_or_refused_by_our_own_error(count: int) -> None:
    decoded = 0
    for upload in made(1, count):
        try:
            assert decode_image(upload.data).mode == "RGB"
        except BadImage:
            continue
        decoded += 1
        assert shown(upload.data)
    assert 0.15 < decoded / count < 0.8
