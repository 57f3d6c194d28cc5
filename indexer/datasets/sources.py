"""Where fetched things lie in a data directory, and what a build takes when it is told nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from index.core.errors import InvalidInput, PosterityError
from index.posters.vgg16 import IMAGENET_FILE
from index.snapshot.store import Manifest, SnapshotStore

FETCHED = "fetched"
SAMPLE = "posterity-sample"  # its name as a data set


@dataclass(frozen=True, slots=True)
class Sources:
    """What a build reads."""

    ratings: Path
    posters: Path | None
    weights: str

    @property
    def paths(self) -> list[Path]:
        """The files and folders among them."""
        return [path for path in (self.ratings, self.posters, Path(self.weights)) if path is not None]


def movielens_folder(data: Path) -> Path:
    """The folder of fetched editions."""
    return data / FETCHED / "movielens"


def posters_folder(data: Path) -> Path:
    """The folder of fetched posters."""
    return data / FETCHED / "posters"


def weights_path(data: Path) -> Path:
    """Where fetched weights are."""
    return data / FETCHED / IMAGENET_FILE


def sample_folder(data: Path) -> Path:
    """Where the demo draws the sample."""
    return data / "sample"


def choose(
    data: Path, ratings: Path | None, posters: Path | None, weights: str, *, edition: str | None = None
) -> Sources:
    """What was given, and where nothing was, what was fetched, or else the sample.

    Posters are chosen with the ratings and never without: ids of one data set mean nothing in another.

    Args:
        edition: which of several that were fetched; by default the one that is served.

    Raises:
        InvalidInput: there are no ratings.
    """
    weights = fetched_weights(data, weights)
    if ratings is not None:
        return Sources(ratings, posters, weights)
    ratings = fetched_ratings(data, edition)
    if ratings is not None:
        # An edition without links had no posters to fetch; those that are there are another's.
        linked = (ratings / "links.csv").is_file() and any(posters_folder(data).glob("[0-9]*"))
        usual = posters_folder(data) if linked else None
        return Sources(ratings, posters or usual, weights)
    sample = sample_folder(data)
    if (sample / "ratings").is_dir():
        return Sources(sample / "ratings", posters or sample / "posters", _sample_weights(data, weights))
    raise InvalidInput(f"there are no ratings in {data}: fetch some (posterity fetch movielens), or give --ratings")


def fetched_ratings(data: Path, edition: str | None = None) -> Path | None:
    """The fetched edition: the one named, the only one, or the one that is served.

    The folder of several where none of these is any; None where nothing was fetched.
    """
    folder = movielens_folder(data)
    editions = [each for each in folder.iterdir() if each.is_dir()] if folder.is_dir() else []
    if not editions:
        return None
    served = _served(data)
    for name in (f"ml-{edition}", None if served is None else served.dataset["name"]):
        if folder / str(name) in editions:
            return folder / str(name)
    return editions[0] if len(editions) == 1 else folder


def fetched_weights(data: Path, weights: str) -> str:
    """The fetched file where ImageNet's weights are wanted and it is there."""
    file = weights_path(data)
    return str(file) if weights == "imagenet" and file.is_file() else weights


def _sample_weights(data: Path, weights: str) -> str:
    """Untrained ones, where the demo said that ImageNet's were not to be had for the sample that is served."""
    served = _served(data)
    if weights != "imagenet" or served is None or served.dataset["name"] != SAMPLE or served.weights is None:
        return weights
    return "untrained" if served.weights["name"] == "untrained" else weights


def _served(data: Path) -> Manifest | None:
    """The manifest of the snapshot that is served; None where there is none that can be read."""
    try:
        return SnapshotStore(data).manifest()
    except PosterityError:
        return None
