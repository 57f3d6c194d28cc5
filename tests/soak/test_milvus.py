from __future__ import annotations

from pathlib import Path

import pytest

from tests.milvus_server import Given, MilvusProcess
from tests.soak import processes
from tests.soak.milvus import soak


@pytest.mark.long
@pytest.mark.skipif(not processes.HERE, reason="needs /proc")
def test_milvus_that_is_killed_twice_costs_503s_and_nothing_else(milvus: Given | MilvusProcess, tmp_path: Path) -> None:
    if isinstance(milvus, Given):
        pytest.skip("POSTERITY_TEST_MILVUS is a server that others use")
    run = soak(tmp_path, milvus, seconds=40, every=3)
    assert run.failures == []
    assert len(run.outages.spans) == 2
    assert run.outages.refused > 0
    assert run.verdicts.asked.total() > 100
    assert run.tally.checks > 50
