"""Watch folders: wait until something in them has changed and then nothing more for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from watchdog.events import (
    EVENT_TYPE_CLOSED,
    EVENT_TYPE_CREATED,
    EVENT_TYPE_DELETED,
    EVENT_TYPE_MODIFIED,
    EVENT_TYPE_MOVED,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.polling import PollingObserver

from index.core.errors import InvalidInput

_CHANGES = frozenset(
    {EVENT_TYPE_CREATED, EVENT_TYPE_DELETED, EVENT_TYPE_MODIFIED, EVENT_TYPE_MOVED, EVENT_TYPE_CLOSED}
)  # not opened, nor closed without a write: scans cause these
_POLL = 60.0  # seconds, where the system cannot watch so many folders
_LONGEST = 20  # quiet periods; a folder that never is quiet, as during long downloads, is scanned then

Sleep = Callable[[float], bool]  # sleeps for some seconds; returns False to end


class Changes(FileSystemEventHandler):
    """Time of the latest change; thread-safe.

    Args:
        clock: returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._first: float | None = None
        self._latest = 0.0

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Note a change; ignore reads."""
        if event.event_type in _CHANGES:
            self.note()

    def note(self) -> None:
        """Note a change now."""
        with self._lock:
            self._latest = self._clock()
            self._first = self._latest if self._first is None else self._first

    def take(self, quiet: float) -> bool:
        """Return True, and forget the changes, if there were some and none for ``quiet`` seconds."""
        with self._lock:
            now = self._clock()
            if self._first is None or (now - self._latest < quiet and now - self._first < _LONGEST * quiet):
                return False
            self._first = None
            return True


@contextmanager
def watched(folders: Sequence[Path]) -> Iterator[Changes]:
    """Yield the changes in some folders and everything below them, as they occur.

    Raises:
        InvalidInput: a folder cannot be watched.
    """
    changes = Changes()
    observer = Observer()
    try:
        try:
            for folder in folders:
                observer.schedule(changes, str(folder), recursive=True)
            observer.start()
        except OSError:  # more folders than fs.inotify.max_user_watches
            observer.unschedule_all()
            observer = PollingObserver(timeout=_POLL)
            for folder in folders:
                observer.schedule(changes, str(folder), recursive=True)
            observer.start()
    except OSError as error:
        raise InvalidInput(f"{', '.join(map(str, folders))} cannot be watched: {error.strerror or error}") from error
    try:
        yield changes
    finally:
        observer.stop()
        observer.join()


def wait_for_change(changes: Changes, quiet: float, longest: float, sleep: Sleep) -> bool:
    """Wait until there were changes and then none for ``quiet`` seconds, at most ``longest`` seconds.

    Return False if ``sleep`` ended the wait.
    """
    step = min(quiet / 4, 1.0)
    waited = 0.0
    while waited < longest:
        if not sleep(step):
            return False
        waited += step
        if changes.take(quiet):
            return True
    return True
