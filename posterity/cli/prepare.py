"""The command that gets a data directory ready to be served, whatever is in it: prepare. Containers begin with it."""

from __future__ import annotations

import os
from pathlib import Path

import click

from index.core.errors import PosterityError
from posterity.cli.build import run_plan, summarise, weights_option
from posterity.cli.console import data_option, embed_path_option, note, shown_progress
from posterity.cli.fetch import EDITIONS, Sources, fetch_all, sources_options


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
@embed_path_option
@sources_options
def prepare(edition: str | None, data: Path, weights: str, embed_path: str, sources: Sources) -> None:
    """Make sure that there is something to serve: fetch and build what is new, or else the sample.

    With a key of TMDB in TMDB_API_KEY or TMDB_ACCESS_TOKEN, or an edition, it is MovieLens, built again where anything
    has changed. Without, films that were built there stay, and where there are none it is the sample. Where fetching or
    building fails, the snapshot that is there is served on.
    """
    from index.snapshot.store import SnapshotStore
    from indexer.config import make_plan
    from indexer.datasets.sources import choose_sources
    from indexer.demo import build_demo

    if edition is None and (os.environ.get("TMDB_API_KEY") or os.environ.get("TMDB_ACCESS_TOKEN")):
        edition = "latest-small"
    if edition is None:
        with shown_progress() as track:
            build_demo(data, weights, embed_path, track=track, say=note)
        return
    try:
        fetch_all(edition, data, sources)
        # Of this edition: several may have been fetched, and another one be served.
        found = choose_sources(data, None, None, weights, edition=edition)
        plan = make_plan(found.ratings, data, found.posters, found.weights, embed_path=embed_path)
        manifest = run_plan(plan, if_new=True)
    except PosterityError as error:
        served = SnapshotStore(data).current_id()
        if served is None:
            raise
        # A server that could answer must not wait until someone else's is back, or another build has ended.
        note(f"Warning: {error}. Snapshot {served} is served as it is")
        return
    if manifest is not None:
        summarise(manifest)
