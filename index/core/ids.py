"""The only mapping between the data set's ids and rows of arrays."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from index.core.arrays import AnyIntArray, Int64Array
from index.core.errors import NotFound, UnknownMovie

Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of the rows of parallel arrays: some are deleted, then some inserted."""

    deleted: Int64Array  # rows before the change, ascending
    inserted: Int64Array  # rows after the change, ascending

    def array(self, column: npt.NDArray[Scalar], values: npt.ArrayLike) -> npt.NDArray[Scalar]:
        """Return a column (n,) after the change, with these values in the inserted rows; itself if nothing changes."""
        kept = np.delete(column, self.deleted) if self.deleted.size else column
        # np.insert counts rows before the insertion.
        at = self.inserted - np.arange(self.inserted.size)
        return np.insert(kept, at, np.asarray(values, dtype=column.dtype)) if at.size else kept


class Ids:
    """Sorted unique ids: ``values[row]`` is the id of row ``row`` of every parallel array.

    Args:
        values: (n,) integers, strictly ascending.
        noun: name of the objects, for error messages.
        unknown: error to raise for an unknown id.
    """

    def __init__(self, values: npt.ArrayLike, *, noun: str = "movie", unknown: type[NotFound] = UnknownMovie) -> None:
        array = np.asarray(values, dtype=np.int64)
        if array.ndim != 1 or not (array[1:] > array[:-1]).all():
            raise ValueError(f"{noun} ids must be one strictly ascending row of numbers")
        self.values: Int64Array = array
        self._noun = noun
        self._unknown = unknown

    def __len__(self) -> int:
        """Return the number of ids."""
        return int(self.values.size)

    def __contains__(self, wanted: int) -> bool:
        """Return True if ``wanted`` is one of the ids."""
        return self._find_one(wanted) >= 0

    @property
    def largest(self) -> int:
        """Return the largest id; 0 without any."""
        return int(self.values[-1]) if self.values.size else 0

    def largest_below(self, end: int) -> int:
        """Return the largest id below ``end``; 0 without any."""
        at = int(self.values.searchsorted(end))
        return int(self.values[at - 1]) if at else 0

    def row(self, wanted: int) -> int:
        """Return the row of one id.

        Raises:
            UnknownMovie: there is no such id. The constructor's ``unknown`` replaces this class.
        """
        row = self._find_one(wanted)
        if row < 0:
            raise self._unknown(f"there is no {self._noun} {wanted} here")
        return row

    def _find_one(self, wanted: int) -> int:
        """Return the row of one id; -1 if it is unknown."""
        # A binary search, not a dict, which every change of the library would make anew.
        if not 0 <= wanted < 2**63:
            return int(self.find([wanted])[0])
        row = int(self.values.searchsorted(wanted))
        return row if row < self.values.size and self.values[row] == wanted else -1

    def rows(self, wanted: Sequence[int]) -> Int64Array:
        """Return the row of each id, (m,) int64.

        Raises:
            UnknownMovie: an id is unknown; the message names the first. The constructor's ``unknown`` replaces this
                class.
        """
        rows = self.find(wanted)
        for missing in np.flatnonzero(rows < 0)[:1].tolist():
            raise self._unknown(f"there is no {self._noun} {wanted[missing]} here")
        return rows

    def find(self, wanted: Sequence[int] | AnyIntArray) -> Int64Array:
        """Return the row of each id, (m,) int64; -1 for unknown ids."""
        try:
            asked = np.asarray(wanted, dtype=np.int64).reshape(-1)
        except OverflowError:  # a number beyond int64 is no id
            return np.concatenate([self.find([one]) if abs(one) < 2**63 else [-1] for one in wanted])
        if not self.values.size:
            return np.full(asked.size, -1, dtype=np.int64)
        rows = np.minimum(np.searchsorted(self.values, asked), self.values.size - 1)
        return np.where(self.values[rows] == asked, rows, -1)

    def edited(self, added: Collection[int], deleted: Collection[int]) -> tuple[Ids, Edit]:
        """Return the ids without some of them and with new ones, and the change of the rows.

        Args:
            added: ids that are not here.
            deleted: ids that are here.
        """
        rows = self.find(sorted(deleted))
        kept = np.delete(self.values, rows) if rows.size else self.values
        new = np.array(sorted(added), dtype=np.int64)
        at = kept.searchsorted(new)
        values = np.insert(kept, at, new) if new.size else kept
        return Ids(values, noun=self._noun, unknown=self._unknown), Edit(rows, at + np.arange(new.size))

    def after(self, before: Ids) -> Int64Array | None:
        """Return the ids that follow all those of ``before``; None if these are not the first ones here."""
        if self is before:
            return self.values[len(before) :]
        same = len(self) >= len(before) and np.array_equal(self.values[: len(before)], before.values)
        return self.values[len(before) :] if same else None
