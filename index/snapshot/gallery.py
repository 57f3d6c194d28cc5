"""The gallery of a snapshot: nearest neighbours of a few movies by methods that are no space of it.

A snapshot has ``gallery.json``. Neighbours by the spaces themselves are not in it, as a snapshot can look them up.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

HEADINGS = {
    "item-cosine": "Cosine of ratings",
    "sgd": "Factors by gradient descent",
    "taste": "Taste",
    "poster": "Look",
}  # method or space -> heading, in the order of the rows
NEAREST = 4  # neighbours shown
_FILE = "gallery.json"


@dataclass(frozen=True, slots=True)
class GalleryMovie:
    """A movie of the gallery."""

    movie_id: int
    nearest: Mapping[str, tuple[int, ...]]  # method -> movie ids of the nearest neighbours, best first


@dataclass(frozen=True, slots=True)
class Gallery:
    """A few movies and their nearest neighbours; no movies in a snapshot of an older version."""

    movies: tuple[GalleryMovie, ...] = ()
    ratings: int = 0  # the methods were fitted on; fewer than all of a large data set

    @classmethod
    def load(cls, folder: Path) -> Gallery:
        """Return the gallery of the snapshot in ``folder``."""
        try:
            document = json.loads((folder / _FILE).read_bytes())
        except FileNotFoundError:
            return cls()
        movies = (
            GalleryMovie(movie["movie_id"], {method: tuple(ids) for method, ids in movie["nearest"].items()})
            for movie in document["movies"]
        )
        return cls(tuple(movies), document["ratings"])

    def save(self, folder: Path) -> None:
        """Write the gallery into the folder of a snapshot."""
        (folder / _FILE).write_text(json.dumps(asdict(self)))
