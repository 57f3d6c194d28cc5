"""The snapshot that the server serves: follow ``current`` without failing a request."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from flask import current_app, g

from index.core.back_off import back_off
from index.core.errors import BadSnapshot, PosterityError, SearchUnavailable, UnknownSnapshot
from index.movie_index import MovieIndex
from index.snapshot.collections import check_collections
from index.snapshot.store import Checked, Manifest, SnapshotStore
from server.state.memory import give_back

_LOOK_EVERY = 1.0  # seconds

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Refused:
    """The current snapshot, which could not be opened: for good if it is damaged, else so far."""

    id: str
    reason: str  # file names are relative to the data directory


class SnapshotWatcher:
    """Watcher of the current snapshot: opens a newer one in the background, then swaps it in.

    A snapshot that fails its verification is never tried again, as it never changes. After any other error (too many
    open files, too little memory, a busy library) it is tried again, with back-off.

    If the current snapshot is damaged, the newest sound one before it is served. So a restarted worker serves the same
    snapshot as the workers that refused the damaged one.

    Args:
        data: the data directory.
        clock: monotonic seconds.
        checked: a snapshot that the parent process has verified.
        embed_path: how VGG16 runs for uploads.
        search: address of the Milvus that has the vectors; empty for none.

    Raises:
        UnknownSnapshot: no snapshot was published yet.
        BadSnapshot: every published snapshot is damaged.
        OSError, RuntimeError, MemoryError, BadLibrary, Busy: it cannot be opened now; later it may.
    """

    def __init__(
        self,
        data: Path,
        clock: Callable[[], float] = monotonic,
        *,
        checked: Checked | None = None,
        embed_path: str = "auto",
        search: str = "",
    ) -> None:
        self._data = data
        self._embed_path = embed_path
        self._search = search
        self._store = SnapshotStore(data)
        self._clock = clock
        self._checked = checked
        self._refused: Refused | None = None
        self._seen = self._store.path().name
        self._index = self._first(self._seen)
        self._looked = clock()
        self._due: float | None = None  # when to open the snapshot last seen; None if it is served or refused for good
        self._pauses: Iterator[float] = back_off()
        self._opening: threading.Thread | None = None
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

    def fresh(self) -> MovieIndex | None:
        """Return the index if it has every library change so far, without waiting; otherwise None.

        Raises:
            BadLibrary: the library cannot be read.
        """
        self._follow()
        index = self._index
        return index if index.is_fresh() else None

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
        self._looked = now = self._clock()
        try:
            current = self._store.current_id()
        except (PosterityError, OSError):
            log.exception("the current snapshot cannot be found; %s stays in use", self._index.manifest.id)
            return
        if current not in {None, self._seen}:
            self._seen, self._due, self._pauses = str(current), now, back_off()
        if self._due is None or now < self._due or (self._opening is not None and self._opening.is_alive()):
            return
        self._due = None
        self._opening = threading.Thread(target=self._swap, args=(self._seen,), name="open-snapshot", daemon=True)
        try:
            self._opening.start()
        except RuntimeError as error:  # too many threads
            self._opening = None
            self._put_off(self._seen, error)

    def _swap(self, snapshot_id: str) -> None:
        try:
            opened = self._open(snapshot_id)
            check_collections(opened.manifest, self._search)  # not of the first: it is served while Milvus is down
        except BadSnapshot as error:
            log.exception("snapshot %s cannot be opened; %s stays in use", snapshot_id, self._index.manifest.id)
            self._refused = Refused(snapshot_id, self._reason(error))
        except Exception as error:  # noqa: BLE001  Faiss, numpy and the system raise many kinds
            self._put_off(snapshot_id, error)
        else:
            with self._changing:
                self._index = opened
            self._refused = None
            log.info("snapshot %s is served from now on", snapshot_id)

    def _put_off(self, snapshot_id: str, error: Exception) -> None:
        """Open a snapshot again after a pause, unless another one is current by then."""
        pause = next(self._pauses)
        known = isinstance(error, PosterityError)  # its sentence says all
        words = "snapshot %s cannot be opened now (%s); tried again in %g s"
        log.warning(words, snapshot_id, error, pause, exc_info=None if known else error)
        public = str(error) if isinstance(error, SearchUnavailable) else "the log says why"
        self._refused = Refused(snapshot_id, f"it cannot be opened now and is tried again: {public}")
        if snapshot_id == self._seen:
            self._due = self._clock() + pause

    def _open(self, snapshot_id: str) -> MovieIndex:
        """Verify, open and prepare a snapshot. After an error that is not about its files, these are not read again."""
        if self._checked is None or self._checked.id != snapshot_id:
            self._checked = self._store.check(snapshot_id)
        index = MovieIndex.open(
            self._data, snapshot_id, checked=self._checked, embed_path=self._embed_path, search=self._search
        )
        index.catalogue.prepare_search()
        give_back()  # what reading it took
        return index

    def _first(self, current: str) -> MovieIndex:
        try:
            return self._open(current)
        except BadSnapshot as error:
            for earlier in sorted((known for known in self._store.ids() if known < current), reverse=True):
                with suppress(BadSnapshot, UnknownSnapshot):
                    index = self._open(earlier)
                    log.exception("snapshot %s cannot be opened; %s is served instead", current, earlier)
                    self._refused = Refused(current, self._reason(error))
                    return index
            raise

    def _reason(self, error: BadSnapshot) -> str:
        """Return the reason without the path of the data directory: it is shown over HTTP."""
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
