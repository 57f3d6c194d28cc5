"""Answers that were given, kept to be given again: the same question to the same state has the same bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict

_LARGEST = 2**16  # bytes of a question with its answer that is kept
_ALL = 2**25  # bytes of all


class ResponseCache:
    """The answers that were asked for last. Threads may share it."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, state: str, question: str) -> bytes | None:
        """What was answered to a question in a state of what is served; None where that is not kept."""
        with self._lock:
            answer = self._kept.get((state, question))
            if answer is not None:
                self._kept.move_to_end((state, question))
            return answer

    def keep(self, state: str, question: str, answer: bytes) -> None:
        """Keeps an answer, and lets go of those that were not asked for the longest."""
        # Questions count, too: they may be long, and their answers short.
        if len(question) + len(answer) > _LARGEST:
            return
        with self._lock:
            if (state, question) not in self._kept:
                self._bytes += len(question) + len(answer)
            self._kept[state, question] = answer
            while self._bytes > _ALL:
                (_, asked), dropped = self._kept.popitem(last=False)
                self._bytes -= len(asked) + len(dropped)
