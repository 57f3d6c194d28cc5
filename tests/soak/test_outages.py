"""The harness with short outages. Run it with long ones by hand (CONTRIBUTING.md)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import World
from tests.soak.outages import OUTAGES, Outcome, go_through_all


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
@pytest.mark.parametrize("name", OUTAGES)
def test_a_server_survives_an_outage_and_has_lost_nothing(name: str, world: World, tmp_path: Path) -> None:
    outcome = go_through_all(world.data, tmp_path, 4, [name])[name]
    if not isinstance(outcome, Outcome):
        pytest.skip(outcome)
    assert outcome.failures == []
    assert outcome.acknowledged > 0
