"""Nearest neighbours of every movie of a space, and of the blend, in blocks of movies."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from index.core.arrays import Float32Array, Int32Array, Int64Array
from index.core.ids import Ids
from index.core.progress import Track
from index.spaces import blend as blends
from index.spaces.blend import Blend
from index.spaces.faiss_index import Hits
from index.spaces.neighbours import NEIGHBOURS
from index.spaces.random_pairs import RandomPairs
from index.spaces.space import Space
from index.spaces.vectors import load_vectors

_BLOCK = 64  # movies per search

Find = Callable[[Int64Array, int], list[Hits]]  # rows (m,) and k -> the k nearest other movies of each


class Finder(Protocol):
    """Neighbours in files, on any machine that has these."""

    @property
    def folders(self) -> Sequence[str]:
        """Names of the folders of a snapshot that hold them."""

    def open(self, root: Path) -> Find:
        """Return the search in a snapshot's folder."""


class FindAll(Protocol):
    """Function that finds the neighbours of all movies: here, or on other machines."""

    def __call__(
        self, finder: Finder, root: Path, blocks: Sequence[tuple[int, int]], depth: int, label: str, track: Track
    ) -> Iterable[tuple[Int32Array, Float32Array]]:
        """Yield rows and scores (m, depth) of each block of rows (start, end); -1 and -inf pad short ones."""


@dataclass(frozen=True, slots=True)
class SpaceFinder:
    """Neighbours in one space."""

    name: str  # of the space
    search: Mapping[str, Any] | None  # as ``load_vectors`` takes it

    @property
    def folders(self) -> Sequence[str]:
        """Names of the folders of a snapshot that hold them."""
        return (self.name,)

    def open(self, root: Path) -> Find:
        """Return the search in a snapshot's folder."""
        vectors = load_vectors(root / self.name, self.search)

        def find(rows: Int64Array, k: int) -> list[Hits]:
            # Search for one more, because each movie finds itself.
            found = vectors.search(vectors.rows(rows), k + 1)
            return [exclude_row(hits, row, k) for row, hits in zip(rows, found, strict=True)]

        return find


@dataclass(frozen=True, slots=True)
class BlendFinder:
    """Neighbours by the blend of spaces."""

    entries: Mapping[str, Any]  # space -> its manifest entry
    weights: Mapping[str, float]  # space -> weight
    movie_ids: Ids  # of the catalogue

    @property
    def folders(self) -> Sequence[str]:
        """Names of the folders of a snapshot that hold them."""
        return (*self.entries, blends.NAME)

    def open(self, root: Path) -> Find:
        """Return the search in a snapshot's folder."""
        spaces = {name: Space.load(name, root / name, entry) for name, entry in self.entries.items()}
        pairs = RandomPairs.load(root / blends.NAME, tuple(spaces))
        return Blend(spaces, self.weights, self.movie_ids, random_pairs=pairs).nearest


@dataclass(frozen=True, slots=True)
class OpenFinder:
    """A search that is open already; it stays in this process."""

    find: Find
    folders: Sequence[str] = ()

    def open(self, root: Path) -> Find:  # noqa: ARG002
        """Return the search."""
        return self.find


def find_here(
    finder: Finder, root: Path, blocks: Sequence[tuple[int, int]], depth: int, label: str, track: Track
) -> Iterable[tuple[Int32Array, Float32Array]]:
    """Yield rows and scores (m, depth) of each block of rows, found by the threads of this process."""
    find = finder.open(root)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda block: padded(find(np.arange(*block), depth), depth), blocks)
        yield from track(results, label, len(blocks))


def write_neighbours(
    folder: Path, finder: Finder, n: int, label: str, *, over: FindAll = find_here, track: Track
) -> None:
    """Write the neighbours of all ``n`` movies, as ``index.spaces.neighbours`` reads them, into a snapshot's folder."""
    depth = max(1, min(NEIGHBOURS, n - 1))
    blocks = [(start, min(start + _BLOCK, n)) for start in range(0, n, _BLOCK)]
    found = list(over(finder, folder.parent, blocks, depth, f"Neighbours by {label}", track))
    nothing = (np.empty((0, depth), dtype=np.int32), np.empty((0, depth), dtype=np.float32))
    rows, scores = (np.concatenate(parts) for parts in zip(nothing, *found, strict=True))
    np.save(folder / "neighbour_rows.npy", rows)
    np.save(folder / "neighbour_scores.npy", scores)


def padded(found: Sequence[Hits], depth: int) -> tuple[Int32Array, Float32Array]:
    """Return hits as rows and scores (m, depth); -1 and -inf pad short ones."""
    rows = np.full((len(found), depth), -1, dtype=np.int32)
    scores = np.full((len(found), depth), -np.inf, dtype=np.float32)
    for at, (nearest, of_nearest) in enumerate(found):
        rows[at, : nearest.size] = nearest
        scores[at, : nearest.size] = of_nearest
    return rows, scores


def exclude_row(hits: Hits, row: int, k: int) -> Hits:
    """Return the first ``k`` hits other than ``row``."""
    rows, scores = hits
    others = rows != row
    return rows[others][:k], scores[others][:k]
