"""Ratings of a table: fast where all is as MovieLens writes it, else value by value."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from index.core.arrays import BoolArray, Float32Array, Int64Array
from index.core.errors import InvalidInput
from index.core.source_ids import FIRST_NAMED
from indexer.datasets.tables.columns import Layout
from indexer.datasets.tables.skipped import Skipped
from indexer.datasets.tables.values import is_missing, real, scaled_seconds, seconds, source_id

ONE_USER = "1"  # whose ratings an export has

_BLOCK = 2**13  # rows converted at a time


@dataclass(frozen=True, slots=True)
class IdColumn:
    """The ids of a column: numbers, or positions in a list of texts."""

    values: Int64Array  # (n,)
    texts: list[str] | None = None  # as of ``source_id``, some more than once; None if ``values`` are the ids

    def known(self) -> set[str]:
        """Return the ids as texts."""
        return set(map(str, np.unique(self.values).tolist())) if self.texts is None else set(self.texts)

    def numbers(self, numbers: dict[str, int]) -> Int64Array:
        """Return the number (n,) of each id."""
        if self.texts is None:
            return self.values
        of_texts = np.array([numbers[text] for text in self.texts], dtype=np.int64)
        return of_texts[self.values] if of_texts.size else self.values


@dataclass(frozen=True, slots=True)
class RatingTable:
    """Ratings as in a file, in its order; rows that cannot be read are left out."""

    file: Path
    users: IdColumn
    movies: IdColumn
    values: Float32Array | None  # (n,); None without ratings
    timestamps: Int64Array | None  # (n,) seconds since 1970
    line_of: Callable[[int], int]  # line of a row
    facts: dict[str, tuple[str, str, str]] = field(default_factory=dict)  # movie -> title, genres, year, of its 1st row
    one_user: bool = False
    columns: tuple[str, ...] = ()  # names


def read_ratings(layout: Layout, skipped: Skipped, *, as_text: bool) -> RatingTable:
    """Read a file of ratings.

    Args:
        layout: of the file.
        skipped: counts the rows that are left out.
        as_text: some movies have ids that are no numbers, so that all are read as texts.

    Raises:
        InvalidInput: the file cannot be read, or more than a tenth of its rows.
    """
    table = layout.table
    if not as_text and "title" not in layout and not layout.one_user and table.is_plain():
        found = _fast(layout)
        if found is not None:
            return found
    return _by_value(layout, skipped)


def _fast(layout: Layout) -> RatingTable | None:
    """Return the ratings; None unless all are numbers."""
    kinds: dict[str, Any] = {"user": np.int64, "movie": np.int64, "rating": np.float32, "timestamp": np.int64}
    table = layout.table
    names = {table.columns[at]: role for role, at in layout.roles.items() if role in kinds}
    if len(set(table.columns)) < len(table.columns):
        return None
    columns = table.numbers({name: kinds[role] for name, role in names.items()})
    if columns is None:
        return None
    found = {role: columns[name] for name, role in names.items()}
    ids = (found["user"], found["movie"])
    # One "31.0" makes pandas read a column as float64, which rounds ids of 16 digits and more.
    if not all(((each >= 0) & (each < FIRST_NAMED)).all() for each in ids):
        return None
    if "rating" in found and not np.isfinite(found["rating"]).all():
        return None
    times = scaled_seconds(found["timestamp"]) if "timestamp" in found else None
    return RatingTable(
        table.file, IdColumn(ids[0]), IdColumn(ids[1]), found.get("rating"), times, table.line_of, columns=table.columns
    )


@dataclass(slots=True)
class Codes:
    """Texts of a column, each with a code, converted once."""

    convert: Callable[[str], Any]  # once for each text
    codes: dict[str, int] = field(default_factory=dict)
    blocks: list[Int64Array] = field(default_factory=lambda: [np.empty(0, np.int64)])

    def add(self, texts: Sequence[str]) -> None:
        """Add the texts of the next rows."""
        codes = self.codes
        self.blocks.append(np.array([codes.setdefault(text, len(codes)) for text in texts], dtype=np.int64))

    def values(self) -> tuple[Int64Array, list[str], list[Any]]:
        """Return the codes (n,) of all rows, and by code the texts and what they are converted to."""
        return np.concatenate(self.blocks), list(self.codes), [self.convert(text) for text in self.codes]


def _by_value(layout: Layout, skipped: Skipped) -> RatingTable:
    """Return the ratings of all rows that can be read."""
    file, has_times = layout.table.file, "timestamp" in layout
    users, movies, ratings = Codes(source_id), Codes(source_id), Codes(real)
    times, unreadable, lines = [np.empty(0, np.int64)], [np.empty(0, np.bool_)], [np.empty(0, np.int64)]
    facts: dict[str, tuple[str, str, str]] = {}
    by_title = layout.roles["movie"] == layout.roles.get("title")
    layout.table.note_encoding(skipped)
    for rows in blocks(layout.table.rows(skipped, _row_test(layout), layout.width)):
        line_numbers, all_fields = zip(*rows, strict=True)
        columns = list(zip(*all_fields, strict=True))
        of_block = {role: columns[at] for role, at in layout.roles.items()}
        empty = ("",) * len(rows)
        lines.append(np.array(line_numbers, dtype=np.int64))
        if by_title:
            of_block["movie"] = tuple(map(_titled, of_block["title"], of_block.get("year", empty)))
        movies.add(of_block["movie"])
        users.add((ONE_USER,) * len(rows) if layout.one_user else of_block["user"])
        if "rating" in layout:
            ratings.add(of_block["rating"])
        if has_times:
            seen, wrong = seconds(of_block["timestamp"])
            times.append(seen)
            unreadable.append(wrong)
        if "title" in layout:
            described = zip(of_block["title"], of_block.get("genres", empty), of_block.get("year", empty), strict=True)
            for text, each in zip(of_block["movie"], described, strict=True):
                facts.setdefault(text, each)
    line = np.concatenate(lines)
    user_codes, user_texts, user_ids = users.values()
    movie_codes, movie_texts, movie_ids = movies.values()
    kept = usable("user", user_codes, user_texts, user_ids, line, file, skipped)
    kept &= usable("movie", movie_codes, movie_texts, movie_ids, line, file, skipped, among=kept)
    values = None
    if "rating" in layout:
        codes, texts, numbers = ratings.values()
        values = np.array([np.nan if number is None else number for number in numbers], dtype=np.float32)
        values = values[codes] if values.size else np.empty(0, np.float32)
        kept &= _rated(codes, texts, numbers, line, file, skipped, among=kept)
    skipped.check(file, line.size)
    unread = np.concatenate(unreadable)
    if has_times and (unread & kept).any():
        at = int(np.flatnonzero(unread & kept)[0])
        skipped.note(f"{file}: times that cannot be read, taken as the earliest: {int((unread & kept).sum()):,}"
                     f" (such as line {line[at]})")  # fmt: skip
    return RatingTable(
        file,
        id_column(user_codes[kept], user_ids),
        id_column(movie_codes[kept], movie_ids),
        None if values is None else values[kept],
        np.concatenate(times)[kept] if has_times else None,
        lambda row, line=line[kept]: int(line[row]),  # type: ignore[misc]
        {found: facts[text] for text, found in zip(movie_texts, movie_ids, strict=True) if found and text in facts},
        layout.one_user,
        layout.table.columns,
    )


def _row_test(layout: Layout) -> Callable[[list[str]], bool]:
    """Return a function that tells a row by its fields, of which there are as many as columns."""

    def is_row(fields: list[str]) -> bool:
        if "rating" in layout and real(layout.field(fields, "rating")) is None:
            return False
        return source_id(layout.field(fields, "movie")) is not None

    return is_row


def _titled(title: str, released: str) -> str:
    """Return the id of a movie in a file without ids: its title with its year."""
    released = released.strip()
    return f"{title.strip()} ({released})" if re.fullmatch(r"[0-9]{4}", released) else title


def blocks(rows: Iterator[tuple[int, list[str]]]) -> Iterator[list[tuple[int, list[str]]]]:
    """Yield the rows in lists of many."""
    block = []
    for row in rows:
        block.append(row)
        if len(block) == _BLOCK:
            yield block
            block = []
    if block:
        yield block


def usable(
    name: str,
    codes: Int64Array,
    texts: list[str],
    found: list[str | None],
    lines: Int64Array,
    file: Path,
    skipped: Skipped,
    among: BoolArray | None = None,
) -> BoolArray:
    """Return the mask (n,) of rows with an id; count the others, of those ``among``."""
    bad = np.array([each is None for each in found], dtype=np.bool_)
    wrong = bad[codes] if bad.size else np.zeros(codes.size, np.bool_)
    counted = wrong if among is None else wrong & among
    for at in np.flatnonzero(counted)[:1]:
        problem = f"{name} {texts[codes[at]][:80]!r} is no id"
        skipped.add_invalid(file, int(lines[at]), problem, int(counted.sum()))
    return ~wrong


def _rated(
    codes: Int64Array,
    texts: list[str],
    numbers: list[float | None],
    lines: Int64Array,
    file: Path,
    skipped: Skipped,
    among: BoolArray,
) -> BoolArray:
    """Return the mask (n,) of rows with a rating; count the others, of those ``among``."""
    without = np.array([is_missing(text) for text in texts], dtype=np.bool_)
    wrong = np.array([number is None for number in numbers], dtype=np.bool_) & ~without
    if not codes.size:
        return among
    empty, bad = without[codes] & among, wrong[codes] & among
    if empty.any():
        first = int(np.flatnonzero(empty)[0])
        skipped.add(file, "skipped rows without a rating", f"line {lines[first]}", int(empty.sum()))
    for at in np.flatnonzero(bad)[:1]:
        problem = f"rating {texts[codes[at]][:80]!r} is not a number"
        skipped.add_invalid(file, int(lines[at]), problem, int(bad.sum()))
    return ~(without | wrong)[codes]


def id_column(codes: Int64Array, ids: list[str | None]) -> IdColumn:
    """Return the ids of the rows, by position among those that occur."""
    used, values = np.unique(codes, return_inverse=True)
    return IdColumn(values.astype(np.int64), [ids[code] or "" for code in used.tolist()])


def refuse_empty(table: RatingTable, skipped: Skipped) -> None:
    """Raise InvalidInput if a file has no rating."""
    if not table.users.values.size:
        told = "; ".join(skipped.messages())
        raise InvalidInput(f"{table.file} holds no ratings{': ' if told else ''}{told}")
