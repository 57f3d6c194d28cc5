"""The snapshot that a local index answers from: the current one, or one that it stays at."""

from __future__ import annotations

import logging
from pathlib import Path
from threading import Lock

from index.core.errors import PosterityError
from index.movie_index import MovieIndex
from index.snapshot.store import SnapshotStore
from posterity.errors import Closed

log = logging.getLogger(__name__)


class Following:
    """The current snapshot of a data directory, opened again after each build. Threads may share it.

    Args:
        data: the data directory.
        snapshot: id of a snapshot to stay at; None for the current one.
        search: address of the Milvus that has the vectors; empty for none.

    Raises:
        UnknownSnapshot, BadSnapshot, BadLibrary: it cannot be opened.
    """

    def __init__(self, data: Path, snapshot: str | None = None, search: str = "") -> None:
        self._data = data
        self._search = search
        self._pinned = snapshot is not None
        self._store = SnapshotStore(data)
        self._opened: MovieIndex | None = MovieIndex.open(data, snapshot, search=search)
        self._refused: str | None = None  # id of a snapshot that could not be opened
        self._lock = Lock()  # over the two above

    @property
    def snapshot_id(self) -> str | None:
        """Id of the open snapshot; None after ``close``."""
        opened = self._opened
        return None if opened is None else opened.manifest.id

    def index(self) -> MovieIndex:
        """Return the snapshot to answer from, with all changes of the library so far.

        Raises:
            Closed: it was closed.
        """
        with self._lock:
            if self._opened is None:
                raise Closed(f"this index of {self._data} is closed: open another")
            current = None if self._pinned else self._store.current_id()
            if current not in {None, self._refused, self._opened.manifest.id}:
                try:
                    self._opened = MovieIndex.open(self._data, current, search=self._search)
                except (PosterityError, OSError, ValueError, KeyError):  # damaged, or pruned meanwhile
                    log.exception("snapshot %s cannot be opened; %s is used on", current, self._opened.manifest.id)
                    self._refused = current
            self._opened = self._opened.refreshed()
            return self._opened

    def close(self) -> None:
        """Release the snapshot."""
        with self._lock:
            self._opened = None
