"""The command prepare, the first of the containers."""

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
    show_default="latest-small with a key of TMDB",
    help="Edition of MovieLens to fetch and build.",
)
@data_option
@weights_option
@embed_path_option
@sources_options
def prepare(edition: str | None, data: Path, weights: str, embed_path: str, sources: Sources) -> None:
    """Fetch and build a snapshot to serve, unless an up-to-date one exists.

    With --edition, or a key of TMDB in TMDB_API_KEY or TMDB_ACCESS_TOKEN, fetch MovieLens and build it if an input
    changed. Otherwise keep the current snapshot, or build the bundled sample if there is none. If fetching or building
    fails, keep the current snapshot.
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
        # By edition: the data directory may hold several, and serve another one.
        found = choose_sources(data, None, None, weights, edition=edition)
        plan = make_plan(found.ratings, data, found.posters, found.weights, embed_path=embed_path)
        manifest = run_plan(plan, if_new=True)
    except PosterityError as error:
        served = SnapshotStore(data).current_id()
        if served is None:
            raise
        # A server with a snapshot must not wait for a source to recover, or for another build to end.
        note(f"Warning: {error}. Snapshot {served} is served as it is")
        return
    if manifest is not None:
        summarise(manifest)
