"""The command scan: a film library on disk, or of a media server, becomes the catalogue.

Heavy imports are inside functions, so that ``posterity --help`` is fast.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from index.core.errors import PosterityError
from posterity.cli.build import run_plan, shelf_plan, summarise, weights_option
from posterity.cli.console import (
    DurationType,
    data_option,
    embed_path_option,
    json_option,
    myself,
    note,
    print_json,
    shown_progress,
)

_USERS = "users"  # value of --ratings without a data set
KEPT = 3  # snapshots, with --watch


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="FOLDER|jellyfin://HOST|plex://HOST...")
@data_option
@click.option(
    "--ratings",
    is_flag=False,
    flag_value=_USERS,
    metavar="[DATASET]",
    show_default="the fetched edition of MovieLens, if there is one",
    help="The data set whose ratings are joined, by IMDb and TMDB id. Without a value: take the ratings, favourites and"
    " plays of the media server's users, too.",
)
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Keep all films of the data set in the catalogue, and mark yours as owned, instead of yours alone.",
)
@click.option("--no-build", is_flag=True, help="Scan only: posterity build then builds the shelf, with any options.")
@click.option("--watch", is_flag=True, help="Go on: scan and build again after each change, until SIGTERM or Ctrl-C.")
@click.option(
    "--quiet",
    type=DurationType(),
    default="30s",
    show_default=True,
    help="With --watch, time without changes after which a scan begins: a copied film is scanned once, as a whole.",
)
@click.option(
    "--every",
    type=DurationType(),
    default="1h",
    show_default=True,
    help="With --watch, scan in this interval without a notice of change, too: media servers and network disks give"
    " none.",
)
@weights_option
@embed_path_option
@json_option
def scan(
    sources: tuple[str, ...],
    data: Path,
    ratings: str | None,
    everything: bool,
    no_build: bool,
    watch: bool,
    quiet: float,
    every: float,
    weights: str,
    embed_path: str,
    as_json: bool,
) -> None:
    """Make your film library the catalogue: a folder of films, or a Jellyfin or Plex server.

    Folders are read as Jellyfin, Kodi, Plex, Emby and Radarr keep them: names, NFO files, posters. Nothing is written
    there, and films that left them leave the catalogue; with --all they lose their mark. A server is read with the key
    in POSTERITY_JELLYFIN_KEY or POSTERITY_PLEX_TOKEN; write jellyfins:// or plexs:// for HTTPS. Several sources make
    one catalogue. Only what changed since the last scan is read.
    """
    from indexer.shelf import scan as scans
    from indexer.shelf.servers import is_server

    if watch:
        folders = [Path(source) for source in sources if not is_server(source)]
        arguments = [*sources, f"--data={data}", f"--weights={weights}", f"--embed-path={embed_path}"]
        arguments += ["--no-build"] if no_build else []
        arguments += ["--all"] if everything else []
        arguments += [f"--ratings={ratings}"] if ratings else []
        _watch(folders, [*myself(), "scan", *arguments], data, quiet, every)
        return
    dataset = None if ratings in {None, _USERS} else Path(str(ratings))
    with shown_progress() as track:
        summary = scans.scan(
            sources,
            data,
            ratings=dataset,
            everything=everything,
            users=ratings == _USERS,
            environment=os.environ,
            track=track,
        )
    if as_json:
        print_json(summary.to_json())
    else:
        click.echo("\n".join(summary.lines()))
    if no_build:
        return
    from indexer.datasets.sources import scanned_shelf

    shelf = scanned_shelf(data)
    if shelf is None:
        raise PosterityError(f"the shelf in {data} was deleted meanwhile: scan again")
    manifest = run_plan(shelf_plan(shelf, data, weights, embed_path), if_new=not summary.changed)
    if manifest is not None and not as_json:
        summarise(manifest)


def _watch(folders: Sequence[Path], command: Sequence[str], data: Path, quiet: float, every: float) -> None:
    """Scan and build now and after each change. Each in a process of its own: it returns its memory."""
    from index.snapshot.store import SnapshotStore
    from indexer.schedule import InterruptibleRunner
    from indexer.shelf.watch import wait_for_change, watched

    with watched(folders) as changes, InterruptibleRunner() as runner:
        while True:
            code = runner.run(command)
            if code is None:
                return
            if code:
                note(f"The scan failed (exit code {code}); it will be retried after a change, or in its interval")
            else:
                try:
                    SnapshotStore(data).prune(KEPT)
                except (PosterityError, OSError) as error:
                    note(f"Old snapshots were not deleted ({error})")
            if not wait_for_change(changes, quiet, every, runner.sleep):
                return
