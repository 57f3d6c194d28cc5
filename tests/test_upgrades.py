"""Data of another version of Posterity: older data opens with a message, newer data is refused with one."""

from __future__ import annotations

import json
import logging
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from index.library.database import SCHEMA
from index.library.movies import Library
from index.snapshot.store import FORMAT, SnapshotStore
from posterity.cli.main import main
from tests.paths import GOLDEN
from tests.serving import get, serving


def golden(tmp_path: Path, version: str, library: int | None = None) -> Path:
    """A copy of a golden data directory; with a library of a schema version."""
    data = shutil.copytree(GOLDEN / version, tmp_path / "data", symlinks=True)
    if library is not None:
        shutil.copy(GOLDEN / "library-1.db", data / "library.db")
        with closing(sqlite3.connect(data / "library.db")) as db:
            db.execute(f"PRAGMA user_version = {library}")
    return data


def serve(data: Path) -> Result:
    """A start that is refused."""
    return CliRunner().invoke(main, ["serve", "--data", str(data), "--port", "1"])


@pytest.mark.system
@pytest.mark.parametrize("version", ["v2", "v3"])
def test_an_older_snapshot_and_library_are_served_and_said_so(version: str, tmp_path: Path) -> None:
    data = golden(tmp_path, version, library=1)
    with (tmp_path / "stderr").open("w+") as stderr:
        with serving("serve", "--data", data, stderr=stderr) as server:
            assert get(f"{server.address}/api/v1/movies/3/similar?by=taste&limit=3")["results"]
        stderr.seek(0)
        said = stderr.read().splitlines()
    number = int(version[1])
    assert [line for line in said if line.startswith("library.db was brought")] == [
        f"library.db was brought from schema version 1 to {SCHEMA}: versions of Posterity before cannot read it any more"
    ]
    (note,) = [line for line in said if line.startswith("Note: ")]
    assert f"has format version {number}, this version of Posterity writes {FORMAT}" in note
    assert "posterity build" in note


@pytest.mark.system
def test_the_newest_format_is_no_news(tmp_path: Path) -> None:
    data = golden(tmp_path, f"v{FORMAT}")
    with (tmp_path / "stderr").open("w+") as stderr:
        with serving("serve", "--data", data, stderr=stderr):
            pass
        stderr.seek(0)
        assert "Note: " not in stderr.read()


def test_a_snapshot_before_all_that_can_be_read_is_refused_in_one_line(tmp_path: Path) -> None:
    result = serve(golden(tmp_path, "v1"))
    assert result.exit_code == 1
    assert result.stderr.endswith("reads 2 to 5: build the snapshot again\n")
    assert result.stderr.count("\n") == 1


def test_a_newer_snapshot_is_refused_in_one_line_that_names_who_wrote_it(tmp_path: Path) -> None:
    data = golden(tmp_path, "v4")
    file = SnapshotStore(data).path() / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_bytes()) | {"format": FORMAT + 1, "version": "7.0"}))
    result = serve(data)
    assert result.exit_code == 1
    assert result.stderr.endswith(
        f"has format version {FORMAT + 1}, this version of Posterity reads 2 to {FORMAT}: use Posterity 7.0, which wrote"
        " it, or a newer one; or roll back, or build the snapshot again\n"
    )
    assert result.stderr.count("\n") == 1


def test_a_newer_library_is_refused_in_one_line_and_left_as_it_is(tmp_path: Path) -> None:
    data = golden(tmp_path, "v4", library=SCHEMA + 1)
    before = (data / "library.db").read_bytes()
    result = serve(data)
    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: library.db has schema version {SCHEMA + 1}, this version of Posterity reads {SCHEMA}: use the version that"
        " wrote it, or a newer one\n"
    )
    assert (data / "library.db").read_bytes() == before


def test_a_library_is_brought_up_to_date_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = golden(tmp_path, "v4", library=1)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            Library.open(data).version()
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        f"library.db was brought from schema version 1 to {SCHEMA}"
    ]
