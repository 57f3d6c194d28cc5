"""One collection: vectors by row, immutable once written. Names tell content, so equal vectors are written once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from index.core.arrays import Float32Array, Int64Array
from index.core.errors import SearchUnavailable
from index.core.progress import Track, silent
from index.milvus.service import PATIENCE, PATIENCE_OF_BUILDS, Milvus

MOST_HITS = 16_384  # of a search: Milvus' own limit
FLOAT32, FLOAT16 = "float32", "float16"
PREFIX = "posterity"

_ROWS_PER_CALL = 64  # whole vectors of posters in an answer: 6 MB
_FIELD = "vector"
_BYTES_PER_INSERT = 24 * 2**20  # Milvus takes 64 MiB
_PATIENCE_TO_LOAD = 3600.0  # seconds: 10 GB are read from its storage

Blocks: TypeAlias = Callable[[], Iterable[Float32Array]]  # all vectors in order, from the beginning on each call


@dataclass(frozen=True, slots=True)
class Collection:
    """Vectors (rows, d) in Milvus. Threads may share it.

    Args:
        milvus: has it; None if no address was given, so that only a search fails.
        name: of the collection.
        rows: number of vectors.
        numbers: type of their numbers there.
    """

    milvus: Milvus | None
    name: str
    rows: int
    numbers: str

    def call(self, method: str, *arguments: Any, patience: float = PATIENCE, **options: Any) -> Any:
        """Return the answer of a method of pymilvus' client about this collection, as ``Milvus.call``.

        Raises:
            SearchUnavailable: there is no answer in time, or no address of a Milvus.
        """
        if self.milvus is None:
            raise SearchUnavailable(
                "the vectors of this snapshot are in Milvus: give --search milvus://host:19530 (POSTERITY_SEARCH)"
            )
        return self.milvus.call(method, self.name, *arguments, patience=patience, **options)

    def as_stored(self, vectors: Float32Array) -> Any:
        """Return vectors (m, d) as pymilvus takes them."""
        return vectors.astype(np.float16) if self.numbers == FLOAT16 else vectors.tolist()

    def top(
        self, query: Float32Array, limit: int, where: str = "", among: int | None = None
    ) -> tuple[Int64Array, Float32Array]:
        """Return rows and scores (limit,) of the largest inner products, best first; ties in any order.

        Args:
            query: (d,).
            limit: number of hits, ``MOST_HITS`` at most.
            where: filter on rows; empty for none.
            among: number of rows that pass it; all by default.

        Raises:
            SearchUnavailable: there is no answer in time, or none of all rows.
        """
        wanted = min(limit, self.rows if among is None else among)
        # It never changes, so any moment's state will do.
        (found,) = self.call(
            "search",
            data=[query.astype(self.numbers).tobytes()],  # pymilvus packs other kinds number by number
            anns_field=_FIELD,
            limit=wanted,
            filter=where,
            consistency_level="Eventually",
        )
        rows, scores = np.asarray(found.ids, dtype=np.int64), np.asarray(found.distances, dtype=np.float32)
        self._check_found(rows.size, wanted)
        return rows, scores

    def vectors(self, rows: Int64Array) -> Float32Array:
        """Return the vectors of some rows (m,), at least one, as (m, d).

        Raises:
            SearchUnavailable: there is no answer in time, or none of all rows.
        """
        unique, inverse = np.unique(rows, return_inverse=True)
        parts = [
            self._vectors(unique[start : start + _ROWS_PER_CALL]) for start in range(0, unique.size, _ROWS_PER_CALL)
        ]
        whole: Float32Array = np.concatenate(parts)[inverse]
        return whole

    def count(self, consistency: str = "Eventually", *, patience: float = PATIENCE) -> int:
        """Return the number of vectors in Milvus.

        Args:
            consistency: level of Milvus; Strong to count all that was written before.
            patience: seconds that it may take.

        Raises:
            SearchUnavailable: there is no answer in time, or the collection is missing or not loaded.
        """
        found = self.call(
            "query", filter="", output_fields=["count(*)"], consistency_level=consistency, patience=patience
        )
        return int(found[0]["count(*)"])

    def check(self, *, patience: float = PATIENCE) -> None:
        """Raise SearchUnavailable unless the collection is there, loaded and whole; ``patience`` is in seconds."""
        self._check_found(self.count(patience=patience), self.rows)

    def _vectors(self, rows: Int64Array) -> Float32Array:
        found = self.call("query", filter=rows_in(rows), output_fields=[_FIELD], consistency_level="Eventually")
        at = {entry["row"]: entry[_FIELD] for entry in found}
        self._check_found(len(at), rows.size)
        return np.stack([self._from_stored(at[row]) for row in rows.tolist()])

    def _check_found(self, found: int, wanted: int) -> None:
        if found != wanted:
            raise SearchUnavailable(
                f"{self.name} in Milvus has {found} of {wanted} rows: wait until it is loaded, or build again"
            )

    def _from_stored(self, vector: Any) -> Float32Array:
        if self.numbers == FLOAT16:
            content = vector[0] if isinstance(vector, list) else vector
            return np.frombuffer(content, dtype=np.float16).astype(np.float32)
        return np.asarray(vector, dtype=np.float32)


def rows_in(rows: Int64Array) -> str:
    """Return the filter that some rows (m,) pass."""
    return f"row in [{','.join(map(str, rows.tolist()))}]"


def rows_not_in(rows: Int64Array) -> str:
    """Return the filter that all rows but some (m,) pass; empty without any."""
    return f"row not in [{','.join(map(str, rows.tolist()))}]" if rows.size else ""


def name_of(owner: str, label: str, numbers: str, blocks: Iterable[Float32Array]) -> str:
    """Return the name of a collection: equal names mean equal vectors.

    Args:
        owner: of the collection, letters and digits.
        label: tells people what it is.
        numbers: their type in Milvus.
        blocks: all vectors in order.
    """
    digest = hashlib.sha256(numbers.encode())
    dimension = 0
    for block in blocks:
        dimension = block.shape[1]
        digest.update(np.ascontiguousarray(block, dtype="<f4").tobytes())
    digest.update(str(dimension).encode())
    return f"{PREFIX}_{owner}_{label}_{digest.hexdigest()[:16]}"


def write(collection: Collection, blocks: Blocks, *, label: str, track: Track = silent) -> None:
    """Write vectors into a collection, load and count it. One that is there and whole stays; any other begins anew.

    Args:
        collection: to write.
        blocks: all its vectors in order.
        label: name in the progress bar.
        track: shows progress.

    Raises:
        SearchUnavailable: Milvus does not answer in time, or has another number of vectors afterwards.
    """
    if collection.call("has_collection", patience=PATIENCE_OF_BUILDS):
        if _is_whole(collection):
            return
        collection.call("drop_collection", patience=PATIENCE_OF_BUILDS)
    _create(collection, next(iter(blocks())).shape[1])
    for row, block in track(_inserts(blocks()), label):
        entities = [{"row": row + at, _FIELD: vector} for at, vector in enumerate(collection.as_stored(block))]
        collection.call("insert", entities, patience=PATIENCE_OF_BUILDS)
    collection.call("flush", patience=_PATIENCE_TO_LOAD)
    _load(collection)
    counted = collection.count("Strong", patience=PATIENCE_OF_BUILDS)
    if counted != collection.rows:
        raise SearchUnavailable(f"{collection.name} has {counted} of {collection.rows} rows in Milvus: build again")
    first = next(iter(blocks()))[:1]
    if not np.allclose(collection.vectors(np.array([0])), first, atol=1e-3):
        raise SearchUnavailable(f"{collection.name} has other numbers in Milvus than were written: build again")


def _create(collection: Collection, dimension: int) -> None:
    from pymilvus import DataType, MilvusClient

    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("row", DataType.INT64, is_primary=True)
    kind = DataType.FLOAT16_VECTOR if collection.numbers == FLOAT16 else DataType.FLOAT_VECTOR
    schema.add_field(_FIELD, kind, dim=dimension)
    collection.call("create_collection", schema=schema, patience=PATIENCE_OF_BUILDS)
    # Exact: an approximate index may lose movies that pass a filter.
    index = MilvusClient.prepare_index_params()
    index.add_index(_FIELD, index_type="FLAT", metric_type="IP")
    collection.call("create_index", index, patience=PATIENCE_OF_BUILDS)


def _inserts(blocks: Iterable[Float32Array]) -> Iterable[tuple[int, Float32Array]]:
    """Yield the first row and the vectors of each insertion."""
    row = 0
    for block in blocks:
        step = max(1, _BYTES_PER_INSERT // (4 * block.shape[1]))
        for start in range(0, block.shape[0], step):
            yield row + start, block[start : start + step]
        row += block.shape[0]


def _is_whole(collection: Collection) -> bool:
    try:
        _load(collection)
        return collection.count("Strong", patience=PATIENCE_OF_BUILDS) == collection.rows
    except SearchUnavailable:
        return False  # a killed build left it without an index


def _load(collection: Collection) -> None:
    collection.call("load_collection", patience=_PATIENCE_TO_LOAD)
