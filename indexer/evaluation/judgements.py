"""Pairs of movies that people called alike or not, from a CSV file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from index.core.arrays import BoolArray, Int64Array
from index.core.errors import InvalidInput
from index.core.ids import Ids
from indexer.datasets.delimited import csv_table, whole_number

_ALIKE = {"0": False, "0.0": False, "1": True, "1.0": True}  # some programs write 1 as 1.0


@dataclass(frozen=True, slots=True)
class JudgedPairs:
    """Rows of movies that people called alike or not, (n,) each."""

    first: Int64Array
    second: Int64Array
    alike: BoolArray
    warnings: tuple[str, ...] = ()  # what was left out


def read_judged(path: Path, movie_ids: Ids) -> JudgedPairs:
    """The pairs in a CSV file of three columns, whatever they are called: movie id, movie id, alike (1 or 0).

    Raises:
        InvalidInput: the file cannot be used; names line and value.
    """
    table = csv_table(path)
    if len(table.columns) != 3 or all(name.isdigit() for name in table.columns):
        given = ", ".join(table.columns)
        raise InvalidInput(f"{path}, line 1: expected names of three columns (movie, movie, alike), not {given}")
    pairs: list[tuple[int, int]] = []
    alike: list[bool] = []
    for line, fields in table.rows():
        a, b = (whole_number(fields[at], table.columns[at], path, line) for at in (0, 1))
        if a == b:
            raise InvalidInput(f"{path}, line {line}: movie {a} is paired with itself: remove the line")
        if fields[2].strip() not in _ALIKE:
            raise InvalidInput(
                f"{path}, line {line}: {table.columns[2]} {fields[2]!r} is neither 1 (alike) nor 0 (not)"
            )
        pairs.append((a, b))
        alike.append(_ALIKE[fields[2].strip()])
    rows = movie_ids.find(np.array(pairs, dtype=np.int64).ravel()).reshape(-1, 2)
    known = (rows >= 0).all(axis=1)
    kept = np.array(alike, dtype=np.bool_)[known]
    if kept.all() or not kept.any():
        which = f"{kept.sum():,} of {kept.size:,} pairs of movies that are listed are alike"
        raise InvalidInput(f"{path}: {which}: pairs of both kinds are needed, some with 1 and some with 0")
    warnings: tuple[str, ...] = ()
    if not known.all():
        first = next(name for pair, there in zip(pairs, rows >= 0, strict=True) for name in np.array(pair)[~there])
        what = f"{path}: judged pairs of movies that are not listed, left out"
        warnings = (f"{what}: {(~known).sum():,} (such as movie {first})",)
    return JudgedPairs(rows[known, 0], rows[known, 1], kept, warnings)
