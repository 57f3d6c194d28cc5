"""Additions among many readers, and the processor time of single requests, on 87,585 movies.

The snapshot is generated without a build. It has as many movies as MovieLens 32M, with a poster for every movie (4.4
GB); the stored neighbours are random ones. Processor time is the server's own, as Linux counts it, so other load on the
machine hardly matters to it.
"""

from __future__ import annotations

import http.client
import json
import multiprocessing
import os
import random
import re
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from statistics import median
from urllib.parse import quote

import click
import faiss
import numpy as np

from benchmarks.scale import GENRES
from benchmarks.serving import running, serve_command, timed
from index.core.arrays import Float16Array, Float32Array, save_arrays
from index.library.api_keys import Keys
from index.library.database import Database
from index.posters.vgg16 import DIMENSION
from index.ratings import fold_in, model
from index.ratings.fold_in import FoldInArrays
from index.ratings.group_ways import WAYS
from index.ratings.indexes import RATERS_FOLDER, RatingsByMovie
from index.ratings.model import Noise, RatingArrays
from index.ratings.rankers import ImplicitFactors, save_rankers
from index.snapshot.maps import FOLDER, SHEETS_FILE, map_file
from index.snapshot.store import SnapshotStore
from index.spaces.faiss_index import flat_index
from index.spaces.random_pairs import RandomPairs
from index.spaces.vectors import AXES_FILE, CANDIDATES, FLAT_FILE, ROWS_FILE, SHORT_FILE, shorten
from indexer.spaces.two_stage import write_rows

MOVIES, USERS, WORDS, PAIRS = 87_585, 2_000, 50_000, 50_000
SAMPLES, FACTORS, TASTE, FACTS = 32, 16, 128, 128
DEPTH, PATTERNS, AXES = 100, 512, 191
API = "/api/v1"
ALLOWED = 250  # ms of processor time of a request


@click.group()
def main() -> None:
    """Generate a large snapshot, and measure a server on it."""


@main.command()
@click.argument("data", type=click.Path(file_okay=False, path_type=Path))
@click.option("--movies", type=int, default=MOVIES, show_default=True)
@click.option("--posters", type=int, default=MOVIES, show_default=True, help="Of 50 kB each.")
def make(data: Path, movies: int, posters: int) -> None:
    """Publish a generated snapshot in DATA."""
    rng = np.random.default_rng(0)
    data.mkdir(parents=True, exist_ok=True)
    with SnapshotStore(data).writing() as folder:
        (folder / "movies.json").write_text(json.dumps(catalogue(movies, posters, rng)))
        search = write_posters(folder / "poster", posters, rng)
        for name, dimension in (("taste", TASTE), ("facts", FACTS)):
            vectors = rng.normal(size=(movies, dimension)).astype(np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            (folder / name).mkdir()
            faiss.write_index(flat_index(vectors), str(folder / name / FLAT_FILE))
            write_neighbours(folder / name, movies, rng)
        (folder / "blend").mkdir()
        write_neighbours(folder / "blend", movies, rng)
        pairs = rng.normal(size=(PAIRS, 3)).astype(np.float32)
        RandomPairs(("poster", "taste", "facts"), pairs).save(folder / "blend")
        write_ratings(folder, movies, rng)
        (folder / FOLDER).mkdir()
        ids, across = np.arange(1, movies + 1), int(np.ceil(np.sqrt(movies)))
        for name, n in (("poster", posters), ("taste", movies)):
            np.save(folder / FOLDER / map_file(name), np.stack([ids[:n], *np.divmod(ids[:n], across)], axis=1))
        np.save(folder / FOLDER / SHEETS_FILE, ids[:10_000])
        weights = {"name": "untrained", "sha256": "0" * 64}
        SnapshotStore(data).publish(
            folder,
            version=version("posterity"),
            dataset={
                "name": "generated",
                "notice": "",
                "movies": movies,
                "rated_movies": movies,
                "users": USERS,
                "ratings": 100 * USERS,
                "library": 0,
                "library_id": "",
            },
            spaces={
                "poster": {"dimension": DIMENSION, "movies": posters, "weights": weights, "search": search},
                "taste": {"dimension": TASTE, "movies": movies},
                "facts": {"dimension": FACTS, "movies": movies},
            },
            blend={"poster": 1.0, "taste": 1.0, "facts": 1.0},
            ratings={
                "scale": [0.5, 5.0],
                "noise": Noise(0.7, 0.7, 10.0).as_manifest(),
                "ranker": {
                    "forms": ["ImplicitFactors"],
                    "rating_weight": 1.0,
                    "method": "ials",
                    "validation": {"scores": {}},
                },
            },
            posters={"posters": posters, "embedded": 0, "replaced": 0, "unreadable": {}},
            maps={name: {"columns": across, "rows": across} for name in ("poster", "taste")},
            warnings=(),
        )


@main.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--additions", "count", type=int, default=1000, show_default=True)
@click.option("--readers", type=int, default=4, show_default=True)
@click.option("--rate", type=float, default=25, show_default=True, help="Requests a second of each reader.")
@click.option("--workers", type=int, default=1, show_default=True)
def additions(data: Path, count: int, readers: int, rate: float, workers: int) -> None:
    """Add movies one after another while others read; DATA keeps them, so use a copy."""
    _, key = Keys(Database(data)).create("benchmark")
    movies = SnapshotStore(data).manifest().spaces["poster"]["movies"]
    with running(serve_command(data, "--workers", str(workers))) as server, multiprocessing.Manager() as manager:
        for path in islice_of(reads(0, movies), 400):
            timed(server.connection, path)
        results, stop = manager.list(), manager.Event()
        pool = [
            multiprocessing.Process(target=read, args=(server.port, number, movies, rate, stop, results))
            for number in range(readers)
        ]
        for process in pool:
            process.start()
        time.sleep(10)  # readers alone, for the memory before
        alone = sorted(1000 * each for each in results)
        idle = len(results)
        writer = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        seconds, used, sizes = [], processor_seconds(server.pid), []
        for number in range(count):
            if number % max(1, count // 4) == 0:
                sizes.append(resident(server.pid))
            movie = {"title": f"Addition {number}", "year": 2024, "genres": GENRES[:2], "imdb_id": f"tt9{number:08}"}
            headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
            begin = time.perf_counter()
            writer.request("POST", f"{API}/movies", json.dumps(movie), headers)
            response = writer.getresponse()
            response.read()
            seconds.append(time.perf_counter() - begin)
            assert response.status == 201, response.status  # noqa: S101
        used = processor_seconds(server.pid) - used
        sizes.append(resident(server.pid))
        stop.set()
        for process in pool:
            process.join()
        latencies = sorted(1000 * each for each in list(results)[idle:])
    first, last = 1000 * median(seconds[:100]), 1000 * median(seconds[-100:])
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    print(f"additions: {count}; the first 100 took {first:.1f} ms each, the last 100 {last:.1f} ms (median)")
    for name, found in (("alone", alone), ("meanwhile", latencies)):
        slow = found[int(0.99 * len(found))]
        print(
            f"{len(found)} reads {name}: median {median(found):.1f} ms, 99% {slow:.1f} ms, slowest {found[-1]:.0f} ms"
        )
    print(f"processor time of all: {used:.1f} s")
    print(f"memory of the workers, a quarter of the additions each: {', '.join(f'{size:.0f}' for size in sizes)} MB")


@main.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--only", default="", help="Regular expression of the names of the requests; all by default.")
def requests(data: Path, only: str) -> None:
    """Print the processor time of single requests that are as large as the server takes them.

    Those that wait in a queue are marked by ``*`` and may take longer.
    """
    with running(serve_command(data)) as server:
        for path in islice_of(reads(0, 100), 20):
            timed(server.connection, path)
        over = 0
        for name, method, path, body in largest():
            if not re.search(only, name):
                continue
            used = []
            for _ in range(2):
                before = processor_seconds(server.pid)
                content = None if body is None else json.dumps(body)
                # Cached responses take no time: the first of both counts.
                connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
                connection.request(method, path, content, {"Content-Type": "application/json"} if content else {})
                response = connection.getresponse()
                size = len(response.read())
                used.append(1000 * (processor_seconds(server.pid) - before))
            worst = max(used)
            too_long = worst > ALLOWED and not name.endswith("*")
            over += too_long
            mark = "TOO LONG" if too_long else ""
            print(f"{name:58} {response.status} {worst:7.0f} ms {size / 1000:8.0f} kB {mark}", flush=True)
    sys.exit(over > 0)


def largest() -> Iterator[tuple[str, str, str, object]]:
    """Yield a name, method, path and body of each of the largest requests."""
    ids = list(range(1, 101))
    rated = [{"movie": movie, "rating": 3.5} for movie in range(1, 2001)]
    yield "titles: 100 words of one letter", "GET", f"{API}/movies?q={quote(' '.join('bcdfghjklm' * 10))}", None
    words = quote(" ".join(f"{a}{b}{c}" for a in "bcd" for b in "aeio" for c in "bcdf")[:200])
    yield "titles: 200 characters of short words", "GET", f"{API}/movies?q={words}", None
    yield "titles: 200 letters", "GET", f"{API}/movies?q={'balo' * 50}", None
    yield "titles: 12 words alike", "GET", f"{API}/movies?q={quote(' '.join(f'ba{c}o' for c in 'bcdfglmnprst'))}", None
    yield "titles: one letter", "GET", f"{API}/movies?q=b&limit=100", None
    yield "titles: 10,000 matches on", "GET", f"{API}/movies?q=b&offset=10000&limit=100", None
    yield "list: 10,000 movies on", "GET", f"{API}/movies?offset=10000&limit=100", None
    for offset in (100, 400):
        for by in ("poster", "taste", "blend"):
            yield f"similar by {by}, offset {offset}", "GET", f"{API}/movies/7/similar?by={by}&offset={offset}", None
            more = f"by={by}&offset={offset}&limit=100&year_from=1900"
            yield f"similar by {by}, offset {offset}, filtered", "GET", f"{API}/movies/8/similar?{more}", None
    for by in ("poster", "taste", "blend"):
        body = {"like": ids, "unlike": list(range(101, 201)), "by": by, "limit": 100}
        yield f"similar to 100 and unlike 100 by {by}", "POST", f"{API}/similar", body
        yield (
            f"the same, filtered, offset 400, by {by}",
            "POST",
            f"{API}/similar",
            body
            | {
                "genre": [GENRES[0]],
                "offset": 400,
            },
        )
        many = list(range(1, 10_001))
        yield (
            f"the same among 10,000 without 10,000 by {by}",
            "POST",
            f"{API}/similar",
            body
            | {
                "among": many,
                "exclude": list(range(10_001, 20_001)),
            },
        )
        yield f"batch of 100 by {by} *", "POST", f"{API}/similar/batch", {"movies": ids, "by": by, "limit": 100}
        few = {"movies": ids[:3], "by": by, "limit": 100, "genre": [GENRES[0]]}
        yield f"batch of 3, filtered, by {by}", "POST", f"{API}/similar/batch", few
        yield f"batch of 100, filtered, by {by} *", "POST", f"{API}/similar/batch", few | {"movies": ids}
    for limit in (4, 100):
        yield (
            f"similar, explained, {limit}",
            "GET",
            f"{API}/movies/9/similar?by=poster&explain=true&limit={limit}",
            None,
        )
    yield "explanation by poster", "GET", f"{API}/movies/1/explanations/2", None
    yield "explanation by taste", "GET", f"{API}/movies/1/explanations/2?by=taste", None
    for by in ("poster", "taste"):
        yield f"map by {by}", "GET", f"{API}/map?by={by}", None
    yield "page of the map", "GET", "/map", None
    yield "home page", "GET", "/", None
    yield "page of a movie", "GET", "/movies/11", None
    yield "page of a user of 3,000 ratings *", "GET", "/for-you?user=1", None
    yield "page of a new user", "GET", "/for-you?rated=" + ",".join(f"{movie}:4" for movie in range(1, 41)), None
    for offset in (0, 400):
        yield (
            f"recommendations, offset {offset}",
            "GET",
            f"{API}/users/1/recommendations?limit=100&offset={offset}",
            None,
        )
    yield "recommendations, explained *", "GET", f"{API}/users/1/recommendations?limit=100&explain=true", None
    new = {"ratings": rated, "limit": 100}
    yield "recommendations for 2,000 ratings", "POST", f"{API}/recommendations", new
    yield "the same, offset 400", "POST", f"{API}/recommendations", new | {"offset": 400}
    yield "the same, explained, 1", "POST", f"{API}/recommendations", new | {"explain": True, "limit": 1}
    yield "the same, explained, 100 *", "POST", f"{API}/recommendations", new | {"explain": True}
    yield "predictions of 100 for 2,000 ratings", "POST", f"{API}/predictions", {"ratings": rated, "movies": ids}
    explained = {"ratings": rated, "movies": ids, "explain": True}
    yield "the same, explained *", "POST", f"{API}/predictions", explained
    users = {"user_ids": ids, "limit": 100}
    yield "recommendations for 5 users", "POST", f"{API}/recommendations", users | {"user_ids": ids[:5]}
    yield "recommendations for 100 users *", "POST", f"{API}/recommendations", users
    yield "the same, explained *", "POST", f"{API}/recommendations", users | {"explain": True}
    yield "predictions for 100 users *", "POST", f"{API}/predictions", {"user_ids": ids, "movies": ids}
    yield "the same, explained *", "POST", f"{API}/predictions", {"user_ids": ids, "movies": ids, "explain": True}
    yield "ratings of a user", "GET", f"{API}/users/1/ratings?limit=100", None
    for by in ("poster", "taste", "blend"):
        yield f"similar by {by}, distinct", "GET", f"{API}/movies/12/similar?by={by}&limit=100&distinct=true", None
    yield "recommendations, diverse", "GET", f"{API}/users/2/recommendations?limit=100&diversity=0.5", None
    for together in WAYS:
        for kind, members in (
            ("users", [{"user_id": user} for user in ids[:10]]),
            ("new people", [{"ratings": rated}] * 10),
        ):
            group = {"members": members, "limit": 100, "together": together}
            yield f"10 {kind} together, {together} *", "POST", f"{API}/groups/recommendations", group
    yield "page of a user with company *", "GET", "/for-you?user=4&company=5", None
    yield "films embedded in another page", "GET", "/embed/movies/13?by=blend&limit=12", None
    yield "feed of a user *", "GET", "/users/6/feed.atom", None
    yield "page of the quality", "GET", "/quality", None
    yield "document of the API, once per process *", "GET", f"{API}/openapi.json", None


def reads(seed: int, movies: int) -> Iterator[str]:
    """Yield paths of everyday requests about some movies, without end."""
    rng = random.Random(seed)  # noqa: S311
    while True:
        movie = rng.randint(1, movies)
        yield rng.choice(
            [
                f"{API}/movies/{movie}",
                f"{API}/movies/{movie}/similar",
                f"{API}/movies/{movie}/similar?by=taste",
                f"{API}/movies/{movie}/similar?by=poster",
                f"{API}/movies?q=addition",
                f"{API}/movies?after={movie}",
                f"{API}/users/{rng.randint(1, 1000)}/recommendations",
            ]
        )


def read(port: int, number: int, movies: int, rate: float, stop: object, results: list[float]) -> None:
    """Send everyday requests at fixed times until stopped; late responses do not delay the next request."""
    connection, own = http.client.HTTPConnection("127.0.0.1", port, timeout=60), []
    due = time.perf_counter()
    for turn, path in enumerate(reads(1 + number, movies)):
        due = max(due + 1 / rate, time.perf_counter() - 1)
        time.sleep(max(0, due - time.perf_counter()))
        own.append(timed(connection, path))
        if turn % 20 == 0:
            results.extend(own)
            own.clear()
            if stop.is_set():  # type: ignore[attr-defined]
                return


def islice_of(paths: Iterator[str], n: int) -> list[str]:
    """Return the first n paths."""
    return [next(paths) for _ in range(n)]


def processes(pid: int) -> list[str]:
    """Return the ids of a server and its workers."""
    return [str(pid), *Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def processor_seconds(pid: int) -> float:
    """Return the processor time that a server and its workers have used so far."""
    found = [Path(f"/proc/{each}/stat").read_text().rsplit(")", 1)[1].split()[11:13] for each in processes(pid)]
    return sum(int(user) + int(system) for user, system in found) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> float:
    """Return the memory that the workers of a server alone hold, without mapped files, in MB."""
    lines = [line for each in processes(pid)[1:] for line in Path(f"/proc/{each}/status").read_text().splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1000


def catalogue(movies: int, posters: int, rng: np.random.Generator) -> dict[str, list[object]]:
    """Return the columns of movies.json: titles of one to six of 50,000 invented words."""
    syllables = [start + vowel for start in "bcdfglmnprstv" for vowel in "aeiou"]
    words = np.array(["".join(rng.choice(syllables, rng.integers(1, 5))).capitalize() for _ in range(WORDS)])
    lengths = rng.integers(1, 7, movies)
    drawn = iter(words[np.minimum(rng.zipf(1.2, lengths.sum()), WORDS) - 1].tolist())
    ids = range(1, movies + 1)
    return {
        "movie_id": [*ids],
        "title": [" ".join(next(drawn) for _ in range(length)) for length in lengths.tolist()],
        "year": (2023 - np.minimum(rng.exponential(22, movies).astype(np.int64), 120)).tolist(),
        "genres": [sorted({*rng.choice(GENRES, 2).tolist()}) for _ in ids],
        "imdb_id": [f"tt{10_000_000 + movie_id}" for movie_id in ids],
        "tmdb_id": [*ids],
        "rating_count": rng.zipf(1.3, movies).clip(0, 100_000).tolist(),
        "rating_mean": [3.5] * movies,
        "poster": [f"{movie_id}.jpg" if movie_id <= posters else None for movie_id in ids],
    }


def write_posters(folder: Path, posters: int, rng: np.random.Generator) -> dict[str, object]:
    """Write a poster space of mixtures of some patterns, and return its search settings."""
    folder.mkdir()
    patterns = np.abs(rng.normal(size=(PATTERNS, DIMENSION))).astype(np.float32)
    patterns /= np.linalg.norm(patterns, axis=1, keepdims=True)
    axes = np.ascontiguousarray(np.linalg.qr(patterns[:AXES].T)[0].T, dtype=np.float32)
    first, second = rng.integers(0, PATTERNS, (2, posters))
    share = rng.uniform(0.2, 0.8, posters).astype(np.float32)

    def blocks() -> Iterator[Float16Array]:
        for start in range(0, posters, 256):
            yield mixed(patterns, start).astype(np.float16)

    def mixed(parts: Float32Array, start: int) -> Float32Array:
        part = slice(start, start + 256)
        one = share[part, None]
        blend: Float32Array = (one * parts[first[part]] + (1 - one) * parts[second[part]]) / lengths[part, None]
        return blend

    products = np.einsum("ij,ij->i", patterns[first[:1]], patterns[second[:1]])  # about the same of all pairs
    cosines = np.where(first == second, 1, products[0])
    lengths = np.sqrt(share**2 + (1 - share) ** 2 + 2 * share * (1 - share) * cosines).astype(np.float32)
    write_rows(folder / ROWS_FILE, blocks())
    np.save(folder / AXES_FILE, axes)
    on_axes = patterns @ axes.T
    short = np.concatenate([mixed(on_axes, start) for start in range(0, posters, 256)])
    lost = np.sqrt(0.3 * np.maximum(0, 1 - (short**2).sum(axis=1, keepdims=True)))
    assert shorten(patterns[:1], axes, 0.3).shape[1] == short.shape[1] + 1  # noqa: S101
    faiss.write_index(flat_index(np.concatenate([short, lost], axis=1)), str(folder / SHORT_FILE))
    write_neighbours(folder, posters, rng)
    return {"index": "Flat", "axes": AXES, "shared": 0.3, "candidates": CANDIDATES, "probes": 0}


def write_neighbours(folder: Path, n: int, rng: np.random.Generator) -> None:
    """Write ids, percentiles and random neighbours of a space."""
    np.save(folder / "movie_ids.npy", np.arange(1, n + 1))
    np.save(folder / "calibration.npy", np.linspace([-1, 0], [1, 1], 400, dtype=np.float32).T)
    steps = rng.integers(1, max(2, n // DEPTH), (n, DEPTH), dtype=np.int32)
    rows = (np.arange(n, dtype=np.int32)[:, None] + np.cumsum(steps, axis=1, dtype=np.int32)) % n
    np.save(folder / "neighbour_rows.npy", rows.astype(np.int32))
    np.save(folder / "neighbour_scores.npy", np.tile(np.linspace(0.99, 0.5, DEPTH, dtype=np.float32), (n, 1)))


def write_ratings(folder: Path, movies: int, rng: np.random.Generator) -> None:
    """Write a random rating model, with a heavy user as the first."""
    counts = np.append(3000, rng.integers(20, 200, USERS - 1))
    rows = np.concatenate([np.sort(rng.choice(movies, min(count, movies), replace=False)) for count in counts.tolist()])
    starts = np.concatenate([[0], np.cumsum(counts)])

    def drawn(*shape: int) -> Float32Array:
        return rng.normal(0, 0.1, shape).astype(np.float32)

    arrays = RatingArrays(
        np.arange(1, USERS + 1),
        drawn(USERS) + 3,
        drawn(USERS, FACTORS),
        drawn(SAMPLES, USERS, FACTORS + 1),
        drawn(movies, FACTORS + 1),
        drawn(SAMPLES, movies, FACTORS + 1),
        np.full(USERS, 0.7, dtype=np.float32),
        starts,
        rows.astype(np.int32),
        rng.integers(1, 11, rows.size).astype(np.float32) / np.float32(2),
    )
    save_arrays(arrays, folder / model.FOLDER)
    ones = np.ones(SAMPLES, dtype=np.float32)
    prior = np.stack([drawn(SAMPLES, FACTORS + 1), np.ones((SAMPLES, FACTORS + 1), np.float32)], axis=1)
    save_arrays(FoldInArrays(drawn(SAMPLES, movies, FACTORS + 1), prior, ones, 3 * ones), folder / fold_in.FOLDER)
    save_arrays(RatingsByMovie.from_rows(rows, movies), folder / RATERS_FOLDER)
    factors = drawn(movies, 64)
    gram = (factors.T @ factors + np.eye(64)).astype(np.float64)
    save_rankers([ImplicitFactors(factors, gram, np.array(10.0))], folder / "ranker")


if __name__ == "__main__":
    main()
