from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from index.core.errors import BadImage
from index.posters.images import decode_image
from tests.conftest import World
from tests.soak import processes
from tests.soak.pictures import KINDS, written
from tests.soak.uploads import soak


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
    kind = KINDS[name]
    data = written(kind, np.random.default_rng(0))
    if kind.taken:
        assert min(decode_image(data).size) >= 100
    else:
        with pytest.raises(BadImage, match="this is no JPEG, PNG, WebP, GIF, AVIF, TIFF, BMP or HEIC"):
            decode_image(data)
