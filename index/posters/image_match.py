"""Whether two pictures are the same, however they were scaled, cropped, compressed, greyed or brightened."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from index.core.arrays import Float32Array, Int64Array, UInt8Array

HEIGHT, WIDTH = 96, 64  # a picture of any shape is squeezed to this before it is compared

# The similarity from which two pictures are the same, chosen on what it is measured by here: of the poorest copies of
# 600 real posters (cropped, halved, greyed, brightened and at JPEG quality 20 at once) 1.3% are below; other lettering
# on the same artwork has .685 at most among 200 real pairs, .643 among the sample's posters.
SAME = 0.69

# Coarse to fine: how much pictures are shrunk, and the correlation below which a pair is dropped. Copies of 600 real
# posters, cropped by 5% on every side, halved, greyed, brightened and at JPEG quality 20, have .72, .78, .89 and .90.
_LEVELS = ((8, 0.65), (4, 0.72), (2, 0.8), (1, 0.85))
_STEPS = 2  # of alignment at each level
_REACH = 0.06  # of a side, how far an edge may be moved: 5% cut off, of what 5% were cut off before
_STEP = 0.03  # of a side, how far at once: the gradient says nothing of what is farther away
_CELL = 8  # pixels on a side of the cells whose detail is compared
_PART = (2, 4)  # rows and columns of cells: about a title's size
_ENOUGH = 2.0  # cells' worth of detail, without which a part says nothing
_NOISE = 100.0  # squared shades: the variance that compression and scaling leave where there is no detail
_DETAIL = 200.0  # squared shades: the variance at which a cell counts half


def similarities(pictures: UInt8Array, pairs: Int64Array) -> Float32Array:
    """How alike two pictures are where they are least alike, (p,), 0 to 1; 0 where a coarse look tells them apart.

    A picture with hardly any detail, of one colour say, is like none: there is nothing to tell it by.

    Args:
        pictures: (n, HEIGHT, WIDTH) shades of grey.
        pairs: (p, 2) rows of ``pictures``.
    """
    # An edge is found well where the first picture reaches beyond the second, so each is the first once.
    both_ways = np.concatenate([pairs, pairs[:, ::-1]])
    return _float32(_one_way(pictures, both_ways).reshape(2, -1).max(axis=0))


def _one_way(pictures: UInt8Array, pairs: Int64Array) -> Float32Array:
    alike = np.zeros(len(pairs), dtype=np.float32)
    left = np.arange(len(pairs))
    # Top, bottom, left and right edge of the second picture on the first, whose own are 0, 1, 0, 1.
    edges = np.tile(np.array([0, 1, 0, 1], dtype=np.float32), (len(pairs), 1))
    for factor, least in _LEVELS:
        first, second = (_shrunk(pictures[pairs[left, side]], factor) for side in (0, 1))
        for _ in range(_STEPS):
            edges = _better_edges(first, second, edges)
        kept = _correlation(first, second, edges) >= least
        left, edges, first, second = left[kept], edges[kept], first[kept], second[kept]
        if not left.size:
            return alike
    alike[left] = _least_alike_part(first, second, edges)
    return alike


def _shrunk(pictures: UInt8Array, factor: int) -> Float32Array:
    n, height, width = pictures.shape
    blocks = pictures.reshape(n, height // factor, factor, width // factor, factor)
    return _float32(blocks.mean(axis=(2, 4), dtype=np.float32))


def _better_edges(first: Float32Array, second: Float32Array, edges: Float32Array) -> Float32Array:
    """Edges (p, 4) after one Gauss-Newton step towards where the first picture, in some contrast, is the second.

    Source: B. D. Lucas and T. Kanade, "An Iterative Image Registration Technique", IJCAI 1981.
    """
    p, height, width = first.shape
    seen, inside = _seen_between(first, edges)
    slope_y, slope_x = np.gradient(seen, axis=(1, 2))
    slope_y *= height / (edges[:, 1] - edges[:, 0])[:, None, None]
    slope_x *= width / (edges[:, 3] - edges[:, 2])[:, None, None]
    y, x = _centres(height)[:, None], _centres(width)
    # The second picture as what the first changes by with each edge, the first itself, and a constant: least squares.
    parts = [slope_y * (1 - y), slope_y * y, slope_x * (1 - x), slope_x * x, seen, np.ones_like(seen)]
    design = (np.stack(parts, axis=1) * inside[:, None]).reshape(p, len(parts), -1)
    normal = design @ design.transpose(0, 2, 1)
    slopes = np.trace(normal[:, :4, :4], axis1=1, axis2=2)[:, None]
    # A little ridge keeps an edge where it is that the picture says nothing of.
    normal[:, range(6), range(6)] += 0.00025 * slopes * np.array([1, 1, 1, 1, 0, 0], dtype=np.float32) + 0.001
    solved = np.linalg.solve(normal, design @ (second * inside).reshape(p, -1, 1))[:, :, 0]
    contrast = solved[:, 4:5]
    moved = np.divide(solved[:, :4], contrast, out=np.zeros_like(edges), where=contrast > 0.2)
    start = np.array([0, 1, 0, 1], dtype=np.float32)
    return _float32(np.clip(edges + np.clip(moved, -_STEP, _STEP), start - _REACH, start + _REACH))


def _seen_between(pictures: Float32Array, edges: Float32Array) -> tuple[Float32Array, Float32Array]:
    """What is seen of each picture between its edges, and where that is inside the picture (1) or beyond it (0)."""
    rows, inside_y = _interpolation(edges[:, 0], edges[:, 1], pictures.shape[1])
    columns, inside_x = _interpolation(edges[:, 2], edges[:, 3], pictures.shape[2])
    return _float32(rows @ pictures @ columns.transpose(0, 2, 1)), inside_y[:, :, None] * inside_x[:, None, :]


def _interpolation(start: Float32Array, end: Float32Array, n: int) -> tuple[Float32Array, Float32Array]:
    """Linear weights (p, n, n) of ``n`` pixels at as many places from start to end, and which are inside (p, n)."""
    places = (start[:, None] + (end - start)[:, None] * _centres(n)) * n - 0.5
    inside = ((places >= -0.5) & (places <= n - 0.5)).astype(np.float32)
    places = np.clip(places, 0, n - 1)
    return _float32(np.maximum(0, 1 - np.abs(places[:, :, None] - np.arange(n, dtype=np.float32)))), inside


def _centres(n: int) -> Float32Array:
    """Where the middle of each of ``n`` pixels is, from 0 to 1."""
    return _float32((np.arange(n, dtype=np.float32) + 0.5) / n)


def _correlation(first: Float32Array, second: Float32Array, edges: Float32Array) -> Float32Array:
    """Of the shades of both pictures, (p,), -1 to 1; 0 where one has but one shade."""
    one, other = _on_common_ground(first, second, edges)[:2]
    product = np.sqrt(np.square(one).sum(axis=(1, 2)) * np.square(other).sum(axis=(1, 2)))
    return _float32((one * other).sum(axis=(1, 2)) / np.maximum(product, 1))


def _on_common_ground(first: Float32Array, second: Float32Array, edges: Float32Array) -> tuple[Float32Array, ...]:
    """Both pictures where they overlap, the mean shade taken off, 0 elsewhere; and where they do."""
    seen, inside = _seen_between(first, edges)
    n = inside.sum(axis=(1, 2), keepdims=True)
    one, other = (
        (shades - (shades * inside).sum(axis=(1, 2), keepdims=True) / n) * inside for shades in (seen, second)
    )
    return one, other, inside


def _least_alike_part(first: Float32Array, second: Float32Array, edges: Float32Array) -> Float32Array:
    """The structural similarity of that part of two pictures where it is smallest, (p,), 0 to 1.

    A mean over the whole would pass posters of a series, where nothing differs but the title.

    Source: Z. Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity", IEEE
    Transactions on Image Processing 13(4), 2004: their term of contrast and structure.
    """
    one, other, inside = _on_common_ground(first, second, edges)
    # A copy may be brighter or flatter as a whole: both get the contrast between theirs.
    contrasts = [np.sqrt(np.square(shades).sum(axis=(1, 2), keepdims=True)) for shades in (one, other)]
    ratio = np.sqrt(np.maximum(contrasts[1], 1) / np.maximum(contrasts[0], 1))
    one, other = one * ratio, other / ratio
    n = np.maximum(_by_cell(inside), 1)
    mean, other_mean = _by_cell(one) / n, _by_cell(other) / n
    covariance = _by_cell(one * other) / n - mean * other_mean
    variance = (_by_cell(np.square(one)) + _by_cell(np.square(other))) / n - np.square(mean) - np.square(other_mean)
    similarity = _float32((2 * covariance + _NOISE) / (variance + _NOISE))
    detail = _float32(np.where(n < _CELL * _CELL / 2, 0, variance / (variance + 2 * _DETAIL)))
    in_part = _by_part(detail)
    alike = np.where(in_part >= _ENOUGH, _by_part(detail * similarity) / np.maximum(in_part, _ENOUGH), np.inf)
    least = alike.min(axis=(1, 2))
    return _float32(np.where(np.isinf(least), 0, np.clip(least, 0, 1)))


def _by_part(cells: Float32Array) -> Float32Array:
    """Sums over every part, also overlapping ones."""
    return _float32(sliding_window_view(cells, _PART, axis=(1, 2)).sum(axis=(-2, -1)))


def _by_cell(shades: Float32Array) -> Float32Array:
    """Sums over cells, (p, HEIGHT / _CELL, WIDTH / _CELL)."""
    p, height, width = shades.shape
    return _float32(shades.reshape(p, height // _CELL, _CELL, width // _CELL, _CELL).sum(axis=(2, 4)))


def _float32(numbers: npt.NDArray[np.floating]) -> Float32Array:
    return numbers.astype(np.float32, copy=False)
