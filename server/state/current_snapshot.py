"""The snapshot that requests are answered from: follows ``current`` without dropping one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from flask import current_app, g

from index.core.errors import BadSnapshot, PosterityError
from index.movie_index import MovieIndex
from index.snapshot.store import Manifest, SnapshotStore

_LOOK_EVERY = 1.0  # seconds

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Refused:
    """A snapshot that was published and cannot be served."""

    id: str
    reason: str  # files are named from the data directory on


class SnapshotWatcher:
    """The opened current snapshot. A newer one is opened in the background and then swapped in.

    Where the current one is damaged, the latest before it is served: a process that takes the place of one that died
    comes to no other end than those that refused the damaged one while they ran.

    Args:
        checked: id of a snapshot whose files whoever started this process has checked.

    Raises:
        UnknownSnapshot: nothing was published yet.
        BadSnapshot: what was published is damaged, and so is all before it.
    """

    def __init__(self, data: Path, clock: Callable[[], float] = monotonic, *, checked: str | None = None) -> None:
        self._data = data
        self._store = SnapshotStore(data)
        self._clock = clock
        self._refused: Refused | None = None
        self._seen = self._store.path().name
        self._index = self._opened(self._seen, checked)
        self._looked = clock()
        self._lock = threading.Lock()
        self._changing = threading.Lock()  # over what is served

    def index(self) -> MovieIndex:
        """The snapshot to answer from; keep it for the whole request.

        Raises:
            BadLibrary: what came in online cannot be read.
        """
        self._follow()
        if not self._index.is_fresh():
            # Whoever asks after a change was acknowledged sees it, so they wait for it.
            with self._changing:
                self._index = self._index.refreshed()
        return self._index

    def latest(self) -> MovieIndex:
        """The snapshot with what had come in online when that was last read, even if it cannot be read any more."""
        self._follow()
        return self._index

    def manifest(self) -> Manifest:
        """Of the snapshot that is served."""
        return self.latest().manifest

    def refused(self) -> Refused | None:
        """The latest snapshot that was published, if it cannot be served; None once another one is."""
        return self._refused

    def _follow(self) -> None:
        if self._clock() - self._looked >= _LOOK_EVERY and self._lock.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._lock.release()

    def _look(self) -> None:
        self._looked = self._clock()
        try:
            current = self._store.current_id()
        except PosterityError:
            log.exception("the current snapshot cannot be found; %s is served on", self._index.manifest.id)
            return
        # One that failed to open is not tried again: it never changes.
        if current is not None and current != self._seen:
            self._seen = current
            threading.Thread(target=self._swap, args=(current,), name="open-snapshot", daemon=True).start()

    def _swap(self, snapshot_id: str) -> None:
        try:
            opened = MovieIndex.open(self._data, snapshot_id)
        except (PosterityError, OSError, ValueError, KeyError) as error:
            log.exception("snapshot %s cannot be opened; %s is served on", snapshot_id, self._index.manifest.id)
            self._refused = Refused(snapshot_id, self._reason(error))
        else:
            with self._changing:
                self._index = opened
            self._refused = None
            log.info("snapshot %s is served from now on", snapshot_id)

    def _opened(self, current: str, checked: str | None) -> MovieIndex:
        try:
            return MovieIndex.open(self._data, current, checked=checked)
        except BadSnapshot as error:
            for earlier in sorted((known for known in self._store.ids() if known < current), reverse=True):
                with suppress(BadSnapshot):
                    index = MovieIndex.open(self._data, earlier)
                    log.exception("snapshot %s cannot be opened; %s is served on", current, earlier)
                    self._refused = Refused(current, self._reason(error))
                    return index
            raise

    def _reason(self, error: Exception) -> str:
        """Why a snapshot is refused, for those who may not know where it is kept."""
        if not isinstance(error, PosterityError):
            return "it cannot be read: the log says why"
        return str(error).replace(f"{self._data}/", "")


def movie_index() -> MovieIndex:
    """The snapshot that the present request is answered from, the same from its first line to its last."""
    if "movie_index" not in g:
        g.movie_index = current_app.extensions["served"].index()
    index: MovieIndex = g.movie_index
    return index


def changed_index() -> MovieIndex:
    """The same after the present request changed something: from now on it is answered from that."""
    g.pop("movie_index", None)
    return movie_index()
