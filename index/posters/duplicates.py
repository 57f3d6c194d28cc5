"""Groups of movies whose posters are the same picture: near in the poster space, and then compared pixel by pixel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from index.core.arrays import Float32Array, Int64Array, UInt8Array
from index.core.errors import BadImage
from index.core.progress import Track, silent
from index.posters.image_match import HEIGHT, SAME, WIDTH, similarities
from index.posters.images import decode_image, dimensions, grey_pixels, read_image
from index.spaces.space import NEIGHBOURS, Space

_BLOCK = 256  # pairs compared at a time, at most 0.2 MB each


@dataclass(frozen=True, slots=True)
class Copy:
    """A poster that is the same picture as another; more pixels, or more bytes of as many, make the better copy."""

    movie_id: int
    width: int  # pixels, as the file has them
    height: int
    size: int  # bytes of the file


@dataclass(frozen=True, slots=True)
class Group:
    """Movies whose posters are the same picture."""

    similarity: float  # of the weakest link, where its two pictures are least alike; SAME to 1
    copies: tuple[Copy, ...]  # two or more, by ascending id


@dataclass(frozen=True, slots=True)
class Duplicates:
    """What a search for duplicates found."""

    groups: tuple[Group, ...]  # by the lowest id in each
    compared: int  # how many posters
    skipped: Mapping[int, str]  # movie id -> why its poster could not be compared


def find_duplicates(space: Space, files: Mapping[int, Path], *, track: Track = silent) -> Duplicates:
    """Every group of movies whose posters are the same picture: scaled, cropped by 5%, compressed, greyed, brightened.

    Every file is decoded once, and only a small grey version is kept: 6 kB a poster.

    Args:
        space: the poster space; each poster is compared with its nearest neighbours there.
        files: movie id -> poster, of every movie in the space.
    """
    copies: list[Copy] = []
    pictures: list[UInt8Array] = []
    skipped: dict[int, str] = {}
    for movie_id in track(space.ids.values.tolist(), "Posters read", len(space)):
        try:
            data = read_image(files[movie_id])
            picture = grey_pixels(decode_image(data), WIDTH, HEIGHT)
        except FileNotFoundError:
            skipped[movie_id] = f"{files[movie_id]} is missing"
        except (BadImage, OSError) as error:
            skipped[movie_id] = f"{files[movie_id]}: {error}"
        else:
            copies.append(Copy(movie_id, *dimensions(data), len(data)))
            pictures.append(picture)
    if not copies:
        return Duplicates((), 0, skipped)
    pairs = _near_pairs(space, [copy.movie_id for copy in copies])
    alike = _compare(np.stack(pictures), pairs, track)
    same = alike >= SAME
    return Duplicates(_groups(copies, pairs[same], alike[same].tolist()), len(copies), skipped)


def _near_pairs(space: Space, movie_ids: list[int]) -> Int64Array:
    """Rows of ``movie_ids`` (p, 2), each pair once, the lower first, of movies near each other in the space."""
    rows = {movie_id: row for row, movie_id in enumerate(movie_ids)}
    near = {
        (min(row, rows[match.movie_id]), max(row, rows[match.movie_id]))
        for movie_id, row in rows.items()
        for match in space.similar(movie_id, NEIGHBOURS)
        if match.movie_id in rows
    }
    return np.array(sorted(near), dtype=np.int64).reshape(-1, 2)


def _compare(pictures: UInt8Array, pairs: Int64Array, track: Track) -> Float32Array:
    alike = np.zeros(len(pairs), dtype=np.float32)
    starts = range(0, len(pairs), _BLOCK)
    for start in track(starts, "Pairs compared", len(starts)):
        block = slice(start, start + _BLOCK)
        alike[block] = similarities(pictures, pairs[block])
    return alike


def _groups(copies: list[Copy], pairs: Int64Array, alike: Iterable[float]) -> tuple[Group, ...]:
    """The connected components of the pairs."""
    root = list(range(len(copies)))  # union-find: the lowest row of a group, by way of lower rows

    def find(row: int) -> int:
        while root[row] != row:
            root[row] = root[root[row]]
            row = root[row]
        return row

    for one, other in pairs.tolist():
        low, high = sorted((find(one), find(other)))
        root[high] = low
    weakest: dict[int, float] = {}
    for (one, _), similarity in zip(pairs.tolist(), alike, strict=True):
        weakest[find(one)] = min(similarity, weakest.get(find(one), 1.0))
    members: dict[int, list[Copy]] = {row: [] for row in sorted(weakest)}
    for row, copy in enumerate(copies):
        if find(row) in members:
            members[find(row)].append(copy)
    return tuple(Group(weakest[row], tuple(found)) for row, found in members.items())
