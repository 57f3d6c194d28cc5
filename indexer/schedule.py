"""Builds that repeat: again whenever a period is over, each in a process of its own, none where nothing came in."""

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
from index.snapshot.store import SnapshotStore
from indexer.inputs import State, has_library, newest, state_of

Say = Callable[[str], None]


def build_every(
    period: float, command: Sequence[str], data: Path, sources: Iterable[Path], *, keep: int, say: Say
) -> None:
    """Builds now and whenever the period is over, until SIGTERM or SIGINT comes, which ends a running build, too.

    Args:
        period: seconds from the start of one build to that of the next.
        command: runs one build.
        sources: the files and folders that it reads, besides the library.
        keep: how many of the newest snapshots stay.
        say: tells people a line.
    """
    with UntilStopped() as until:
        rebuild = Rebuild(data, sources, lambda: until.run(command), keep=keep, say=say)
        repeat(rebuild, period, clock=time.monotonic, sleep=until.sleep)


def repeat(
    turn: Callable[[], None], period: float, *, clock: Callable[[], float], sleep: Callable[[float], bool]
) -> None:
    """Takes a turn now, and the next once the period is over since the last one began: at once where it took longer.

    Args:
        clock: seconds.
        sleep: for so many seconds; whether to go on then.
    """
    while True:
        began = clock()
        turn()
        if not sleep(max(0.0, began + period - clock())):
            return


class Rebuild:
    """A turn: builds where something came in since the last build that this began, then prunes. What fails is told.

    Args:
        sources: the files and folders that a build reads, besides the library.
        build: gives the exit code of a build; None where it was told to stop.
        keep: how many of the newest snapshots stay.
        say: tells people a line.
    """

    def __init__(
        self, data: Path, sources: Iterable[Path], build: Callable[[], int | None], *, keep: int, say: Say
    ) -> None:
        self._data = data
        self._store = SnapshotStore(data)
        self._sources = tuple(sources)
        self._build = build
        self._keep = keep
        self._say = say
        self._built_from: State | None = None

    def __call__(self) -> None:
        """Takes the turn."""
        try:
            self._turn()
        except (PosterityError, OSError) as error:
            self._say(f"The build failed ({error}): it is tried again next time")

    def _turn(self) -> None:
        found = state_of(self._sources)  # before a build reads them: what changes meanwhile is for the next one
        before = newest(self._data)
        if found == self._built_from and before is not None and has_library(before, self._data):
            self._say(f"Nothing came in since snapshot {before.id}: there is nothing to build")
            return
        code = self._build()
        if code is None:
            return
        if code:
            how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            self._say(f"The build failed ({how}): it is tried again next time")
            return
        self._built_from = found
        deleted = self._store.prune(self._keep)
        if deleted:
            self._say(f"Deleted {', '.join(deleted)}")


class UntilStopped:
    """Sleeping, which SIGTERM and SIGINT end, and running processes, which they terminate. Of the main thread alone.

    They raise nothing: an exception in the midst of starting a process would leave it behind.
    """

    def __init__(self) -> None:
        self._stopped = False
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> UntilStopped:
        """Takes the signals from whoever had them."""
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self._before = {number: signal.signal(number, self._stop) for number in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Gives the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self._reader)
        os.close(self._writer)

    def sleep(self, seconds: float) -> bool:
        """Sleeps, unless it was or is stopped; whether it was not."""
        select.select([self._reader], [], [], seconds)  # what was written there is never read, so it wakes for good
        return not self._stopped

    def run(self, command: Sequence[str]) -> int | None:
        """The exit code of a process; None where it was stopped, after the process has ended."""
        if self._stopped:
            return None
        self._process = subprocess.Popen(command)  # noqa: S603  ourselves
        if self._stopped:  # before it was known whom to terminate
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
