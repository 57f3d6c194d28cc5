"""Memory of a process, as the malloc of glibc keeps it; with any other one nothing is done."""

from __future__ import annotations

import ctypes

_M_ARENA_MAX = -8  # of malloc.h


def share_arena() -> None:
    """Let all threads that start from now on allocate memory from one arena.

    Otherwise each thread has its own, and keeps as much as its largest request needed.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)


def give_back() -> None:
    """Give free memory back to the system: malloc keeps it where anything behind it is in use."""
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)
