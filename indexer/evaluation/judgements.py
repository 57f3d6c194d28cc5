"""Human judgements of similarity: pairs of movies labelled alike or not, from a CSV file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from index.catalogue.catalogue import Movie
from index.core.arrays import BoolArray, Int64Array
from index.core.errors import InvalidInput
from index.core.ids import Ids
from index.core.references import MAX_ID
from indexer.datasets.tables.delimited import sniff
from indexer.datasets.tables.skipped import Skipped
from indexer.datasets.tables.values import source_id

_ALIKE = {"0": False, "0.0": False, "1": True, "1.0": True}  # some programs write 1 as 1.0


@dataclass(frozen=True, slots=True)
class JudgedPairs:
    """Pairs of movies labelled alike or not."""

    first: Int64Array  # (n,) catalogue rows
    second: Int64Array  # (n,) catalogue rows
    alike: BoolArray  # (n,)
    warnings: tuple[str, ...] = ()  # about pairs that were left out


def read_judged(path: Path, movies: Sequence[Movie]) -> JudgedPairs:
    """Read pairs from a CSV file of three columns with any names: movie id, movie id, alike (1 or 0).

    Pairs of numbers that no movie has are left out; a text that no movie has is refused, as it may be a title.

    Args:
        path: of the file.
        movies: in the order of the catalogue.

    Raises:
        InvalidInput: the file is invalid; the message names line, column and value.
    """
    movie_ids = Ids([movie.movie_id for movie in movies])
    named = {movie.source_id: movie.movie_id for movie in movies if movie.source_id is not None}
    table, _ = sniff(path)
    if len(table.columns) != 3 or all(name.isdigit() for name in table.columns):
        given = ", ".join(table.columns)
        raise InvalidInput(f"{path}, line 1: expected names of three columns (movie, movie, alike), not {given}")
    pairs: list[tuple[int, int]] = []
    alike: list[bool] = []
    skipped = Skipped()
    for line, fields in table.rows(skipped, lambda fields: fields[2].strip() in _ALIKE):
        a, b = (_movie_id(fields[at], named, f"{path}, line {line}: {table.columns[at]}") for at in (0, 1))
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


def _movie_id(text: str, named: dict[str, int], place: str) -> int:
    """Return the id of a movie, by it or by the data set's own id.

    Args:
        text: of the field.
        named: ids of the data set that are no numbers, with the numbers that stand for them.
        place: of the field in the file, for the error.

    Raises:
        InvalidInput: the text is neither.
    """
    found = source_id(text) or ""
    if found in named:
        return named[found]
    # As in ``numbers_for``, zeros in front of a number matter only beside ids that are none.
    is_number = found.isascii() and found.isdigit() and (not named or found == str(int(found)))
    if not is_number or int(found) > MAX_ID:
        expected = "the id of no movie in the data set" if named or is_number else "not a whole number from 0"
        raise InvalidInput(f"{place} {text!r} is {expected}")
    return int(found)
