"""Progress bars on a terminal; in a log, one line as each step ends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from index.track import T, Track


@contextmanager
def progress(console: Console) -> Iterator[Track]:
    """A ``Track`` that draws on the console."""
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


class _Bars:
    """A bar for every label; work that is done again, on another fold say, takes the same bar."""

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
