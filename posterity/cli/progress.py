"""Progress bars on a terminal, and one line per finished step in a log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from index.core.progress import Count, T, Track


@contextmanager
def progress(console: Console) -> Iterator[Track]:
    """Yield a ``Track`` that draws on the console."""
    if not console.is_terminal:
        yield _Lines(console)
        return
    columns = (
        TextColumn("{task.description:<28}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bars:
        yield _Bars(bars)


@contextmanager
def byte_progress(console: Console, label: str) -> Iterator[Count]:
    """Yield a ``Count`` that draws on the console once it is called."""
    if not console.is_terminal:
        line = _Line()
        yield line
        if line.done:
            console.print(f"{label}: {line.done / 1e6:,.1f} MB ({monotonic() - line.start:.1f} s)", highlight=False)
        return
    columns = (
        TextColumn("{task.description:<28}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bars:
        task = bars.add_task(label, total=None, visible=False)
        yield lambda done, total: bars.update(task, completed=done, total=total, visible=True)


class _Line:
    """The last count of bytes."""

    def __init__(self) -> None:
        self.start = monotonic()
        self.done = 0

    def __call__(self, done: int, total: int | None) -> None:  # noqa: ARG002
        self.done = done


class _Bars:
    """One bar per label; repeated work, such as on another fold, reuses its bar."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, items: Iterable[T], label: str, total: int | None = None) -> Iterable[T]:
        if label in self._tasks:
            self._bars.reset(self._tasks[label], total=total)
        else:
            self._tasks[label] = self._bars.add_task(label, total=total)
        return self._bars.track(items, total=total, task_id=self._tasks[label], description=label)


class _Lines:
    def __init__(self, console: Console) -> None:
        self._console = console

    def __call__(self, items: Iterable[T], label: str, total: int | None = None) -> Iterable[T]:
        start = monotonic()
        yield from items
        count = "" if total is None else f": {total}"
        self._console.print(f"{label}{count} ({monotonic() - start:.1f} s)", highlight=False)
