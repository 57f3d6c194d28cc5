"""JSON Lines as tables of text: an object per line, whose members are the fields; or a list of objects."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
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
_LONGEST_LIST = 200_000_000  # characters, which are read at once


@dataclass(frozen=True, slots=True)
class JsonLinesTable(Table):
    """A file of JSON Lines; its columns are the members that any line has."""

    @override
    def rows(self, skipped: Skipped, looks_like_row: LooksLikeRow, width: int = 0) -> Iterator[tuple[int, list[str]]]:
        count = 0
        for at, given, found in _objects(self.file):
            count += 1
            if found is None:
                skipped.add_invalid(self.file, at, f"{given[:80]!r} is no JSON object")
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
    """Return a file of JSON Lines, or of one list of objects, as a table; its first row does not matter.

    Raises:
        InvalidInput: the file is missing, damaged or empty, or no line is a JSON object.
    """
    columns: dict[str, None] = {}
    first = ""
    for _, given, found in _objects(file):
        first = first or given
        columns.update(dict.fromkeys(found or ()))
        if len(columns) > _MOST_COLUMNS:
            raise InvalidInput(f"{file} has more than {_MOST_COLUMNS} different members: give each row the same")
    if not columns:
        told = f", and {first[:80]!r} is none" if first else ""
        raise InvalidInput(f'{file} holds no JSON object: write one per line, such as {{"id": 1}}{told}')
    return JsonLinesTable(file, tuple(columns)), []


def _objects(file: Path) -> Iterator[tuple[int, str, dict[str, Any] | None]]:
    """Yield the line number, or the number in the list, the text and the object of every item; None for another one."""
    with open_text(file) as text:
        start = 1
        for line in text:
            if line.strip("\ufeff \t\r\n"):
                break
            start += 1
        else:
            return
        if line.lstrip("\ufeff \t").startswith("["):
            whole = line + text.read(_LONGEST_LIST)
            items = _items(whole, file)
            if items is not None:
                for at, item in enumerate(items, 1):
                    yield at, json.dumps(item), _flat(item) if isinstance(item, dict) else None
                return
            lines = iter(whole.splitlines())
        else:
            lines = chain([line], text)
        for at, each in enumerate(lines, start=start):
            if each.strip():
                yield at, each.strip(), _object(each)


def _items(text: str, file: Path) -> list[Any] | None:
    """Return the items of a list; None if the text is none."""
    if len(text) >= _LONGEST_LIST:
        raise InvalidInput(f"{file} is a list of more than {_LONGEST_LIST:,} characters: write one object per line")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list) else None


def _flat(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object with the members of its movie, and of that one's ids, as Trakt and Simkl write them."""
    movie = item.get("movie")
    if isinstance(movie, dict):
        item = {name: value for name, value in item.items() if name != "movie"} | movie
    ids = item.get("ids")
    return dict(item) | ({f"{name}_id": value for name, value in ids.items()} if isinstance(ids, dict) else {})


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
