"""The demo: draw the bundled sample and build a snapshot of it."""

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
from indexer.datasets.sources import SAMPLE, fetched_ratings, sample_folder, scanned_shelf


def build_demo(
    data: Path,
    weights: str,
    embed_path: str = "auto",
    *,
    posters: int | None = None,
    track: Track,
    say: Callable[[str], None],
) -> None:
    """Draw the sample and publish a snapshot of it, unless this version of Posterity already did.

    Snapshots of other data sets are kept. If ImageNet weights are unavailable, use untrained ones and print a note.

    Args:
        data: the data directory.
        weights: "imagenet", "untrained" or a file.
        embed_path: execution path of VGG16, as in ``vgg16.load``.
        posters: number of posters to draw, of the first movies; None for all.
        track: shows progress.
        say: prints one line.

    Raises:
        BadWeights: the weights file is not usable.
        BadSnapshot: a snapshot of another data set exists but is damaged.
    """
    # Imported here: the command that serves the demo imports this module, and must load neither Faiss nor TensorFlow.
    from indexer.build import build
    from indexer.config import make_plan
    from indexer.sample import make_sample

    if demo_is_built(data, weights):
        manifest = SnapshotStore(data).manifest()
        say(f"Snapshot {manifest.id} already exists: {manifest.dataset['name']}, built by Posterity {manifest.version}")
        return

    sample = sample_folder(data)
    drawn = sample / "drawn-by"  # written last, so that an unfinished sample is drawn again
    wanted = f"{version('posterity')} {'all' if posters is None else posters}"
    if not drawn.exists() or drawn.read_text() != wanted:
        rmtree(sample, ignore_errors=True)
        make_sample(sample, posters=None if posters is None else range(1, posters + 1), track=track)
        drawn.write_text(wanted)
    try:
        build(make_plan(sample / "ratings", data, sample / "posters", weights, embed_path=embed_path), track=track)
    except WeightsUnavailable as error:
        say(f"Note: {error}.")
        build(make_plan(sample / "ratings", data, sample / "posters", "untrained", embed_path=embed_path), track=track)


def demo_is_built(data: Path, weights: str) -> bool:
    """Return True if the current snapshot is a sample of this version with these weights, or another data set.

    A sample with the fallback weights, or with fewer posters, counts as well.

    Raises:
        BadSnapshot: a snapshot of another data set exists but is damaged.
    """
    try:
        manifest = SnapshotStore(data).verify()
    except UnknownSnapshot:
        return False
    except BadSnapshot:
        others = fetched_ratings(data) is not None or scanned_shelf(data) is not None
        if others or not sample_folder(data).is_dir():
            raise  # the demo must not replace another data set
        return False
    if manifest.dataset["name"] != SAMPLE:
        return True
    made_with = None if manifest.weights is None else manifest.weights["name"]
    return manifest.version == version("posterity") and made_with in {weights, "untrained"}


def demo_weights(data: Path) -> str | None:
    """Return the name of the weights of the current snapshot; None without posters."""
    weights = SnapshotStore(data).manifest().weights
    return None if weights is None else weights["name"]


def most_rated_movie(data: Path) -> Movie:
    """Return the most rated movie of the current snapshot. Reads only the catalogue, so that the caller can fork."""
    columns = json.loads((SnapshotStore(data).path() / "movies.json").read_bytes())
    (movie,) = Catalogue.from_json(columns).best_known(1)
    return movie
