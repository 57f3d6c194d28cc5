"""Paths of fetched files in a data directory, and the default inputs of a build."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from index.core.errors import InvalidInput, PosterityError
from index.posters.vgg16 import IMAGENET_FILE
from index.snapshot.store import Manifest, SnapshotStore

FETCHED = "fetched"
SAMPLE = "posterity-sample"  # name of the sample data set
CATALOGUE, RATINGS, FACTS, EVENTS = "shelf.csv", "ratings.csv", "facts.csv", "events.csv"  # files of a shelf


@dataclass(frozen=True, slots=True)
class Sources:
    """Inputs of a build."""

    ratings: Path | None  # None for a catalogue or events without ratings
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


def listed_posters_folder(data: Path) -> Path:
    """Return the folder of posters fetched from the addresses in a catalogue."""
    return data / FETCHED / "listed-posters"


def weights_path(data: Path) -> Path:
    """Return the path of the fetched weights."""
    return data / FETCHED / IMAGENET_FILE


def sample_folder(data: Path) -> Path:
    """Return the folder that the demo draws the sample into."""
    return data / "sample"


def shelf_folder(data: Path) -> Path:
    """Return the folder that a scan writes: the data set of a film library."""
    return data / "shelf"


@dataclass(frozen=True, slots=True)
class Shelf:
    """Inputs of a build of a shelf; None for those that it lacks."""

    catalogue: Path
    ratings: Path | None  # folder
    facts: Path | None
    events: Path | None


def scanned_shelf(data: Path) -> Shelf | None:
    """Return the inputs that a scan wrote; None if there was none."""
    folder = shelf_folder(data)
    files = (folder / name for name in (CATALOGUE, RATINGS, FACTS, EVENTS))
    catalogue, ratings, facts, events = (file if file.is_file() else None for file in files)
    if catalogue is None:
        return None
    return Shelf(catalogue, None if ratings is None else folder, facts, events)


def has_own_films(data: Path) -> bool:
    """Return True if a data directory has a scanned shelf, or serves other data than MovieLens and the sample."""
    current = _current_manifest(data)
    name = SAMPLE if current is None else str(current.dataset["name"])
    return scanned_shelf(data) is not None or not (name == SAMPLE or name.startswith("ml-"))


def choose_sources(
    data: Path,
    ratings: Path | None,
    posters: Path | None,
    weights: str,
    *,
    edition: str | None = None,
    own: bool = False,
) -> Sources:
    """Return the inputs of a build: those given, else fetched ones, else the sample.

    Default posters belong to the same data set as the ratings: movie ids of another data set do not match.

    Args:
        data: the data directory.
        ratings: folder or file; None for the default.
        posters: folder; None for the default.
        weights: "imagenet", "untrained" or a file.
        edition: MovieLens edition to choose if several were fetched; by default that of the current snapshot.
        own: there is a catalogue, or events, of one's own, so that ratings of others are no default.

    Raises:
        InvalidInput: the data directory holds no ratings.
    """
    weights = fetched_weights(data, weights)
    if ratings is not None or own:
        return Sources(ratings, posters, weights)
    ratings = fetched_ratings(data, edition)
    if ratings is not None:
        return Sources(ratings, posters or fetched_posters(data, ratings), weights)
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


def fetched_posters(data: Path, ratings: Path) -> Path | None:
    """Return the folder of fetched posters; None if there are none, or if they are not of these ratings.

    Posters are fetched by an edition's links: without links, they belong to another edition.
    """
    folder = posters_folder(data)
    of_edition = ratings.parent.resolve() == movielens_folder(data).resolve() and (ratings / "links.csv").is_file()
    return folder if of_edition and any(folder.glob("[0-9]*")) else None


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
