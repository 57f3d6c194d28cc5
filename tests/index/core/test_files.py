"""Tests of files that survive a kill."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from index.core.files import remove_temporaries, replacing, write_durably
from tests.paths import ROOT

KILLED = """
import os, sys
from pathlib import Path
from index.core import files
with files.replacing(Path(sys.argv[1])) as fresh:
    fresh.write_bytes(b"half")
    os.kill(os.getpid(), 9)
"""


def test_temporaries_of_killed_processes_are_removed_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "below" / "file.json"
    file.parent.mkdir()
    write_durably(file, b"whole")
    (tmp_path / ".hidden-file").write_bytes(b"the user's")
    subprocess.run([sys.executable, "-c", KILLED, file], cwd=ROOT, check=False)
    (left,) = set(file.parent.iterdir()) - {file}

    remove_temporaries(tmp_path, age=60)  # another process may still be writing it
    assert left.exists()
    os.utime(left, (time.time() - 61,) * 2)
    remove_temporaries(tmp_path, age=60)
    assert list(file.parent.iterdir()) == [file]
    assert file.read_bytes() == b"whole"
    assert (tmp_path / ".hidden-file").exists()
    remove_temporaries(tmp_path / "missing")


def test_a_temporary_that_gets_its_name_meanwhile_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with replacing(tmp_path / "file.json") as fresh:
        fresh.write_bytes(b"whole")
        listed = [fresh]
    monkeypatch.setattr(Path, "rglob", lambda _folder, _pattern: iter(listed))
    remove_temporaries(tmp_path)
    assert (tmp_path / "file.json").read_bytes() == b"whole"
