"""The bundled sample: drawn, built, ready to serve."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from shutil import rmtree

import click

from index.catalogue import Catalogue, Movie
from index.errors import BadSnapshot, UnknownSnapshot, WeightsUnavailable
from index.snapshot import SnapshotStore
from indexer.cli import run_build


def build_demo(data: Path, weights: str) -> None:
    """Draws the sample and publishes a snapshot of it, unless an earlier call of the same version did.

    Where ImageNet weights are not to be had, untrained ones are used and a line on stderr says so.

    Raises:
        BadWeights: the weights file cannot be used.
    """
    if demo_is_built(data, weights):
        return
    from rich.console import Console

    from indexer.progress import progress
    from indexer.sample import make_sample

    sample = data / "sample"
    drawn = sample / "drawn-by"  # a version; written last, so what was begun and not finished is drawn again
    if not drawn.exists() or drawn.read_text() != version("posterity"):
        rmtree(sample, ignore_errors=True)
        with progress(Console(stderr=True)) as track:
            make_sample(sample, track=track)
        drawn.write_text(version("posterity"))
    try:
        run_build(sample / "ratings", sample / "posters", data, weights)
    except WeightsUnavailable as error:
        click.echo(f"Note: {error}.", err=True)
        run_build(sample / "ratings", sample / "posters", data, "untrained")


def demo_is_built(data: Path, weights: str) -> bool:
    """Whether the current snapshot is what a build would make; one of a fallback counts for what was wanted."""
    try:
        manifest = SnapshotStore(data).verify()
    except (UnknownSnapshot, BadSnapshot):
        return False
    made_with = None if manifest.weights is None else manifest.weights["name"]
    return manifest.version == version("posterity") and made_with in {weights, "untrained"}


def demo_weights(data: Path) -> str | None:
    """The name of the weights that the sample's posters were embedded with."""
    weights = SnapshotStore(data).manifest().weights
    return None if weights is None else weights["name"]


def best_known_film(data: Path) -> Movie:
    """The sample's most rated film. Reads the catalogue alone: whoever asks may be about to fork."""
    columns = json.loads((SnapshotStore(data).path() / "movies.json").read_bytes())
    (film,) = Catalogue.from_json(columns).best_known(1)
    return film
