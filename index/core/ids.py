"""The one owner of the mapping between the data set's ids and rows of arrays."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from index.core.arrays import Int64Array
from index.core.errors import NotFound, UnknownMovie


class Ids:
    """Sorted unique ids; id ``values[row]`` belongs to ``row`` of every array made beside it.

    Args:
        values: (n,) whole numbers, strictly ascending.
        unknown: the error that a missing id raises.
        what: what an id names, for that error's message.
    """

    def __init__(self, values: npt.ArrayLike, *, what: str = "movie", unknown: type[NotFound] = UnknownMovie) -> None:
        array = np.asarray(values, dtype=np.int64)
        if array.ndim != 1 or not (array[1:] > array[:-1]).all():
            raise ValueError(f"{what} ids must be one strictly ascending row of numbers")
        self.values: Int64Array = array
        self._what = what
        self._unknown = unknown

    def __len__(self) -> int:
        """How many ids there are."""
        return int(self.values.size)

    def __contains__(self, wanted: int) -> bool:
        """Whether ``wanted`` is one of the ids."""
        return wanted in self._row_of

    def row(self, wanted: int) -> int:
        """The row of one id.

        Raises:
            UnknownMovie (or what the constructor was given): there is no such id.
        """
        row = self._row_of.get(wanted)
        if row is None:
            raise self._unknown(f"there is no {self._what} {wanted} here")
        return row

    @cached_property
    def _row_of(self) -> dict[int, int]:
        """Made when one id is first asked for: many times as quick as a search for one."""
        return {movie_id: row for row, movie_id in enumerate(self.values.tolist())}

    def rows(self, wanted: Sequence[int]) -> Int64Array:
        """The row of each id, (m,) int64.

        Raises:
            UnknownMovie (or what the constructor was given): there is no such id; the first that is not is named.
        """
        rows = self.find(wanted)
        for missing in np.flatnonzero(rows < 0)[:1].tolist():
            raise self._unknown(f"there is no {self._what} {wanted[missing]} here")
        return rows

    def find(self, wanted: Sequence[int] | npt.NDArray[np.integer]) -> Int64Array:
        """The row of each id, (m,) int64; -1 where there is none."""
        try:
            asked = np.asarray(wanted, dtype=np.int64).reshape(-1)
        except OverflowError:  # a number longer than any id
            return np.concatenate([self.find([one]) if abs(one) < 2**63 else [-1] for one in wanted])
        if not self.values.size:
            return np.full(asked.size, -1, dtype=np.int64)
        rows = np.minimum(np.searchsorted(self.values, asked), self.values.size - 1)
        return np.where(self.values[rows] == asked, rows, -1)
