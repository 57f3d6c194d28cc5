"""Cached responses: the same request to the same state of the snapshot has the same bytes."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from cachetools import LRUCache

KEY, ROUTE = "posterity.key", "posterity.route"  # in WSGI's environment, of a response that is cached
ONLY_READY = "posterity.only_ready"  # in WSGI's environment: answer if that takes no waiting, else return nothing
_LARGEST = 2**16  # bytes of an entry, key included
_TOTAL = 2**25  # bytes of all entries


class ResponseCache:
    """The most recently used response bodies, plain and compressed. Threads may share it.

    A key names the state of the snapshot and the request, so entries never go stale.
    """

    def __init__(self) -> None:
        # Each entry holds its key too: keys may be long and their bodies short, so both count.
        self._entries: LRUCache[str, tuple[str, bytes]] = LRUCache(_TOTAL, getsizeof=_size)
        self._lock = threading.Lock()

    def get(self, key: str) -> bytes | None:
        """Return the cached body; None if there is none."""
        with self._lock:
            entry = self._entries.get(key)
        return None if entry is None else entry[1]

    def set(self, key: str, body: bytes) -> None:
        """Cache a body, evicting the least recently used ones. Skip one above 64 KiB."""
        entry = key, body
        if _size(entry) <= _LARGEST:
            with self._lock:
                self._entries[key] = entry


def key_of(version: str, environ: Mapping[str, Any]) -> str:
    """Return the key of the response to a request.

    Args:
        version: of the index.
        environ: WSGI's. The raw path and query are used: werkzeug's parsed ones take five times as long.
    """
    return f"{version} {environ['PATH_INFO']}?{environ['QUERY_STRING']}"


def encoded_key(encoding: str | None, key: str) -> str:
    """Return the key of the response in a content encoding; None for the plain one."""
    return key if encoding is None else f"{encoding} {key}"


def _size(entry: tuple[str, bytes]) -> int:
    key, body = entry
    return len(key) + len(body)
