"""The commands publish and follow: snapshots from one machine to others, by way of a storage.

Heavy imports are inside functions, so that ``posterity --help`` is fast.
"""

from __future__ import annotations

import logging.config
import os
import signal
import time
from pathlib import Path

import click
from rich.console import Console

from posterity.cli.console import data_option, note
from posterity.cli.progress import byte_progress
from posterity.cli.server_options import StorageAddress
from posterity.cli.signals import stoppable

_STORAGE = "STORAGE is an address such as s3://bucket/prefix or file:///folder; any kind that fsspec knows."


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
    with stoppable(), byte_progress(Console(stderr=True), "Copied") as count:
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
    from index.core.files import locked
    from index.publication.follow import Follower
    from index.publication.follow import follow as follow_on
    from index.publication.state import OWN_FOLDER
    from index.publication.storage import Storage
    from server.middleware.logs import log_settings

    if once:
        with stoppable(), byte_progress(Console(stderr=True), "Copied") as count:
            changed = Follower(Storage(storage), data, keep=keep, count=count).look()
        click.echo(f"{changed} is current from now on" if changed else "Nothing new was published")
        return
    logging.config.dictConfig(log_settings(log_format))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)  # nothing is lost by a kill

    def sleep(seconds: float) -> bool:
        time.sleep(seconds)
        return parent is None or os.getppid() == parent

    follower = Follower(Storage(storage), data, keep=keep)
    with locked(data / OWN_FOLDER / "lock", f"another process follows into {data}: give each server a folder"):
        follow_on(follower, data, sleep)
