"""Progress callbacks that callers pass to long-running functions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Track(Protocol):
    """Iterable wrapper that shows progress."""

    def __call__(self, items: Iterable[T], label: str, total: int | None = None) -> Iterable[T]:
        """Yield the items unchanged and in order; show progress towards ``total``."""


def silent(items: Iterable[T], label: str, total: int | None = None) -> Iterable[T]:  # noqa: ARG001
    """Return the items; show nothing."""
    return items


class Count(Protocol):
    """Byte counter that shows progress."""

    def __call__(self, done: int, total: int | None) -> None:
        """Show ``done`` of ``total`` bytes; ``total`` is None if unknown."""


def uncounted(done: int, total: int | None) -> None:
    """Show nothing."""
