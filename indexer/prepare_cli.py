"""The command that gets a data directory ready to be served, whatever is in it: prepare. Containers begin with it."""

from __future__ import annotations

import os
from pathlib import Path

import click

from index.console import data_option
from index.errors import PosterityError
from indexer.cli import build, weights_option
from indexer.fetch.cli import EDITIONS, LINKLESS, everything, movielens


@click.command()
@click.option(
    "--edition",
    type=click.Choice(EDITIONS, case_sensitive=False),
    envvar="POSTERITY_MOVIELENS",
    show_envvar=True,
    show_default="latest-small where there is a key of TMDB",
    help="Of MovieLens, to fetch and build.",
)
@data_option
@weights_option
def prepare(edition: str | None, data: Path, weights: str) -> None:
    """Make sure that there is something to serve: fetch and build what is new, or else the sample.

    With a key of TMDB in TMDB_API_KEY or TMDB_ACCESS_TOKEN, or an edition, it is MovieLens, built again where anything
    has changed. Without, films that were built there stay, and where there are none it is the sample. Where fetching or
    building fails, the snapshot that is there is served on.
    """
    from index.snapshot import SnapshotStore
    from indexer.demo import build_demo
    from indexer.sources import choose

    if edition is None and (os.environ.get("TMDB_API_KEY") or os.environ.get("TMDB_ACCESS_TOKEN")):
        edition = "latest-small"
    if edition is None:
        build_demo(data, weights)
        return
    step = movielens if edition in LINKLESS else everything
    try:
        step.main([edition, "--data", str(data)], standalone_mode=False)
        # Said in full: several editions may have been fetched, and another one be served.
        sources = choose(data, None, None, weights, edition=edition)
        posters = [] if sources.posters is None else ["--posters", str(sources.posters)]
        words = ["--if-new", "--data", str(data), "--ratings", str(sources.ratings), *posters]
        build.main([*words, "--weights", sources.weights], standalone_mode=False)
    except PosterityError as error:
        served = SnapshotStore(data).current_id()
        if served is None:
            raise
        # A server that could answer must not wait until someone else's is back, or another build has ended.
        click.echo(f"Warning: {error}. Snapshot {served} is served as it is", err=True)


commands = (prepare,)
