"""The commands snapshots list, verify, rollback and prune.

Heavy imports are inside functions, so that ``posterity --help`` is fast.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from index.core.errors import BadSnapshot, InvalidInput
from posterity.cli.console import data_option, json_option, print_json, print_table


@click.group()
def snapshots() -> None:
    """List, verify, roll back and prune snapshots."""


@snapshots.command("list")
@data_option
@json_option
def list_snapshots(data: Path, as_json: bool) -> None:
    """List every snapshot; the current one has a star."""
    from index.snapshot.store import SnapshotStore

    store = SnapshotStore(data)
    current = store.current_id()
    listed: list[dict[str, Any]] = []
    for snapshot_id in store.ids():
        entry: dict[str, Any] = {"id": snapshot_id, "current": snapshot_id == current}
        try:
            manifest = store.manifest(snapshot_id)
        except BadSnapshot as error:
            listed.append(entry | {"damaged": str(error)})
            continue
        weights = manifest.weights
        listed.append(
            entry
            | {
                "created": manifest.created,
                "dataset": manifest.dataset["name"],
                "movies": manifest.dataset["movies"],
                "posters": manifest.posters["posters"],
                "ratings": manifest.dataset["ratings"],
                "weights": None if weights is None else weights["name"],
                "bytes": sum(file["size"] for file in manifest.files.values()),
            }
        )
    if as_json:
        print_json(listed)
    elif not listed:
        click.echo(f"{data} holds no snapshot yet: run posterity build --data {data}")
    else:
        titles = ("", "Snapshot", "Built (UTC)", "Data set", "Movies", "Posters", "Weights", "MB")
        columns = [(title, "right" if title in {"Movies", "Posters", "MB"} else "left") for title in titles]
        print_table("", columns, [_snapshot_cells(entry) for entry in listed])


@snapshots.command()
@click.argument("snapshot_id", required=False, metavar="[SNAPSHOT]")
@data_option
def verify(snapshot_id: str | None, data: Path) -> None:
    """Verify every file of SNAPSHOT, by default the current one, and the posters it was built from."""
    from index.catalogue.catalogue import Catalogue
    from index.snapshot.poster_files import changed_posters, load_contents
    from index.snapshot.store import SnapshotStore

    store = SnapshotStore(data)
    manifest = store.verify(snapshot_id)
    click.echo(f"{manifest.id}: all {len(manifest.files)} files are as they were built")
    folder = store.path(manifest.id)
    catalogue = Catalogue.from_json(json.loads((folder / "movies.json").read_bytes()))
    changed = changed_posters(load_contents(folder / "poster"), catalogue, data / "posters")
    for name, why in changed.items():
        click.echo(f"{data / 'posters' / name} {why}", err=True)
    if changed:
        raise InvalidInput(f"{len(changed)} posters are not as they were embedded: put them right, or build again")


@snapshots.command()
@click.argument("snapshot_id", required=False, metavar="[SNAPSHOT]")
@data_option
def rollback(snapshot_id: str | None, data: Path) -> None:
    """Make an earlier snapshot current: SNAPSHOT, by default the one before the current."""
    from index.snapshot.store import SnapshotStore

    manifest = SnapshotStore(data).rollback(snapshot_id)
    click.echo(f"{manifest.id} is served from now on")


@snapshots.command()
@click.option(
    "--keep", type=click.IntRange(1), default=3, show_default=True, help="Number of newest snapshots to keep."
)
@data_option
def prune(keep: int, data: Path) -> None:
    """Delete old snapshots.

    Never deleted are the current one, the newest that verifies, and those that a process has open. Waits for no build:
    while one runs, nothing is deleted.
    """
    from index.snapshot.store import SnapshotStore

    deleted = SnapshotStore(data).prune(keep)
    click.echo(f"Deleted {', '.join(deleted)}" if deleted else "Nothing to delete")


def _snapshot_cells(entry: dict[str, Any]) -> tuple[str, ...]:
    star = "*" if entry["current"] else ""
    if "damaged" in entry:
        return star, entry["id"], "damaged", "", "", "", "", ""
    return (
        star,
        entry["id"],
        entry["created"][:16].replace("T", " "),
        entry["dataset"],
        str(entry["movies"]),
        str(entry["posters"]),
        entry["weights"] or "none",
        f"{entry['bytes'] / 1e6:.0f}",
    )
