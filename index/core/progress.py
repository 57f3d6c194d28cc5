"""How long work reports its progress: a wrapper around an iterable, handed in by the caller."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Track(Protocol):
    """Yields the items of an iterable and shows how far it has come."""

    def __call__(self, items: Iterable[T], label: str, total: int | None = None) -> Iterable[T]:
        """The same items in the same order."""


def silent(items: Iterable[T], label: str, total: int | None = None) -> Iterable[T]:  # noqa: ARG001
    """The items as they are, with nothing shown."""
    return items


class Count(Protocol):
    """Shows how many bytes there are, of how many."""

    def __call__(self, done: int, total: int | None) -> None:
        """``total`` is None where nobody knows."""


def uncounted(done: int, total: int | None) -> None:
    """Shows nothing."""
