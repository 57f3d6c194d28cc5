"""The bundled sample, built and ready to serve."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from shutil import rmtree

import click

from index.errors import BadSnapshot, UnknownSnapshot, WeightsUnavailable
from index.movie_index import MovieIndex
from index.snapshot import SnapshotStore
from indexer.cli import run_build


def prepare_demo(data: Path, weights: str) -> tuple[int, str]:
    """Id and title of the sample's best known film, once a snapshot of the sample can be served.

    What an earlier call of the same version left is used again. Where ImageNet weights are not to be had, untrained
    ones are used and a line on stderr says so.

    Raises:
        BadWeights: the weights file cannot be used.
    """
    if not _is_ready(data, weights):
        from rich.console import Console

        from indexer.progress import progress
        from indexer.sample import make_sample

        sample = data / "sample"
        rmtree(sample, ignore_errors=True)
        with progress(Console(stderr=True)) as track:
            make_sample(sample, track=track)
        try:
            run_build(sample / "ratings", sample / "posters", data, weights)
        except WeightsUnavailable as error:
            click.echo(f"Note: {error}.", err=True)
            run_build(sample / "ratings", sample / "posters", data, "untrained")
    made_with = SnapshotStore(data).manifest().weights
    if weights == "imagenet" and made_with is not None and made_with["name"] == "untrained":
        click.echo(
            "Note: the demo compares posters with untrained weights, as every reply and page says."
            f" Delete {data} to try the download again, or give --weights FILE.",
            err=True,
        )
    catalogue = MovieIndex.open(data).catalogue
    row = max(range(len(catalogue)), key=lambda row: catalogue.rating_counts[row])
    return catalogue.movies[row].movie_id, str(catalogue.movies[row])


def _is_ready(data: Path, weights: str) -> bool:
    """Whether the current snapshot is what a build would make; one of a fallback counts for what was wanted."""
    try:
        manifest = SnapshotStore(data).verify()
    except (UnknownSnapshot, BadSnapshot):
        return False
    made_with = None if manifest.weights is None else manifest.weights["name"]
    return manifest.version == version("posterity") and made_with in {weights, "untrained"}
