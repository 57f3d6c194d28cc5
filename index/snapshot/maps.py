"""Poster maps: every movie of a space in a cell of a grid, near those that are like it; and sheets of small posters.

A snapshot has ``map/<space>.npy``, (n, 3) int64: movie id, column, row; ``map/sheets.npy``, (m,) int64: the movies
whose posters the sheets show, in their order; and the sheets themselves, ``map/sheet-<number>.webp``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from index.catalogue.catalogue import Catalogue
from index.core.arrays import Int64Array
from index.core.errors import UnknownMap, UnknownSheet
from index.snapshot.store import Manifest

FOLDER = "map"
FIRST_FORMAT = 4  # of snapshots that may have maps
MAPPED = ("poster", "taste")  # the spaces that are laid out
SHEETS_FILE = "sheets.npy"
# Pixels of a small poster, and how many stand beside and below each other on a sheet.
WIDTH, HEIGHT = 30, 45
ACROSS, DOWN = 32, 32


@dataclass(frozen=True, slots=True)
class PosterMap:
    """Where the posters of a space lie. Arrays are (n,) int64, row i of each belongs to one movie."""

    by: str
    columns: int
    rows: int
    movie_ids: Int64Array
    x: Int64Array  # column, from the left
    y: Int64Array  # row, from the top
    slots: Int64Array  # place of the poster on the sheets, counted through all of them; -1 where it is on none
    sheets: int  # how many there are


def map_file(by: str) -> str:
    """The name of the file that says where the movies of a space lie."""
    return f"{by}.npy"


def sheet_file(number: int) -> str:
    """The name of a sheet's file."""
    return f"sheet-{number:03}.webp"


class Maps:
    """A snapshot's maps, with what came in since.

    Args:
        folder: of the snapshot.
        catalogue: of the movies that there are now.
        before: of those that the snapshot was built from.
    """

    def __init__(self, folder: Path, manifest: Manifest, catalogue: Catalogue, before: Catalogue) -> None:
        self._folder = folder / FOLDER
        self._manifest = manifest
        self._catalogue = catalogue
        self._before = before

    @property
    def ways(self) -> tuple[str, ...]:
        """What there are maps by."""
        return tuple(self._manifest.maps)

    def of(self, by: str) -> PosterMap:
        """Where the movies of a space lie: those that are there still, as a new one lies nowhere until the next build.

        Raises:
            UnknownMap: the snapshot has no such map; the message says why.
        """
        if by not in self._manifest.maps:
            raise UnknownMap(self._why_none(by))
        facts = self._manifest.maps[by]
        places = np.load(self._folder / map_file(by))
        places = places[self._catalogue.ids.find(places[:, 0]) >= 0]
        shown = np.load(self._folder / SHEETS_FILE)
        movie_ids, x, y = places.T
        sheets = -(-shown.size // (ACROSS * DOWN))
        return PosterMap(by, facts["columns"], facts["rows"], movie_ids, x, y, self._slots(movie_ids, shown), sheets)

    def sheet(self, number: int) -> Path:
        """The WebP file of a sheet.

        Raises:
            UnknownSheet: there is no such sheet.
        """
        name = sheet_file(number)
        if f"{FOLDER}/{name}" not in self._manifest.files:
            there = sum(file.startswith(f"{FOLDER}/sheet-") for file in self._manifest.files)
            raise UnknownSheet(f"there is no sheet {number}: this snapshot has {there}, counted from 0")
        return self._folder / name

    def _slots(self, movie_ids: Int64Array, shown: Int64Array) -> Int64Array:
        """Where on the sheets the posters stand that are still the same."""
        now, then = self._catalogue, self._before
        slot_of = {
            movie_id: slot
            for slot, movie_id in enumerate(shown.tolist())
            if movie_id in now.ids
            and now.posters[now.ids.row(movie_id)] == then.posters[then.ids.row(movie_id)] is not None
        }
        return np.array([slot_of.get(movie_id, -1) for movie_id in movie_ids.tolist()], dtype=np.int64)

    def _why_none(self, by: str) -> str:
        if self._manifest.format < FIRST_FORMAT:
            return "this snapshot was built before there were maps: build again"
        if by in self._manifest.spaces:
            return f"this snapshot was built without a map by {by}: build again"
        return f"this snapshot has no map by {by}, as it has no {by} space: build again, with --posters FOLDER"
