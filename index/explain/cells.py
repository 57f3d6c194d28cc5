"""Why two posters look alike, exactly: which part of the one is like which part of the other.

An embedding is a 7 x 7 grid of cells with 512 numbers each, and the inner product of two embeddings is the sum of the
inner products of their cells: no gradient, no second model, nothing estimated. Cell (r, c) stands for the r-th row and
the c-th column of a 7 x 7 grid stretched over the whole poster: posters are squeezed to a square and never cropped.

Scores bunch up, so the inner products by themselves say little: any two posters are warm all over. What tells is how
far apart cells are compared with those of random pairs. For unit vectors the score is 1 less the *gaps* of all cells,
a gap being half the squared distance of two cells; so what is missing from the usual gaps adds up exactly too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from index.core.arrays import Float64Array
from index.posters.vgg16 import GRID

SIDE = GRID[0]  # cells on each side of a poster
CELLS = SIDE * SIDE

_TIE = 9  # decimals: numbers that agree so far are the same, summed in another order
_NEXT_TO = 2  # squared distance in cells: above, beside or aslant

Embedding = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class CellMatch:
    """Two cells that are most like each other of all; each is (row, column) from 0, counted from the top left."""

    cell: tuple[int, int]  # of the first poster
    other: tuple[int, int]  # of the second
    strength: float  # cosine of the cells' numbers
    contribution: float  # their inner product: what they would add to the score, were they in the same place


@dataclass(frozen=True, slots=True)
class Baseline:
    """What random pairs of different posters of a catalogue are like."""

    score: float  # mean inner product
    gaps: Float64Array  # (49, 49) mean gap between each cell of the one and each of the other


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two posters, cell by cell."""

    heat: Float64Array  # (7, 7) what each cell adds to the score; adds up to it
    likeness: Float64Array  # (7, 7) share of the usual gap that is not there: 1 the same, 0 as in random pairs, or less
    matches: tuple[CellMatch, ...]  # best first

    @property
    def score(self) -> float:
        """The inner product of the two embeddings."""
        return float(self.heat.sum())


def baseline(embeddings: Sequence[Embedding]) -> Baseline:
    """What pairs of unit vectors, (25088,) each, are like: one of every second, the other of the rest.

    So no poster meets itself, and no pair need be visited. A single one is paired with nothing at all.
    """
    halves = [embeddings[start::2] for start in (0, 1)]
    first, second = (_mean(map(_cells, half)) for half in halves)
    products = first @ second.T
    energies = np.mean([_mean(np.square(_cells(each)) for each in half).sum(axis=1) for half in halves], axis=0)
    return Baseline(float(np.trace(products)), _gaps(energies, energies, (products + products.T) / 2))


def compare(first: Embedding, second: Embedding, usually: Baseline, k: int = 8) -> Comparison:
    """Where two posters are alike, and up to ``k`` matches of cells that say most.

    A match is a pair of cells of which each is the likest, by cosine, to the other; of equally like cells the nearest
    in position. First come those whose gap falls furthest below the usual one: they are alike, and where posters mostly
    differ. The network sees far beyond a cell, so a match that is next to a better one, on both posters, is the same
    seen twice and left out. Swapping the posters swaps the cells and changes nothing else.

    Args:
        first, second: unit vectors (25088,), float16 or wider; computed with in float64.
    """
    left, right = _cells(first), _cells(second)
    products = left @ right.T
    energies = np.einsum("ck,ck->c", left, left), np.einsum("ck,ck->c", right, right)
    lessened = usually.gaps - _gaps(*energies, products)
    lengths = np.sqrt(np.outer(*energies))
    cosines = np.divide(products, lengths, out=np.full_like(products, -np.inf), where=lengths > 0)
    matches = (
        CellMatch(divmod(i, SIDE), divmod(j, SIDE), float(cosines[i, j]), float(products[i, j]))
        for i, j in _apart(_most_telling_first(_mutual(cosines), lessened))
    )
    gaps = np.diag(usually.gaps)
    likeness = np.divide(np.diag(lessened), gaps, out=np.zeros(CELLS), where=gaps > 0)
    return Comparison(np.diag(products).reshape(SIDE, SIDE), likeness.reshape(SIDE, SIDE), tuple(islice(matches, k)))


def _cells(embedding: Embedding) -> Float64Array:
    return np.asarray(embedding, dtype=np.float64).reshape(CELLS, GRID[2])


def _mean(grids: Iterable[Float64Array]) -> Float64Array:
    """(49, 512); nothing but zeros where there are none."""
    total, count = np.zeros((CELLS, GRID[2])), 0
    for grid in grids:
        total += grid
        count += 1
    return total / max(count, 1)


def _gaps(first: Float64Array, second: Float64Array, products: Float64Array) -> Float64Array:
    """Half the squared distances, from squared lengths (49,) and inner products (49, 49)."""
    return np.add.outer(first, second) / 2 - products


def _mutual(cosines: Float64Array) -> list[tuple[int, int]]:
    """Cells (i, j) that are each other's likest; a cell with no activation, whose cosines are -inf, has none."""
    there, here = _likest(cosines), _likest(cosines.T)
    return [(i, j) for i, j in enumerate(there) if here[j] == i and cosines[i, j] > -np.inf]


def _most_telling_first(pairs: list[tuple[int, int]], lessened: Float64Array) -> list[tuple[int, int]]:
    """Pairs by how much their gap is lessened; ties in an order that does not know first from second."""
    return sorted(pairs, key=lambda pair: (-lessened[pair].round(_TIE), sum(pair), abs(pair[0] - pair[1])))


def _apart(pairs: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The pairs that are not next to an earlier one on both posters."""
    kept: list[tuple[int, int]] = []
    for i, j in pairs:
        if not any(_DISTANCES[i, a] <= _NEXT_TO and _DISTANCES[j, b] <= _NEXT_TO for a, b in kept):
            kept.append((i, j))
            yield i, j


def _likest(cosines: Float64Array) -> list[int]:
    """For each row the column with the largest cosine; of equal ones the nearest in position, then the first."""
    rounded = cosines.round(_TIE)
    tied = rounded == rounded.max(axis=1, keepdims=True)
    return [int(j) for j in np.where(tied, _DISTANCES, np.inf).argmin(axis=1)]


def _distances() -> Float64Array:
    """(49, 49) how far apart two cells' positions are, squared."""
    positions = np.array(np.divmod(np.arange(CELLS), SIDE)).T
    distances: Float64Array = np.square(positions[:, None] - positions[None]).sum(axis=2).astype(np.float64)
    return distances


_DISTANCES = _distances()
