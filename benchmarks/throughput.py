"""Requests a second of neighbours by id, against a bare Flask route that returns the same bytes; latency under load.

Both run in turn under gunicorn with the same settings; wrk, which must be installed, sends the requests.
"""

from __future__ import annotations

import http.client
import re
import selectors
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import cast

import click

from benchmarks.serving import jpeg, running, serve_command, timed
from index.movie_index import MovieIndex

# A server of stored responses, from a file of lines "<movie> <response>". Arguments: file, workers, threads, port.
BARE = """
import sys
from pathlib import Path
from flask import Flask, Response
from gunicorn.app.base import BaseApplication
from server.middleware.logs import log_settings
from server.worker import worker_class

class Bare(BaseApplication):
    def load_config(self):
        settings = {"bind": f"127.0.0.1:{sys.argv[4]}", "worker_class": worker_class(20, lambda path: 2**20, print),
                    "workers": int(sys.argv[2]), "keepalive": 75,
                    "threads": int(sys.argv[3]), "logconfig_dict": log_settings("text")}
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self):
        app = Flask("bare")
        responses = dict(line.split(b" ", 1) for line in Path(sys.argv[1]).read_bytes().splitlines())

        @app.get("/readyz")
        def ready():
            return "{}"

        @app.get("/api/v1/movies/<movie>/similar")
        def similar(movie):
            return Response(responses[movie.encode()], mimetype="application/json")

        return app

Bare().run()
"""

UPLOADERS = 16

# Requests every movie in turn; each connection begins with a random one.
WRK = """
local paths = {}
for line in io.lines("%s") do paths[#paths + 1] = line end
local at = 0
function init(args) math.randomseed(os.time()); at = math.random(#paths) end
function request() at = at %% #paths + 1; return wrk.format("GET", paths[at]) end
"""


@click.command()
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--workers", type=int, default=1, show_default=True)
@click.option("--threads", type=int, default=8, show_default=True)
@click.option("--seconds", type=int, default=10, show_default=True, help="Of each measurement.")
@click.option("--rounds", type=int, default=3, show_default=True)
@click.option("--read-limit", default="", help="Of our server, such as 1000000/minute; none by default.")
def main(data: Path, workers: int, threads: int, seconds: int, rounds: int, read_limit: str) -> None:
    """Measure a server on DATA."""
    movies = MovieIndex.open(data).spaces["taste"].ids.values[:500].tolist()
    size = [str(workers), str(threads)]
    ours = serve_command(data, "--workers", size[0], "--threads", size[1], "--read-limit", read_limit)
    with tempfile.TemporaryDirectory() as folder:
        paths = [f"/api/v1/movies/{movie}/similar?by=blend" for movie in movies]
        (Path(folder) / "paths").write_text("\n".join(paths))
        (Path(folder) / "wrk.lua").write_text(WRK % (Path(folder) / "paths"))
        responses = Path(folder) / "responses"
        with running(ours) as server, responses.open("wb") as stream:
            for movie, path in zip(movies, paths, strict=True):
                server.connection.request("GET", path)
                stream.write(f"{movie} ".encode() + server.connection.getresponse().read() + b"\n")
        commands = {"ours": ours, "bare": [sys.executable, "-c", BARE, str(responses), *size]}
        rates: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(rounds):
            for name, command in commands.items():
                with running(command) as server:
                    rates[name].append(rate(server.port, Path(folder), seconds))
        our_rate, bare_rate = median(rates["ours"]), median(rates["bare"])
        print(
            f"requests a second: ours {our_rate:.0f}, a bare route with the same bytes {bare_rate:.0f}:"
            f" {our_rate / bare_rate:.0%}"
        )
        with running(ours) as server:
            rate(server.port, Path(folder), 1)  # warm, as it was for the rate that is halved
            measure_latency(
                server.port, paths, our_rate / 2, seconds, f"at half that load ({our_rate / 2:.0f} a second)"
            )
            image = jpeg()
            stop = threading.Event()
            statuses: list[int] = []
            uploaders = [
                threading.Thread(target=upload, args=(server.port, image, stop, statuses)) for _ in range(UPLOADERS)
            ]
            timed(http.client.HTTPConnection("127.0.0.1", server.port, timeout=120), "/api/v1/posters/similar", image)
            uploaders[0].start()
            measure_latency(server.port, paths, 50, seconds, "50 a second beside one client that uploads")
            for uploader in uploaders[1:]:
                uploader.start()
            measure_latency(server.port, paths, 50, seconds, f"50 a second beside {UPLOADERS} clients that upload")
            stop.set()
            for uploader in uploaders:
                uploader.join()
            done, refused = statuses.count(200), statuses.count(503)
            print(f"uploads: {done} answered, {refused} refused with 503, {len(statuses) - done - refused} others")


def rate(port: int, folder: Path, seconds: int) -> float:
    """Return the requests a second, all with status 200."""
    command = ["wrk", "-t", "1", "-c", "16", "-s", str(folder / "wrk.lua"), f"http://127.0.0.1:{port}"]
    subprocess.run([*command, "-d", "2"], check=True, capture_output=True)  # warm-up
    output = subprocess.run([*command, "-d", str(seconds)], check=True, capture_output=True, text=True).stdout
    assert "Non-2xx" not in output, output  # noqa: S101
    return float(re.search(r"Requests/sec:\s+([0-9.]+)", output)[1])  # type: ignore[index]


def measure_latency(port: int, paths: list[str], per_second: float, seconds: int, label: str) -> None:
    """Print the latency of requests at fixed times; late responses do not delay the next request.

    One thread and one loop for all connections: several threads would wait for each other longer than for the server.
    """
    requests = [f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() for path in paths]
    count, sent = int(per_second * seconds), 0
    latencies: list[float] = []
    with ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        free = [stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60)) for _ in range(16)]
        begun: dict[socket.socket, tuple[float, bytearray]] = {}  # when a request was due, and its response so far
        for connection in free:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(connection, selectors.EVENT_READ)
        begin = time.perf_counter()
        while len(latencies) < count:
            while sent < count and free and begin + sent / per_second <= time.perf_counter():
                connection = free.pop()
                begun[connection] = begin + sent / per_second, bytearray()
                connection.sendall(requests[sent % len(requests)])
                sent += 1
            due = begin + sent / per_second - time.perf_counter() if sent < count and free else None
            for key, _ in selector.select(due and max(0, due)):
                connection = cast(socket.socket, key.fileobj)
                due_at, response = begun[connection]
                response += connection.recv(2**16)
                if is_whole(response):
                    assert response.startswith(b"HTTP/1.1 200 "), response  # noqa: S101
                    latencies.append(time.perf_counter() - due_at)
                    free.append(connection)
    latencies.sort()
    middle, slow = 1000 * latencies[len(latencies) // 2], 1000 * latencies[int(len(latencies) * 0.99)]
    print(f"{label}: median {middle:.1f} ms, 99% {slow:.1f} ms, slowest {1000 * latencies[-1]:.0f} ms")


def is_whole(response: bytearray) -> bool:
    """Return True if a response with a length has arrived whole."""
    head, blank, body = response.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: ([0-9]+)", head)
    return bool(blank) and length is not None and len(body) >= int(length[1])


def upload(port: int, image: bytes, stop: threading.Event, statuses: list[int]) -> None:
    """Upload an image repeatedly until stopped; retry soon after a 503."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    while not stop.is_set():
        connection.request("POST", "/api/v1/posters/similar", image)
        response = connection.getresponse()
        response.read()
        statuses.append(response.status)
        if response.status == 503:
            assert response.headers["Retry-After"]  # noqa: S101
            time.sleep(0.05)


if __name__ == "__main__":
    main()
