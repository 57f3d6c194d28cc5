"""Poster search against Faiss' IndexFlatIP and other libraries: recall, latency, filters, memory, time to build.

The vectors are those of a built catalogue, and mixtures of these that are as hard to search.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import click
import faiss
import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.search_peers import PEERS, measure_peer
from index.core.arrays import BoolArray, Float32Array, Int64Array
from index.core.ids import Ids
from index.core.progress import silent
from index.snapshot.store import SnapshotStore
from index.spaces.faiss_index import read_index, selector
from index.spaces.vectors import ROWS_FILE, TwoStageVectors, load_vectors
from indexer.spaces.recall import recall, tune_search
from indexer.spaces.two_stage import write_reduced
from indexer.spaces.writer import write_space

COMBINED = 2_000  # real vectors that a mixture combines
QUERIES = 200
TURN = 20  # queries of each method in turn, since a full scan evicts our rows from the CPU caches
SCANS = 4  # of these, scanned in full
K = 10


@click.command()
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--n", "sizes", type=int, multiple=True, default=(0, 9_066, 60_000), help="0: the catalogue itself.")
@click.option("--peers", type=int, default=-1, help="Size at which other libraries are measured too; 0: the catalogue.")
@click.option("--peer", "names", type=click.Choice([*PEERS]), multiple=True, default=(*PEERS,), help="Repeatable.")
@click.option("--neighbours/--no-neighbours", default=False, help="Time the 100 neighbours of every movie as well.")
def main(data: Path, sizes: tuple[int, ...], peers: int, names: tuple[str, ...], neighbours: bool) -> None:
    """Measure with the posters of DATA's current snapshot and mixtures of these, on one thread."""
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    rows = read_index(SnapshotStore(data).path() / "poster" / ROWS_FILE)
    real: Float32Array = rows.reconstruct_n(0, rows.ntotal)
    print_hardness(real)
    for n in sizes:
        with tempfile.TemporaryDirectory(dir=data) as folder:
            measure(Path(folder), real, n or len(real), names if n == peers else (), neighbours=neighbours)


def mixtures(real: Float32Array, n: int, rng: np.random.Generator) -> Iterator[Float32Array]:
    """Yield blocks of ``n`` unit vectors in total: normally distributed combinations of many real ones.

    They have the covariance of those that they combine, others for every block. Mixtures of two posters share with
    their halves what the axes lose, as no two real posters do, and are much harder to search.
    """
    mean = real.mean(axis=0)
    for start in range(0, n, 500):
        size = min(500, n - start)
        chosen = rng.choice(len(real), min(COMBINED, len(real)), replace=False)
        weights = rng.standard_normal((size, chosen.size), dtype=np.float32)
        vectors = mean + weights @ (real[chosen] - mean) / np.float32(np.sqrt(chosen.size))
        yield vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def print_hardness(real: Float32Array) -> None:
    """Print how often the ten nearest are among few candidates, in the catalogue and in as many mixtures."""
    rng = np.random.default_rng(0)
    for label, vectors in (("real", real), ("mixed", np.concatenate([*mixtures(real, len(real), rng)]))):
        with tempfile.TemporaryDirectory() as folder:
            search = write_reduced(Path(folder), iter([vectors.astype(np.float16)]), rng)
            loaded = load_vectors(Path(folder), search)
            chosen = rng.choice(len(vectors), min(len(vectors), QUERIES), replace=False)
            exact = vectors[chosen] @ vectors.T
            exact[np.arange(chosen.size), chosen] = -np.inf
            estimates = loaded.estimates(vectors[chosen])
            estimates[np.arange(chosen.size), chosen] = -np.inf
        order = np.argsort(-estimates, axis=1)
        found = {m: np.mean([recall_among(*each, m) for each in zip(order, exact, strict=True)]) for m in (20, 50, 100)}
        print(f"{label}: " + ", ".join(f"{share:.4f} of the 10 nearest among {m}" for m, share in found.items()))


def recall_among(order: Int64Array, scores: Float32Array, candidates: int) -> float:
    """Return the share of the ``K`` best by ``scores`` that is among the first candidates of an order."""
    among = order[:candidates]
    return recall(among[np.argsort(-scores[among])], scores, K)


def measure(folder: Path, real: Float32Array, n: int, peers: tuple[str, ...], *, neighbours: bool) -> None:
    """Print all results for one size."""
    rng = np.random.default_rng(0)
    exact = faiss.IndexFlatIP(real.shape[1])
    exact.codes.resize(n * exact.code_size)  # adding blocks would copy all vectors now and then
    exact.ntotal = n
    vectors = faiss.rev_swig_ptr(exact.get_xb(), n * exact.d).reshape(n, exact.d)
    vectors[: len(real)] = real[:n]
    at = len(real)
    for block in mixtures(real, n - len(real), rng):
        vectors[at : at + len(block)] = block
        at += len(block)
    poster = folder / "poster"
    begin = time.perf_counter()
    search = write_reduced(poster, (vectors[at : at + 256].astype(np.float16) for at in range(0, n, 256)), rng)
    written = time.perf_counter()
    search = tune_search(poster, search, rng)
    tuned = time.perf_counter()
    facts = ", ".join(f"{name} {search[name]}" for name in ("index", "axes", "patterns", "candidates", "finalists"))
    print(f"n = {n}: {facts}")
    print(f"  built: rows, patterns, axes, index {written - begin:.0f} s, recall report {tuned - written:.0f} s")
    chosen = rng.choice(n, min(n, QUERIES), replace=False)
    loaded = load_vectors(poster, search)
    assert isinstance(loaded, TwoStageVectors)  # noqa: S101
    with threadpool_limits(1):
        compare(loaded, exact, vectors[chosen])
    if neighbours:
        begin = time.perf_counter()
        write_space(poster, Ids(np.arange(n)), None, rng, search=search, label="poster", track=silent)
        print(f"  100 neighbours of every movie: {time.perf_counter() - begin:.0f} s")
        print_opening(poster, search)
    if peers:
        np.save(folder / "vectors.npy", vectors)
        np.save(folder / "queries.npy", vectors[chosen])
        faiss.omp_set_num_threads(1)
        np.save(folder / "nearest.npy", exact.search(vectors[chosen], K)[1])
        del exact
        for name in peers:
            print("  " + measure_peer(name, folder))


def compare(ours: TwoStageVectors, exact: Any, queries: Float32Array) -> None:
    """Print recall and latency of our search, with and without filters, and of a full scan in float32."""
    rng = np.random.default_rng(0)
    n = len(ours)
    filters: dict[str, Callable[[], BoolArray | None]] = {"all allowed": lambda: None}
    for share in (0.5, 0.05, 0.005):
        filters[f"{share:.1%} allowed"] = lambda share=share: rng.random(n) < share  # type: ignore[misc]
    times: dict[str, list[float]] = {label: [] for label in filters}
    shares: dict[str, list[float]] = {label: [] for label in filters}
    scans: list[float] = []
    for start in range(0, len(queries), TURN):
        turn = queries[start : start + TURN]
        found = []
        for label, draw in filters.items():
            for at, query in enumerate(turn):
                allowed = draw()
                begin = time.perf_counter()
                (hits,) = ours.search(query[None], K, allowed)
                times[label].append(time.perf_counter() - begin)
                if at < SCANS:
                    found.append((label, query, allowed, hits[0]))
        for query in turn[:SCANS]:
            faiss.omp_set_num_threads(1)
            begin = time.perf_counter()
            exact.search(query[None], K)
            scans.append(time.perf_counter() - begin)
        for label, query, allowed, rows in found:
            params = None if allowed is None else faiss.SearchParameters(sel=selector(allowed))
            _, true_rows = exact.search(query[None], K, params=params)
            shares[label].append(np.isin(true_rows[0], np.append(rows, -1)).mean())
    print(f"  IndexFlatIP, one thread: median {1000 * median(scans):.1f} ms, least {1000 * min(scans):.1f}")
    for label in filters:
        each = np.array(times[label])
        print(
            f"  {label}: recall@10 {np.mean(shares[label]):.4f}, median {1000 * median(each):.2f} ms (99%"
            f" {1000 * np.quantile(each, 0.99):.2f}), {median(scans) / median(each):.0f} times as fast as IndexFlatIP;"
            f" least {1000 * each.min():.2f} ms, {min(scans) / each.min():.0f} times"
        )


def print_opening(folder: Path, search: dict[str, Any]) -> None:
    """Print time and memory of opening the space in a new process."""
    command = [sys.executable, "-c", OPEN, str(folder), json.dumps(search)]
    opened = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print(
        f"  in a new process: opened in {1000 * opened['open']:.0f} ms, first response after"
        f" {1000 * opened['first']:.0f} ms more; after 200 responses {opened['anonymous']:.0f} MB of private memory,"
        f" {opened['before']:.0f} of them from before opening, and {opened['file']:.0f} MB of shared pages"
    )


OPEN = """
import json, sys, time
from pathlib import Path
import numpy as np

def kilobytes(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))

before = kilobytes("RssAnon")
begin = time.perf_counter()
space = Space.load("poster", Path(sys.argv[1]), {"search": json.loads(sys.argv[2])})
opened = time.perf_counter()
space.search(space.vector(0), 10)
first = time.perf_counter()
for row in range(0, len(space), max(1, len(space) // 200)):
    space.search(space.vector(row), 10)
print(json.dumps({
    "open": opened - begin, "first": first - opened, "anonymous": kilobytes("RssAnon") / 1000,
    "before": before / 1000, "file": kilobytes("RssFile") / 1000,
}))
"""


if __name__ == "__main__":
    main()
