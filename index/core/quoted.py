"""Rows of delimited text with quoted fields, where a quote that is never closed must not swallow rows."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Callable, Iterable, Iterator

LooksLikeRow = Callable[[list[str]], bool]

_MOST_LINES = 1000  # of a row


class _Unbalanced(Exception):
    """A quote that is still open on a line that is a row."""


class _Lines:
    """The lines of a text, with those of the current row; lines may be given back.

    Args:
        lines: of the text.
        start: number of lines before the first.
        is_row: tells a line that is a row by itself.
    """

    def __init__(self, lines: Iterable[str], start: int, is_row: Callable[[str], bool]) -> None:
        self.row: list[str] = []
        self.line = start  # number of the latest line
        self.ended = False
        self._lines = iter(lines)
        self._is_row = is_row
        self._returned: deque[str] = deque()

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        try:
            line = self._returned.popleft() if self._returned else next(self._lines)
        except StopIteration:
            self.ended = True
            raise
        self.row.append(line)
        self.line += 1
        if len(self.row) > 1 and (len(self.row) > _MOST_LINES or self._is_row(line)):
            raise _Unbalanced
        return line

    def give_back(self) -> str:
        """Give all lines of the row back but the first, and return that."""
        first, *others = self.row
        self._returned.extendleft(reversed(others))
        self.line -= len(others)
        self.ended = False
        return first


def quoted_rows(
    text: Iterable[str], delimiter: str, start: int, width: int, looks_like_row: LooksLikeRow
) -> Iterator[tuple[int, list[str]]]:
    """Yield the line number (from 1) and the fields of every row of a text whose fields may be quoted.

    A quote that is not closed before the next row, or the end, is a character like any other.

    Args:
        text: its lines, with their ends.
        delimiter: one character.
        start: number of lines before the first.
        width: number of fields of a row.
        looks_like_row: tells a row from the continuation of a text over several lines, by its fields.
    """

    def is_row(line: str) -> bool:
        fields = _literal(line, delimiter)
        return len(fields) == width and looks_like_row(fields)

    lines = _Lines(text, start, is_row)
    reader = csv.reader(lines, delimiter=delimiter)
    while True:
        lines.row.clear()
        at = lines.line + 1
        try:
            fields = next(reader)
            unbalanced = len(lines.row) > 1 and (lines.ended or len(fields) != width)
        except StopIteration:
            return
        except (_Unbalanced, csv.Error):
            unbalanced = True
        if unbalanced:
            fields = _literal(lines.give_back(), delimiter)
            reader = csv.reader(lines, delimiter=delimiter)
        elif len(fields) != width and '"' in lines.row[0]:
            literal = _literal(lines.row[0], delimiter)
            fields = literal if len(literal) == width else fields
        if fields:
            yield at, fields


def _literal(line: str, delimiter: str) -> list[str]:
    """Return the fields of a line whose quotes are not to be trusted, without those around a whole field."""
    fields = line.rstrip("\r\n").split(delimiter)
    return [field[1:-1] if len(field) > 1 and field[0] == field[-1] == '"' else field for field in fields]
