"""Connections that send a byte a second, beside slow uploads; everyone else must be answered in time.

Run ``python -m tests.soak.trickle --connections 1000 --seconds 60``; needs Linux.
"""

from __future__ import annotations

import asyncio
import http.client
import io
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from threading import Barrier, Event, Thread

import click
import numpy as np
from PIL import Image

from tests.conftest import build_world
from tests.serving import Serving, serving
from tests.soak.processes import sample
from tests.soak.snapshots import UNLIMITED, ready_workers

UPLOAD = "/api/v1/posters/similar"
PROBES = ("/livez", "/api/v1/movies/3/similar?by=blend")
EVERY = 0.02  # seconds between the requests of a probe
P99 = 0.1  # seconds
PICTURE = 5_000_000  # bytes
PACE = 100_000  # bytes a second of an upload
GROWTH = 20.0  # MB, once all connections are open

Statuses = dict[str, int]


@dataclass
class Run:
    """Results of a run."""

    latencies: dict[str, list[float]] = field(default_factory=lambda: {path: [] for path in PROBES})
    trickled: Counter[str] = field(default_factory=Counter)
    uploads: list[int] = field(default_factory=list)  # statuses
    memory: list[float] = field(default_factory=list)  # MB of all workers, while bodies arrive
    failures: list[str] = field(default_factory=list)

    def report(self) -> str:
        lines = []
        for path, each in self.latencies.items():
            middle, slow, slowest = (1000 * np.quantile(each, share) for share in (0.5, 0.99, 1))
            lines.append(
                f"{path}: {len(each)} answered, median {middle:.1f} ms, 99% {slow:.1f} ms, slowest {slowest:.0f} ms"
            )
        return "\n".join(
            [
                *lines,
                "trickling connections: " + ", ".join(f"{n} {name}" for name, n in sorted(self.trickled.items())),
                f"uploads: {Counter(self.uploads)}",
                "memory, MB every 2 seconds: " + " ".join(f"{each:.0f}" for each in self.memory),
                *(f"FAILED: {failure}" for failure in self.failures),
            ]
        )


def soak(data: Path, *, connections: int, seconds: float, uploads: int, workers: int = 2) -> Run:
    """Serve ``data`` to trickling connections, slow uploads and probes.

    Args:
        data: the data directory.
        connections: number of trickling connections; half trickle a header, half a body.
        seconds: duration of the trickling.
        uploads: number of slow uploads.
        workers: processes of the server.
    """
    run = Run()
    options = ("--workers", workers, "--upload-queue", max(4, uploads), *UNLIMITED)
    with serving("serve", "--data", data, *options) as server:
        pids = ready_workers(server, workers)
        warm_up(server, workers)
        stop = Event()
        threads = [Thread(target=probe, args=(server, path, stop, run.latencies[path])) for path in PROBES]
        pool = get_context("spawn").Pool(1)  # a process of its own, so that the probes measure the server
        trickling = pool.apply_async(trickle_all, (server.port, connections, seconds))
        body = picture()
        slow = [Thread(target=upload, args=(server.port, body, 0.2 * number, run.uploads)) for number in range(uploads)]
        for thread in (*threads, *slow):
            thread.start()
        begin = time.monotonic()
        while not trickling.ready():
            trickling.wait(2)
            if time.monotonic() - begin < min(seconds, PICTURE / PACE):
                run.memory.append(sum(sample(pid).pss for pid in pids))
            elif not stop.is_set():  # pictures are decoded and embedded on all processors from now on
                stop.set()
        run.trickled.update(trickling.get())
        stop.set()
        for thread in (*threads, *slow):
            thread.join()
        pool.terminate()
        if server.workers() != pids:
            run.failures.append(f"the workers were {pids} and are {server.workers()}")
    judge(run, uploads)
    return run


def warm_up(server: Serving, workers: int) -> None:
    """Let every worker load its network: uploads are sent at the same time, until each has answered some."""
    small = io.BytesIO()
    Image.new("RGB", (200, 300), "teal").save(small, "JPEG")
    for _ in range(3):
        barrier = Barrier(4 * workers)

        def send(barrier: Barrier = barrier) -> None:
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
            connection.connect()
            barrier.wait()
            connection.request("POST", UPLOAD, small.getvalue())
            connection.getresponse().read()
            connection.close()

        threads = [Thread(target=send) for _ in range(4 * workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def picture() -> bytes:
    """Return a PNG of about 5 MB."""
    stream = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (1120, 1480, 3), dtype=np.uint8)
    Image.fromarray(noise).save(stream, "PNG")
    return stream.getvalue()


def probe(server: Serving, path: str, stop: Event, latencies: list[float]) -> None:
    """Request a path at fixed times; every tenth request has a new connection."""
    begin, turn = time.perf_counter(), 0
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    while not stop.is_set():
        due = begin + turn * EVERY
        time.sleep(max(0, due - time.perf_counter()))
        if turn % 10 == 0:
            connection.close()
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        assert response.status == 200
        latencies.append(time.perf_counter() - due)
        turn += 1


def upload(port: int, body: bytes, wait: float, statuses: list[int]) -> None:
    """Send a picture at a steady pace, and note the status of the response."""
    time.sleep(wait)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.putrequest("POST", UPLOAD)
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders()
    begin, step = time.monotonic(), PACE // 10
    for at in range(0, len(body), step):
        time.sleep(max(0, begin + at / PACE - time.monotonic()))
        connection.send(body[at : at + step])
    response = connection.getresponse()
    response.read()
    statuses.append(response.status)


def trickle_all(port: int, connections: int, seconds: float) -> Statuses:
    """Trickle over all connections; count their outcomes."""

    async def run() -> Counter[str]:
        counts: Counter[str] = Counter()
        end = time.monotonic() + seconds
        await asyncio.gather(*(trickle(port, number, end, counts) for number in range(connections)))
        return counts

    return asyncio.run(run())


async def trickle(port: int, number: int, end: float, counts: Counter[str]) -> None:
    """Send a byte a second; begin again when the server ends it."""
    begun = (
        b"GET /api/v1/movies HTTP/1.1\r\nHost: x\r\nX-Padding: "
        if number % 2
        else (f"POST {UPLOAD} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n".encode())
    )
    await asyncio.sleep(number % 1000 / 1000)  # not all in the same moment
    while time.monotonic() < end:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError as error:
            counts[f"refused: {error}"] += 1
            return
        counts["opened"] += 1
        answer = asyncio.ensure_future(reader.read(100))
        sent = 0
        while not answer.done() and time.monotonic() < end:
            # The head of an upload at once; a header byte by byte.
            writer.write(begun[sent : sent + 1] if number % 2 and sent < len(begun) else b"a" if sent else begun)
            sent += 1
            await asyncio.wait([answer], timeout=1)
        if answer.done():
            status = b"" if answer.exception() else answer.result()[9:12]
            counts[f"answered {status.decode() or 'by a reset'}"] += 1
        else:
            answer.cancel()
        writer.close()


def judge(run: Run, uploads: int) -> None:
    """Add the failures of the run as a whole."""
    for path, each in run.latencies.items():
        if (slow := np.quantile(each, 0.99)) > P99:
            run.failures.append(f"99% of {path} took {1000 * slow:.0f} ms")
    if run.uploads != [200] * uploads:
        run.failures.append(f"uploads: {Counter(run.uploads)}")
    opened = run.memory[len(run.memory) // 3]  # every connection is open by then
    if max(run.memory) > opened + GROWTH:
        run.failures.append(f"memory went from {opened:.0f} to {max(run.memory):.0f} MB")


@click.command()
@click.option("--connections", type=click.IntRange(2), default=1000, show_default=True)
@click.option("--seconds", type=click.FloatRange(1), default=60, show_default=True)
@click.option("--uploads", type=click.IntRange(0), default=20, show_default=True)
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True)
def main(connections: int, seconds: float, uploads: int, workers: int) -> None:
    """Trickle over CONNECTIONS; check that others are answered in time. Exit with 1 if not."""
    with tempfile.TemporaryDirectory() as folder:
        run = soak(
            build_world(Path(folder)), connections=connections, seconds=seconds, uploads=uploads, workers=workers
        )
    click.echo(run.report())
    sys.exit(1 if run.failures else 0)


if __name__ == "__main__":
    main()
