"""Uploads of mutated image files to a real server, which must answer each in time and survive.

Run ``python -m tests.soak.uploads --count 10000 --seed 0 --clients 2``.
"""

from __future__ import annotations

import http.client
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock, Thread

import click
import numpy as np

from tests.conftest import build_world
from tests.serving import Serving, serving
from tests.soak.pictures import KINDS, mutated, written
from tests.soak.processes import peak
from tests.soak.snapshots import UNLIMITED, ready_workers

PATH = "/api/v1/posters/similar"
SEEDS = 6  # files of each kind
UNCHANGED = 0.02  # of all uploads
SLOW = 2.0  # seconds
SLOW_SHARE = 0.01
DECODED = 0.1  # least share of all uploads, so that the run tests decoding
WARM = 1000  # uploads before memory growth is measured
GROWTH = 200.0  # MB; decoding the largest accepted image needs 160
TIMEOUT = 60.0  # seconds

_MEMBERS = {"type", "title", "status", "detail", "instance"}
_NAMES = (
    "poster.jpg",
    "poster.png",
    "a.gif",
    "x",
    "../../etc/passwd",
    "p\u00f6ster.webp",
    "poster.exe",
    "a.heic",
    "b.tif",
    "a" * 300,
)
_TYPES = (
    "image/jpeg",
    "image/png",
    "image/webp",
    "image/gif",
    "image/avif",
    "image/tiff",
    "image/bmp",
    "application/octet-stream",
    "text/html",
    "nonsense",
)
# For a body that is the image itself; the last ones are wrong.
_BODY_TYPES = (*_TYPES, "", "application/json", "application/x-www-form-urlencoded", "multipart/form-data")


@dataclass(frozen=True)
class Upload:
    """An upload to send."""

    kind: str
    mutations: tuple[str, ...]
    data: bytes
    content_type: str
    body: bytes


@dataclass
class Run:
    """Results of a run."""

    statuses: dict[str, Counter[int]] = field(default_factory=lambda: {name: Counter() for name in KINDS})
    seconds: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in KINDS})
    busy: int = 0  # 503 for a full queue, retried
    peaks: list[tuple[int, float]] = field(default_factory=list)  # number of uploads, MB
    elapsed: float = 0
    failures: list[str] = field(default_factory=list)

    @property
    def decoded(self) -> int:
        return sum(each[200] for each in self.statuses.values())

    def report(self) -> str:
        known = sorted({status for each in self.statuses.values() for status in each} - {200})
        lines = [f"{'':16} {'sent':>6} {'200':>6}" + "".join(f" {status:>6}" for status in known) + f" {'slowest':>8}"]
        for name, each in self.statuses.items():
            counts = "".join(f" {each[status]:6}" for status in (200, *known))
            lines.append(f"{name:16} {each.total():6}{counts} {max(self.seconds[name], default=0):8.2f}")
        times = np.array([seconds for each in self.seconds.values() for seconds in each])
        slow = int((times > SLOW).sum())
        return "\n".join(
            [
                *lines,
                f"{times.size} uploads in {self.elapsed:.0f} s, {self.decoded} of them valid images; {self.busy} times 503",
                f"median {np.median(times):.3f} s, 99% {np.quantile(times, 0.99):.3f} s; {slow} slower than {SLOW:g} s",
                "peak memory: " + ", ".join(f"{size:.0f} MB after {count}" for count, size in self.peaks),
                *(f"FAILED: {failure}" for failure in self.failures[:50]),
            ]
        )


def soak(data: Path, *, count: int, seed: int = 0, clients: int = 2, keep: Path | None = None) -> Run:
    """Send ``count`` uploads to a server on ``data``.

    Args:
        data: the data directory.
        count: number of uploads.
        seed: of the uploads.
        clients: number of threads.
        keep: folder for inputs that break a rule.
    """
    run, lock = Run(), Lock()
    log = data.parent / "log"
    with log.open("w") as stream, serving("serve", "--data", data, *UNLIMITED, stderr=stream) as server:
        workers = ready_workers(server, 1)
        first = written(KINDS["JPEG baseline"], np.random.default_rng(seed))
        sent(server, Upload("JPEG baseline", (), first, "image/jpeg", first))  # loads the network
        run.peaks.append((0, peak(workers[0])))
        uploads = made(seed, count)
        begin = time.monotonic()

        def client() -> None:
            while True:
                with lock:
                    upload = next(uploads, None)
                if upload is None:
                    return
                outcome = sent(server, upload)
                with lock:
                    note(run, upload, outcome, keep)
                    if sum(each.total() for each in run.statuses.values()) == WARM:
                        run.peaks.append((WARM, peak(workers[0])))

        threads = [Thread(target=client) for _ in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        run.elapsed = time.monotonic() - begin
        if server.workers() != workers:
            run.failures.append(f"the worker was {workers} and is {server.workers()}: {log.read_text()[-2000:]}")
        else:
            run.peaks.append((count, peak(workers[0])))
    judge(run, count, log.read_text())
    return run


def made(seed: int, count: int) -> Iterator[Upload]:
    """Yield random uploads, deterministic for a seed."""
    rng = np.random.default_rng(seed)
    files = {name: [written(kind, rng) for _ in range(SEEDS)] for name, kind in KINDS.items()}
    names = list(files)
    for _ in range(count):
        name, other = (names[at] for at in rng.integers(0, len(names), 2))
        data, mutations = files[name][rng.integers(SEEDS)], []
        if rng.random() >= UNCHANGED:
            data, mutations = mutated(data, files[other][rng.integers(SEEDS)], rng)
        if rng.random() < 0.5:
            yield Upload(name, tuple(mutations), data, *form(data, rng))
        else:
            yield Upload(name, tuple(mutations), data, str(rng.choice(_BODY_TYPES)), data)


def form(data: bytes, rng: np.random.Generator) -> tuple[str, bytes]:
    """Return content type and body of a form with the file, with a random name and type."""
    boundary = f"----{rng.bytes(16).hex()}"
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="poster"; filename="{rng.choice(_NAMES)}"\r\n'
        f"Content-Type: {rng.choice(_TYPES)}\r\n\r\n"
    )
    return f"multipart/form-data; boundary={boundary}", head.encode() + data + f"\r\n--{boundary}--\r\n".encode()


@dataclass(frozen=True)
class Outcome:
    """The response to an upload."""

    status: int  # 0 for no response
    seconds: float
    busy: int
    wrong: str  # broken rule; empty if none


def sent(server: Serving, upload: Upload) -> Outcome:
    """Send an upload over a new connection; retry while the queue is full."""
    busy = 0
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT)
        begin = time.monotonic()
        try:
            headers = {"Content-Type": upload.content_type} if upload.content_type else {}
            connection.request("POST", PATH, upload.body, headers)
            reply = connection.getresponse()
            content = reply.read()
        except (OSError, http.client.HTTPException) as error:
            return Outcome(0, time.monotonic() - begin, busy, f"{type(error).__name__}: {error}")
        finally:
            connection.close()
        seconds = time.monotonic() - begin
        if reply.status == 503 and b"too many pictures" in content:
            busy += 1
            time.sleep(0.1)
            continue
        kind = reply.headers.get_content_type()
        return Outcome(reply.status, seconds, busy, wrong(reply.status, kind, content))


def wrong(status: int, content_type: str, content: bytes) -> str:
    """Return the rule that a response breaks; empty if none."""
    try:
        document = json.loads(content)
    except ValueError:
        return f"{status} and no JSON: {content[:100]!r}"
    if status == 200:
        return "" if document.get("results") else "200 without results"
    if not 400 <= status < 500:
        return f"{status}: {document}"
    if content_type != "application/problem+json" or set(document) != _MEMBERS or document["status"] != status:
        return f"{status} and no problem: {content_type} {document}"
    return ""


def note(run: Run, upload: Upload, outcome: Outcome, keep: Path | None) -> None:
    """Add an outcome; save an input that broke a rule."""
    run.statuses[upload.kind][outcome.status] += 1
    run.seconds[upload.kind].append(outcome.seconds)
    run.busy += outcome.busy
    reasons = [outcome.wrong] if outcome.wrong else []
    if outcome.seconds > SLOW:
        reasons.append(f"took {outcome.seconds:.1f} s")
    if reasons and keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        number = sum(each.total() for each in run.statuses.values())
        (keep / f"{number:06}").write_bytes(upload.data)
        about = f"{upload.kind}, {', '.join(upload.mutations)}, sent as {upload.content_type}: {'; '.join(reasons)}\n"
        (keep / f"{number:06}.txt").write_text(about)
    if outcome.wrong:
        run.failures.append(f"{upload.kind} after {', '.join(upload.mutations)}: {outcome.wrong}")


def judge(run: Run, count: int, log: str) -> None:
    """Add the failures of the run as a whole."""
    times = [seconds for each in run.seconds.values() for seconds in each]
    slow = sum(seconds > SLOW for seconds in times)
    if slow > max(1, SLOW_SHARE * count):
        run.failures.append(f"{slow} uploads of {count} took more than {SLOW:g} s")
    if run.decoded < DECODED * count:
        run.failures.append(f"only {run.decoded} of {count} were valid images: weaken the mutations")
    warm = dict(run.peaks).get(WARM)
    if warm is not None and run.peaks[-1][1] > warm + GROWTH:
        run.failures.append(f"peak memory went from {warm:.0f} MB after {WARM} uploads to {run.peaks[-1][1]:.0f} MB")
    if "Traceback" in log:
        run.failures.append(f"the log has a traceback: {log[log.index('Traceback') :][:3000]}")


@click.command()
@click.option("--count", type=click.IntRange(1), default=10_000, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--clients", type=click.IntRange(1), default=2, show_default=True)
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path), help="Folder for inputs that break a rule.")
def main(count: int, seed: int, clients: int, keep: Path | None) -> None:
    """Upload COUNT mutated images; check that each is answered in time and that the server survives."""
    with tempfile.TemporaryDirectory() as folder:
        run = soak(build_world(Path(folder)), count=count, seed=seed, clients=clients, keep=keep)
    click.echo(run.report())
    sys.exit(1 if run.failures else 0)


if __name__ == "__main__":
    main()
