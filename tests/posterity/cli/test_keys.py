from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from index.library.api_keys import Keys
from index.library.database import Database
from posterity.cli.main import main


def run(data: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["keys", *arguments, "--data", str(data)], prog_name="posterity")


def keys(data: Path, clock: float = 0.0) -> Keys:
    return Keys(Database(data), clock=lambda: clock)


def test_a_key_is_printed_once_alone_on_its_line_before_there_is_any_snapshot(tmp_path: Path) -> None:
    data = tmp_path / "data"
    result = run(data, "create", "the website")
    assert result.exit_code == 0
    (line,) = result.stdout.splitlines()
    key = keys(data).authenticate(line)
    assert key is not None
    assert (key.name, key.scope) == ("the website", "write")
    assert "shown this once" in result.stderr
    assert line[-43:] not in result.stderr
    assert line[-43:] not in run(data, "list").output + run(data, "list", "--json").output


def test_a_key_may_be_for_reading_alone(tmp_path: Path) -> None:
    key = keys(tmp_path).authenticate(run(tmp_path, "create", "a screen", "--read-only").stdout.strip())
    assert key is not None
    assert key.scope == "read"


def test_keys_are_listed_with_the_days_of_their_making_and_revoking(tmp_path: Path) -> None:
    first, _ = keys(tmp_path, 86_400 * 365).create("the website")
    second, _ = keys(tmp_path, 86_400 * 366).create("a [bold] screen", "read")
    keys(tmp_path, 86_400 * 367).revoke(first.key_id)
    assert json.loads(run(tmp_path, "list", "--json").output) == [
        {"id": first.key_id, "name": "the website", "scope": "write", "created": "1971-01-01", "revoked": "1971-01-03"},
        {"id": second.key_id, "name": "a [bold] screen", "scope": "read", "created": "1971-01-02", "revoked": None},
    ]
    one, other = run(tmp_path, "list").output.splitlines()[3:5]
    assert one.split() == [first.key_id, "the", "website", "write", "1971-01-01", "1971-01-03"]
    assert other.split() == [second.key_id, "a", "[bold]", "screen", "read", "1971-01-02"]


def test_a_revoked_key_is_of_no_use(tmp_path: Path) -> None:
    text = run(tmp_path, "create", "the website").stdout.strip()
    key_id = text.split("_")[1]
    assert run(tmp_path, "revoke", key_id).output == f"Revoked the website (id {key_id})\n"
    assert keys(tmp_path).authenticate(text) is None
    assert run(tmp_path, "revoke", key_id).exit_code == 0


def test_where_there_are_no_keys_none_are_listed_and_nothing_is_made(tmp_path: Path) -> None:
    assert json.loads(run(tmp_path, "list", "--json").output) == []
    assert "nothing to show" in run(tmp_path, "list").output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("create", " "), "is no name for a key"), (("revoke", "0123456789ab"), "there is no key '0123456789ab'")],
)
def test_what_cannot_be_done_is_told_in_one_line(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    result = run(tmp_path, *arguments)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_keys_load_no_array_library(tmp_path: Path) -> None:
    code = (
        "import sys; from posterity.cli.main import main; main(sys.argv[1:], standalone_mode=False);"
        " assert 'numpy' not in sys.modules"
    )
    subprocess.run(
        [sys.executable, "-c", code, "keys", "create", "x", "--data", str(tmp_path)], check=True, capture_output=True
    )
