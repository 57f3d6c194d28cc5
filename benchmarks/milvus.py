"""Posters in Milvus: recall and time of the API's search, memory of both processes, and the slope with their number.

The vectors are mixtures of a built catalogue's posters, as in ``benchmarks.search``, each the poster of a movie.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import click
import numpy as np
import urllib3

from benchmarks.search import mixtures
from index.core.arrays import Float16Array, Float32Array
from index.core.ids import Ids
from index.core.progress import silent
from index.milvus.service import milvus_at
from index.snapshot.collections import owner_of, prune
from index.snapshot.store import SnapshotStore
from index.spaces import blend as blends
from index.spaces.blend import Blend
from index.spaces.faiss_index import read_index
from index.spaces.neighbours import load_neighbours
from index.spaces.space import Space
from index.spaces.vectors import ROWS_FILE
from indexer.build import METRIC
from indexer.ranking.without_ratings import write_without_ratings
from indexer.spaces.milvus import move_to_milvus
from indexer.spaces.neighbours import SpaceFinder, write_neighbours
from indexer.spaces.recall import recall, tune_search
from indexer.spaces.two_stage import write_reduced
from indexer.spaces.writer import calibrate
from tests.milvus_server import MilvusProcess
from tests.serving import serving

QUERIES = 200
K = 10
GENRES = ("Action", "Comedy", "Drama", "Romance")
WARM_UP = 20  # requests that are not timed
PATIENCE, STEP, AT_REST = 600.0, 10.0, 0.2  # seconds to wait for Milvus, to look at it, and of CPU a second at rest


@click.command()
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--n", "sizes", type=int, multiple=True, default=(10_000, 20_000, 40_000), show_default=True)
@click.option("--milvus", "folder", type=click.Path(path_type=Path), help="Folder for Milvus' data.")
def main(data: Path, sizes: tuple[int, ...], folder: Path | None) -> None:
    """Measure with mixtures of the posters of DATA's current snapshot. It needs the package milvus."""
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    rows = read_index(SnapshotStore(data).path() / "poster" / ROWS_FILE)
    real: Float32Array = rows.reconstruct_n(0, rows.ntotal)
    with tempfile.TemporaryDirectory() as temporary:
        milvus = MilvusProcess(folder or Path(temporary) / "milvus")
        milvus.start()
        try:
            print(
                f"Milvus {milvus_at(milvus.address).call('get_server_version')}: {resident(milvus.pid):.0f} MB at rest"
            )
            for n in sizes:
                measure(Path(temporary) / "data", real, n, milvus)
        finally:
            milvus.kill()


def measure(data: Path, real: Float32Array, n: int, milvus: MilvusProcess) -> None:
    """Print all results for one size."""
    rng, store, stored = np.random.default_rng(0), SnapshotStore(data), data.parent / "neighbours"
    with store.writing() as folder:
        poster = folder / "poster"
        search = write_reduced(poster, (block.astype(np.float16) for block in mixtures(real, n, rng)), rng)
        search = tune_search(poster, search, rng)
        queries = np.sort(rng.choice(n, QUERIES, replace=False))
        whole = read_index(poster / ROWS_FILE)
        asked = whole.reconstruct_batch(queries)
        scores = np.concatenate([asked @ block.astype(np.float32).T for block in blocks(whole)], axis=1)
        del whole
        entry = write_rest(folder, n, search, rng)
        store_neighbours(folder, search, n, stored)
        begin = time.perf_counter()
        entries = move_to_milvus(milvus_at(milvus.address), owner_of(data), folder, {"poster": entry})
        moved = time.perf_counter() - begin
        publish(store, folder, n, entries)
    prune(store, 1, milvus.address)
    print(
        f"n = {n}: candidates {search['candidates']}, moved to Milvus in {moved:.0f} s"
        f" ({1000 * moved / n:.0f} ms a poster); Milvus has {resident(milvus.pid):.0f} MB"
    )
    print(f"  Milvus merges what it was sent: at rest after {settle(milvus.pid):.0f} s more")
    show(data, milvus, queries, scores, "searched in Milvus")
    with store.writing() as folder:
        for name in ("poster", blends.NAME):
            shutil.copytree(store.path() / name, folder / name)
        shutil.copy(store.path() / "movies.json", folder)
        shutil.copytree(stored, folder / "poster", dirs_exist_ok=True)
        publish(store, folder, n, entries)
    show(data, milvus, queries, scores, "neighbours stored")


def store_neighbours(folder: Path, search: dict[str, Any], n: int, target: Path) -> None:
    """Find the neighbours of all movies as a build does, by the files of a snapshot, and move theirs to a folder."""
    shutil.rmtree(target, ignore_errors=True)
    (folder / target.name).mkdir()
    begin = time.perf_counter()
    write_neighbours(folder / target.name, SpaceFinder("poster", search), n, "poster", track=silent)
    print(f"n = {n}: the neighbours of all took {time.perf_counter() - begin:.0f} s")
    shutil.move(folder / target.name, target)


def show(data: Path, milvus: MilvusProcess, queries: Any, scores: Float32Array, label: str) -> None:
    """Serve the snapshot, and print recall, times and the memory of both processes."""
    limits = [text for name in ("read", "write", "upload") for text in (f"--{name}-limit", "")]
    with serving("serve", "--data", data, "--search", milvus.address, *limits) as server:
        filters = {"all movies": "", "a quarter of them": f"&genre={GENRES[1]}", "one in 200": "&year_from=1999"}
        for among, more in filters.items():
            print(f"  {label}, {among}: {ask(server.port, queries, scores, more)}")
        (worker,) = server.workers()
        print(f"  the server's process has {resident(worker):.0f} MB, Milvus {resident(milvus.pid):.0f} MB")


def ask(port: int, queries: Any, scores: Float32Array, more: str) -> str:
    """Ask the API for the neighbours of movies; return recall and times in words."""
    found, times = [], []
    allowed = passes(scores.shape[1], more)
    with urllib3.HTTPConnectionPool("127.0.0.1", port, maxsize=1) as http:
        for at in [*range(WARM_UP), *range(len(queries))]:
            address = f"/api/v1/movies/{queries[at] + 1}/similar?by=poster&limit={K}&fields=ids{more}"
            begin = time.perf_counter()
            reply = http.request("GET", address, headers={"Cache-Control": "no-cache"})
            times.append(time.perf_counter() - begin)
            assert reply.status == 200, reply.data  # noqa: S101
            found.append((at, [match["movie_id"] - 1 for match in reply.json()["results"]]))
    shares = []
    for at, rows in found[WARM_UP:]:
        line = np.where(allowed, scores[at], np.float32(-np.inf))
        line[queries[at]] = -np.inf
        shares.append(recall(np.array(rows), line, K))
    timed = times[WARM_UP:]
    ninety = quantiles(timed, n=10)[-1]
    return f"recall@{K} {np.mean(shares):.4f}, median {1000 * median(timed):.1f} ms, 90% {1000 * ninety:.1f} ms"


def passes(n: int, more: str) -> Any:
    """Return the mask (n,) of the movies that pass a filter of ``ask``."""
    rows = np.arange(n)
    if "genre" in more:
        return rows % len(GENRES) == 1
    return year_of(rows) >= 1999 if "year" in more else np.ones(n, dtype=np.bool_)


def draw_titles(n: int, rng: np.random.Generator) -> list[str]:
    """Return titles of three words, as often as words of titles are: one for each two movies is seen once or twice."""
    ranks = (n ** rng.random((n, 3))).astype(int)
    return [" ".join(word(rank) for rank in line) for line in ranks.tolist()]


def word(rank: int) -> str:
    """Return a word of letters for a number."""
    return np.base_repr(rank + 40, 36).lower().translate(str.maketrans("0123456789", "aeiouaeiou"))


def year_of(rows: Any) -> Any:
    """Return the year of each row: 1999 of one in 200."""
    return np.where(rows % 200 == 7, 1999, 1950 + rows % 40)


def blocks(whole: Any) -> Iterator[Float16Array]:
    """Yield all vectors of an index in order."""
    for start in range(0, whole.ntotal, 1024):
        yield whole.reconstruct_n(start, min(1024, whole.ntotal - start)).astype(np.float16)


def write_rest(folder: Path, n: int, search: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """Write all files of a snapshot but the vectors; stored neighbours are one each, so that searches are searched."""
    poster = folder / "poster"
    np.save(poster / "movie_ids.npy", np.arange(1, n + 1))
    for name in ("poster", blends.NAME):
        (folder / name).mkdir(exist_ok=True)
        np.save(folder / name / "neighbour_rows.npy", np.full((n, 1), -1, dtype=np.int32))
        np.save(folder / name / "neighbour_scores.npy", np.full((n, 1), -np.inf, dtype=np.float32))
    np.save(poster / "calibration.npy", np.array([[0, 1], [0, 1]], dtype=np.float32))
    space = Space.load("poster", poster, {"search": search})
    calibration = calibrate(space.vectors, rng)
    np.save(poster / "calibration.npy", np.stack([calibration.scores, calibration.shares]))
    space = Space.load("poster", poster, {"search": search})
    Blend({"poster": space}, {"poster": 1.0}, Ids(np.arange(1, n + 1))).random_pairs.save(folder / blends.NAME)
    rows = np.arange(n)
    columns: dict[str, list[Any]] = {
        "movie_id": (rows + 1).tolist(),
        "title": draw_titles(n, rng),
        "year": year_of(rows).tolist(),
        "genres": [[GENRES[row % len(GENRES)]] for row in rows.tolist()],
        "imdb_id": [None] * n,
        "tmdb_id": [None] * n,
        "source_id": [None] * n,
        "rating_count": [0] * n,
        "rating_mean": [None] * n,
        "poster": [None] * n,
    }
    (folder / "movies.json").write_text(json.dumps(columns))
    return {"search": search, "weights": {"name": "imagenet", "sha256": "0" * 64}, "look": "raw"}


def publish(store: SnapshotStore, folder: Path, n: int, entries: dict[str, dict[str, Any]]) -> None:
    """Publish the snapshot."""
    ratings = write_without_ratings(folder, load_neighbours(folder / blends.NAME), n, (0.5, 5.0), 0)
    store.publish(
        folder,
        version=version("posterity"),
        dataset={"name": "mixtures", "notice": "", "movies": n, "rated_movies": 0, "users": 0, "ratings": 0},
        spaces={"poster": {"dimension": 25_088, "metric": METRIC, "movies": n, **entries["poster"]}},
        blend={"poster": 1.0},
        ratings=ratings,
        posters={"posters": n, "embedded": n, "replaced": 0, "unreadable": {}},
        warnings=(),
    )


def settle(pid: int) -> float:
    """Wait until a process hardly computes, ``PATIENCE`` at most; return the seconds."""
    begin = time.monotonic()
    while time.monotonic() < begin + PATIENCE:
        before = computed(pid)
        time.sleep(STEP)
        if computed(pid) - before < AT_REST * STEP:
            break
    return time.monotonic() - begin


def computed(pid: int) -> float:
    """Return the seconds of CPU that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> float:
    """Return the resident memory of a process, in MB."""
    (kilobytes,) = re.findall(r"^VmRSS:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(kilobytes) / 1000


if __name__ == "__main__":
    main()
