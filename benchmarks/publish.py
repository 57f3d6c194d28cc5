"""Bytes and time of publishing a snapshot and of following it: the first, the same again, and the next one.

The next snapshot has the same posters and maps, and all other files differ, as after a build with new ratings.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import fields
from http.client import HTTPConnection
from json import load
from pathlib import Path
from time import perf_counter, sleep

import click

from benchmarks.serving import running, serve_command
from index.publication.follow import Follower
from index.publication.publish import publish_snapshot
from index.publication.storage import Storage
from index.snapshot.store import FORMAT, Manifest, SnapshotStore
from posterity.cli.console import data_option, note, print_table

_SAME = ("poster", "map")  # folders of a snapshot that a build of the same posters repeats


@click.command()
@data_option
@click.option("--storage", "url", help="Empty storage to publish into, by default a temporary folder.")
def main(data: Path, url: str | None) -> None:
    """Publish the current snapshot of a data directory and follow it; then serve it twice and publish the next one."""
    manifest = SnapshotStore(data).manifest()
    if manifest.format != FORMAT:
        raise click.ClickException(f"snapshot {manifest.id} has format version {manifest.format}: build a new one")
    with tempfile.TemporaryDirectory(prefix="posterity-publish-") as temporary:
        folder = Path(temporary)
        publisher, store = folder / "publisher", SnapshotStore(folder / "publisher")
        for part in ("posters", "weights"):
            shutil.copytree(data / part, publisher / part)
        shutil.copytree(data / "snapshots" / manifest.id, store.data / "snapshots" / manifest.id)
        store.rollback(manifest.id)
        storage = Storage(url or f"file://{folder}/published")
        copied, rows = [0], []
        follower = Follower(storage, folder / "copy", count=lambda done, _: copied.append(done))

        def follow() -> int:
            copied[:] = [0]
            follower.look()
            return max(copied)

        def publish() -> int:
            return publish_snapshot(publisher, storage, warn=note).bytes

        for which in ("first", "the same again", "next"):
            if which == "next":
                _next(store, manifest)
            for name, run in (("publish", publish), ("follow", follow)):
                rows.append((f"{name}, {which}", *_measured(run)))
        with ExitStack() as stack:
            servers = [
                stack.enter_context(running(serve_command(folder / name, "--follow", storage.shown)))
                for name in ("one", "two")
            ]
            wanted = _next(store, manifest)
            publish()
            begin = perf_counter()
            while any(_served(server.connection) != wanted for server in servers):
                sleep(0.02)
            rows.append(("both of two servers serve the next", "", f"{perf_counter() - begin:.2f}"))
    columns = [("", "left"), ("MB copied", "right"), ("Seconds", "right")]
    print_table(f"{manifest.dataset['name']}, snapshot {manifest.id}, in {storage.shown}", columns, rows)


def _measured(run: Callable[[], int]) -> tuple[str, str]:
    begin = perf_counter()
    size = run()
    return f"{size / 1e6:.2f}", f"{perf_counter() - begin:.2f}"


def _next(store: SnapshotStore, manifest: Manifest) -> str:
    """Publish another snapshot on this machine, whose files end with one more space; return its id."""
    facts = {each.name: getattr(manifest, each.name) for each in fields(Manifest)}
    for name in ("id", "created", "files", "format"):
        del facts[name]
    with store.writing() as folder:
        shutil.copytree(store.path(), folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("manifest.json"))
        for file in folder.rglob("*"):
            if file.is_file() and file.relative_to(folder).parts[0] not in _SAME:
                with file.open("ab") as stream:
                    stream.write(b" ")  # readers of all formats stop before it, or skip it
        return store.publish(folder, **facts).id


def _served(connection: HTTPConnection) -> str:
    connection.request("GET", "/api/v1/snapshot")
    return str(load(connection.getresponse())["id"])


if __name__ == "__main__":
    main()
