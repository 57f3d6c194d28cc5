"""Points in the plane to cells of a grid, none taken twice, neighbours still neighbours; and how well that went."""

from __future__ import annotations

import math

import numpy as np

from index.core.arrays import Float32Array, Int32Array, Int64Array

CELL = (2, 3)  # width and height: a poster's
ASPECT = 1.5  # of the whole map, width by height
WITHIN = 2  # cells to each side that count as near: 24 movies
NEAREST = 10  # movies of the space that are looked for among them


def grid_shape(n: int) -> tuple[int, int]:
    """Columns and rows of a grid for ``n`` posters; less than a row of it stays free."""
    columns = max(1, math.ceil(math.sqrt(n * ASPECT * CELL[1] / CELL[0])))
    return columns, max(1, math.ceil(n / columns))


def snap(points: Float32Array, columns: int, rows: int) -> Int32Array:
    """A cell for each point (n, 2), no cell twice.

    The grid is halved along its longer side, and the points by their order along it, until one is left: O(n log n) but
    for the logarithm of one partition.

    Args:
        columns, rows: of a grid with at least n cells.
    """
    cells = np.empty((points.shape[0], 2), dtype=np.int32)
    waiting = [(np.arange(points.shape[0]), 0, 0, columns, rows)]
    while waiting:
        members, left, top, width, height = waiting.pop()
        if members.size <= 1 and width * height == 1:
            cells[members] = left, top
        elif members.size:
            axis = 0 if width > 1 and (width * CELL[0] >= height * CELL[1] or height == 1) else 1
            side, other = (width, height) if axis == 0 else (height, width)
            near = side // 2
            count = min(near * other, members.size)  # full from the left and from above: what is free is in a corner
            # By row where points are in one place, so that the same points have the same cells.
            order = np.lexsort((members, points[members, axis]))
            first, second = members[order[:count]], members[order[count:]]
            if axis == 0:
                waiting += [(first, left, top, near, height), (second, left + near, top, width - near, height)]
            else:
                waiting += [(first, left, top, width, near), (second, left, top + near, width, height - near)]
    return cells


def neighbours_kept(cells: Int32Array, nearest: Int64Array) -> tuple[float, float]:
    """Which share of the nearest lies within two cells, and what chance alone gives.

    Args:
        nearest: (n, k) rows of the movies nearest in the space; -1 where there are fewer.
    """
    n = cells.shape[0]
    there = nearest >= 0
    if n < 2 or not there.any():
        return 1.0, 1.0
    apart = np.abs(cells[nearest] - cells[:, None]).max(axis=2)
    taken = np.zeros(tuple(cells.max(axis=0) + 1), dtype=np.int64)
    taken[cells[:, 0], cells[:, 1]] = 1
    sums = np.pad(taken, ((WITHIN + 1, WITHIN), (WITHIN + 1, WITHIN))).cumsum(0).cumsum(1)
    step = 2 * WITHIN + 1
    around = sums[step:, step:] - sums[:-step, step:] - sums[step:, :-step] + sums[:-step, :-step]
    near = around[cells[:, 0], cells[:, 1]] - 1
    return float((apart[there] <= WITHIN).mean()), float(near.mean() / (n - 1))
