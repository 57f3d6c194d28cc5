from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak import processes
from tests.soak.additions import soak


@pytest.mark.long
@pytest.mark.skipif(not processes.HERE, reason="needs /proc")
def test_a_table_whose_command_is_killed_is_there_once_when_it_is_run_again(data: Path, tmp_path: Path) -> None:
    run = soak(data, tmp_path, rows=4000)
    assert run.failures == []
    assert 0 < run.killed_at < 4000
    assert run.killed_at + run.added == 3960
    assert "40 refused" in run.output
