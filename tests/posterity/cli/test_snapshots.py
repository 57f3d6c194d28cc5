from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from index.snapshot.store import SnapshotStore
from posterity.cli.main import main
from tests.index.publication.conftest import build


@pytest.fixture
def data(tmp_path: Path) -> Path:
    build(tmp_path / "data", "first")
    return tmp_path / "data"


def run(*arguments: object, **variables: str) -> Result:
    return CliRunner().invoke(main, [str(each) for each in arguments], env=variables)


def test_a_snapshot_is_published_and_followed(data: Path, tmp_path: Path) -> None:
    storage, copy = f"file://{tmp_path}/published", tmp_path / "copy"
    first = SnapshotStore(data).current_id()
    published = run("publish", storage, "--data", data)
    assert f"Published {first} in {storage} (6 of 6 files copied, 0.0 MB" in published.stdout
    assert (
        f"{first} is published in {storage} already" in run("publish", "--data", data, POSTERITY_PUBLISH=storage).stdout
    )
    assert f"{first} is current from now on" in run("follow", storage, "--once", "--data", copy).stdout
    table = tmp_path / "films.csv"
    table.write_text("title\nHeat\n")
    changes = (
        ("snapshots", "rollback"),
        ("library", "add", "--title", "Heat"),
        ("library", "add", "--from", table),
        ("library", "remove", 1),
        ("library", "import", table),
    )
    for change in changes:
        refused = run(*change, "--data", copy)
        assert refused.exit_code
        assert "follows a storage" in refused.stderr
    assert "Nothing new was published" in run("follow", "--once", "--data", copy, POSTERITY_FOLLOW=storage).stdout
    build(data, "second")
    assert "Deleted 3 files of earlier publications" in run("publish", storage, "--keep", 1, "--data", data).stdout
    back = run("publish", storage, "--snapshot", first, "--data", data)
    assert f"Published {first}" in back.stdout
    again = run("publish", storage, "--snapshot", first, "--again", "--data", data)
    assert "6 of 6 files copied" in again.stdout


def test_what_cannot_be_published_or_followed_says_why(data: Path, tmp_path: Path) -> None:
    storage = f"file://{tmp_path}/published"
    for arguments, code, said in [
        (("publish", "films", "--data", data), 2, "write s3://bucket/prefix"),
        (("publish", storage, "--data", tmp_path), 1, "holds no snapshot yet: run posterity build"),
        (("publish", storage, "--snapshot", "x", "--data", data), 1, "holds no snapshot 'x'"),
        (
            ("follow", storage, "--once", "--data", tmp_path / "copy"),
            1,
            "has no publication yet: run posterity publish",
        ),
        (("follow", storage, "--once", "--data", data), 1, "snapshots that were built there"),
        (("publish", "--data", data), 2, "Missing argument 'STORAGE'"),
    ]:
        result = run(*arguments)
        assert result.exit_code == code, result.output
        assert said in result.stderr
