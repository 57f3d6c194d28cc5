"""Two-stage poster search against Faiss' IndexFlatIP in float32: recall, latency, filters, memory, time to open.

The vectors are those of real posters, and mixtures of these with noise.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import click
import faiss
import numpy as np

from index.core.arrays import Float32Array
from index.core.ids import Ids
from index.core.progress import silent
from index.posters import vgg16
from index.posters.images import decode_image, pixels_for_vgg16, read_image
from index.spaces.faiss_index import read_index, search_exact
from index.spaces.space import Space
from index.spaces.vectors import ROWS_FILE, HalfVectors
from indexer.spaces.poster_files import find_posters
from indexer.spaces.recall import tune_search
from indexer.spaces.two_stage import write_reduced
from indexer.spaces.writer import write_space

MIXED = 3  # real posters per generated one
NOISE = 0.15  # of each component, log-normal
QUERIES = 300
TURN = 20  # queries of each method in turn, since a full scan evicts our rows from the CPU caches
K = 10


@click.command()
@click.option("--posters", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--weights", default="imagenet", show_default=True)
@click.option("--n", "sizes", type=int, multiple=True, default=(9_066, 60_000), show_default=True)
def main(posters: Path, weights: str, sizes: tuple[int, ...]) -> None:
    """Measure with vectors of POSTERS and mixtures of these."""
    real = embed_folder(posters, weights)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    for n in sizes:
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder) / "poster", real, n)


def embed_folder(folder: Path, weights: str) -> Float32Array:
    """Return the float32 embeddings of a folder's posters."""
    embed = vgg16.load(weights)
    files, _ = find_posters(folder, None)
    return np.concatenate([embed(pixels_for_vgg16(decode_image(read_image(file)))[None]) for file in files.values()])


def generate_vectors(real: Float32Array, n: int) -> Iterator[Float32Array]:
    """Yield blocks of ``n`` vectors in total: the real ones, then mixtures with noise."""
    rng = np.random.default_rng(0)
    yield real[:n]
    for start in range(len(real), n, 500):
        size = min(500, n - start)
        shares = rng.dirichlet([0.6] * MIXED, size).astype(np.float32)
        block = np.einsum("mk,mkd->md", shares, real[rng.integers(0, len(real), (size, MIXED))])
        block *= np.exp(NOISE * rng.standard_normal(block.shape, dtype=np.float32))
        yield block / np.linalg.norm(block, axis=1, keepdims=True)


def measure(folder: Path, real: Float32Array, n: int) -> None:
    """Print all results for one size."""
    exact = faiss.IndexFlatIP(real.shape[1])
    halves = np.empty((n, real.shape[1]), dtype=np.float16)
    at = 0
    for block in generate_vectors(real, n):
        exact.add(block)
        halves[at : at + len(block)] = block
        at += len(block)

    begin = time.perf_counter()
    rng = np.random.default_rng(0)
    search = write_reduced(folder, (halves[start : start + 256] for start in range(0, n, 256)), rng)
    written = time.perf_counter()
    search = tune_search(folder, search, rng)
    tuned = time.perf_counter()
    write_space(folder, Ids(np.arange(n)), None, rng, search=search, label="poster", track=silent)
    done = time.perf_counter()
    facts = ", ".join(f"{name} {search[name]}" for name in ("index", "axes", "candidates", "shared"))
    print(f"n = {n}: {facts}")
    print(
        f"  built in {done - begin:.0f} s: rows, axes, index {written - begin:.0f}, recall report"
        f" {tuned - written:.0f}, 100 neighbours of every movie {done - tuned:.0f}"
    )
    compare(Space.load("poster", folder, {"search": search}), exact, folder / ROWS_FILE, rng)
    opened = json.loads(
        subprocess.run(
            [sys.executable, "-c", OPEN, str(folder), json.dumps(search)], check=True, capture_output=True, text=True
        ).stdout
    )
    print(
        f"  in a new process: opened in {1000 * opened['open']:.0f} ms, first response after"
        f" {1000 * opened['first']:.0f} ms more; after 200 responses {opened['anonymous']:.0f} MB of private memory,"
        f" {opened['before']:.0f} of them from before opening, and {opened['file']:.0f} MB of shared pages"
    )


def compare(space: Space, exact: Any, rows_file: Path, rng: np.random.Generator) -> None:
    """Print recall and latency of our search and of a full scan in float32."""
    n = len(space)
    chosen = np.concatenate([rng.choice(600, QUERIES // 2), rng.choice(n, QUERIES // 2)]) if n > 600 else np.arange(n)
    ours, theirs, shares = [], [], []
    cold = []  # first access to a row, which maps its pages
    for row in chosen.tolist():
        query = exact.reconstruct(row)[None]
        begin = time.perf_counter()
        space.vectors.search(query, K)
        cold.append(time.perf_counter() - begin)
    for start in range(0, chosen.size, TURN):
        queries = [exact.reconstruct(row)[None] for row in chosen[start : start + TURN].tolist()]
        found = []
        for query in queries:
            begin = time.perf_counter()
            found.append(space.vectors.search(query, K)[0][0])
            ours.append(time.perf_counter() - begin)
        for query, rows in zip(queries, found, strict=True):
            faiss.omp_set_num_threads(os.cpu_count())  # IndexFlatIP uses all cores
            begin = time.perf_counter()
            _, true_rows = exact.search(query, K)
            theirs.append(time.perf_counter() - begin)
            shares.append(np.isin(rows, true_rows[0]).mean())
    ratio = median(theirs) / median(ours)
    slow, first = 1000 * np.quantile(ours, 0.99), 1000 * median(cold)
    print(
        f"  recall@10 {np.mean(shares):.4f}; median {1000 * median(ours):.2f} ms, IndexFlatIP"
        f" {1000 * median(theirs):.1f} ms: {ratio:.0f} times faster (99%: {slow:.1f} ms; first access {first:.2f})"
    )
    full_scan = HalfVectors(read_index(rows_file))
    for share in (0.5, 0.05, 0.005, 0):
        same, times, shares = 0, [], []
        for row in chosen[::3].tolist():
            query = exact.reconstruct(row)[None]
            allowed = rng.random(n) < share if share else np.arange(n) == rng.integers(n)
            begin = time.perf_counter()
            (hits,) = space.vectors.search(query, K, allowed)
            times.append(time.perf_counter() - begin)
            (scanned,) = full_scan.search(query, K, allowed)
            same += hits[0].tolist() == scanned[0].tolist()
            shares.append(np.isin(hits[0], search_exact(exact, query, K, allowed)[0]).mean())
        label = f"{share:.1%} of the movies allowed" if share else "one movie allowed"
        print(
            f"  {label}: the same list as a full scan of the float16 rows in {same} of {len(times)}, recall@10 against"
            f" float32 {np.mean(shares):.4f}, median {1000 * median(times):.2f} ms"
        )


OPEN = """
import json, sys, time
from pathlib import Path
import numpy as np
from index.spaces.space import Space

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
