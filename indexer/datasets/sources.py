"""Paths of fetched files in a data directory, and the default inputs of a build."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from index.core.errors import InvalidInput, PosterityError
from index.posters.vgg16 import IMAGENET_FILE
from index.snapshot.store import Manifest, SnapshotStore

FETCHED = "fetched"
SAMPLE = "posterity-sample"  # name of the sample data set


@dataclass(frozen=True, slots=True)
class Sources:
    """Inputs of a build."""

    ratings: Path
    posters: Path | None
    weights: str

    @property
    def paths(self) -> list[Path]:
        """Paths of the inputs; a name of weights counts as a path."""
        return [path for path in (self.ratings, self.posters, Path(self.weights)) if path is not None]


def movielens_folder(data: Path) -> Path:
    """Return the folder of fetched MovieLens editions."""
    return data / FETCHED / "movielens"


def posters_folder(data: Path) -> Path:
    """Return the folder of fetched posters."""
    return fetched_folder(data, "posters")


def fetched_folder(data: Path, noun: str) -> Path:
    """Return the folder of fetched files of one kind, one per movie."""
    return data / FETCHED / noun


def weights_path(data: Path) -> Path:
    """Return the path of the fetched weights."""
    return data / FETCHED / IMAGENET_FILE


def sample_folder(data: Path) -> Path:
    """Return the folder that the demo draws the sample into."""
    return data / "sample"


def choose_sources(
    data: Path, ratings: Path | None, posters: Path | None, weights: str, *, edition: str | None = None
) -> Sources:
    """Return the inputs of a build: those given, else fetched ones, else the sample.

    Default posters belong to the same data set as the ratings: movie ids of another data set do not match.

    Args:
        data: the data directory.
        ratings: folder or file; None for the default.
        posters: folder; None for the default.
        weights: "imagenet", "untrained" or a file.
        edition: MovieLens edition to choose if several were fetched; by default that of the current snapshot.

    Raises:
        InvalidInput: the data directory holds no ratings.
    """
    weights = fetched_weights(data, weights)
    if ratings is not None:
        return Sources(ratings, posters, weights)
    ratings = fetched_ratings(data, edition)
    if ratings is not None:
        # Posters are fetched by the edition's links: without links, the posters belong to another edition.
        has_posters = (ratings / "links.csv").is_file() and any(posters_folder(data).glob("[0-9]*"))
        default_posters = posters_folder(data) if has_posters else None
        return Sources(ratings, posters or default_posters, weights)
    sample = sample_folder(data)
    if (sample / "ratings").is_dir():
        return Sources(sample / "ratings", posters or sample / "posters", _sample_weights(data, weights))
    raise InvalidInput(f"there are no ratings in {data}: fetch some (posterity fetch movielens), or give --ratings")


def fetched_ratings(data: Path, edition: str | None = None) -> Path | None:
    """Return the folder of the fetched edition: the named one, that of the current snapshot, or the only one.

    Return the parent folder if several remain, and None if none was fetched.
    """
    folder = movielens_folder(data)
    editions = [each for each in folder.iterdir() if each.is_dir()] if folder.is_dir() else []
    if not editions:
        return None
    current = _current_manifest(data)
    for name in (f"ml-{edition}", None if current is None else current.dataset["name"]):
        if folder / str(name) in editions:
            return folder / str(name)
    return editions[0] if len(editions) == 1 else folder


def fetched_weights(data: Path, weights: str) -> str:
    """Return the path of the fetched weights if ``weights`` is "imagenet" and they exist, else ``weights``."""
    file = weights_path(data)
    return str(file) if weights == "imagenet" and file.is_file() else weights


def _sample_weights(data: Path, weights: str) -> str:
    """Return "untrained" if the current snapshot of the sample fell back to untrained weights, else ``weights``."""
    current = _current_manifest(data)
    if weights != "imagenet" or current is None or current.dataset["name"] != SAMPLE or current.weights is None:
        return weights
    return "untrained" if current.weights["name"] == "untrained" else weights


def _current_manifest(data: Path) -> Manifest | None:
    """Return the manifest of the current snapshot; None if there is none or it cannot be read."""
    try:
        return SnapshotStore(data).manifest()
    except PosterityError:
        return None
