"""A table of movies added while the server answers, killed in between and run again: each row is there once.

Run ``python -m tests.soak.additions --rows 10000``.
"""

from __future__ import annotations

import csv
import http.client
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

import click
import numpy as np

import posterity
from index.library.movies import Library
from tests.conftest import build_world
from tests.paths import ROOT
from tests.serving import Serving, get, serving
from tests.soak.snapshots import UNLIMITED, ready_workers

PATHS = ("/api/v1/movies/3/similar", "/api/v1/movies/12", "/api/v1/movies?q=film", "/api/v1/users/2/recommendations")
EVERY = 0.05  # seconds between the requests of the reader
ALONE = 5.0  # seconds that the reader is measured before
BAD = 100  # one row in so many is refused


@dataclass
class Run:
    """Results of a run."""

    rows: int
    killed_at: int = 0  # movies added when the first command was killed
    seconds: float = 0.0  # of the second command
    added: int = 0  # by the second command
    latencies: dict[str, list[float]] = field(default_factory=lambda: {"alone": [], "meanwhile": []})
    output: str = ""
    failures: list[str] = field(default_factory=list)

    def report(self) -> str:
        lines = [f"{self.killed_at:,} of {self.rows:,} rows were added when the command was killed"]
        lines.append(f"the second added {self.added:,} rows in {self.seconds:.1f} s, with its start:"
                     f" {self.added / self.seconds:,.0f} a second")  # fmt: skip
        for name, each in self.latencies.items():
            middle, slow, slowest = (1000 * np.quantile(each, share) for share in (0.5, 0.99, 1))
            lines.append(f"{len(each):,} reads {name}: median {middle:.1f} ms, 99% {slow:.1f} ms,"
                         f" slowest {slowest:.0f} ms")  # fmt: skip
        return "\n".join([*lines, self.output.strip(), *(f"FAILED: {each}" for each in self.failures)])


def soak(data: Path, folder: Path, *, rows: int) -> Run:
    """Add ``rows`` movies to ``data`` by a command that is killed and run again, beside a server and a reader."""
    run, table = Run(rows), write_table(folder / "films.csv", rows)
    before = Library.open(data).version()
    with serving("serve", "--data", data, "--workers", 2, *UNLIMITED) as server:
        ready_workers(server, 2)
        for _ in range(20):  # until both workers have read what they answer from
            for path in PATHS:
                get(server.address + path)
        measured(server, run.latencies["alone"], lambda: time.sleep(ALONE))
        command = [sys.executable, "-m", "posterity", "library", "add", "--from", str(table), "--data", str(data),
                   "--report", str(folder / "report.csv")]  # fmt: skip

        def add() -> None:
            library = Library.open(data)
            with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as first:
                while first.poll() is None and library.version() - before < rows // 3:
                    time.sleep(0.001)
                first.kill()
            run.killed_at = library.version() - before
            begin = time.monotonic()
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
            run.seconds, run.added = time.monotonic() - begin, library.version() - before - run.killed_at
            run.output = done.stdout
            if done.returncode:
                run.failures.append(f"the second command ended with {done.returncode}: {done.stderr[-500:]}")

        measured(server, run.latencies["meanwhile"], add)
        check(run, server, folder / "report.csv")
    return run


def write_table(file: Path, rows: int) -> Path:
    """Write a table of movies, some with ids of other sites, and one in ``BAD`` with an impossible year."""
    with file.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream)
        table.writerow(("id", "title", "year", "genres", "imdb_id"))
        for at in range(rows):
            year = "MM" if at % BAD == BAD - 1 else 1950 + at % 70
            imdb_id = f"tt{8_000_000 + at}" if at % 2 else ""
            table.writerow((f"shop-{at}", f"Film {at % (rows // 2)}", year, "Sci-Fi|Action", imdb_id))
    return file


def measured(server: Serving, latencies: list[float], work: Callable[[], object]) -> None:
    """Do some work while a reader asks at fixed times."""
    stop = Event()

    def read() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        begin, turn = time.perf_counter(), 0
        while not stop.is_set():
            due = max(begin + turn * EVERY, time.perf_counter() - 1)
            time.sleep(max(0, due - time.perf_counter()))
            connection.request("GET", PATHS[turn % len(PATHS)])
            response = connection.getresponse()
            response.read()
            assert response.status == 200
            latencies.append(time.perf_counter() - due)
            turn += 1

    reader = Thread(target=read)
    reader.start()
    try:
        work()
    finally:
        stop.set()
        reader.join()


def check(run: Run, server: Serving, report: Path) -> None:
    """Add a failure for each row that is not there once, or not refused by name."""
    wanted = {f"shop-{at}" for at in range(run.rows) if at % BAD != BAD - 1}
    with posterity.Client(server.address) as client:
        found = Counter(movie["source_id"] for movie in client.all_movies() if "source_id" in movie)
    for own_id, n in found.items():
        if n > 1 or own_id not in wanted:
            run.failures.append(f"{own_id} is there {n} times")
    missing = wanted - found.keys()
    if missing:
        run.failures.append(f"{len(missing):,} rows are missing, such as {min(missing)}")
    with report.open(newline="", encoding="utf-8") as stream:
        refused = [row["line"] for row in csv.DictReader(stream)]
    if refused != [str(at + 2) for at in range(run.rows) if at % BAD == BAD - 1]:
        run.failures.append(f"{len(refused):,} rows were refused by name")


@click.command()
@click.option("--rows", type=click.IntRange(100), default=10_000, show_default=True)
def main(rows: int) -> None:
    """Add ROWS movies from a table beside a server; check that each is there once. Exit with 1 if not."""
    with tempfile.TemporaryDirectory() as folder:
        run = soak(build_world(Path(folder) / "world"), Path(folder), rows=rows)
    click.echo(run.report())
    sys.exit(1 if run.failures else 0)


if __name__ == "__main__":
    main()
