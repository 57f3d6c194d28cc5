"""Periodic builds, each in its own process, skipped if no input changed."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from index.core.errors import PosterityError
from index.snapshot.collections import prune
from index.snapshot.store import SnapshotStore
from indexer.inputs import FileStates, file_states, includes_library, newest_manifest

Say = Callable[[str], None]


def build_every(
    period: float,
    command: Sequence[str],
    data: Path,
    sources: Iterable[Path],
    *,
    keep: int,
    say: Say,
    search: str = "",
) -> None:
    """Build now and once per period, until SIGTERM or SIGINT, which also terminate a running build.

    Args:
        period: seconds from the start of one iteration to the start of the next.
        command: runs one build.
        data: the data directory.
        sources: files and folders that a build reads, besides the library.
        keep: number of newest snapshots to keep.
        say: prints one line.
        search: address of the Milvus that has the vectors; empty for none.
    """
    with InterruptibleRunner() as runner:
        iteration = BuildIteration(data, sources, lambda: runner.run(command), keep=keep, say=say, search=search)
        run_periodically(iteration, period, clock=time.monotonic, sleep=runner.sleep)


def run_periodically(
    iteration: Callable[[], None], period: float, *, clock: Callable[[], float], sleep: Callable[[float], bool]
) -> None:
    """Run an iteration now and once per period; after one that takes longer, start the next at once.

    Args:
        iteration: runs one iteration.
        period: seconds from start to start.
        clock: returns seconds.
        sleep: sleeps for some seconds; returns False to end the loop.
    """
    while True:
        started = clock()
        iteration()
        if not sleep(max(0.0, started + period - clock())):
            return


class BuildIteration:
    """One iteration of periodic builds: build if an input changed since the last build, then prune; print failures.

    Args:
        data: the data directory.
        sources: files and folders that a build reads, besides the library.
        build: runs a build and returns its exit code; None if it was stopped.
        keep: number of newest snapshots to keep.
        say: prints one line.
        search: address of the Milvus that has the vectors; empty for none.
    """

    def __init__(
        self,
        data: Path,
        sources: Iterable[Path],
        build: Callable[[], int | None],
        *,
        keep: int,
        say: Say,
        search: str = "",
    ) -> None:
        self._data = data
        self._store = SnapshotStore(data)
        self._sources = tuple(sources)
        self._build = build
        self._keep = keep
        self._say = say
        self._search = search
        self._built_from: FileStates | None = None

    def __call__(self) -> None:
        """Run the iteration."""
        try:
            self._build_and_prune()
        except (PosterityError, OSError) as error:
            self._say(f"The build failed ({error}); it will be retried in the next period")

    def _build_and_prune(self) -> None:
        states = file_states(self._sources)  # taken before the build, so that the next one sees changes made during it
        newest = newest_manifest(self._data)
        if states == self._built_from and newest is not None and includes_library(newest, self._data):
            self._say(f"No input changed since snapshot {newest.id}: nothing to build")
            return
        code = self._build()
        if code is None:
            return
        if code:
            reason = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            self._say(f"The build failed ({reason}); it will be retried in the next period")
            return
        self._built_from = states
        try:
            deleted = prune(self._store, self._keep, self._search)
        except (PosterityError, OSError) as error:
            self._say(f"Old snapshots were not deleted ({error})")
        else:
            if deleted:
                self._say(f"Deleted {', '.join(deleted)}")


class InterruptibleRunner:
    """Context in which SIGTERM and SIGINT end a sleep and terminate a subprocess; for the main thread only.

    The signals raise no exception, because one raised while a process starts would leave that process running.
    """

    def __init__(self) -> None:
        self._stopped = False
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> InterruptibleRunner:
        """Install the signal handlers."""
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self._previous = {number: signal.signal(number, self._stop) for number in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Restore the previous signal handlers."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        os.close(self._reader)
        os.close(self._writer)

    def sleep(self, seconds: float) -> bool:
        """Sleep until the time is over or a signal arrives; return False if one has arrived."""
        select.select([self._reader], [], [], seconds)  # never drained, so every later sleep ends at once
        return not self._stopped

    def run(self, command: Sequence[str]) -> int | None:
        """Run a process and return its exit code; None if a signal stopped it."""
        if self._stopped:
            return None
        self._process = subprocess.Popen(command)  # noqa: S603  our own command
        if self._stopped:  # the signal arrived before the process was stored
            self._process.terminate()
        code = self._process.wait()
        self._process = None
        return None if self._stopped else code

    def _stop(self, *_: Any) -> None:
        if not self._stopped:
            self._stopped = True
            os.write(self._writer, b"x")
        if self._process is not None:
            self._process.terminate()
