"""Movies with the same picture as poster: found by a build, and among the posters changed since.

Copies are found as ``duplicates`` does: nearest neighbours, confirmed pixel by pixel. They are compressed, scaled,
cropped a little or in grey, not recoloured: a list must not hide another poster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

import numpy as np

from index.core.arrays import BoolArray, Float32Array, Int16Array, Int64Array, UInt8Array
from index.core.errors import BadImage
from index.core.progress import Track, silent
from index.posters.image_match import HEIGHT, SAME, WIDTH, similarities
from index.posters.images import decode_image, read_image, rgb_pixels
from index.spaces.overlaid_vectors import OverlaidVectors
from index.spaces.space import Space

COPIES_FILE = "copies.npy"
DEPTH = 10  # nearest neighbours that each poster is compared with
MAX_CHANGED = (
    100  # posters changed since the build that are compared, lowest ids first: 20 ms each; a build compares all
)

# Lowest score of a pair that is compared. By standardised vectors of 80 real posters, halved copies at JPEG quality 50
# have scores of .39 to .68 (minimum, median), copies at quality 20 of .62 to .87, and copies cropped by 5% of .79 to
# .92; by raw ones of 120, .57 to .72, .78 to .90 and .77 to .94. Of the ten nearest of other posters a tenth is above.
_MIN_SCORE = 0.3
# Largest difference of a pixel and of a cell, in any colour, of pictures in the same frame. ``similarities`` are 0
# without any detail. Copies of 300 real posters at JPEG quality 5 have cells that differ by 18 to 35 (median, maximum).
_EQUAL_PIXEL, _EQUAL_CELL = 24, 32
# ``similarities`` forgive that a detail has moved, as if by a crop; where there are many, all have moved alike. Share
# of cells with this variance of grey: 99% of real posters have .39 and more.
_DETAIL, _DETAILED = 100.0, 0.3
_CELL = 8  # pixels
# Largest difference from grey of a large cell, in any colour. Of 150 real posters, copies cropped by 5% on every side
# differ by 7 to 22 (median, maximum), and hues turned by a third by 65 (5% by less than 17).
_EQUAL_COLOUR, _LARGE = 24, 32
_GREY = 2.0  # mean difference from grey of a picture in grey, at JPEG quality 20 as well
_THREADS = 4
_BLOCK = 256  # pairs compared per step; at most 0.3 MB each

Pair = tuple[int, int]
Groups = Mapping[int, tuple[int, ...]]  # movie id -> ids of all movies with its picture; none for a picture of its own


def find_copies(
    space: Space, file_of: Callable[[int], Path | None], movie_ids: Iterable[int], *, track: Track = silent
) -> list[Pair]:
    """Return pairs of movies with the same picture as poster.

    Args:
        space: poster space.
        file_of: movie id -> poster file. A poster that is missing or cannot be read has no copies.
        movie_ids: movies to compare with their nearest neighbours.
        track: reports progress.
    """
    pairs = sorted(
        {
            (min(movie_id, match.movie_id), max(movie_id, match.movie_id))
            for movie_id in movie_ids
            for match in space.similar(movie_id, DEPTH)
            if match.score >= _MIN_SCORE
        }
    )
    wanted = sorted({movie_id for pair in pairs for movie_id in pair})
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="decode") as pool:
        read = pool.map(_thumbnail, map(file_of, wanted))
        found = track(zip(wanted, read, strict=True), "Comparing posters", len(wanted))
        thumbnails = {movie_id: thumbnail for movie_id, thumbnail in found if thumbnail is not None}
    pairs = [pair for pair in pairs if pair[0] in thumbnails and pair[1] in thumbnails]
    if not pairs:
        return []
    rows = {movie_id: row for row, movie_id in enumerate(thumbnails)}
    images = np.stack(list(thumbnails.values()))
    compared = np.array([[rows[one], rows[other]] for one, other in pairs], dtype=np.int64)
    same = [_same(images, compared[start : start + _BLOCK]) for start in range(0, len(pairs), _BLOCK)]
    return [pair for pair, is_same in zip(pairs, np.concatenate(same).tolist(), strict=True) if is_same]


def _same(images: UInt8Array, pairs: Int64Array) -> BoolArray:
    """Return a mask (p,) of the pairs that are the same picture.

    They are equal in every pixel, as pictures without detail are. Or they are alike in detail, and equal in every cell;
    or cropped, if they have details everywhere, and of equal colours, or one in grey.

    Args:
        images: (n, HEIGHT, WIDTH, 3) RGB.
        pairs: (p, 2) rows of ``images``.
    """
    first, second = (images[pairs[:, side]].astype(np.int16) for side in (0, 1))
    equal = np.abs(first - second).max(axis=(1, 2, 3)) <= _EQUAL_PIXEL
    framed = np.abs(_means(first - second, _CELL)).max(axis=(1, 2, 3)) <= _EQUAL_CELL
    one, other = _from_grey(first), _from_grey(second)
    grey = np.minimum(*(np.abs(each).mean(axis=(1, 2, 3)) for each in (one, other))) < _GREY
    coloured = np.abs(_means(one - other, _LARGE)).max(axis=(1, 2, 3)) <= _EQUAL_COLOUR
    detailed = np.minimum(_detail(first), _detail(second)) >= _DETAILED
    near = framed | (detailed & (grey | coloured))
    same: BoolArray = equal | (near & (similarities(images.mean(axis=3).astype(np.uint8), pairs) >= SAME))
    return same


def _means(images: Float32Array | Int16Array, cell: int) -> Float32Array:
    """Return the means over the cells of images (n, HEIGHT, WIDTH, 3)."""
    cells = images.reshape(-1, HEIGHT // cell, cell, WIDTH // cell, cell, images.shape[3])
    means: Float32Array = cells.mean(axis=(2, 4), dtype=np.float32)
    return means


def _from_grey(images: Int16Array) -> Float32Array:
    """Return the differences of RGB from grey, (n, HEIGHT, WIDTH, 3)."""
    differences: Float32Array = images - images.mean(axis=3, dtype=np.float32, keepdims=True)
    return differences


def _detail(images: Int16Array) -> Float32Array:
    """Return the share of cells with details of each image, (n,)."""
    grey = images.mean(axis=3, dtype=np.float32, keepdims=True)
    variances = _means(np.square(grey), _CELL) - np.square(_means(grey, _CELL))
    share: Float32Array = (variances > _DETAIL).mean(axis=(1, 2, 3), dtype=np.float32)
    return share


def _thumbnail(file: Path | None) -> UInt8Array | None:
    """Return an image file as (HEIGHT, WIDTH, 3) RGB; None if it cannot be read."""
    if file is None:
        return None
    try:
        image = decode_image(read_image(file), (2 * WIDTH, 2 * HEIGHT))
    except (BadImage, OSError):
        return None
    return rgb_pixels(image, WIDTH, HEIGHT)


def grouped(pairs: Iterable[Pair]) -> Groups:
    """Return the connected components of pairs of movie ids or rows: each one of them -> its component, ascending."""
    members: dict[int, set[int]] = {}
    for one, other in pairs:
        small, large = sorted((members.setdefault(one, {one}), members.setdefault(other, {other})), key=len)
        if small is not large:
            large |= small
            members.update(dict.fromkeys(small, large))
    groups = {id(group): tuple(sorted(group)) for group in members.values()}
    return {movie_id: groups[id(group)] for movie_id, group in members.items()}


def save_copies(folder: Path, pairs: Iterable[Pair]) -> None:
    """Write pairs of movies with the same picture to the folder of the poster space, (p, 2) movie ids."""
    np.save(folder / COPIES_FILE, np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2))


def load_copies(folder: Path) -> list[Pair]:
    """Return the pairs of a snapshot; none if it is of an earlier version."""
    if not (folder / COPIES_FILE).exists():
        return []
    saved: Int64Array = np.load(folder / COPIES_FILE)
    return [(one, other) for one, other in saved.tolist()]


class Copies:
    """Copies among the posters of a snapshot and those changed since, shared by all versions over the snapshot.

    A changed poster is compared once, by the first version that is asked after its change. Threads may share it.

    Args:
        pairs: of the snapshot.
        n: number of posters in the snapshot.
    """

    def __init__(self, pairs: Iterable[Pair], n: int) -> None:
        self._pairs = tuple(pairs)
        self._n = n
        self._compared: dict[tuple[int, Path], list[tuple[int, Path | None]]] = {}  # movie and its poster -> copies
        self._lock = Lock()

    def groups(self, space: Space, file_of: Callable[[int], Path | None]) -> Groups:
        """Return the groups of one version.

        Args:
            space: its poster space.
            file_of: movie id -> poster file.
        """
        changed = self._changed(space)
        pairs = [
            pair for pair in self._pairs if not changed.intersection(pair) and all(one in space.ids for one in pair)
        ]
        posters = {movie_id: file for movie_id in sorted(changed)[:MAX_CHANGED] if (file := file_of(movie_id))}
        with self._lock:
            new = [each for each in posters.items() if each not in self._compared]
            found = list(find_copies(space, file_of, [movie_id for movie_id, _ in new])) if new else []
            self._compared.update((each, []) for each in new)  # only now: the search may have failed
            for pair in found:
                for one, other in (pair, pair[::-1]):
                    if one in posters:
                        self._compared[one, posters[one]].append((other, file_of(other)))
            for movie_id, file in posters.items():
                copies = self._compared[movie_id, file]
                pairs += [(movie_id, other) for other, its in copies if other in space.ids and file_of(other) == its]
        return grouped(pairs)

    def _changed(self, space: Space) -> set[int]:
        """Return the movies whose vector is not the snapshot's."""
        if not isinstance(space.vectors, OverlaidVectors):
            return set()
        rows = np.flatnonzero(space.vectors.source >= self._n)
        return set(space.ids.values[rows].tolist())
