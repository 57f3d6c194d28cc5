"""JSON Lines as tables of text: an object per line, whose members are the fields."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typing_extensions import override

from index.core.errors import InvalidInput
from index.core.quoted import LooksLikeRow
from indexer.datasets.tables.delimited import Table
from indexer.datasets.tables.skipped import Skipped
from indexer.datasets.tables.text import open_text, plain_suffix

SUFFIXES = (".jsonl", ".ndjson", ".json")

_MOST_COLUMNS = 1000


@dataclass(frozen=True, slots=True)
class JsonLinesTable(Table):
    """A file of JSON Lines; its columns are the members that any line has."""

    @override
    def rows(self, skipped: Skipped, looks_like_row: LooksLikeRow, width: int = 0) -> Iterator[tuple[int, list[str]]]:
        count = 0
        with open_text(self.file) as text:
            for at, line in enumerate(text, start=1):
                if not line.strip():
                    continue
                count += 1
                found = _object(line)
                if found is None:
                    skipped.add_invalid(self.file, at, f"{line.strip()[:80]!r} is no JSON object")
                else:
                    yield at, [_text(found.get(name)) for name in self.columns]
        skipped.check(self.file, count)

    @override
    def is_plain(self) -> bool:
        return False


def is_json_lines(file: Path) -> bool:
    """Return True if a file, compressed or not, is JSON Lines by its name."""
    return plain_suffix(file) in SUFFIXES


def sniff_json_lines(file: Path) -> tuple[JsonLinesTable, list[str]]:
    """Return a file of JSON Lines as a table; its first row does not matter.

    Raises:
        InvalidInput: the file is missing, damaged or empty, or no line is a JSON object.
    """
    columns: dict[str, None] = {}
    first = ""
    with open_text(file) as text:
        for line in text:
            first = first or line.strip()
            columns.update(dict.fromkeys(_object(line) or ()))
            if len(columns) > _MOST_COLUMNS:
                raise InvalidInput(f"{file} has more than {_MOST_COLUMNS} different members: give each row the same")
    if not columns:
        told = f", and {first[:80]!r} is none" if first else ""
        raise InvalidInput(f'{file} holds no JSON object: write one per line, such as {{"id": 1}}{told}')
    return JsonLinesTable(file, tuple(columns)), []


def _object(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _text(value: Any) -> str:
    """Return a value as a CSV file would have it; lists and objects stay JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)
