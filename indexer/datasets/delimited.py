"""Delimited text files: parse columns fast, and report errors by line and value."""

from __future__ import annotations

import csv
import math
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from index.core.errors import InvalidInput

_CHUNK = 1_000_000  # rows parsed at a time
_MAX_ID = 2**63 - 1
_MAX_REAL = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True)
class Table:
    """Layout of a delimited text file."""

    file: Path
    columns: tuple[str, ...]  # names in file order
    delimiter: str = ","  # one character or "::"
    encoding: str = "utf-8-sig"
    header: bool = True  # first line holds the column names

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the line number (from 1) and the fields of every row that is not blank.

        Raises:
            InvalidInput: a line has another encoding or another number of fields.
        """
        try:
            with self.file.open(encoding=self.encoding, newline="") as lines:
                yield from self._split(lines)
        except UnicodeDecodeError as error:
            raise InvalidInput(
                f"{self.file}, line {self._undecodable_line()}: not {self.encoding} text ({error.reason})"
            ) from error
        except csv.Error as error:
            raise InvalidInput(f"{self.file}: {error}") from error
        except OSError as error:
            raise _file_error(self.file, error) from error

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
                raise InvalidInput(
                    f"{self.file}, line {at}: {len(fields)} fields, {len(self.columns)} expected"
                    f" ({', '.join(self.columns)})"
                )
            yield at, fields

    def _quoting(self) -> Literal[0, 3]:
        return csv.QUOTE_MINIMAL if self.header else csv.QUOTE_NONE  # MovieLens files without a header do not quote

    def numbers(self, whole: Sequence[str], real: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
        """Return columns (n,) by name: ``whole`` as int64 >= 0, ``real`` as finite float32.

        Raises:
            InvalidInput: a value is not such a number, or a line is malformed; the message names line and value.
        """
        # pandas' C parser takes one-character delimiters; split by ":", "1::2" has an empty field between 1 and 2.
        step = len(self.delimiter)
        positions = {name: step * at for at, name in enumerate(self.columns)}
        width = step * (len(self.columns) - 1) + 1
        dtypes: dict[str, Any] = dict.fromkeys(whole, np.int64) | dict.fromkeys(real, np.float32)
        wanted = {positions[name]: dtype for name, dtype in dtypes.items()}
        blocks: dict[str, list[npt.NDArray[Any]]] = {name: [np.empty(0, dtype)] for name, dtype in dtypes.items()}
        try:
            with warnings.catch_warnings(), np.errstate(over="ignore"):  # overflow gives inf, reported below
                warnings.simplefilter("error", pd.errors.ParserWarning)  # a row has more fields than the header
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
                    for chunk in chunks:
                        for name, block in blocks.items():
                            block.append(chunk[positions[name]].to_numpy())
        except OSError as error:
            raise _file_error(self.file, error) from error
        except pd.errors.EmptyDataError:
            pass  # the file has a header only
        except (ValueError, OverflowError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.ParserWarning) as error:
            self._raise_for_bad_value(whole, real)
            raise InvalidInput(f"{self.file} cannot be read: {error}") from error
        columns = {name: np.concatenate(blocks.pop(name)) for name in dtypes}
        valid = [(columns[name] >= 0).all() for name in whole] + [np.isfinite(columns[name]).all() for name in real]
        if not all(valid):
            self._raise_for_bad_value(whole, real)
        return columns

    def line_of(self, row: int) -> int:
        """Return the line number of data row ``row`` (from 0)."""
        return next(line for at, (line, _) in enumerate(self.rows()) if at == row)

    def _raise_for_bad_value(self, whole: Sequence[str], real: Sequence[str]) -> None:
        """Raise InvalidInput for the first invalid value, if any."""
        for line, fields in self.rows():
            for name, value in zip(self.columns, fields, strict=True):
                if name in whole:
                    whole_number(value, name, self.file, line)
                elif name in real:
                    real_number(value, name, self.file, line)

    def _undecodable_line(self) -> int:
        with self.file.open("rb") as lines:
            for at, line in enumerate(lines, start=1):
                try:
                    line.decode(self.encoding)
                except UnicodeDecodeError:
                    return at
        return 0


def csv_table(file: Path) -> Table:
    """Return the layout of a CSV file, with the column names of its first line.

    Raises:
        InvalidInput: the file is missing or empty.
    """
    try:
        with file.open("rb") as lines:
            first = lines.readline().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{file}, line 1: not UTF-8 text ({error.reason}): save it as UTF-8") from error
    except OSError as error:
        raise _file_error(file, error) from error
    if not first.strip():
        raise InvalidInput(f"{file} is empty: the first line must name its columns")
    delimiter = max(",;\t", key=first.count)
    names = next(csv.reader([first], delimiter=delimiter))
    return Table(file, tuple(name.strip() for name in names), delimiter)


def whole_number(value: str, name: str, file: Path, line: int) -> int:
    """Return ``value`` as an integer from 0.

    Raises:
        InvalidInput: ``value`` is not a whole number from 0, or does not fit into int64.
    """
    digits = re.fullmatch(r"\s*([0-9]+)(\.0*)?\s*", value)  # some programs write 2 as 2.0
    if digits is None or int(digits[1]) > _MAX_ID:
        raise InvalidInput(f"{file}, line {line}: {name} {value!r} is not a whole number from 0")
    return int(digits[1])


def real_number(value: str, name: str, file: Path, line: int) -> float:
    """Return ``value`` as a finite number.

    Raises:
        InvalidInput: ``value`` is not a number, or does not fit into float32.
    """
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not abs(number) <= _MAX_REAL:
        raise InvalidInput(f"{file}, line {line}: {name} {value!r} is not a number")
    return number


def _file_error(file: Path, error: OSError) -> InvalidInput:
    if isinstance(error, FileNotFoundError):
        return InvalidInput(f"there is no file {file}")
    return InvalidInput(f"{file} cannot be read: {error.strerror}")
