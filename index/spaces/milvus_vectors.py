"""Vectors in Milvus, searched as those on disk are.

A blend scores every movie of the catalogue, which no service answers in a request. So what estimates are made of stays
in the snapshot's files, memory-mapped: the short vectors of posters, and the whole ones of taste and facts. The whole
vectors of posters, 50 kB each, are in Milvus alone. Their medium vectors, 8 kB each, narrow a thousand candidates down
to some fifty, as Milvus takes 15 ms for a list of a thousand rows; they are read from a file, as mapped pages would
count as memory of the server.

Any call of Milvus takes milliseconds. So candidates are found here, too, as long as comparing all short vectors takes
less than that: up to ``SCAN_UP_TO`` posters, beyond which a build makes a graph of them, and Milvus finds candidates.

A filter is a mask of rows, so that it is right for movies changed online too. Milvus gets a list of rows if it is
short; otherwise so many hits that enough of them pass; otherwise long lists one after the other.
"""

from __future__ import annotations

import math
import os
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from index.core.arrays import BoolArray, Float32Array, Int64Array
from index.core.errors import BadSnapshot
from index.milvus.collection import MOST_HITS, Collection, rows_in, rows_not_in
from index.milvus.service import Milvus
from index.spaces.faiss_index import Hits, half_index, merge_hits, read_index, search_exact
from index.spaces.vectors import (
    CANDIDATES_PER_MATCH,
    FINALISTS_PER_MATCH,
    FLAT_FILE,
    MEDIUM_FILE,
    FlatVectors,
    ShortVectors,
    load_short,
)

LISTED = 3_000  # rows in a filter, which Milvus reads in 40 ms
MOST_LISTED = 10_000  # rows in one of several filters
WIDEST = 5_000  # hits, which take as long as such a filter
_AT_A_TIME = 128  # medium vectors in memory, 1 MB
_SPARE = 1.5  # hits requested, over those expected to pass a filter


@dataclass(frozen=True, slots=True)
class Exhaustive:
    """Exact search of a collection, with filters and deterministic ties."""

    collection: Collection

    def search(self, query: Float32Array, k: int, allowed: BoolArray | None) -> Hits:
        """Return the ``k`` largest inner products, ties by row; fewer only if fewer rows are allowed (n,)."""
        available = self.collection.rows if allowed is None else int(np.count_nonzero(allowed))
        k = min(k, available)
        if k <= 0:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        depth = k
        while True:
            depth = min(2 * depth if depth > k else k + 1, available)
            if depth > MOST_HITS:
                return self._by_ranges(query, k, allowed)
            rows, scores = self._best(query, depth, available, allowed)
            # Of rows tied at rank k Milvus returns any, so search deeper until all of them are found.
            if depth == available or scores[-1] < scores[k - 1]:
                break
        order = np.lexsort((rows, -scores))[:k]
        return rows[order], scores[order]

    def scores(self, query: Float32Array, rows: Int64Array) -> Float32Array:
        """Return the inner products (m,) of a query with some rows (m,)."""
        unique, inverse = np.unique(rows, return_inverse=True)
        scores = np.empty(unique.size, dtype=np.float32)
        for start in range(0, unique.size, MOST_LISTED):
            part = unique[start : start + MOST_LISTED]
            found, products = self.collection.top(query, part.size, rows_in(part), part.size)
            scores[start + np.searchsorted(part, found)] = products
        return scores[inverse]

    def _best(self, query: Float32Array, depth: int, available: int, allowed: BoolArray | None) -> Hits:
        """Return the ``depth`` largest inner products with allowed rows, best first; ties in any order."""
        top = self.collection.top
        if allowed is None:
            return top(query, depth)
        if available <= LISTED:
            return top(query, depth, rows_in(np.flatnonzero(allowed)), available)
        if allowed.size - available <= LISTED:
            return top(query, depth, rows_not_in(np.flatnonzero(~allowed)), available)
        wide = math.ceil(_SPARE * depth * allowed.size / available)
        if wide <= WIDEST:
            rows, scores = top(query, wide)
            passed = allowed[rows]
            if np.count_nonzero(passed) >= depth:
                return rows[passed][:depth], scores[passed][:depth]
        best: Hits = (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))
        listed = np.flatnonzero(allowed)
        for start in range(0, listed.size, MOST_LISTED):
            part = listed[start : start + MOST_LISTED]
            best = merge_hits(best, top(query, min(depth, part.size), rows_in(part), part.size), depth)
        return best

    def _by_ranges(self, query: Float32Array, k: int, allowed: BoolArray | None) -> Hits:
        """Return the ``k`` largest inner products, ties by row, of the scores of all rows."""
        best: Hits = (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))
        for start in range(0, self.collection.rows, MOST_HITS):
            size = min(MOST_HITS, self.collection.rows - start)
            rows, scores = self.collection.top(query, size, f"row >= {start} and row < {start + size}", size)
            if allowed is not None:
                rows, scores = rows[allowed[rows]], scores[allowed[rows]]
            best = merge_hits(best, (rows, scores), k)
        return best


class MilvusFlatVectors(FlatVectors):
    """Vectors searched in Milvus; single rows and estimates are read from the snapshot's file.

    Args:
        index: flat Faiss inner-product index, memory-mapped.
        whole: the same vectors.
    """

    def __init__(self, index: Any, whole: Collection) -> None:
        super().__init__(index)
        self.collections = (whole,)
        self._whole = Exhaustive(whole)

    def search(self, queries: Float32Array, k: int, allowed: BoolArray | None = None) -> list[Hits]:
        """Return the ``k`` largest inner products per query (m, d), by comparing every vector."""
        return [self._whole.search(query, k, allowed) for query in queries]


class MediumFile:
    """Medium vectors (n, m) in the snapshot's files, read where they are needed.

    Args:
        file: a Faiss scalar quantiser in float16: it ends with the vectors.
        shape: (n, m).
        finalists: scored exactly per query.

    Raises:
        BadSnapshot: the file is too short for these vectors.
    """

    def __init__(self, file: Path, shape: tuple[int, int], finalists: int) -> None:
        self.finalists = finalists
        self._columns = shape[1]
        self._start = file.stat().st_size - 2 * shape[0] * shape[1]
        if self._start < 0:
            raise BadSnapshot(f"{file} has no {shape[0]} vectors of {shape[1]} numbers: build the snapshot again")
        self._file = os.open(file, os.O_RDONLY)
        weakref.finalize(self, os.close, self._file)

    def best(self, query: Float32Array, rows: Int64Array, k: int) -> Int64Array:
        """Return those ``k`` of some rows (m,), ascending, that have the largest inner products with a medium query.

        Raises:
            BadSnapshot: the file ends before a row.
        """
        best: Hits = (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))
        codes = np.empty((min(_AT_A_TIME, rows.size), 2 * self._columns), dtype=np.uint8)
        for start in range(0, rows.size, _AT_A_TIME):
            part = rows[start : start + _AT_A_TIME]
            for code, row in zip(codes, part.tolist(), strict=False):
                if os.preadv(self._file, [code.data], self._start + code.size * row) < code.size:
                    raise BadSnapshot("medium vectors end before their last row: build the snapshot again")
            index = half_index(self._columns)  # multiplies float16 as it is; numpy would convert it first
            index.add_sa_codes(codes[: part.size])
            found, scores = search_exact(index, query, k)
            best = merge_hits(best, (part[found], scores), k)
        return best[0]


class MilvusTwoStageVectors:
    """Unit vectors searched in Milvus in two stages: candidates by short vectors, exact scores by the long ones.

    Args:
        dimension: d of a long vector.
        whole: the long vectors (n, d).
        short: the short vectors, in the same order.
        near: the short vectors in the snapshot's files.
        candidates: number of short vectors to retrieve per query.
        medium: in the same order; None to score all candidates exactly.
    """

    def __init__(
        self,
        dimension: int,
        whole: Collection,
        short: Collection,
        near: ShortVectors,
        candidates: int,
        medium: MediumFile | None = None,
    ) -> None:
        self.dimension = dimension
        self.collections = (whole, short)
        self._whole, self._short = Exhaustive(whole), Exhaustive(short)
        self._near = near
        self._candidates = candidates
        self._medium = medium

    def __len__(self) -> int:
        """Return the number of vectors."""
        return self._whole.collection.rows

    @property
    def exact(self) -> bool:
        """True if ``estimates`` are exact."""
        return False

    def rows(self, rows: Int64Array) -> Float32Array:
        """Return the vectors of some rows (m,), as (m, d)."""
        if not rows.size:
            return np.empty((0, self.dimension), dtype=np.float32)
        return self._whole.collection.vectors(rows)

    def search(self, queries: Float32Array, k: int, allowed: BoolArray | None = None) -> list[Hits]:
        """Return the ``k`` largest inner products per query (m, d); all rows are candidates if they are few."""
        available = len(self) if allowed is None else int(np.count_nonzero(allowed))
        candidates = max(self._candidates, CANDIDATES_PER_MATCH * k)
        finalists = candidates if self._medium is None else max(self._medium.finalists, FINALISTS_PER_MATCH * k)
        hits = []
        for query in queries:
            reduced = self._near.reduce(query[None])
            if available <= candidates:
                rows = np.arange(len(self)) if allowed is None else np.flatnonzero(allowed)
            elif self._near.exhaustive:
                rows = self._near.search(self._near.of_reduced(reduced), candidates, allowed)[0]
            else:
                rows, _ = self._short.search(self._near.of_reduced(reduced)[0], candidates, allowed)
            if self._medium is not None and finalists < rows.size:
                rows = self._medium.best(reduced[0], np.sort(rows), finalists)
            scores = self.scores(query, rows)
            order = np.lexsort((rows, -scores))[:k]
            hits.append((rows[order], scores[order]))
        return hits

    def scores(self, query: Float32Array, rows: Int64Array) -> Float32Array:
        """Return exact inner products of a query (d,) with some rows (m,), as (m,)."""
        return self._whole.scores(query, rows) if rows.size else np.empty(0, dtype=np.float32)

    def estimates(self, queries: Float32Array) -> Float32Array:
        """Return approximate inner products of queries (m, d) with all vectors, as (m, n)."""
        return self._near.estimates(queries)


def load_milvus_vectors(
    folder: Path, metadata: Mapping[str, Any], milvus: Milvus | None
) -> MilvusFlatVectors | MilvusTwoStageVectors:
    """Return the vectors of a space whose whole ones are in Milvus; nothing is asked yet.

    Args:
        folder: of the space.
        metadata: the manifest's entry for the space.
        milvus: has the collections; None if no address was given.
    """
    named = metadata["milvus"]
    rows = metadata["movies"]
    whole = Collection(milvus, named["whole"]["name"], rows, named["whole"]["numbers"])
    search = metadata.get("search")
    if search is None:
        return MilvusFlatVectors(read_index(folder / FLAT_FILE), whole)
    short = Collection(milvus, named["short"]["name"], rows, named["short"]["numbers"])
    near, medium = load_short(folder, search), None
    file = folder / MEDIUM_FILE
    if near.patterns is not None and file.exists():  # the first snapshots in Milvus have none
        medium = MediumFile(file, (rows, near.axes.shape[1]), search["finalists"])
    return MilvusTwoStageVectors(metadata["dimension"], whole, short, near, search["candidates"], medium)
