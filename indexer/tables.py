"""Delimited text to columns, fast where it is well formed and to the line where it is not."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from index.errors import BadData

_CHUNK = 1_000_000  # rows parsed at a time
_MAX_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Table:
    """A delimited text file: where its columns are."""

    file: Path
    columns: tuple[str, ...]  # names in file order
    delimiter: str = ","  # "::" too
    encoding: str = "utf-8-sig"
    header: bool = True  # whether the first line holds names

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Line number (from 1) and fields of every row that is not blank.

        Raises:
            BadData: a line in another encoding, or with another number of fields.
        """
        try:
            with self.file.open(encoding=self.encoding, newline="") as lines:
                yield from self._split(lines)
        except UnicodeDecodeError as error:
            raise BadData(
                f"{self.file}, line {self._undecodable()}: not {self.encoding} text ({error.reason})"
            ) from error
        except csv.Error as error:
            raise BadData(f"{self.file}: {error}") from error
        except OSError as error:
            raise _unreadable(self.file, error) from error

    def _split(self, lines: Iterator[str]) -> Iterator[tuple[int, list[str]]]:
        if len(self.delimiter) == 1:
            reader = csv.reader(lines, delimiter=self.delimiter, quoting=self._quoting())
            numbered = ((reader.line_num, fields) for fields in reader)
        else:
            numbered = ((at, line.rstrip("\r\n").split(self.delimiter)) for at, line in enumerate(lines, start=1))
        if self.header:
            next(numbered, None)
        for at, fields in numbered:
            if fields in ([], [""]):
                continue
            if len(fields) != len(self.columns):
                raise BadData(
                    f"{self.file}, line {at}: {len(fields)} fields, {len(self.columns)} expected"
                    f" ({', '.join(self.columns)})"
                )
            yield at, fields

    def _quoting(self) -> Literal[0, 3]:
        return csv.QUOTE_MINIMAL if self.header else csv.QUOTE_NONE  # the editions without names do not quote

    def numbers(self, whole: Sequence[str], real: Sequence[str]) -> dict[str, npt.NDArray[np.generic]]:
        """Columns of numbers: ``whole`` as int64, none below 0, and ``real`` as float32, all finite; (n,) each.

        Raises:
            BadData: a value that is no such number, or a malformed line; the message names line and value.
        """
        # The C parser takes delimiters of one character; "1::2" has an empty field between "1" and "2".
        step = len(self.delimiter)
        places = {name: step * at for at, name in enumerate(self.columns)}
        width = step * (len(self.columns) - 1) + 1
        wanted: dict[int, Any] = {places[name]: np.int64 for name in whole} | {
            places[name]: np.float64 for name in real
        }
        blocks: list[pd.DataFrame] = []
        try:
            chunks = pd.read_csv(
                self.file,
                sep=self.delimiter[0],
                header=None,
                names=range(width),
                skiprows=int(self.header),
                dtype=wanted | {at: "str" for at in range(width) if at not in wanted},
                encoding=self.encoding,
                chunksize=_CHUNK,
                index_col=False,
                quoting=self._quoting(),
            )
            with chunks:
                blocks.extend(chunk[list(wanted)] for chunk in chunks)
        except OSError as error:
            raise _unreadable(self.file, error) from error
        except (ValueError, OverflowError, UnicodeDecodeError, pd.errors.ParserError) as error:
            self._explain(whole, real)
            raise BadData(f"{self.file} cannot be read: {error}") from error
        table = pd.concat(blocks) if blocks else pd.DataFrame(columns=list(wanted), dtype=np.float64)
        columns: dict[str, npt.NDArray[np.generic]] = {
            name: table[places[name]].to_numpy(np.int64) for name in whole
        } | {name: table[places[name]].to_numpy(np.float32) for name in real}
        sound = all(bool((columns[name] >= 0).all()) for name in whole)  # type: ignore[operator]
        if not sound or not all(bool(np.isfinite(columns[name]).all()) for name in real):
            self._explain(whole, real)
        return columns

    def line_of(self, row: int) -> int:
        """The line number of the data row ``row``, from 0."""
        return next(line for at, (line, _) in enumerate(self.rows()) if at == row)

    def _explain(self, whole: Sequence[str], real: Sequence[str]) -> None:
        """Raises BadData for the first value that is at fault, if there is one."""
        for line, fields in self.rows():
            for name, value in zip(self.columns, fields, strict=True):
                if name in whole:
                    whole_number(value, name, self.file, line)
                elif name in real:
                    real_number(value, name, self.file, line)

    def _undecodable(self) -> int:
        with self.file.open("rb") as lines:
            for at, line in enumerate(lines, start=1):
                try:
                    line.decode(self.encoding)
                except UnicodeDecodeError:
                    return at
        return 0


def csv_table(file: Path) -> Table:
    """A CSV file, its columns named as in its first line.

    Raises:
        BadData: the file is missing or empty.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            first = next(lines, "")
    except UnicodeDecodeError as error:
        raise BadData(f"{file}, line 1: not UTF-8 text ({error.reason}): save it as UTF-8") from error
    except OSError as error:
        raise _unreadable(file, error) from error
    if not first.strip():
        raise BadData(f"{file} is empty: a first line with the names of its columns is needed")
    delimiter = max(",;\t", key=first.count)
    names = next(csv.reader([first], delimiter=delimiter))
    return Table(file, tuple(name.strip() for name in names), delimiter)


def whole_number(value: str, name: str, file: Path, line: int) -> int:
    """``value`` as a number from 0.

    Raises:
        BadData: it is none.
    """
    text = value.strip()
    if not (text.isascii() and text.isdigit() and int(text) <= _MAX_ID):
        raise BadData(f"{file}, line {line}: {name} {value!r} is no whole number from 0")
    return int(text)


def real_number(value: str, name: str, file: Path, line: int) -> float:
    """``value`` as a finite number.

    Raises:
        BadData: it is none.
    """
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise BadData(f"{file}, line {line}: {name} {value!r} is no number")
    return number


def _unreadable(file: Path, error: OSError) -> BadData:
    if isinstance(error, FileNotFoundError):
        return BadData(f"there is no file {file}")
    return BadData(f"{file} cannot be read: {error.strerror}")
