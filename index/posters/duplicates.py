"""Search for duplicate posters: nearest neighbours in the poster space, confirmed pixel by pixel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from index.core.arrays import Float32Array, Int64Array, UInt8Array
from index.core.errors import BadImage
from index.core.progress import Track, silent
from index.posters.copies import grouped
from index.posters.image_match import HEIGHT, SAME, WIDTH, similarities
from index.posters.images import decode_image, dimensions, grey_pixels, read_image
from index.spaces.neighbours import NEIGHBOURS
from index.spaces.space import Space

_BLOCK = 256  # pairs compared per step; at most 0.2 MB each


@dataclass(frozen=True, slots=True)
class Copy:
    """A poster with at least one duplicate. More pixels, then more bytes, mean a better copy."""

    movie_id: int
    width: int  # pixels, as stored in the file
    height: int
    size: int  # bytes of the file


@dataclass(frozen=True, slots=True)
class Group:
    """Movies with the same poster image."""

    similarity: float  # lowest similarity among the matching pairs; SAME to 1
    copies: tuple[Copy, ...]  # two or more, by ascending movie id


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Result of a search for duplicate posters."""

    groups: tuple[Group, ...]  # by the lowest movie id in each
    compared: int  # number of posters
    skipped: Mapping[int, str]  # movie id -> reason its poster was not compared


def find_duplicates(space: Space, files: Mapping[int, Path], *, track: Track = silent) -> Duplicates:
    """Return every group of movies with the same poster image.

    Copies may be scaled, cropped by 5% on each side, compressed, greyed or brightened. Every file is decoded once and
    kept as a grey thumbnail of 6 kB.

    Args:
        space: poster space; each poster is compared with its nearest neighbours.
        files: movie id -> poster file, for every movie in the space.
        track: progress reporter.
    """
    copies: list[Copy] = []
    thumbnails: list[UInt8Array] = []
    skipped: dict[int, str] = {}
    for movie_id in track(space.ids.values.tolist(), "Posters read", len(space)):
        try:
            data = read_image(files[movie_id])
            thumbnail = grey_pixels(decode_image(data), WIDTH, HEIGHT)
        except FileNotFoundError:
            skipped[movie_id] = f"{files[movie_id]} is missing"
        except (BadImage, OSError) as error:
            skipped[movie_id] = f"{files[movie_id]}: {error}"
        else:
            copies.append(Copy(movie_id, *dimensions(data), len(data)))
            thumbnails.append(thumbnail)
    if not copies:
        return Duplicates((), 0, skipped)
    pairs = _neighbour_pairs(space, [copy.movie_id for copy in copies])
    scores = _pair_similarities(np.stack(thumbnails), pairs, track)
    same = scores >= SAME
    found = [(one, other) for one, other in pairs[same].tolist()]
    return Duplicates(_groups(copies, found, scores[same].tolist()), len(copies), skipped)


def _neighbour_pairs(space: Space, movie_ids: list[int]) -> Int64Array:
    """Return pairs of nearest neighbours as rows of ``movie_ids`` (p, 2), each pair once, lower row first."""
    rows = {movie_id: row for row, movie_id in enumerate(movie_ids)}
    pairs = {
        (min(row, rows[match.movie_id]), max(row, rows[match.movie_id]))
        for movie_id, row in rows.items()
        for match in space.similar(movie_id, NEIGHBOURS)
        if match.movie_id in rows
    }
    return np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)


def _pair_similarities(thumbnails: UInt8Array, pairs: Int64Array, track: Track) -> Float32Array:
    """Return ``similarities`` of all pairs (p,), block by block."""
    scores = np.zeros(len(pairs), dtype=np.float32)
    starts = range(0, len(pairs), _BLOCK)
    for start in track(starts, "Pairs compared", len(starts)):
        block = slice(start, start + _BLOCK)
        scores[block] = similarities(thumbnails, pairs[block])
    return scores


def _groups(copies: list[Copy], pairs: list[tuple[int, int]], scores: Iterable[float]) -> tuple[Group, ...]:
    """Return the connected components of pairs of rows of ``copies``, by their lowest row."""
    rows_of = grouped(pairs)
    weakest: dict[tuple[int, ...], float] = {}
    for (one, _), score in zip(pairs, scores, strict=True):
        weakest[rows_of[one]] = min(score, weakest.get(rows_of[one], 1.0))
    return tuple(Group(weakest[rows], tuple(copies[row] for row in rows)) for rows in sorted(weakest))
