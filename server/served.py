"""The snapshot that requests are answered from: follows ``current`` without dropping one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic

from flask import current_app, g

from index.errors import PosterityError
from index.movie_index import MovieIndex
from index.snapshot import SnapshotStore

_LOOK_EVERY = 1.0  # seconds

log = logging.getLogger(__name__)


class Served:
    """The opened current snapshot. A newer one is opened in the background and then swapped in.

    Raises:
        UnknownSnapshot: nothing was published yet.
        BadSnapshot: what was published is damaged.
    """

    def __init__(self, data: Path, clock: Callable[[], float] = monotonic) -> None:
        self._data = data
        self._store = SnapshotStore(data)
        self._clock = clock
        self._index = MovieIndex.open(data)
        self._seen: str | None = self._index.manifest.id
        self._looked = clock()
        self._lock = threading.Lock()
        self._changing = threading.Lock()  # over what is served

    def index(self) -> MovieIndex:
        """The snapshot to answer from; keep it for the whole request."""
        if self._clock() - self._looked >= _LOOK_EVERY and self._lock.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._lock.release()
        if not self._index.is_fresh():
            # Whoever asks after a change was acknowledged sees it, so they wait for it.
            with self._changing:
                self._index = self._index.refreshed()
        return self._index

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
        except (PosterityError, OSError, ValueError, KeyError):
            log.exception("snapshot %s cannot be opened; %s is served on", snapshot_id, self._index.manifest.id)
        else:
            with self._changing:
                self._index = opened
            log.info("snapshot %s is served from now on", snapshot_id)


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
