"""Delimited text files: find out their layout, and split them into rows by line number."""

from __future__ import annotations

import csv
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from index.core.errors import InvalidInput
from index.core.quoted import LooksLikeRow, quoted_rows
from indexer.datasets.tables.skipped import Skipped
from indexer.datasets.tables.text import first_not_utf8, is_plain, open_text

SPACES = " "  # delimiter of files split at any number of spaces or tabs

_CHUNK = 1_000_000  # rows parsed at a time
_LONGEST = 2**16  # characters of a line of column names


@dataclass(frozen=True, slots=True)
class Table:
    """Layout of a delimited text file."""

    file: Path
    columns: tuple[str, ...]  # names in file order
    delimiter: str = ","  # one character, "::" or SPACES
    skip: int = 1  # lines before the first row: of column names, and ``sep=;``
    quoted: bool = True  # fields may be in double quotes

    def rows(self, skipped: Skipped, looks_like_row: LooksLikeRow, width: int = 0) -> Iterator[tuple[int, list[str]]]:
        """Yield the line number (from 1) and the fields of every row that is not blank.

        A row with too many or too few fields is counted in ``skipped``.

        Args:
            skipped: counts rows.
            looks_like_row: tells a row from the continuation of a text over several lines, by its fields; a quote that
                is never closed must not swallow rows.
            width: number of fields that a row must have; 0 for all.

        Raises:
            InvalidInput: the file cannot be read.
        """
        width, full, count = width or len(self.columns), len(self.columns), 0
        for line, fields in self._split(looks_like_row):
            if len(fields) == full and fields[0]:  # nearly always
                count += 1
                yield line, fields
                continue
            if not any(map(str.strip, fields)):
                continue
            count += 1
            if len(fields) > full and not any(map(str.strip, fields[full:])):
                del fields[full:]  # delimiters at the end of a line
            if width <= len(fields) <= full:
                yield line, fields if len(fields) == full else fields + [""] * (full - len(fields))
            else:
                expected = f"{full} expected ({', '.join(self.columns)})"
                skipped.add_invalid(self.file, line, f"{len(fields)} fields, {expected}")
        skipped.check(self.file, count)

    def _split(self, looks_like_row: LooksLikeRow) -> Iterator[tuple[int, list[str]]]:
        with open_text(self.file) as text:
            for _ in range(self.skip):
                next(text, None)
            if self.quoted and len(self.delimiter) == 1 and self.delimiter != SPACES:
                yield from quoted_rows(text, self.delimiter, self.skip, len(self.columns), looks_like_row)
                return
            for at, line in enumerate(text, start=self.skip + 1):
                yield at, self._fields(line)

    def _fields(self, line: str) -> list[str]:
        return line.split() if self.delimiter == SPACES else line.rstrip("\r\n").split(self.delimiter)

    def numbers(self, dtypes: dict[str, Any]) -> dict[str, npt.NDArray[Any]] | None:
        """Return columns (n,) of the given dtypes by name, fast; None unless every row has such a number in each.

        The file must be plain, as of ``is_plain``: pandas would take a quote's word for where a row ends.
        """
        # pandas' C parser takes one-character delimiters; split by ":", "1::2" has an empty field between 1 and 2.
        step = len(self.delimiter)
        positions = {name: step * at for at, name in enumerate(self.columns)}
        width = step * (len(self.columns) - 1) + 1
        wanted = {positions[name]: dtype for name, dtype in dtypes.items()}
        blocks: dict[str, list[npt.NDArray[Any]]] = {name: [np.empty(0, dtype)] for name, dtype in dtypes.items()}
        try:
            with open_text(self.file) as text, _strict():
                for _ in range(self.skip):
                    next(text, None)
                chunks = pd.read_csv(
                    text,
                    sep=r"\s+" if self.delimiter == SPACES else self.delimiter[0],
                    header=None,
                    names=range(width),
                    dtype=wanted | {at: "str" for at in range(width) if at not in wanted},
                    chunksize=_CHUNK,
                    index_col=False,
                    quoting=csv.QUOTE_NONE,
                )
                with chunks:
                    for chunk in chunks:
                        for name, block in blocks.items():
                            block.append(chunk[positions[name]].to_numpy())
        except pd.errors.EmptyDataError:
            pass  # no rows
        except (ValueError, ArithmeticError, pd.errors.ParserError, pd.errors.ParserWarning):
            return None
        return {name: np.concatenate(blocks.pop(name)) for name in dtypes}

    def is_plain(self) -> bool:
        """Return True if ``numbers`` may read the file."""
        return is_plain(self.file)

    def line_of(self, row: int) -> int:
        """Return the line number of row ``row`` (from 0) of a plain file."""
        with open_text(self.file) as text:
            lines = (at for at, line in enumerate(text, start=1) if at > self.skip and line.strip())
            return next(islice(lines, row, None))

    def note_encoding(self, skipped: Skipped) -> None:
        """Note the first line that is not UTF-8."""
        line = first_not_utf8(self.file)
        if line is not None:
            skipped.note(f"{self.file}, line {line}: not UTF-8 text, so it is read as Windows-1252: save it as UTF-8"
                         " if names look wrong")  # fmt: skip


@contextmanager
def _strict() -> Iterator[None]:
    """Raise pandas' warnings about rows, and errors of casts; let numbers overflow to infinity."""
    with np.errstate(over="ignore", invalid="raise"), warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # a row has more fields than the header
        yield


def sniff(file: Path) -> tuple[Table, list[str]]:
    """Return the layout of a file, with the fields of its first line as columns, and its first row.

    Raises:
        InvalidInput: the file is missing, damaged or empty.
    """
    with open_text(file) as text:
        lines: list[str] = []
        skip = 0
        while len(lines) < 2 and (line := text.readline(_LONGEST)):
            if lines or line.strip():
                lines.append(line)
            else:
                skip += 1
        told = re.fullmatch(r"\s*\"?sep=(.)\"?\s*", lines[0], re.IGNORECASE) if lines else None
        if told:  # Excel's own notation
            lines = [*lines[1:], text.readline(_LONGEST)]
            skip += 1
    if not lines or not lines[0].strip():
        raise InvalidInput(f"{file} is empty: the first line must name its columns")
    delimiter = told[1] if told else _delimiter(lines[0])
    table = Table(file, (), delimiter, skip + 1)
    first, second = (_one_row(line, delimiter) for line in (lines[0], (*lines, "")[1]))
    return replace(table, columns=tuple(name.strip() for name in first)), second


def _delimiter(line: str) -> str:
    unquoted = re.sub(r'"[^"]*"', "", line)
    if "::" in unquoted:
        return "::"
    found = max(",;\t|", key=unquoted.count)
    return found if found in unquoted or len(line.split()) < 2 else SPACES  # a single column is none of words


def _one_row(line: str, delimiter: str) -> list[str]:
    if delimiter == SPACES:
        return line.split()
    if len(delimiter) > 1:
        return line.rstrip("\r\n").split(delimiter)
    return next(csv.reader([line], delimiter=delimiter), [])
