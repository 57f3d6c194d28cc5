"""The bundled sample: drawn, built, ready to serve."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from shutil import rmtree

from index.catalogue.catalogue import Catalogue, Movie
from index.core.errors import BadSnapshot, UnknownSnapshot, WeightsUnavailable
from index.core.progress import Track
from index.snapshot.store import SnapshotStore
from indexer.build import build
from indexer.config import make_plan
from indexer.datasets.sources import SAMPLE, fetched_ratings, sample_folder
from indexer.sample import make_sample


def build_demo(data: Path, weights: str, embed_path: str = "auto", *, track: Track, say: Callable[[str], None]) -> None:
    """Draws the sample and publishes a snapshot of it, unless an earlier call of the same version did.

    Films of one's own that were built there stay. Where ImageNet weights are not to be had, untrained ones are used and
    a line on stderr says so.

    Raises:
        BadWeights: the weights file cannot be used.
        BadSnapshot: films of one's own are there, and cannot be read.
    """
    if demo_is_built(data, weights):
        manifest = SnapshotStore(data).manifest()
        say(f"Snapshot {manifest.id} is there: {manifest.dataset['name']}, built by Posterity {manifest.version}")
        return

    sample = sample_folder(data)
    drawn = sample / "drawn-by"  # a version; written last, so what was begun and not finished is drawn again
    if not drawn.exists() or drawn.read_text() != version("posterity"):
        rmtree(sample, ignore_errors=True)
        make_sample(sample, track=track)
        drawn.write_text(version("posterity"))
    try:
        build(make_plan(sample / "ratings", data, sample / "posters", weights, embed_path=embed_path), track=track)
    except WeightsUnavailable as error:
        say(f"Note: {error}.")
        build(make_plan(sample / "ratings", data, sample / "posters", "untrained", embed_path=embed_path), track=track)


def demo_is_built(data: Path, weights: str) -> bool:
    """Whether there is nothing to build: the current snapshot is what a build would make, or one of other films.

    A sample with the weights of a fallback counts for what was wanted.

    Raises:
        BadSnapshot: other films are there, and cannot be read.
    """
    try:
        manifest = SnapshotStore(data).verify()
    except UnknownSnapshot:
        return False
    except BadSnapshot:
        if not sample_folder(data).is_dir() or fetched_ratings(data) is not None:
            raise  # it is not the demo's to replace
        return False
    if manifest.dataset["name"] != SAMPLE:
        return True
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
