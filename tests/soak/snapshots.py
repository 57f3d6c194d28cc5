"""Publication and pruning of snapshots, some damaged, under load; every response must be of one edition.

Run ``python -m tests.soak.snapshots --minutes 10 --every 10``.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from threading import Event, Thread

import click
import numpy as np

from index.snapshot.store import SnapshotStore
from tests.serving import Serving, serving
from tests.soak.editions import Damaging, Edition, build_editions
from tests.soak.processes import Sample, sample
from tests.soak.questions import Questions, Seen, Verdicts, asking

SAMPLE_EVERY = 2.0  # seconds
DAMAGED = 5  # every fifth snapshot is damaged
GROWTH = 1.1  # limit of memory in the last fifth of a run, relative to the second
SLACK = 10.0  # MB, ignored as growth
ENOUGH = 50  # samples needed to check growth
UNLIMITED = ("--read-limit", "", "--write-limit", "", "--upload-limit", "")


@dataclass(frozen=True)
class Publication:
    """A published snapshot."""

    id: str
    at: float  # monotonic time when it became current
    damaged: str | None  # its damaged file


@dataclass
class Run:
    """Results of a run."""

    publications: list[Publication] = field(default_factory=list)
    samples: dict[int, list[Sample]] = field(default_factory=dict)  # by worker
    verdicts: Verdicts = field(default_factory=Verdicts)
    lags: dict[tuple[int, str], float] = field(default_factory=dict)  # seconds; by worker and snapshot
    failures: list[str] = field(default_factory=list)
    seconds: float = 0

    def report(self) -> str:
        good = [each for each in self.publications if each.damaged is None]
        total = self.verdicts.asked.total()
        lines = [
            f"{total} requests in {self.seconds:.0f} s ({total / self.seconds:.0f} a second)",
            f"{self.verdicts.busy} uploads refused with 503",
            f"{len(self.publications)} snapshots published, {len(self.publications) - len(good)} of them damaged",
            f"followed after {mean(self.lags.values()):.2f} s in the mean, {max(self.lags.values()):.2f} s at most"
            if self.lags
            else "nothing to follow",
            f"{'':16} {'requests':>9} {'mean ms':>9} {'slowest':>9}",
        ]
        for kind, count in sorted(self.verdicts.asked.items()):
            spent, slowest = self.verdicts.spent[kind], self.verdicts.slowest[kind]
            lines.append(f"{kind:16} {count:9} {1000 * spent / count:9.1f} {1000 * slowest:9.0f}")
        for pid, samples in self.samples.items():
            early, late = fifths(samples)
            lines.append(
                f"worker {pid}: {early:.1f} MB in the second fifth, {late:.1f} MB in the last;"
                f" files {samples[0].files} to {samples[-1].files}, mappings {samples[0].mappings} to"
                f" {samples[-1].mappings}, deleted ones {max(len(each.deleted) for each in samples)} at most,"
                f" {len(samples[-1].deleted)} at the end"
            )
        return "\n".join([*lines, *(f"FAILED: {failure}" for failure in self.failures)])


def fifths(samples: Sequence[Sample]) -> tuple[float, float]:
    """Return mean memory (MB) in the second and the last fifth of the samples."""
    size = max(1, len(samples) // 5)
    early, late = samples[size : 2 * size] or samples, samples[-size:]
    return mean(each.pss for each in early), mean(each.pss for each in late)


def soak(
    data: Path,
    editions: Sequence[Edition],
    *,
    seconds: float,
    every: float,
    seed: int = 0,
    clients: int = 4,
    uploads: bool = True,
    follow_within: float = 10,
) -> Run:
    """Serve ``data``, where the last edition is current, and publish under load for ``seconds``."""
    run = Run()
    log = data.parent / "log"
    with (
        log.open("w") as stream,
        serving("serve", "--data", data, "--workers", 2, *UNLIMITED, stderr=stream) as server,
    ):
        workers = ready_workers(server, 2)
        questions = Questions(np.random.default_rng(seed), data / "posters", uploads=uploads)
        seen = Seen({edition.digest: edition.name for edition in editions}, str(data), run.verdicts)
        if uploads:
            questions.warm_up(server, workers)  # so that the network does not count as growth
        with (
            asking(server, workers, questions, seen, clients) as still_asking,
            sampling(workers, run.samples),
        ):
            begin = time.monotonic()

            def refused() -> None:
                """Wait for all workers: a busy one might otherwise see only the next snapshot."""
                wait(follow_within, lambda: all(followed(run.publications, pid, seen) for pid in workers))

            publish_all(data, editions, run, refused, seconds=seconds, every=every, seed=seed)
            settle(run, workers, seen, follow_within)
            if not still_asking():
                run.failures.append("a client gave up")
            run.seconds = time.monotonic() - begin
        if server.workers() != workers:
            run.failures.append(f"the workers were {workers} and are {server.workers()}")
    judge(run, workers, seen, follow_within)
    if run.failures:
        run.failures.append(f"the log ends with: {log.read_text()[-2000:]}")
    return run


def publish_all(
    data: Path,
    editions: Sequence[Edition],
    run: Run,
    refused: Callable[[], None],
    *,
    seconds: float,
    every: float,
    seed: int,
) -> None:
    """Publish editions in turn, every ``every`` seconds, and prune old snapshots.

    Args:
        data: the data directory.
        editions: to publish.
        run: receives the publications.
        refused: waits until all workers refused a damaged snapshot.
        seconds: time to publish for.
        every: seconds between publications.
        seed: of the damage.
    """
    store, damaging = SnapshotStore(data), Damaging(data, np.random.default_rng(seed + 1))
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        number = len(run.publications) + 1
        damaged = number % DAMAGED == 0
        snapshot_id = editions[number % len(editions)].publish(damaging if damaged else store)
        file = damaging.damaged[-1] if damaged else None
        run.publications.append(Publication(snapshot_id, time.monotonic(), file))
        store.prune(keep=5)
        if damaged:
            refused()
        time.sleep(max(0.0, min(every, end - time.monotonic())))


def settle(run: Run, workers: Sequence[int], seen: Seen, patience: float) -> None:
    """Wait until every worker serves or refused the last snapshot, and has closed old files."""
    wait(
        patience,
        lambda: all(followed(run.publications, pid, seen) and not sample(pid).deleted for pid in workers),
    )
    for pid in workers:
        run.samples[pid].append(sample(pid))


def wait(patience: float, until: Callable[[], bool]) -> None:
    """Wait for a condition, at most ``patience`` seconds."""
    end = time.monotonic() + patience
    while time.monotonic() < end and not until():
        time.sleep(0.2)


def followed(publications: Sequence[Publication], pid: int, seen: Seen) -> bool:
    last = publications[-1]
    if last.damaged is not None:
        return (pid, last.id) in seen.refused
    return (pid, last.id) in seen.first


def judge(run: Run, workers: Sequence[int], seen: Seen, follow_within: float) -> None:
    """Add the failures of a run."""
    fail = run.failures.append
    run.failures += [f"{count} times: {what}" for what, count in run.verdicts.wrong.most_common(20)]
    for pid in workers:
        first = sorted((snapshot_id, at) for (of, snapshot_id), at in seen.first.items() if of == pid)
        for each in run.publications:
            if each.damaged is None:
                # A worker may have skipped it for a later snapshot.
                lag = min((at - each.at for snapshot_id, at in first if snapshot_id >= each.id), default=None)
                if lag is None or lag > follow_within:
                    fail(f"worker {pid} followed {each.id} {'never' if lag is None else f'after {lag:.1f} s'}")
                else:
                    run.lags[pid, each.id] = lag
                continue
            if (pid, each.id) in seen.first:
                fail(f"worker {pid} served {each.id} though {each.damaged} was damaged")
            reason = seen.refused.get((pid, each.id))
            if reason is None or each.damaged not in reason:
                fail(f"worker {pid} said {reason!r} of {each.id}, of which {each.damaged} was damaged")
        samples = run.samples[pid]
        if samples[-1].deleted:
            fail(f"worker {pid} still maps {len(samples[-1].deleted)} deleted files: {samples[-1].deleted[0]}")
        early, late = fifths(samples)
        if len(samples) >= ENOUGH and late > GROWTH * early + SLACK:
            fail(f"worker {pid} grew from {early:.0f} to {late:.0f} MB")
        if len(samples) >= ENOUGH and samples[-1].files > samples[len(samples) // 5].files + 10:
            fail(f"worker {pid} has {samples[-1].files} files open, {samples[len(samples) // 5].files} before")


def ready_workers(server: Serving, count: int) -> list[int]:
    """Wait for all workers, and return their process ids."""
    while len(workers := server.workers()) < count:
        time.sleep(0.1)
    return workers


@contextmanager
def sampling(workers: Sequence[int], samples: dict[int, list[Sample]]) -> Iterator[None]:
    """Sample every worker periodically."""
    stop = Event()

    def run() -> None:
        while not stop.wait(SAMPLE_EVERY):
            for pid in workers:
                samples[pid].append(sample(pid))

    samples |= {pid: [sample(pid)] for pid in workers}
    thread = Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@click.command()
@click.option("--minutes", type=float, default=10.0, show_default=True)
@click.option("--every", type=float, default=10.0, show_default=True, help="Seconds between two publications.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--clients", type=click.IntRange(2), default=4, show_default=True)
@click.option("--uploads/--no-uploads", default=True, show_default=True)
@click.option("--follow-within", type=float, default=10.0, show_default=True, help="Seconds.")
def main(minutes: float, every: float, seed: int, clients: int, uploads: bool, follow_within: float) -> None:
    """Publish snapshots under load; check that no response mixes two and that old files are closed."""
    with tempfile.TemporaryDirectory() as folder:
        editions = build_editions(Path(folder))
        run = soak(
            Path(folder) / "data",
            editions,
            seconds=60 * minutes,
            every=every,
            seed=seed,
            clients=clients,
            uploads=uploads,
            follow_within=follow_within,
        )
    click.echo(run.report())
    sys.exit(1 if run.failures else 0)


if __name__ == "__main__":
    main()
