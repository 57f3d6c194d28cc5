"""Counts of requests for the rate limits: in Redis while it answers, otherwise in memory."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

from limits.errors import StorageError
from limits.storage import Storage, storage_from_string

from index.core.back_off import back_off

SCHEME = "posterity"  # under which Flask-Limiter finds these counts

_PATIENCE = 0.25  # seconds for Redis to connect, and for each of its replies
_SWEEP_EVERY = 60.0  # seconds

T = TypeVar("T")

log = logging.getLogger(__name__)


class Counting(Protocol):
    """The methods of a storage that a fixed window needs."""

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to a count, whose window of ``expiry`` seconds begins if it has none; return the count."""
        ...

    def get(self, key: str) -> int:
        """Return a count; 0 without a window."""
        ...

    def get_expiry(self, key: str) -> float:
        """Return the time at which the window ends, in seconds since 1970."""
        ...


class MemoryCounts:
    """Counts in memory. Threads may share them.

    Windows end by a clock that nobody sets: by the time of day, one day back, a client would be refused for a day.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._windows: dict[str, tuple[int, float]] = {}  # key -> count, end
        self._swept = clock()
        self._lock = threading.Lock()

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to a count, whose window of ``expiry`` seconds begins if it has none; return the count."""
        with self._lock:
            now = self._clock()
            if now >= self._swept + _SWEEP_EVERY:
                self._windows = {each: window for each, window in self._windows.items() if window[1] > now}
                self._swept = now
            count, end = self._windows.get(key, (0, now))
            if end <= now:
                count, end = 0, now + expiry
            self._windows[key] = count + amount, end
            return count + amount

    def get(self, key: str) -> int:
        """Return a count; 0 without a window."""
        count, end = self._windows.get(key, (0, 0.0))
        return count if end > self._clock() else 0

    def get_expiry(self, key: str) -> float:
        """Return the time at which the window ends, in seconds since 1970."""
        now = self._clock()
        return time.time() + max(0.0, self._windows.get(key, (0, now))[1] - now)


class Counts(Storage):
    """Counts in a shared storage; in memory, for each process by itself, while that storage does not answer.

    A storage that is down is tried again with back-off, by one request at a time.

    Args:
        uri: ignored; of Flask-Limiter.
        wrap_exceptions: ignored, as none is raised.
        address: of the shared storage, such as ``redis://host:6379``; ``memory://`` for none.
        clock: monotonic seconds.
    """

    STORAGE_SCHEME = [SCHEME]  # noqa: RUF012  as limits declares it

    def __init__(
        self,
        uri: str | None = None,
        wrap_exceptions: bool = False,
        *,
        address: str = "memory://",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(uri, wrap_exceptions)
        self._shared = None if address == "memory://" else _connected(address)
        self._memory = MemoryCounts(clock)
        self._clock = clock
        self._pauses: Iterator[float] = back_off()
        self._due: float | None = None  # when to try the shared storage again; None if it answers
        self._lock = threading.Lock()

    @property
    def base_exceptions(self) -> type[Exception]:
        """Exceptions of the storage: none passes."""
        return OSError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to a count, whose window of ``expiry`` seconds begins if it has none; return the count."""
        return self._ask(lambda counts: counts.incr(key, expiry, amount))

    def get(self, key: str) -> int:
        """Return a count; 0 without a window."""
        return self._ask(lambda counts: counts.get(key))

    def get_expiry(self, key: str) -> float:
        """Return the time at which the window ends, in seconds since 1970."""
        return self._ask(lambda counts: counts.get_expiry(key))

    def check(self) -> bool:
        """Return True if requests are counted where the settings say; ask the shared storage if a try is due."""
        self.get("check")
        return self._due is None

    def reset(self) -> int | None:
        """Raise NotImplementedError: nothing needs it."""
        raise NotImplementedError

    def clear(self, key: str) -> None:
        """Raise NotImplementedError: nothing needs it."""
        raise NotImplementedError

    def _ask(self, question: Callable[[Counting], T]) -> T:
        shared = self._shared
        if shared is None or not self._may_try():
            return question(self._memory)
        try:
            answer = question(shared)
        except (OSError, StorageError) as error:
            with self._lock:
                if self._due is None:
                    self._pauses = back_off()
                    self._due = self._clock() + next(self._pauses)
                    log.warning("the storage of the request counts does not answer, so each process counts: %s", error)
            return question(self._memory)
        if self._due is not None:
            self._due = None
            log.warning("the storage of the request counts answers again")
        return answer

    def _may_try(self) -> bool:
        """Return True if the shared storage is to be asked; if it is down, reserve the next try."""
        with self._lock:
            if self._due is None:
                return True
            if self._clock() < self._due:
                return False
            self._due = self._clock() + next(self._pauses)
            return True


def _connected(address: str) -> Storage:
    """Return a Redis storage that fails soon: its client would wait and retry for seconds, in every request."""
    options: dict[str, Any] = {"socket_connect_timeout": _PATIENCE, "socket_timeout": _PATIENCE, "retry": None}
    found = storage_from_string(address, wrap_exceptions=True, **options)
    if not isinstance(found, Storage):
        raise TypeError(f"{address} is an asynchronous storage")
    return found
