"""The commands snapshots list, verify, rollback and prune, publish and follow.

Heavy imports are inside functions, so that ``posterity --help`` is fast.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from index.core.errors import BadSnapshot, InvalidInput
from posterity.cli.console import data_option, json_option, note, print_json, print_table, search_option
from posterity.cli.server_options import StorageAddress
from posterity.cli.signals import stoppable

if TYPE_CHECKING:
    from index.core.progress import Count

_STORAGE = "STORAGE is an address such as s3://bucket/prefix or file:///folder; any kind that fsspec knows."


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
@search_option
def verify(snapshot_id: str | None, data: Path, search: str) -> None:
    """Verify every file of SNAPSHOT, by default the current one, and the posters it was built from.

    Of a snapshot built with Milvus, the collections are counted, too.
    """
    from index.catalogue.catalogue import Catalogue
    from index.snapshot.collections import check_collections
    from index.snapshot.poster_files import changed_posters, load_contents
    from index.snapshot.store import SnapshotStore

    store = SnapshotStore(data)
    manifest = store.verify(snapshot_id)
    check_collections(manifest, search)
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
@search_option
def rollback(snapshot_id: str | None, data: Path, search: str) -> None:
    """Make an earlier snapshot current: SNAPSHOT, by default the one before the current.

    With --search the aliases in Milvus lead to its collections again.
    """
    from index.publication.state import check_not_following
    from index.snapshot.collections import point_aliases
    from index.snapshot.store import SnapshotStore

    check_not_following(data)
    manifest = SnapshotStore(data).rollback(snapshot_id)
    if search:
        point_aliases(manifest, search)
    click.echo(f"{manifest.id} is served from now on")


@snapshots.command()
@click.option(
    "--keep", type=click.IntRange(1), default=3, show_default=True, help="Number of newest snapshots to keep."
)
@data_option
@search_option
def prune(keep: int, data: Path, search: str) -> None:
    """Delete old snapshots; with --search, also the collections in Milvus that no snapshot names any more.

    Never deleted are the current one, the newest that verifies, and those that a process has open. Waits for no build:
    while one runs, nothing is deleted.
    """
    from index.snapshot.collections import prune as prune_all
    from index.snapshot.store import SnapshotStore

    deleted = prune_all(SnapshotStore(data), keep, search)
    click.echo(f"Deleted {', '.join(deleted)}" if deleted else "Nothing to delete")


@click.command(epilog=_STORAGE)
@click.argument("storage", type=StorageAddress(), envvar="POSTERITY_PUBLISH")
@click.option("--snapshot", "snapshot_id", metavar="ID", help="Snapshot to publish, by default the current one.")
@click.option(
    "--keep", type=click.IntRange(1), default=3, show_default=True, help="Number of publications to keep in STORAGE."
)
@click.option("--again", is_flag=True, help="Copy every file, also those that STORAGE has: some of them are damaged.")
@data_option
def publish(storage: str, snapshot_id: str | None, keep: int, again: bool, data: Path) -> None:
    """Publish a snapshot into STORAGE, for servers that follow it.

    Only files that STORAGE lacks are copied: the snapshot, the posters it names, the weights of VGG16. Followers see
    the snapshot once all of it is there. An interrupted run leaves the publication before; the next run goes on.

    The library stays here: added movies and ratings reach followers with the snapshot of the next build. One machine at
    a time may publish into a STORAGE. Publishing an earlier snapshot rolls all followers back.
    """
    from index.publication.publish import publish_snapshot
    from index.publication.storage import Storage

    began = time.monotonic()
    with stoppable(), _copying() as count:
        opened = Storage(storage)
        done = publish_snapshot(data, opened, snapshot_id, keep=keep, again=again, count=count, warn=note)
    if not done.changed:
        click.echo(f"{done.snapshot} is published in {opened.shown} already")
        return
    copied = f"{done.copied} of {done.files} files copied, {done.bytes / 1e6:.1f} MB"
    click.echo(f"Published {done.snapshot} in {opened.shown} ({copied}, {time.monotonic() - began:.1f} s)")
    if done.deleted:
        click.echo(f"Deleted {done.deleted} files of earlier publications")


@click.command(epilog=_STORAGE)
@click.argument("storage", type=StorageAddress(), envvar="POSTERITY_FOLLOW")
@click.option(
    "--keep", type=click.IntRange(1), default=2, show_default=True, help="Number of snapshots to keep on this machine."
)
@click.option("--once", is_flag=True, help="Copy the current publication if it is new, then end.")
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    envvar="POSTERITY_LOG_FORMAT",
    show_default=True,
    help="Format of the log on stderr.",
)
@click.option("--parent", type=int, hidden=True, help="End with this process.")
@data_option
def follow(storage: str, keep: int, once: bool, log_format: str, parent: int | None, data: Path) -> None:
    """Copy each snapshot that is published in STORAGE, and make it current.

    A server on the same data directory follows it; posterity serve --follow does both. The data directory is a copy,
    and must not be one that builds. Every file is verified before the snapshot becomes current.
    """
    from logging.config import dictConfig

    from index.core.files import locked
    from index.publication.follow import Follower
    from index.publication.follow import follow as follow_on
    from index.publication.state import OWN_FOLDER
    from index.publication.storage import Storage
    from server.middleware.logs import log_settings

    if once:
        with stoppable(), _copying() as count:
            changed = Follower(Storage(storage), data, keep=keep, count=count).look()
        click.echo(f"{changed} is current from now on" if changed else "Nothing new was published")
        return
    dictConfig(log_settings(log_format))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)  # nothing is lost by a kill

    def sleep(seconds: float) -> bool:
        time.sleep(seconds)
        return parent is None or os.getppid() == parent

    follower = Follower(Storage(storage), data, keep=keep)
    with locked(data / OWN_FOLDER / "lock", f"another process follows into {data}: give each server a folder"):
        follow_on(follower, data, sleep)


@contextmanager
def _copying() -> Iterator[Count]:
    """Yield a ``Count`` that shows the bytes copied on stderr."""
    from rich.console import Console

    from posterity.cli.progress import byte_progress

    with byte_progress(Console(stderr=True), "Copied") as count:
        yield count


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
