"""Parquet files as tables of text. The library that reads them is an extra: ``posterity[parquet]``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
from typing_extensions import override

from index.core.errors import InvalidInput
from index.core.quoted import LooksLikeRow
from indexer.datasets.tables.delimited import Table
from indexer.datasets.tables.skipped import Skipped


@dataclass(frozen=True, slots=True)
class ParquetTable(Table):
    """A Parquet file, or a folder of its parts, whose rows are numbered from 1."""

    frame: pd.DataFrame | None = None

    @override
    def rows(self, skipped: Skipped, looks_like_row: LooksLikeRow, width: int = 0) -> Iterator[tuple[int, list[str]]]:
        assert self.frame is not None  # noqa: S101  set by sniff_parquet
        for at, fields in enumerate(self.frame.itertuples(index=False, name=None), start=1):
            yield at, [_text(field) for field in fields]

    @override
    def is_plain(self) -> bool:
        return False

    @override
    def note_encoding(self, skipped: Skipped) -> None:
        pass


def is_folder_of_parts(path: Path) -> bool:
    """Return True for a folder ``….parquet``, as Spark and others write a table."""
    return path.suffix.lower() == ".parquet" and path.is_dir()


def sniff_parquet(file: Path) -> tuple[ParquetTable, list[str]]:
    """Return a Parquet file, or a folder of its parts in the order of their names, as a table.

    The first row does not matter.

    Raises:
        InvalidInput: no library for Parquet is installed, or the file is missing or damaged.
    """
    parts = sorted(file.glob("[!._]*.parquet")) if is_folder_of_parts(file) else [file]
    if not parts:
        raise InvalidInput(f"{file} holds no part of a table: write it again")
    try:
        from fastparquet import ParquetFile  # an extra

        frames = []
        for part in parts:
            with part.open("rb") as content:  # opened by its name, it would stay open if it is damaged
                frames.append(ParquetFile(content).to_pandas(index=False))  # pandas' own index is a column, too
        frame = pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0]
    except ImportError as error:
        raise InvalidInput(
            f"{file} is a Parquet file: install fastparquet (pip install 'posterity[parquet]'), or save it as CSV"
        ) from error
    except FileNotFoundError as error:
        raise InvalidInput(f"there is no file {file}") from error
    except Exception as error:
        raise InvalidInput(f"{file} is no Parquet file, or damaged ({error!r}): copy or export it again") from error
    return ParquetTable(file, tuple(map(str, frame.columns)), frame=frame), []


def _text(value: Any) -> str:
    """Return a value as a CSV file would have it; lists as JSON does."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, date):  # and datetime
        return "" if pd.isna(value) else value.isoformat()
    if hasattr(value, "tolist"):  # numpy's
        value = value.tolist()
    return "" if value is None or value is pd.NA or value != value else str(value)
