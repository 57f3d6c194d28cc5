"""Pauses between attempts at something that may succeed later."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat

_PAUSES = (1.0, 2.0)  # seconds, of the first attempts
_LONGEST = 4.0  # seconds: the server answers again within 10 of the end of a fault


def back_off() -> Iterator[float]:
    """Yield pauses in seconds, for ever."""
    yield from _PAUSES
    yield from repeat(_LONGEST)
