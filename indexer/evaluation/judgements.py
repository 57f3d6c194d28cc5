"""Human judgements of similarity: pairs of movies labelled alike or not, from a CSV file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from index.core.arrays import BoolArray, Int64Array
from index.core.errors import InvalidInput
from index.core.ids import Ids
from index.core.source_ids import candidates
from indexer.datasets.tables.delimited import sniff
from indexer.datasets.tables.skipped import Skipped
from indexer.datasets.tables.values import source_id

_ALIKE = {"0": False, "0.0": False, "1": True, "1.0": True}  # some programs write 1 as 1.0
_DIGITS = 16  # from which on a number stands for an id, but is none


@dataclass(frozen=True, slots=True)
class JudgedPairs:
    """Pairs of movies labelled alike or not."""

    first: Int64Array  # (n,) catalogue rows
    second: Int64Array  # (n,) catalogue rows
    alike: BoolArray  # (n,)
    warnings: tuple[str, ...] = ()  # about pairs that were left out


def read_judged(path: Path, movie_ids: Ids) -> JudgedPairs:
    """Read pairs from a CSV file of three columns with any names: movie id, movie id, alike (1 or 0).

    Raises:
        InvalidInput: the file is invalid; the message names line and value.
    """
    table, _ = sniff(path)
    if len(table.columns) != 3 or all(name.isdigit() for name in table.columns):
        given = ", ".join(table.columns)
        raise InvalidInput(f"{path}, line 1: expected names of three columns (movie, movie, alike), not {given}")
    pairs: list[tuple[int, int]] = []
    alike: list[bool] = []
    skipped = Skipped()
    for line, fields in table.rows(skipped, lambda fields: fields[2].strip() in _ALIKE):
        a, b = (_movie_id(fields[at], table.columns[at], path, line) for at in (0, 1))
        if a == b:
            raise InvalidInput(f"{path}, line {line}: movie {a} is paired with itself: remove the line")
        if fields[2].strip() not in _ALIKE:
            raise InvalidInput(
                f"{path}, line {line}: {table.columns[2]} {fields[2]!r} is neither 1 (alike) nor 0 (not)"
            )
        pairs.append((a, b))
        alike.append(_ALIKE[fields[2].strip()])
    if skipped.first_invalid:
        raise InvalidInput(skipped.first_invalid[path])
    rows = movie_ids.find(np.array(pairs, dtype=np.int64).ravel()).reshape(-1, 2)
    known = (rows >= 0).all(axis=1)
    labels = np.array(alike, dtype=np.bool_)[known]
    if labels.all() or not labels.any():
        counts = f"{labels.sum():,} of {labels.size:,} pairs of movies in the catalogue are alike"
        raise InvalidInput(f"{path}: {counts}: give pairs of both kinds, some with 1 and some with 0")
    warnings: tuple[str, ...] = ()
    if not known.all():
        unknown = next(ids[row < 0][0] for ids, row in zip(np.array(pairs), rows, strict=True) if (row < 0).any())
        left_out = f"{(~known).sum():,} judged pairs left out, of movies that are not in the catalogue"
        warnings = (f"{path}: {left_out} (such as movie {unknown})",)
    return JudgedPairs(rows[known, 0], rows[known, 1], labels, warnings)


def _movie_id(text: str, name: str, file: Path, line: int) -> int:
    """Return the id of a movie; of one that is no number, the number that stands for it.

    Raises:
        InvalidInput: the text is no id.
    """
    found = source_id(text)
    if found is None or found.startswith("-"):
        raise InvalidInput(f"{file}, line {line}: {name} {text!r} is no movie id")
    return int(found) if found.isdigit() and len(found) < _DIGITS else next(candidates(found))
