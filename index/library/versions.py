"""Versions of an index: which changes of the library a response includes, as text for caches and ETags."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from index.library.movies import Library

_CHANGE = r"([0-9a-f]+)-([0-9]{1,18})"
_VERSION = re.compile(rf"([^.]+)\.{_CHANGE}(?:\.{_CHANGE})?", re.ASCII)


def numbered(generation: int, seq: int) -> str:
    """Return the number of a change in a file of the library; without any change the file does not matter."""
    return f"{generation if seq else 0:x}-{seq}"


def has_seen(version: str, seq: int, snapshot_id: str, library_generation: int, *, rating: bool) -> bool:
    """Return True if an index of some ``version`` included the latest change of a movie, number ``seq``.

    Args:
        version: ``<snapshot>.<change of movies>``, with ratings ``.<change of ratings>``; each as ``numbered`` returns.
        seq: of the change; a movie that was never changed, number 0, is the same within a snapshot.
        snapshot_id: of the current snapshot.
        library_generation: of the library's file.
        rating: True if it is of a rating; only versions with ratings have seen it.
    """
    found = _VERSION.fullmatch(version)
    if found is None or (rating and found[4] is None):
        return False
    generation, latest = found.group(4, 5) if rating else found.group(2, 3)
    if int(generation, 16) not in {0, library_generation}:
        return False
    return seq <= int(latest) and (seq > 0 or found[1] == snapshot_id)


def built_with(dataset: Mapping[str, Any], library: Library) -> int:
    """Return the number of the latest change of the library in a snapshot.

    Numbers compare only within one library: all changes of another one, or one put back to an earlier state, are new.

    Args:
        dataset: the snapshot's entry of the data set.
        library: of now.
    """
    same = dataset.get("library_id", library.identity()) == library.identity()
    latest = int(dataset.get("library", 0))
    return latest if same and latest <= library.version() else 0
