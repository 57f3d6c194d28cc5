"""Poster maps: 2-D grid layouts of the movies of a space by similarity, and sprite sheets of their posters.

A snapshot has ``map/<space>.npy``, (n, 3) int64: movie id, column, row; ``map/sheets.npy``, (m,) int64: movie ids in
the order of the sprites; and the sprite sheets, ``map/sheet-<number>.webp``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from index.catalogue.catalogue import Catalogue
from index.core.arrays import Int64Array
from index.core.errors import UnknownMap, UnknownSheet
from index.core.ids import Ids
from index.snapshot.store import Manifest

FOLDER = "map"
FIRST_FORMAT = 4  # first snapshot format version with maps
MAPPED = ("poster", "taste")  # spaces with a map
SHEETS_FILE = "sheets.npy"
WIDTH, HEIGHT = 30, 45  # of a sprite, in pixels
ACROSS, DOWN = 32, 32  # sprites per row and column of a sheet


@dataclass(frozen=True, slots=True)
class PosterMap:
    """Grid layout of the movies of a space. Arrays are (n,) int64, one element per movie."""

    by: str  # name of the space
    columns: int
    rows: int
    movie_ids: Int64Array
    x: Int64Array  # column, from the left
    y: Int64Array  # row, from the top
    slots: Int64Array  # position of the sprite, counted over all sheets; -1 without one
    sheets: int  # number of sprite sheets

    def only(self, shelf: Ids, *, owned: bool) -> PosterMap:
        """Return the map of the movies on a shelf, or of the others; all stay in their cells."""
        kept = (shelf.find(self.movie_ids) >= 0) == owned
        columns = {name: getattr(self, name)[kept] for name in ("movie_ids", "x", "y", "slots")}
        return replace(self, **columns)


def map_file(by: str) -> str:
    """Return the file name of a space's map."""
    return f"{by}.npy"


def sheet_file(number: int) -> str:
    """Return the file name of a sprite sheet."""
    return f"sheet-{number:03}.webp"


class Maps:
    """Maps of a snapshot, without the movies deleted since. Movies added since have no place until the next build.

    Args:
        folder: of the maps.
        manifest: of the snapshot.
        arrays: file name -> array of ``map/``; read when the snapshot is opened.
        catalogue: with the library's changes.
        snapshot_catalogue: without them.
    """

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        arrays: Mapping[str, Int64Array],
        catalogue: Catalogue,
        snapshot_catalogue: Catalogue,
    ) -> None:
        self._folder = folder
        self._manifest = manifest
        self._arrays = arrays
        self._catalogue = catalogue
        self._snapshot_catalogue = snapshot_catalogue

    @classmethod
    def load(cls, folder: Path, manifest: Manifest, catalogue: Catalogue) -> Maps:
        """Return the maps of a snapshot without library changes.

        Args:
            folder: of the snapshot.
            manifest: of the snapshot.
            catalogue: of the snapshot.
        """
        names = [*(map_file(by) for by in manifest.maps), SHEETS_FILE] if manifest.maps else []
        arrays = {name: np.load(folder / FOLDER / name, mmap_mode="r") for name in names}
        return cls(folder / FOLDER, manifest, arrays, catalogue, catalogue)

    def overlaid(self, catalogue: Catalogue) -> Maps:
        """Return the maps with the library's changes in a catalogue."""
        return Maps(self._folder, self._manifest, self._arrays, catalogue, self._snapshot_catalogue)

    @property
    def ways(self) -> tuple[str, ...]:
        """Names of the spaces with a map."""
        return tuple(self._manifest.maps)

    def of(self, by: str) -> PosterMap:
        """Return the map of a space.

        Raises:
            UnknownMap: the snapshot has no such map; the message says why.
        """
        if by not in self._manifest.maps:
            raise UnknownMap(self._reason_for_none(by))
        layout = self._manifest.maps[by]
        cells = self._arrays[map_file(by)]
        cells = cells[self._catalogue.ids.find(cells[:, 0]) >= 0]
        sprites = self._arrays[SHEETS_FILE]
        movie_ids, x, y = cells.T
        sheets = -(-sprites.size // (ACROSS * DOWN))
        slots = self._slots(movie_ids, sprites)
        return PosterMap(by, layout["columns"], layout["rows"], movie_ids, x, y, slots, sheets)

    def show(self, movie_id: int) -> bool:
        """Return True if a movie has a place on some map."""
        return any(bool((self._arrays[map_file(by)][:, 0] == movie_id).any()) for by in self.ways)

    def sheet(self, number: int) -> bytes:
        """Return a sprite sheet, as WebP.

        Raises:
            UnknownSheet: there is no such sheet, or its file was deleted.
        """
        name = sheet_file(number)
        if f"{FOLDER}/{name}" not in self._manifest.files:
            count = sum(file.startswith(f"{FOLDER}/sheet-") for file in self._manifest.files)
            raise UnknownSheet(f"there is no sheet {number}: this snapshot has {count}, counted from 0")
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError as error:
            raise UnknownSheet(f"sheet {number} was deleted from the disk: build again") from error

    def _slots(self, movie_ids: Int64Array, sprites: Int64Array) -> Int64Array:
        """Return the sprite position of each movie (n,); -1 without a sprite, or if its poster has changed since."""
        new, old = self._catalogue, self._snapshot_catalogue
        posters, posters_before = tuple(new.posters), tuple(old.posters)
        rows, rows_before = new.ids.find(sprites).tolist(), old.ids.find(sprites).tolist()
        slot_of = {
            movie_id: slot
            for slot, (movie_id, row, before) in enumerate(zip(sprites.tolist(), rows, rows_before, strict=True))
            if row >= 0 and posters[row] == posters_before[before] is not None
        }
        return np.array([slot_of.get(movie_id, -1) for movie_id in movie_ids.tolist()], dtype=np.int64)

    def _reason_for_none(self, by: str) -> str:
        if self._manifest.format < FIRST_FORMAT:
            return "this snapshot was built before there were maps: build again"
        if by in self._manifest.spaces:
            return f"this snapshot was built without a map by {by}: build again"
        return f"this snapshot has no map by {by}, as it has no {by} space: build again, with --posters FOLDER"
