"""Pairwise comparison of images, robust to scaling, cropping, compression, greying and brightening."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from index.core.arrays import AnyFloatArray, Float32Array, Int64Array, UInt8Array

HEIGHT, WIDTH = 96, 64  # pixels; images of any shape are resized to this before the comparison

# Similarity threshold for duplicates. Of the poorest copies of 600 real posters (cropped, halved, greyed, brightened,
# JPEG quality 20, all at once) 1.3% score lower. The same artwork with other lettering scores at most .685 on 200 real
# pairs and .643 on the sample's posters. The threshold was chosen on these data, so the figures are optimistic.
SAME = 0.69

# Coarse to fine: (reduction factor, correlation below which a pair is rejected). Copies of 600 real posters, cropped by
# 5% on every side, halved, greyed, brightened and at JPEG quality 20, have .72, .78, .89 and .90.
_LEVELS = ((8, 0.65), (4, 0.72), (2, 0.8), (1, 0.85))
_STEPS = 2  # Gauss-Newton steps per level
_MAX_OFFSET = 0.06  # share of a side an edge may move in total: enough for a 5% crop of a 5% crop
_MAX_STEP = 0.03  # share of a side an edge may move per step: the gradient is only locally valid
_CELL = 8  # pixels; side of the square cells compared
_WINDOW = (2, 4)  # rows and columns of cells: about the size of a title
_MIN_DETAIL = 2.0  # sum of cell weights below which a window is ignored
_NOISE = 100.0  # squared grey levels: variance that compression and scaling leave in a flat area
_DETAIL = 200.0  # squared grey levels: variance at which a cell has weight 1/2


def similarities(images: UInt8Array, pairs: Int64Array) -> Float32Array:
    """Return the similarity of each pair at its most dissimilar window, (p,), 0 to 1.

    Pairs rejected at a coarse level have 0, and so do images with hardly any detail, such as a single colour.

    Args:
        images: (n, HEIGHT, WIDTH) grey levels.
        pairs: (p, 2) rows of ``images``.
    """
    # Alignment works best if the first image extends beyond the second, so try both orders.
    both_ways = np.concatenate([pairs, pairs[:, ::-1]])
    return _float32(_directed_similarities(images, both_ways).reshape(2, -1).max(axis=0))


def _directed_similarities(images: UInt8Array, pairs: Int64Array) -> Float32Array:
    """Return the similarities (p,) with each second image aligned inside its first."""
    scores = np.zeros(len(pairs), dtype=np.float32)
    remaining = np.arange(len(pairs))
    # Top, bottom, left and right edge of the second image in the first one's coordinates, where its own are 0, 1, 0, 1.
    edges = np.tile(np.array([0, 1, 0, 1], dtype=np.float32), (len(pairs), 1))
    for factor, threshold in _LEVELS:
        first, second = (_reduce(images[pairs[remaining, side]], factor) for side in (0, 1))
        for _ in range(_STEPS):
            edges = _refine_edges(first, second, edges)
        kept = _correlation(first, second, edges) >= threshold
        remaining, edges, first, second = remaining[kept], edges[kept], first[kept], second[kept]
        if not remaining.size:
            return scores
    scores[remaining] = _lowest_window_similarity(first, second, edges)
    return scores


def _reduce(images: UInt8Array, factor: int) -> Float32Array:
    """Return the images reduced by box filter, (n, height / factor, width / factor)."""
    n, height, width = images.shape
    blocks = images.reshape(n, height // factor, factor, width // factor, factor)
    return _float32(blocks.mean(axis=(2, 4), dtype=np.float32))


def _refine_edges(first: Float32Array, second: Float32Array, edges: Float32Array) -> Float32Array:
    """Return the edges (p, 4) after one Gauss-Newton step of aligning the second image to the first, up to contrast.

    Source: B. D. Lucas and T. Kanade, "An Iterative Image Registration Technique", IJCAI 1981.
    """
    p, height, width = first.shape
    warped, inside = _warp(first, edges)
    slope_y, slope_x = np.gradient(warped, axis=(1, 2))
    slope_y *= height / (edges[:, 1] - edges[:, 0])[:, None, None]
    slope_x *= width / (edges[:, 3] - edges[:, 2])[:, None, None]
    y, x = _pixel_centres(height)[:, None], _pixel_centres(width)
    # Linear least squares: the second image from the first one's derivatives by each edge, itself, and a constant.
    terms = [slope_y * (1 - y), slope_y * y, slope_x * (1 - x), slope_x * x, warped, np.ones_like(warped)]
    design = (np.stack(terms, axis=1) * inside[:, None]).reshape(p, len(terms), -1)
    normal = design @ design.transpose(0, 2, 1)
    slopes = np.trace(normal[:, :4, :4], axis1=1, axis2=2)[:, None]
    # A small ridge keeps edges in place that the pixels do not determine.
    normal[:, range(6), range(6)] += 0.00025 * slopes * np.array([1, 1, 1, 1, 0, 0], dtype=np.float32) + 0.001
    solution = np.linalg.solve(normal, design @ (second * inside).reshape(p, -1, 1))[:, :, 0]
    contrast = solution[:, 4:5]
    step = np.divide(solution[:, :4], contrast, out=np.zeros_like(edges), where=contrast > 0.2)
    start = np.array([0, 1, 0, 1], dtype=np.float32)
    return _float32(np.clip(edges + np.clip(step, -_MAX_STEP, _MAX_STEP), start - _MAX_OFFSET, start + _MAX_OFFSET))


def _warp(images: Float32Array, edges: Float32Array) -> tuple[Float32Array, Float32Array]:
    """Resample each image between its edges; also return a mask: 1 inside the image, 0 beyond it."""
    rows, inside_y = _interpolation(edges[:, 0], edges[:, 1], images.shape[1])
    columns, inside_x = _interpolation(edges[:, 2], edges[:, 3], images.shape[2])
    return _float32(rows @ images @ columns.transpose(0, 2, 1)), inside_y[:, :, None] * inside_x[:, None, :]


def _interpolation(start: Float32Array, end: Float32Array, n: int) -> tuple[Float32Array, Float32Array]:
    """Return linear interpolation weights (p, n, n) of ``n`` points between start and end, and a mask (p, n)."""
    positions = (start[:, None] + (end - start)[:, None] * _pixel_centres(n)) * n - 0.5
    inside = ((positions >= -0.5) & (positions <= n - 0.5)).astype(np.float32)
    positions = np.clip(positions, 0, n - 1)
    return _float32(np.maximum(0, 1 - np.abs(positions[:, :, None] - np.arange(n, dtype=np.float32)))), inside


def _pixel_centres(n: int) -> Float32Array:
    """Return the centres of ``n`` pixels on a side of length 1."""
    return _float32((np.arange(n, dtype=np.float32) + 0.5) / n)


def _correlation(first: Float32Array, second: Float32Array, edges: Float32Array) -> Float32Array:
    """Return the correlation of grey levels (p,) where both images overlap; 0 if one is of a single grey."""
    one, other = _centred_overlap(first, second, edges)[:2]
    product = np.sqrt(np.square(one).sum(axis=(1, 2)) * np.square(other).sum(axis=(1, 2)))
    return _float32((one * other).sum(axis=(1, 2)) / np.maximum(product, 1))


def _centred_overlap(first: Float32Array, second: Float32Array, edges: Float32Array) -> tuple[Float32Array, ...]:
    """Return both images minus their mean where they overlap and 0 elsewhere, and the mask of the overlap."""
    warped, inside = _warp(first, edges)
    n = inside.sum(axis=(1, 2), keepdims=True)
    one, other = ((image - (image * inside).sum(axis=(1, 2), keepdims=True) / n) * inside for image in (warped, second))
    return one, other, inside


def _lowest_window_similarity(first: Float32Array, second: Float32Array, edges: Float32Array) -> Float32Array:
    """Return the structural similarity of the most dissimilar window of each pair, (p,), 0 to 1.

    A mean over the whole image would accept two posters of a series that differ only in the title.

    Source: Z. Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity", IEEE
    Transactions on Image Processing 13(4), 2004: the product of their contrast and structure terms.
    """
    one, other, inside = _centred_overlap(first, second, edges)
    # A copy may have another overall contrast: scale both images to the geometric mean.
    contrasts = [np.sqrt(np.square(image).sum(axis=(1, 2), keepdims=True)) for image in (one, other)]
    ratio = np.sqrt(np.maximum(contrasts[1], 1) / np.maximum(contrasts[0], 1))
    one, other = one * ratio, other / ratio
    n = np.maximum(_cell_sums(inside), 1)
    mean, other_mean = _cell_sums(one) / n, _cell_sums(other) / n
    covariance = _cell_sums(one * other) / n - mean * other_mean
    variance = (_cell_sums(np.square(one)) + _cell_sums(np.square(other))) / n - np.square(mean) - np.square(other_mean)
    similarity = _float32((2 * covariance + _NOISE) / (variance + _NOISE))
    weight = _float32(np.where(n < _CELL * _CELL / 2, 0, variance / (variance + 2 * _DETAIL)))
    detail = _window_sums(weight)
    means = np.where(detail >= _MIN_DETAIL, _window_sums(weight * similarity) / np.maximum(detail, _MIN_DETAIL), np.inf)
    lowest = means.min(axis=(1, 2))
    return _float32(np.where(np.isinf(lowest), 0, np.clip(lowest, 0, 1)))


def _window_sums(cells: Float32Array) -> Float32Array:
    """Return the sums over all (overlapping) windows of cells."""
    return _float32(sliding_window_view(cells, _WINDOW, axis=(1, 2)).sum(axis=(-2, -1)))


def _cell_sums(images: Float32Array) -> Float32Array:
    """Return the sums over cells, (p, HEIGHT / _CELL, WIDTH / _CELL)."""
    p, height, width = images.shape
    return _float32(images.reshape(p, height // _CELL, _CELL, width // _CELL, _CELL).sum(axis=(2, 4)))


def _float32(numbers: AnyFloatArray) -> Float32Array:
    return numbers.astype(np.float32, copy=False)
