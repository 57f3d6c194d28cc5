"""Other libraries' search of whole poster vectors, each with as little effort as finds .999 of the ten nearest."""

from __future__ import annotations

import atexit
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import faiss
import numpy as np

from index.core.arrays import Float32Array, Int64Array

K = 10
TARGET = 0.999
BLOCK = 500  # vectors per insertion

Search = Callable[[Float32Array], Any]  # query (d,) -> rows of the nearest (K,)
Levels = Iterator[tuple[str, Search]]  # label and search of growing effort


def faiss_hnsw(vectors: Float32Array) -> Levels:
    """Yield searches of a graph of 32 links."""
    index = faiss.IndexHNSWFlat(vectors.shape[1], 32, faiss.METRIC_INNER_PRODUCT)
    for block in blocks_of(vectors):
        index.add(block)
    for effort in (32, 64, 128, 256, 512):
        yield f"efSearch {effort}", _by(index, faiss.SearchParametersHNSW(efSearch=effort))


def faiss_ivf_pq(vectors: Float32Array) -> Levels:
    """Yield searches of product-quantised cells, whose best hits are scored again in float16.

    Four bits a part: with eight, 256 centroids of each, the training takes twenty minutes and more.
    """
    cells = int(np.sqrt(len(vectors)))
    index = faiss.index_factory(vectors.shape[1], f"IVF{cells},PQ784x4fs,Refine(SQfp16)", faiss.METRIC_INNER_PRODUCT)
    index.train(vectors[: 40 * cells])
    for block in blocks_of(vectors):
        index.add(block)
    for probes, again in ((cells // 8, 10), (cells // 4, 20), (cells // 2, 40), (cells, 80)):
        inner = faiss.SearchParametersIVF(nprobe=max(1, probes))
        params = faiss.IndexRefineSearchParameters(k_factor=again, base_index_params=inner)
        yield f"{probes} of {cells} cells, {again * K} again", _by(index, params)


def _by(index: Any, params: Any) -> Search:
    """Return the search of a Faiss index with some parameters."""
    return lambda query: index.search(query[None], K, params=params)[1][0]


def hnswlib_graph(vectors: Float32Array) -> Levels:
    """Yield searches of hnswlib's graph of 32 links."""
    import hnswlib

    index = hnswlib.Index(space="ip", dim=vectors.shape[1])
    index.init_index(max_elements=len(vectors), M=16, ef_construction=100)
    index.set_num_threads(1)
    for block in blocks_of(vectors):
        index.add_items(block)
    for effort in (32, 64, 128, 256, 512):
        index.set_ef(effort)
        yield f"ef {effort}", lambda query: index.knn_query(query, K)[0][0]


def usearch_graph(vectors: Float32Array) -> Levels:
    """Yield searches of usearch's graph of float16 vectors."""
    from usearch.index import Index

    index = Index(ndim=vectors.shape[1], metric="ip", dtype="f16")
    for at, block in enumerate(blocks_of(vectors)):
        index.add(np.arange(at * BLOCK, at * BLOCK + len(block)), block, threads=1)
    for effort in (64, 128, 256, 512):
        index.expansion_search = effort
        yield f"expansion {effort}", lambda query: index.search(query, K, threads=1).keys


def lancedb_ivf_pq(vectors: Float32Array) -> Levels:
    """Yield searches of LanceDB's product-quantised cells, whose best hits are scored again."""
    import lancedb
    import pyarrow as pa

    kind = pa.list_(pa.float32(), vectors.shape[1])
    schema = pa.schema([("row", pa.int64()), ("vector", kind)])

    def batches() -> Iterator[Any]:
        for at, block in enumerate(blocks_of(vectors)):
            rows = pa.array(np.arange(at * BLOCK, at * BLOCK + len(block)))
            flat = pa.FixedSizeListArray.from_arrays(pa.array(block.ravel()), vectors.shape[1])
            yield pa.record_batch([rows, flat], schema=schema)

    folder = tempfile.mkdtemp()  # removed when the process ends
    atexit.register(shutil.rmtree, folder)
    table = lancedb.connect(folder).create_table("posters", batches(), schema=schema)
    cells = max(1, int(np.sqrt(len(vectors))))
    table.create_index(metric="dot", num_partitions=cells, num_sub_vectors=196, vector_column_name="vector")
    for probes, again in ((cells // 8, 10), (cells // 4, 20), (cells // 2, 40), (cells, 80)):

        def search(query: Float32Array, probes: int = probes, again: int = again) -> Any:
            asked = table.search(query).distance_type("dot").nprobes(max(1, probes)).refine_factor(again)
            return asked.limit(K).select(["row"]).to_arrow()["row"].to_numpy()

        yield f"{probes} of {cells} cells, {again * K} again", search


def qdrant_local(vectors: Float32Array) -> Levels:
    """Yield the full scan of Qdrant's local mode."""
    from qdrant_client import QdrantClient, models

    client = QdrantClient(":memory:")
    params = models.VectorParams(size=vectors.shape[1], distance=models.Distance.DOT)
    client.create_collection("posters", vectors_config=params)
    for at, block in enumerate(blocks_of(vectors)):
        client.upload_collection("posters", vectors=block, ids=range(at * BLOCK, at * BLOCK + len(block)))

    def search(query: Float32Array) -> Any:
        return [point.id for point in client.query_points("posters", query=query, limit=K).points]

    yield "exact", search


PEERS: dict[str, Callable[[Float32Array], Levels]] = {
    "faiss-hnsw": faiss_hnsw,
    "faiss-ivf-pq": faiss_ivf_pq,
    "hnswlib": hnswlib_graph,
    "usearch": usearch_graph,
    "lancedb": lancedb_ivf_pq,
    "qdrant-local": qdrant_local,
}


def measure_peer(name: str, folder: Path) -> str:
    """Return a line about a library, measured in a process of its own.

    Args:
        name: one of PEERS.
        folder: with ``vectors.npy`` (n, d), ``queries.npy`` (m, d) and ``nearest.npy`` (m, K) rows.
    """
    command = [sys.executable, "-m", "benchmarks.search_peers", name, str(folder)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        return f"{name}: ended with {ended.returncode}: {ended.stderr.strip()[-200:]}"
    found = json.loads(ended.stdout.splitlines()[-1])
    return (
        f"{name}, {found['effort']}: recall@10 {found['recall']:.4f}, median {found['median']:.2f} ms (99%"
        f" {found['slow']:.2f}, least {found['least']:.2f}), {found['memory']:.0f} MB of private memory, built in"
        f" {found['build']:.0f} s"
    )


def blocks_of(vectors: Float32Array) -> Iterable[Float32Array]:
    """Yield vectors in blocks, in order, none of which keeps the file mapped."""
    for start in range(0, len(vectors), BLOCK):
        yield np.array(vectors[start : start + BLOCK])


def main(name: str, folder: Path) -> None:
    """Print the figures of a library as JSON."""
    vectors = np.load(folder / "vectors.npy", mmap_mode="r")
    queries, nearest = np.load(folder / "queries.npy"), np.load(folder / "nearest.npy")
    faiss.omp_set_num_threads(1)
    before, begin = private_memory(), time.perf_counter()
    levels = PEERS[name](vectors)
    built = None
    for label, search in levels:
        effort, built = label, built or time.perf_counter() - begin
        found, times = [], []
        for query in queries:
            start = time.perf_counter()
            found.append(np.asarray(search(query), dtype=np.int64))
            times.append(1000 * (time.perf_counter() - start))
        recall = share_found(found, nearest)
        if recall >= TARGET:
            break
    print(
        json.dumps(
            {
                "effort": effort,
                "recall": recall,
                "median": median(times),
                "least": min(times),
                "slow": float(np.quantile(times, 0.99)),
                "memory": private_memory() - before,
                "build": built,
            }
        )
    )


def share_found(found: list[Int64Array], nearest: Int64Array) -> float:
    """Return the share of the nearest rows (m, K) that was found."""
    return float(np.mean([np.isin(true, rows).mean() for true, rows in zip(nearest, found, strict=True)]))


def private_memory() -> float:
    """Return the memory of this process without mapped files, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1000


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
