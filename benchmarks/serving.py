"""Neighbours by id over HTTP against a search at each request; time to ready; memory before and after an upload."""

from __future__ import annotations

import http.client
import io
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import click
from PIL import Image

from index.movie_index import MovieIndex

REQUESTS = 1000


@click.command()
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
def main(data: Path) -> None:
    """Measure a server on DATA."""
    index = MovieIndex.open(data)
    space = index.spaces["taste"]
    movies = random.Random(0).choices(space.ids.values.tolist(), k=REQUESTS)  # noqa: S311
    with served(data) as (connection, pid, seconds):
        print(f"ready after {seconds:.2f} s")
        print(f"memory when ready: {memory(pid):.0f} MB")
        for by in ("taste", "blend"):
            times = [timed(connection, f"/api/v1/movies/{movie_id}/similar?by={by}") for movie_id in movies]
            middle, slow = 1000 * median(times), 1000 * sorted(times)[-REQUESTS // 100]
            print(f"similar by {by} over HTTP: median {middle:.2f} ms, 99% {slow:.2f} ms")
            if by == "taste":
                by_id = median(times)
        searches = []
        for movie_id in movies:
            begin = time.perf_counter()
            allowed = space.ids.values != movie_id
            space.search(space.vector(movie_id), 10, allowed=allowed)
            searches.append(time.perf_counter() - begin)
        narrowed = [
            timed(connection, f"/api/v1/movies/{movie_id}/similar?by=taste&genre=Western") for movie_id in movies
        ]
        print(f"the same by a search, without HTTP: median {1000 * median(searches):.2f} ms")
        print(f"narrowed to a genre, so searched, over HTTP: median {1000 * median(narrowed):.2f} ms")
        print(f"ratio narrowed / stored over HTTP: {median(narrowed) / by_id:.1f}")
        if "poster" in index.spaces:
            stream = io.BytesIO()
            Image.effect_noise((400, 600), 60).convert("RGB").save(stream, "JPEG")
            first = timed(connection, "/api/v1/posters/similar", stream.getvalue())
            later = [timed(connection, "/api/v1/posters/similar", stream.getvalue()) for _ in range(20)]
            print(f"first upload: {first:.1f} s (loads TensorFlow), later ones: median {1000 * median(later):.0f} ms")
            print(f"memory after uploads: {memory(pid):.0f} MB")


@contextmanager
def served(data: Path) -> Iterator[tuple[http.client.HTTPConnection, int, float]]:
    """A connection to a server on ``data`` once it is ready, the server's process id, and the seconds it took."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    start = time.perf_counter()
    server = subprocess.Popen(
        [sys.executable, "-m", "posterity", "serve", "--data", str(data), "--port", str(port), "--read-limit", ""],
        stdout=subprocess.DEVNULL,
    )
    try:
        connection = wait_until_ready(port)
        yield connection, server.pid, time.perf_counter() - start
    finally:
        server.terminate()
        server.wait()


def wait_until_ready(port: int) -> http.client.HTTPConnection:
    """A connection, once the server answers that it is ready."""
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
            timed(connection, "/readyz")
        except OSError:
            time.sleep(0.01)
        else:
            return connection


def timed(connection: http.client.HTTPConnection, path: str, body: bytes | None = None) -> float:
    """Seconds until a reply was read whole."""
    headers = {"Content-Type": "application/json"} if body and body.startswith(b"{") else {}
    begin = time.perf_counter()
    connection.request("GET" if body is None else "POST", path, body, headers)
    reply = connection.getresponse()
    reply.read()
    assert reply.status == 200, path  # noqa: S101
    return time.perf_counter() - begin


def memory(pid: int) -> float:
    """MB that a process's workers have used at most (Linux)."""
    workers = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    peaks = [line for worker in workers for line in Path(f"/proc/{worker}/status").read_text().splitlines()]
    return sum(int(line.split()[1]) for line in peaks if line.startswith("VmHWM")) / 1000


if __name__ == "__main__":
    main()
