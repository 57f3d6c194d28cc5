from __future__ import annotations

import pytest

from tests.conftest import World
from tests.soak import processes
from tests.soak.trickle import soak


@pytest.mark.long
@pytest.mark.skipif(not processes.HERE, reason="needs /proc")
def test_trickling_connections_keep_nobody_waiting(world: World) -> None:
    run = soak(world.data, connections=100, seconds=25, uploads=2)
    # Times and memory are checked by the long run only, on an idle machine.
    assert run.uploads == [200, 200]
    assert run.trickled["answered 408"] >= 100
    assert not any("workers" in failure for failure in run.failures)
    assert "408" in run.report()
