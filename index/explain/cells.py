"""Exact comparison of two posters cell by cell: no gradient, no second model, no estimate.

An embedding is a 7 x 7 grid of cells with 512 numbers each, and the inner product of two embeddings is the sum of the
inner products of their cells. Cell (r, c) covers row r and column c of a 7 x 7 grid stretched over the whole poster, as
posters are resized to a square and never cropped.

Any two posters have large inner products all over, so these alone say little. Distances of cells relative to those of
random pairs say more. For unit vectors the score is 1 minus the sum of the *gaps* of all cells, where a gap is half the
squared distance of two cells. So the reductions of the gaps below their baseline add up exactly, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from index.core.arrays import AnyFloatArray, Float64Array
from index.posters.vgg16 import GRID

SIDE = GRID[0]  # cells on each side of a poster
CELLS = SIDE * SIDE

_DECIMALS = 9  # compared; further ones depend on the order of summation
_ADJACENT = 2  # squared distance in cells, diagonal included


@dataclass(frozen=True, slots=True)
class CellMatch:
    """Two cells that are each other's nearest by cosine; each is (row, column) from 0, counted from the top left."""

    cell: tuple[int, int]  # of the first poster
    other: tuple[int, int]  # of the second poster
    strength: float  # cosine
    contribution: float  # inner product: contribution to the score if both were at the same position


@dataclass(frozen=True, slots=True)
class Baseline:
    """Mean score and gaps of random pairs of different posters of a catalogue."""

    score: float
    gaps: Float64Array  # (49, 49) by cell of the first and of the second poster


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two posters, cell by cell."""

    cells: Float64Array  # (7, 7) contribution of each cell to the score; sums to the score
    likeness: Float64Array  # (7, 7) relative reduction of the gap below the baseline: 1 if equal, 0 as random pairs
    matches: tuple[CellMatch, ...]  # best first

    @property
    def score(self) -> float:
        """Inner product of the two embeddings."""
        return float(self.cells.sum())


def fit_baseline(embeddings: Sequence[AnyFloatArray]) -> Baseline:
    """Return the means over all pairs of a unit vector (25088,) at an even and one at an odd position.

    No poster is paired with itself, and means of all pairs follow from the means of both halves. A single poster is
    paired with zeros.
    """
    halves = [embeddings[start::2] for start in (0, 1)]
    first, second = (_mean_grid(map(_grid, half)) for half in halves)
    products = first @ second.T
    norms = np.mean([_mean_grid(np.square(_grid(each)) for each in half).sum(axis=1) for half in halves], axis=0)
    return Baseline(float(np.trace(products)), _gaps(norms, norms, (products + products.T) / 2))


def compare(first: AnyFloatArray, second: AnyFloatArray, baseline: Baseline, k: int = 8) -> Comparison:
    """Compare two posters cell by cell, with up to ``k`` matches of cells at any positions.

    A match is a pair of cells that are each other's nearest by cosine; ties go to the nearest position. Matches are
    ordered by reduction of the gap below the baseline, which favours similar cells where posters mostly differ. The
    receptive field of a cell extends far beyond it, so a match adjacent to a better one on both posters is a repetition
    and left out. Swapping the posters swaps the cells and changes nothing else.

    Args:
        first: unit vector (25088,), float16 or wider; computation is in float64.
        second: unit vector (25088,).
        baseline: of the catalogue's random pairs.
        k: maximal number of matches.
    """
    left, right = _grid(first), _grid(second)
    products = left @ right.T
    norms = np.einsum("ck,ck->c", left, left), np.einsum("ck,ck->c", right, right)
    reductions = baseline.gaps - _gaps(*norms, products)
    lengths = np.sqrt(np.outer(*norms))
    cosines = np.divide(products, lengths, out=np.full_like(products, -np.inf), where=lengths > 0)
    matches = (
        CellMatch(divmod(i, SIDE), divmod(j, SIDE), float(cosines[i, j]), float(products[i, j]))
        for i, j in _skip_adjacent(_by_reduction(_mutual_nearest(cosines), reductions))
    )
    gaps = np.diag(baseline.gaps)
    likeness = np.divide(np.diag(reductions), gaps, out=np.zeros(CELLS), where=gaps > 0)
    return Comparison(np.diag(products).reshape(SIDE, SIDE), likeness.reshape(SIDE, SIDE), tuple(islice(matches, k)))


def _grid(embedding: AnyFloatArray) -> Float64Array:
    """Return the cells of an embedding, (49, 512)."""
    return np.asarray(embedding, dtype=np.float64).reshape(CELLS, GRID[2])


def _mean_grid(grids: Iterable[Float64Array]) -> Float64Array:
    """Return the mean of grids (49, 512), or zeros if there are none."""
    total, count = np.zeros((CELLS, GRID[2])), 0
    for grid in grids:
        total += grid
        count += 1
    return total / max(count, 1)


def _gaps(first: Float64Array, second: Float64Array, products: Float64Array) -> Float64Array:
    """Return half the squared distances (49, 49), from squared norms (49,) and inner products (49, 49)."""
    return np.add.outer(first, second) / 2 - products


def _mutual_nearest(cosines: Float64Array) -> list[tuple[int, int]]:
    """Return the pairs of cells (i, j) that are each other's nearest; cells without activation (-inf) have none."""
    forward, backward = _nearest(cosines), _nearest(cosines.T)
    return [(i, j) for i, j in enumerate(forward) if backward[j] == i and cosines[i, j] > -np.inf]


def _by_reduction(pairs: list[tuple[int, int]], reductions: Float64Array) -> list[tuple[int, int]]:
    """Sort pairs by descending reduction of the gap; the order of ties is the same with both posters swapped."""
    return sorted(pairs, key=lambda pair: (-reductions[pair].round(_DECIMALS), sum(pair), abs(pair[0] - pair[1])))


def _skip_adjacent(pairs: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the pairs that are not adjacent to an earlier one on both posters."""
    kept: list[tuple[int, int]] = []
    for i, j in pairs:
        if not any(_DISTANCES[i, a] <= _ADJACENT and _DISTANCES[j, b] <= _ADJACENT for a, b in kept):
            kept.append((i, j))
            yield i, j


def _nearest(cosines: Float64Array) -> list[int]:
    """Return the column with the largest cosine per row; ties go to the nearest position, then to the first."""
    rounded = cosines.round(_DECIMALS)
    tied = rounded == rounded.max(axis=1, keepdims=True)
    return [int(j) for j in np.where(tied, _DISTANCES, np.inf).argmin(axis=1)]


def _distances() -> Float64Array:
    """Return the squared distances (49, 49) between the positions of cells."""
    positions = np.array(np.divmod(np.arange(CELLS), SIDE)).T
    distances: Float64Array = np.square(positions[:, None] - positions[None]).sum(axis=2).astype(np.float64)
    return distances


_DISTANCES = _distances()
