"""The commands keys create, list and revoke.

Heavy imports are inside functions, so that ``posterity --help`` is fast.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from posterity.cli.console import data_option, json_option, print_json, print_table

if TYPE_CHECKING:
    from index.library.api_keys import Key, Keys


@click.group()
def keys() -> None:
    """Create, list and revoke API keys of the HTTP API."""


@keys.command()
@click.argument("name")
@click.option("--read-only", is_flag=True, help="Create a key without the scope to write.")
@data_option
def create(name: str, read_only: bool, data: Path) -> None:
    """Create an API key for NAME, its user, and print it once.

    stdout has the key alone, for scripts. No snapshot is needed.
    """
    key, text = _keys(data).create(name, "read" if read_only else "write")
    click.echo(text)
    click.echo(
        f"Note: this key (id {key.key_id}) is shown this once and stored nowhere; anyone who has it can use it.",
        err=True,
    )


@keys.command("list")
@data_option
@json_option
def list_keys(data: Path, as_json: bool) -> None:
    """List every API key without its secret."""
    shown = [_present(key) for key in _keys(data).all()]
    if as_json:
        print_json(shown)
        return
    columns = [(name, "left") for name in ("Id", "Name", "Scope", "Created (UTC)", "Revoked (UTC)")]
    print_table("", columns, [tuple(value or "" for value in key.values()) for key in shown])


@keys.command()
@click.argument("key_id", metavar="ID")
@data_option
def revoke(key_id: str, data: Path) -> None:
    """Revoke the API key ID, at once and for good."""
    key = _keys(data).revoke(key_id)
    click.echo(f"Revoked {key.name} (id {key.key_id})")


def _keys(data: Path) -> Keys:
    from index.library.api_keys import Keys
    from index.library.database import Database

    return Keys(Database(data))


def _present(key: Key) -> dict[str, str | None]:
    return {
        "id": key.key_id,
        "name": key.name,
        "scope": key.scope,
        "created": _date(key.created),
        "revoked": None if key.revoked is None else _date(key.revoked),
    }


def _date(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
