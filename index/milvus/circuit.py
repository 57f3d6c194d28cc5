"""Circuit breaker: while a service does not answer, requests fail at once instead of waiting for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from threading import Lock

from index.core.back_off import back_off
from index.core.errors import SearchUnavailable


class Circuit:
    """State of a service: closed while it answers; open for a pause after each failure. Threads may share it.

    After a pause one call tries the service for all. Its success closes the circuit.

    Args:
        patience: seconds after which a call has failed.
        clock: monotonic seconds.
    """

    def __init__(self, patience: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._patience = patience
        self._clock = clock
        self._lock = Lock()  # over the rest
        self._open_until: float | None = None
        self._reason = ""
        self._pauses: Iterator[float] = back_off()

    def pass_or_fail(self) -> None:
        """Return if a call may be made now.

        Raises:
            SearchUnavailable: the last call failed, and the pause after it is not over.
        """
        with self._lock:
            if self._open_until is None:
                return
            if self._clock() < self._open_until:
                raise SearchUnavailable(self._reason)
            self._open_until = self._clock() + self._patience  # others wait for the outcome of this call

    def succeeded(self) -> None:
        """Close the circuit."""
        with self._lock:
            if self._open_until is not None:
                self._open_until, self._pauses = None, back_off()

    def failed(self, reason: str) -> None:
        """Open the circuit for a pause."""
        with self._lock:
            self._reason = reason
            self._open_until = self._clock() + next(self._pauses)
