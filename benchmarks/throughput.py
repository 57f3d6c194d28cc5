"""Requests a second of neighbours by id, against a bare Flask route that returns the same bytes; latency under load.

Both are served by gunicorn with the same settings, in turn, and asked by wrk (it has to be installed).
"""

from __future__ import annotations

import http.client
import io
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import click
from PIL import Image

from benchmarks.serving import timed, wait_until_ready
from index.movie_index import MovieIndex

# Serves replies kept in a file of lines "<movie> <reply>", and does nothing else.
BARE = """
import sys
from pathlib import Path
from flask import Flask, Response
from gunicorn.app.base import BaseApplication

class Bare(BaseApplication):
    def load_config(self):
        settings = {"bind": f"127.0.0.1:{sys.argv[2]}", "worker_class": "gthread", "workers": int(sys.argv[3]),
                    "threads": int(sys.argv[4]), "loglevel": "warning"}
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self):
        app = Flask("bare")
        replies = dict(line.split(b" ", 1) for line in Path(sys.argv[1]).read_bytes().splitlines())

        @app.get("/readyz")
        def ready():
            return "{}"

        @app.get("/api/v1/movies/<movie>/similar")
        def similar(movie):
            return Response(replies[movie.encode()], mimetype="application/json")

        return app

Bare().run()
"""

# Asks for every movie in turn, each connection beginning elsewhere.
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
def main(data: Path, workers: int, threads: int, seconds: int, rounds: int) -> None:
    """Measure a server on DATA."""
    movies = MovieIndex.open(data).spaces["taste"].ids.values[:500].tolist()
    own = command(data)
    with tempfile.TemporaryDirectory() as folder:
        paths = [f"/api/v1/movies/{movie}/similar?by=blend" for movie in movies]
        (Path(folder) / "paths").write_text("\n".join(paths))
        (Path(folder) / "wrk.lua").write_text(WRK % (Path(folder) / "paths"))
        kept = Path(folder) / "replies"
        with (
            serving([*own, "--workers", str(workers), "--threads", str(threads)]) as (port, connection),
            kept.open("wb") as stream,
        ):
            for movie, path in zip(movies, paths, strict=True):
                connection.request("GET", path)
                stream.write(f"{movie} ".encode() + connection.getresponse().read() + b"\n")
        bare = [sys.executable, "-c", BARE, str(kept)]
        rates: dict[str, list[float]] = {"ours": [], "bare": []}
        for _ in range(rounds):
            with serving([*own, "--workers", str(workers), "--threads", str(threads)]) as (port, _):
                rates["ours"].append(rate(port, Path(folder), seconds))
            with serving(bare, after=[str(workers), str(threads)]) as (port, _):
                rates["bare"].append(rate(port, Path(folder), seconds))
        ours, theirs = median(rates["ours"]), median(rates["bare"])
        print(f"requests a second: ours {ours:.0f}, a bare route with the same bytes {theirs:.0f}: {ours / theirs:.0%}")
        with serving([*own, "--workers", str(workers), "--threads", str(threads)]) as (port, _):
            paced(port, paths, ours / 2, seconds, f"at half that load ({ours / 2:.0f} a second)")
            picture = drawn()
            stop = threading.Event()
            sent: list[int] = []
            uploaders = [threading.Thread(target=upload, args=(port, picture, stop, sent)) for _ in range(1)]
            timed(http.client.HTTPConnection("127.0.0.1", port, timeout=120), "/api/v1/posters/similar", picture)
            for each in uploaders:
                each.start()
            paced(port, paths, 50, seconds, "50 a second while one upload after the other is embedded")
            more = [threading.Thread(target=upload, args=(port, picture, stop, sent)) for _ in range(15)]
            for each in more:
                each.start()
            paced(port, paths, 50, seconds, "50 a second while 16 clients upload at once")
            stop.set()
            for each in uploaders + more:
                each.join()
            done, told = sent.count(200), sent.count(503)
            print(f"uploads: {done} answered, {told} told to come again (503), {len(sent) - done - told} anything else")


def command(data: Path) -> list[str]:
    """What serves a data directory without limits."""
    limits = [word for name in ("read", "write", "upload") for word in (f"--{name}-limit", "")]
    return [sys.executable, "-m", "posterity", "serve", "--data", str(data), *limits]


@contextmanager
def serving(command: list[str], after: list[str] | None = None) -> Iterator[tuple[int, http.client.HTTPConnection]]:
    """A server's port, and a connection to it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    place = [str(port), *after] if after is not None else ["--port", str(port)]
    server = subprocess.Popen([*command, *place], stdout=subprocess.DEVNULL)
    try:
        yield port, wait_until_ready(port)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()


def rate(port: int, folder: Path, seconds: int) -> float:
    """Requests a second, every one answered by 200."""
    command = ["wrk", "-t", "1", "-c", "16", "-s", str(folder / "wrk.lua"), f"http://127.0.0.1:{port}"]
    subprocess.run([*command, "-d", "2"], check=True, capture_output=True)  # to warm up
    shown = subprocess.run([*command, "-d", str(seconds)], check=True, capture_output=True, text=True).stdout
    assert "Non-2xx" not in shown, shown  # noqa: S101
    return float(re.search(r"Requests/sec:\s+([0-9.]+)", shown)[1])  # type: ignore[index]


def paced(port: int, paths: list[str], a_second: float, seconds: int, what: str) -> None:
    """Prints the latency of requests that begin at fixed times, whether or not those before are answered."""
    clients = 8
    taken: list[float] = []

    def client(which: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        begin = time.perf_counter() + which / a_second
        for number in range(int(a_second * seconds / clients)):
            due = begin + number * clients / a_second
            time.sleep(max(0, due - time.perf_counter()))
            timed(connection, paths[(which + number * clients) % len(paths)])
            taken.append(time.perf_counter() - due)

    threads = [threading.Thread(target=client, args=(which,)) for which in range(clients)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    taken.sort()
    middle, late = 1000 * taken[len(taken) // 2], 1000 * taken[int(len(taken) * 0.99)]
    print(f"{what}: median {middle:.1f} ms, 99% {late:.1f} ms, slowest {1000 * taken[-1]:.0f} ms")


def upload(port: int, picture: bytes, stop: threading.Event, sent: list[int]) -> None:
    """Uploads one picture after the other, and again at once where it is told to wait."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    while not stop.is_set():
        connection.request("POST", "/api/v1/posters/similar", picture)
        reply = connection.getresponse()
        reply.read()
        sent.append(reply.status)
        if reply.status == 503:
            assert reply.headers["Retry-After"]  # noqa: S101
            time.sleep(0.05)


def drawn() -> bytes:
    """A poster-sized JPEG."""
    stream = io.BytesIO()
    Image.effect_noise((400, 600), 60).convert("RGB").save(stream, "JPEG")
    return stream.getvalue()


if __name__ == "__main__":
    main()
