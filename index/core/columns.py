"""Columns of objects that a changed table shares with the one before, but for the changed blocks."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, chain
from typing import TypeVar, overload

from typing_extensions import override

from index.core.ids import Edit

_BLOCK = 256  # objects; a block of twice as many is split

Value = TypeVar("Value")


class Column(Sequence[Value]):
    """Immutable sequence of objects in blocks, so that a change copies few of them.

    Args:
        values: the objects.
    """

    def __init__(self, values: Iterable[Value]) -> None:
        whole = tuple(values)
        self._set([whole[start : start + _BLOCK] for start in range(0, len(whole), _BLOCK)])

    def _set(self, blocks: list[tuple[Value, ...]]) -> None:
        self._blocks = blocks
        *self._starts, self._size = accumulate(map(len, blocks), initial=0)

    @override
    def __len__(self) -> int:
        return self._size

    @override
    def __iter__(self) -> Iterator[Value]:
        return chain.from_iterable(self._blocks)

    @overload
    def __getitem__(self, at: int) -> Value: ...

    @overload
    def __getitem__(self, at: slice) -> tuple[Value, ...]: ...

    @override
    def __getitem__(self, at: int | slice) -> Value | tuple[Value, ...]:
        if isinstance(at, slice):
            return tuple(self[row] for row in range(*at.indices(self._size)))
        row = range(self._size)[at]  # from the end, too; or IndexError
        block = bisect_right(self._starts, row) - 1
        return self._blocks[block][row - self._starts[block]]

    @override
    def __eq__(self, other: object) -> bool:
        return tuple(self) == tuple(other) if isinstance(other, (Column, tuple)) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as a list: it is never a key

    def edited(self, edit: Edit, values: Iterable[Value], changed: Mapping[int, Value]) -> Column[Value]:
        """Return the column after a change.

        Args:
            edit: of the rows.
            values: of the rows that it inserts.
            changed: values of other rows, after the edit.
        """
        edited: Column[Value] = object.__new__(type(self))
        edited._set(list(self._blocks))
        for row in reversed(edit.deleted.tolist()):
            edited._replace(row, row + 1, ())
        for row, value in zip(edit.inserted.tolist(), values, strict=True):
            edited._replace(row, row, (value,))
        for row, value in changed.items():
            if edited[row] != value:
                edited._replace(row, row + 1, (value,))
        return edited

    def _replace(self, start: int, stop: int, values: tuple[Value, ...]) -> None:
        """Replace the rows from ``start`` to ``stop``, within one block; only while the column is made."""
        at = max(bisect_right(self._starts, start) - 1, 0)
        if at == len(self._blocks):
            self._blocks.append(())
        begin = self._starts[at] if self._starts else 0
        block = self._blocks[at]
        block = block[: start - begin] + values + block[stop - begin :]
        halves = (block[:_BLOCK], block[_BLOCK:]) if len(block) >= 2 * _BLOCK else (block,)
        self._set([*self._blocks[:at], *filter(None, halves), *self._blocks[at + 1 :]])
