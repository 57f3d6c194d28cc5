"""Reads, writes and alias swaps over a real Milvus, which is killed and started again twice meanwhile.

Run ``python -m tests.soak.milvus --minutes 10``. It needs the package ``milvus``, see ``tests/milvus_server.py``.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import click
import numpy as np
import urllib3

from index.library.api_keys import Keys
from index.library.database import Database
from index.snapshot.collections import check_collections, point_aliases
from index.snapshot.store import SnapshotStore
from tests.milvus_server import MilvusProcess, python_with_milvus
from tests.serving import serving
from tests.soak.clients import Client, connected
from tests.soak.editions import NAMES, OWN, Edition, build_editions
from tests.soak.files import Files
from tests.soak.questions import Question, Questions, Seen, Verdicts, asking
from tests.soak.server_kills import look_through, writing_clients
from tests.soak.snapshots import UNLIMITED, ready_workers, wait
from tests.soak.tally import Tally

KILLS = (0.25, 0.6)  # of the time, when Milvus is killed
DOWN = 8.0  # seconds, at most, until it is started again
RETURN_WITHIN = 180.0  # seconds, on a busy machine
OWN_IDS = frozenset(OWN.values())
PAUSE = 5.0  # seconds, at most, after which a server tries Milvus again


@dataclass
class Outages:
    """Times in which Milvus cannot answer."""

    spans: list[tuple[float, float]] = field(default_factory=list)  # monotonic; the last one ends in the future
    refused: int = 0  # requests answered by 503 meanwhile

    def now(self) -> bool:
        return any(begin <= time.monotonic() <= end for begin, end in self.spans)


class SeenWithOutages(Seen):
    """Checks of responses, of which those with 503 are right while Milvus cannot answer."""

    def __init__(self, editions: dict[str, str], secret: str, verdicts: Verdicts, outages: Outages) -> None:
        super().__init__(editions, secret, verdicts)
        self._outages = outages

    def check(self, question: Question, pid: int, status: int, etag: str, content: bytes, known: str) -> str | None:
        if status == 503 and self._outages.now():
            self._outages.refused += 1
            return None
        return super().check(question, pid, status, etag, content, known)


class Changing(Questions):
    """A random mix of requests, whose responses change with every write."""

    def all(self) -> Iterator[Question]:
        for question in super().all():
            # A movie that a client changed may lack facts, or have become another one.
            yield replace(question, repeats=False, statuses=(*question.statuses, 409))


@dataclass
class Run:
    """Results of a run."""

    verdicts: Verdicts = field(default_factory=Verdicts)
    outages: Outages = field(default_factory=Outages)
    tally: Tally = field(default_factory=Tally)
    swaps: int = 0
    seconds: float = 0

    @property
    def failures(self) -> list[str]:
        wrong = [f"{count} times: {what}" for what, count in self.verdicts.wrong.most_common(20)]
        return [*wrong, *self.tally.failures]

    def report(self) -> str:
        total = self.verdicts.asked.total()
        return "\n".join(
            [
                f"{total:,} reads in {self.seconds:.0f} s, {self.swaps} snapshots swapped in",
                (
                    f"Milvus was down {len(self.outages.spans)} times, for"
                    f" {', '.join(f'{end - begin:.0f} s' for begin, end in self.outages.spans)}:"
                    f" {self.outages.refused:,} reads were refused with 503 meanwhile"
                ),
                *self.tally.lines(),
                *(f"FAILED: {failure}" for failure in self.failures),
            ]
        )


def soak(root: Path, milvus: MilvusProcess, *, seconds: float, every: float = 8.0, seed: int = 0) -> Run:
    """Build editions into Milvus, serve them, and read, write, swap and kill for ``seconds``."""
    run, rng, data = Run(), np.random.default_rng(seed), root / "data"
    editions = build_editions(root, NAMES[:2], milvus.address)
    _, token = Keys(Database(data)).create("soak")
    search = ("--search", milvus.address)
    with (
        (root / "log").open("w") as log,
        serving("serve", "--data", data, "--workers", 2, *search, *UNLIMITED, stderr=log) as server,
        connected(server.port) as http,
    ):
        workers = ready_workers(server, 2)
        questions = Changing(rng, data / "posters", uploads=False)
        names = {edition.digest: edition.name for edition in editions}
        seen = SeenWithOutages(names, str(data), run.verdicts, run.outages)
        files = Files(data)
        clients = writing_clients(http, rng, token)
        for client in clients:  # leave alone the movies that only one edition has
            for place in [place for place in client.kept if not OWN_IDS.isdisjoint(np.atleast_1d(place).tolist())]:
                del client.kept[place]
        begin = time.monotonic()
        with asking(server, workers, questions, seen, 4) as still_asking, writing(clients[:2], server.port):
            swap_and_kill(data, editions, milvus, run, seconds=seconds, every=every)
            publish(data, editions[-1], milvus, run)  # the one that the clients began with
            wait(60, lambda: all((pid, SnapshotStore(data).current_id()) in seen.first for pid in workers))
            run.tally.check(still_asking(), "a client gave up")
        run.seconds = time.monotonic() - begin
        files.remember()  # with the snapshots swapped in meanwhile
        run.tally.check(server.workers() == workers, "a worker ended")
        ready = urllib3.request("GET", f"{server.address}/readyz").json()
        run.tally.check(ready["status"] == "ready", f"the server is {ready}")
        look_through(server, clients, files, run.tally, everything=True, but=OWN_IDS)
        for client in clients:
            run.tally.counts.update({f"acknowledged: {name}": n for name, n in client.acknowledged.items()})
            run.tally.failures += client.wrong
    if run.failures:
        run.tally.failures.append(f"the log ends with: {(root / 'log').read_text()[-3000:]}")
    return run


@contextmanager
def writing(clients: Sequence[Client], port: int) -> Iterator[None]:
    """Let clients write; no write needs Milvus."""
    stop = threading.Event()
    with ThreadPoolExecutor(len(clients)) as pool:
        working = [pool.submit(client.work, port, stop, pictures=False) for client in clients]
        try:
            yield
        finally:
            stop.set()
    for each in working:
        each.result()


def swap_and_kill(
    data: Path, editions: Sequence[Edition], milvus: MilvusProcess, run: Run, *, seconds: float, every: float
) -> None:
    """Publish editions in turn, and kill Milvus twice in between, for ``seconds``."""
    begin = time.monotonic()
    kills = [begin + share * seconds for share in KILLS]
    while kills or time.monotonic() < begin + seconds:
        if kills and time.monotonic() >= kills[0]:
            kills.pop(0)
            outage(data, milvus, run, min(DOWN, seconds / 8))
        publish(data, editions[run.swaps % len(editions)], milvus, run)
        time.sleep(every)


def publish(data: Path, edition: Edition, milvus: MilvusProcess, run: Run) -> None:
    """Publish a copy of an edition, and swap the aliases to its collections."""
    store = SnapshotStore(data)
    edition.publish(store)
    point_aliases(store.manifest(), milvus.address)
    store.prune(keep=5)
    run.swaps += 1


def outage(data: Path, milvus: MilvusProcess, run: Run, seconds: float) -> None:
    """Kill Milvus, wait, and start it again."""
    began = time.monotonic()
    run.outages.spans.append((began, float("inf")))
    milvus.kill()
    time.sleep(seconds)
    milvus.start()
    manifest = SnapshotStore(data).manifest()
    end = time.monotonic() + RETURN_WITHIN
    while time.monotonic() < end:
        try:
            check_collections(manifest, milvus.address)
            break
        except Exception:  # noqa: BLE001  whatever it raises, it is not back
            time.sleep(0.5)
    run.outages.spans[-1] = (began, time.monotonic() + PAUSE)


@click.command()
@click.option("--minutes", type=float, default=10.0, show_default=True)
@click.option("--every", type=float, default=8.0, show_default=True, help="Seconds between two publications.")
@click.option("--seed", type=int, default=0, show_default=True)
def main(minutes: float, every: float, seed: int) -> None:
    """Read, write and swap over Milvus, which is killed twice; check that only 503s come meanwhile, and nothing is lost."""
    if python_with_milvus() is None:
        click.echo("There is no Milvus: set POSTERITY_TEST_MILVUS to an environment with the package milvus")
        return
    with tempfile.TemporaryDirectory() as folder:
        milvus = MilvusProcess(Path(folder) / "milvus")
        milvus.start()
        try:
            run = soak(Path(folder), milvus, seconds=60 * minutes, every=every, seed=seed)
        finally:
            milvus.kill()
    click.echo(run.report())
    sys.exit(1 if run.failures else 0)


if __name__ == "__main__":
    main()
