"""The only mapping between the data set's ids and rows of arrays."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from index.core.arrays import Int64Array
from index.core.errors import NotFound, UnknownMovie


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
        return wanted in self._row_of

    @property
    def largest(self) -> int:
        """Return the largest id; 0 without any."""
        return int(self.values[-1]) if self.values.size else 0

    def row(self, wanted: int) -> int:
        """Return the row of one id.

        Raises:
            UnknownMovie: there is no such id. The constructor's ``unknown`` replaces this class.
        """
        row = self._row_of.get(wanted)
        if row is None:
            raise self._unknown(f"there is no {self._noun} {wanted} here")
        return row

    @cached_property
    def _row_of(self) -> dict[int, int]:
        # A dict finds one id many times faster than a binary search in numpy; built at the first such look-up.
        return {movie_id: row for row, movie_id in enumerate(self.values.tolist())}

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

    def find(self, wanted: Sequence[int] | npt.NDArray[np.integer]) -> Int64Array:
        """Return the row of each id, (m,) int64; -1 for unknown ids."""
        try:
            asked = np.asarray(wanted, dtype=np.int64).reshape(-1)
        except OverflowError:  # a number beyond int64 is no id
            return np.concatenate([self.find([one]) if abs(one) < 2**63 else [-1] for one in wanted])
        if not self.values.size:
            return np.full(asked.size, -1, dtype=np.int64)
        rows = np.minimum(np.searchsorted(self.values, asked), self.values.size - 1)
        return np.where(self.values[rows] == asked, rows, -1)
