"""The snapshot that the server serves: follow ``current`` without failing a request."""

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
    """A published snapshot that could not be opened."""

    id: str
    reason: str  # file names are relative to the data directory


class SnapshotWatcher:
    """Watcher of the current snapshot: opens a newer one in the background, then swaps it in.

    If the current snapshot is damaged, the newest sound one before it is served. So a restarted worker serves the same
    snapshot as the workers that refused the damaged one.

    Args:
        data: the data directory.
        clock: monotonic seconds.
        checked: id of a snapshot whose files the parent process has verified.
        embed_path: how VGG16 runs for uploads.

    Raises:
        UnknownSnapshot: no snapshot was published yet.
        BadSnapshot: every published snapshot is damaged.
    """

    def __init__(
        self,
        data: Path,
        clock: Callable[[], float] = monotonic,
        *,
        checked: str | None = None,
        embed_path: str = "auto",
    ) -> None:
        self._data = data
        self._embed_path = embed_path
        self._store = SnapshotStore(data)
        self._clock = clock
        self._refused: Refused | None = None
        self._seen = self._store.path().name
        self._index = self._opened(self._seen, checked)
        self._looked = clock()
        self._lock = threading.Lock()
        self._changing = threading.Lock()  # guards self._index

    def index(self) -> MovieIndex:
        """Return the index with every library change so far; keep it for the whole request.

        Raises:
            BadLibrary: the library cannot be read.
        """
        self._follow()
        if not self._index.is_fresh():
            # A request that follows an acknowledged change waits for the index that has it.
            with self._changing:
                self._index = self._index.refreshed()
        return self._index

    def latest(self) -> MovieIndex:
        """Return the index as of the last readable library, for pages and metrics that must not fail."""
        self._follow()
        return self._index

    def manifest(self) -> Manifest:
        """Return the manifest of the current snapshot."""
        return self.latest().manifest

    def refused(self) -> Refused | None:
        """Return the current snapshot if it could not be opened; None otherwise."""
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
            log.exception("the current snapshot cannot be found; %s stays in use", self._index.manifest.id)
            return
        # A snapshot that failed to open is not tried again: it never changes.
        if current is not None and current != self._seen:
            self._seen = current
            threading.Thread(target=self._swap, args=(current,), name="open-snapshot", daemon=True).start()

    def _swap(self, snapshot_id: str) -> None:
        try:
            opened = MovieIndex.open(self._data, snapshot_id, embed_path=self._embed_path)
        except (PosterityError, OSError, ValueError, KeyError) as error:
            log.exception("snapshot %s cannot be opened; %s stays in use", snapshot_id, self._index.manifest.id)
            self._refused = Refused(snapshot_id, self._reason(error))
        else:
            with self._changing:
                self._index = opened
            self._refused = None
            log.info("snapshot %s is served from now on", snapshot_id)

    def _opened(self, current: str, checked: str | None) -> MovieIndex:
        try:
            return MovieIndex.open(self._data, current, checked=checked, embed_path=self._embed_path)
        except BadSnapshot as error:
            for earlier in sorted((known for known in self._store.ids() if known < current), reverse=True):
                with suppress(BadSnapshot):
                    index = MovieIndex.open(self._data, earlier, embed_path=self._embed_path)
                    log.exception("snapshot %s cannot be opened; %s is served instead", current, earlier)
                    self._refused = Refused(current, self._reason(error))
                    return index
            raise

    def _reason(self, error: Exception) -> str:
        """Return the reason without the path of the data directory: it is shown over HTTP."""
        if not isinstance(error, PosterityError):
            return "it cannot be read: the log says why"
        return str(error).replace(f"{self._data}/", "")


def movie_index() -> MovieIndex:
    """Return the index of the current request, the same for the whole request."""
    index: MovieIndex | None = g.get("movie_index")
    if index is None:
        g.movie_index = index = current_app.extensions["snapshot_watcher"].index()
    return index


def changed_index() -> MovieIndex:
    """Return a fresh index after the current request changed the library, and use it for the rest of the request."""
    g.pop("movie_index", None)
    return movie_index()
