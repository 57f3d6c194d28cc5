"""Assignment of points in the plane to distinct grid cells, and the share of neighbours it keeps."""

from __future__ import annotations

import math

import numpy as np

from index.core.arrays import Float32Array, Int32Array, Int64Array

CELL = (2, 3)  # width and height of a poster, in relative units
ASPECT = 1.5  # of the whole map, width to height
WITHIN = 2  # cells in each direction that count as near: 24 movies
NEAREST = 10  # nearest neighbours in the space that are counted


def grid_shape(n: int) -> tuple[int, int]:
    """Return columns and rows of a grid for ``n`` posters, with less than a row of free cells."""
    columns = max(1, math.ceil(math.sqrt(n * ASPECT * CELL[1] / CELL[0])))
    return columns, max(1, math.ceil(n / columns))


def snap(points: Float32Array, columns: int, rows: int) -> Int32Array:
    """Return a distinct cell (n, 2), column and row, for each point (n, 2).

    Bisects the grid along its longer side, and the points by their order along it, until one is left: O(n log² n).

    Args:
        points: (n, 2).
        columns: of a grid with at least n cells.
        rows: of that grid.
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
            half = side // 2
            count = min(
                half * other, members.size
            )  # fills from the left and the top, so that free cells share a corner
            # Ties by row, so that the result is deterministic.
            order = np.lexsort((members, points[members, axis]))
            first, second = members[order[:count]], members[order[count:]]
            if axis == 0:
                waiting += [(first, left, top, half, height), (second, left + half, top, width - half, height)]
            else:
                waiting += [(first, left, top, width, half), (second, left, top + half, width, height - half)]
    return cells


def neighbours_kept(cells: Int32Array, nearest: Int64Array) -> tuple[float, float]:
    """Return the share of nearest neighbours within two cells, and the share expected by chance.

    Args:
        cells: (n, 2) column and row.
        nearest: (n, k) rows of the nearest neighbours in the space, padded with -1.
    """
    n = cells.shape[0]
    present = nearest >= 0
    if n < 2 or not present.any():
        return 1.0, 1.0
    distance = np.abs(cells[nearest] - cells[:, None]).max(axis=2)
    occupied = np.zeros(tuple(cells.max(axis=0) + 1), dtype=np.int64)
    occupied[cells[:, 0], cells[:, 1]] = 1
    sums = np.pad(occupied, ((WITHIN + 1, WITHIN), (WITHIN + 1, WITHIN))).cumsum(0).cumsum(1)
    step = 2 * WITHIN + 1
    around = sums[step:, step:] - sums[:-step, step:] - sums[step:, :-step] + sums[:-step, :-step]
    near = around[cells[:, 0], cells[:, 1]] - 1
    return float((distance[present] <= WITHIN).mean()), float(near.mean() / (n - 1))
