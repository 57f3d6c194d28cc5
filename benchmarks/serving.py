"""Neighbours by id over HTTP against a search per request; time to ready; memory before and after an upload."""

from __future__ import annotations

import http.client
import io
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import click
from PIL import Image

from index.movie_index import MovieIndex

REQUESTS = 1000


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    port: int
    pid: int
    seconds: float  # from start to ready
    connection: http.client.HTTPConnection


@click.command()
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
def main(data: Path) -> None:
    """Measure a server on DATA."""
    index = MovieIndex.open(data)
    space = index.spaces["taste"]
    movies = random.Random(0).choices(space.ids.values.tolist(), k=REQUESTS)  # noqa: S311
    with running(serve_command(data)) as server:
        print(f"ready after {server.seconds:.2f} s")
        print(f"memory when ready: {memory(server.pid):.0f} MB")
        for by in ("taste", "blend"):
            times = [timed(server.connection, f"/api/v1/movies/{movie_id}/similar?by={by}") for movie_id in movies]
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
        filtered = [
            timed(server.connection, f"/api/v1/movies/{movie_id}/similar?by=taste&genre=Western") for movie_id in movies
        ]
        print(f"the same by a search, without HTTP: median {1000 * median(searches):.2f} ms")
        print(f"filtered by genre, so searched, over HTTP: median {1000 * median(filtered):.2f} ms")
        print(f"ratio filtered / stored over HTTP: {median(filtered) / by_id:.1f}")
        if "poster" in index.spaces:
            image = jpeg()
            first = timed(server.connection, "/api/v1/posters/similar", image)
            later = [timed(server.connection, "/api/v1/posters/similar", image) for _ in range(20)]
            print(f"first upload: {first:.1f} s (loads TensorFlow), later ones: median {1000 * median(later):.0f} ms")
            print(f"memory after uploads: {memory(server.pid):.0f} MB")


def serve_command(data: Path, *options: str) -> list[str]:
    """Return the command that serves a data directory without rate limits; the port must be appended."""
    limits = [word for name in ("read", "write", "upload") for word in (f"--{name}-limit", "")]
    return [sys.executable, "-m", "posterity", "serve", "--data", str(data), *limits, *options, "--port"]


@contextmanager
def running(command: Sequence[str]) -> Iterator[Server]:
    """Start a server, with a free port as the last argument, and yield it once it is ready."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    start = time.perf_counter()
    process = subprocess.Popen([*command, str(port)], stdout=subprocess.DEVNULL)
    try:
        connection = wait_until_ready(port)
        yield Server(port, process.pid, time.perf_counter() - start, connection)
    finally:
        process.terminate()
        process.wait()


def wait_until_ready(port: int) -> http.client.HTTPConnection:
    """Return a connection once the server is ready."""
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
            timed(connection, "/readyz")
        except OSError:
            time.sleep(0.01)
        else:
            return connection


def timed(connection: http.client.HTTPConnection, path: str, body: bytes | None = None) -> float:
    """Return the seconds from a request to the end of its response."""
    headers = {"Content-Type": "application/json"} if body and body.startswith(b"{") else {}
    begin = time.perf_counter()
    connection.request("GET" if body is None else "POST", path, body, headers)
    response = connection.getresponse()
    response.read()
    assert response.status == 200, path  # noqa: S101
    return time.perf_counter() - begin


def memory(pid: int) -> float:
    """Return the peak memory of a server's workers together, in MB (Linux)."""
    workers = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    lines = [line for worker in workers for line in Path(f"/proc/{worker}/status").read_text().splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1000


def jpeg() -> bytes:
    """Return a JPEG of the size of a poster."""
    stream = io.BytesIO()
    Image.effect_noise((400, 600), 60).convert("RGB").save(stream, "JPEG")
    return stream.getvalue()


if __name__ == "__main__":
    main()
