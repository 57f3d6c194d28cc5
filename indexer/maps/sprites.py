"""Sprite sheets of thumbnails, so that a map of thousands of posters loads a few files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from index.core.arrays import UInt8Array
from index.core.errors import BadImage
from index.core.progress import Track, silent
from index.posters.images import read_image, small_pixels, webp_of_pixels
from index.snapshot.maps import ACROSS, DOWN, HEIGHT, SHEETS_FILE, WIDTH, sheet_file

_READERS = min(4, os.cpu_count() or 1)
_AT_ONCE = 64  # thumbnails in memory


def write_sprites(folder: Path, posters: Mapping[int, Path], *, track: Track = silent) -> list[int]:
    """Write sprite sheets and their list of movie ids into ``folder``; return the ids in order.

    Unreadable posters are skipped. One sheet is in memory at a time.

    Args:
        folder: of the maps.
        posters: movie id -> file, in the order of the sheets.
        track: shows progress.
    """
    shown: list[int] = []
    sheet = np.zeros((DOWN * HEIGHT, ACROSS * WIDTH, 3), dtype=np.uint8)
    with ThreadPoolExecutor(_READERS, thread_name_prefix="sheets") as readers:
        for movie_id, pixels in track(_thumbnails(readers, posters), "Sheets of posters", len(posters)):
            if pixels is None:
                continue
            y, x = divmod(len(shown) % (ACROSS * DOWN), ACROSS)
            sheet[y * HEIGHT : (y + 1) * HEIGHT, x * WIDTH : (x + 1) * WIDTH] = pixels
            shown.append(movie_id)
            if len(shown) % (ACROSS * DOWN) == 0:
                _write_sheet(folder, len(shown), sheet)
    if len(shown) % (ACROSS * DOWN):
        _write_sheet(folder, len(shown), sheet)
    np.save(folder / SHEETS_FILE, np.array(shown, dtype=np.int64))
    return shown


def _thumbnails(readers: ThreadPoolExecutor, posters: Mapping[int, Path]) -> Iterator[tuple[int, UInt8Array | None]]:
    """Yield each movie id with its thumbnail; None if the poster is unreadable."""
    movie_ids = list(posters)
    for start in range(0, len(movie_ids), _AT_ONCE):
        part = movie_ids[start : start + _AT_ONCE]
        yield from zip(part, readers.map(_thumbnail, (posters[movie_id] for movie_id in part)), strict=True)


def _thumbnail(file: Path) -> UInt8Array | None:
    try:
        return small_pixels(read_image(file), WIDTH, HEIGHT)
    except (OSError, BadImage):
        return None  # reported earlier in the build, or deleted since


def _write_sheet(folder: Path, shown: int, sheet: UInt8Array) -> None:
    """Write the sheet of the last of ``shown`` posters, and clear it."""
    last = (shown - 1) % (ACROSS * DOWN)
    used = sheet[: (last // ACROSS + 1) * HEIGHT]
    (folder / sheet_file((shown - 1) // (ACROSS * DOWN))).write_bytes(webp_of_pixels(used))
    sheet[:] = 0
