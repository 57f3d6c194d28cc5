"""A catalogue of one's own: a table of movies in any columns. A row is taken whole, or refused by name."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from typing_extensions import override

from index.catalogue.movie import Movie
from index.catalogue.title_forms import parse_title
from index.core.errors import InvalidInput
from index.core.files import replacing
from index.core.quoted import LooksLikeRow
from index.core.references import is_numbered
from index.library.entries import MAX_TMDB_ID, checked_movie
from indexer.datasets.labels import kind_of, labels_in
from indexer.datasets.tables.columns import CATALOGUE_COLUMNS, Layout, layout
from indexer.datasets.tables.skipped import Skipped
from indexer.datasets.tables.values import flag, genres, is_missing, source_id, whole, year

MAX_ROWS = 1_000_000
LONGEST_LABEL = 200  # characters; a column with longer ones is text, no facts

_SHOWN = 80  # characters of an invalid value


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that was refused."""

    line: int  # in the file, from 1; the number of the row in a Parquet file
    column: str  # empty for the row as a whole
    value: str
    reason: str

    def __str__(self) -> str:
        """Return the refusal in one line."""
        where = f"line {self.line}, {self.column}" if self.column else f"line {self.line}"
        return f"{where}: {self.value!r}: {self.reason}"


@dataclass(frozen=True, slots=True)
class CatalogueRow:
    """A movie of the file."""

    line: int
    own_id: str  # as of ``source_id``; empty if the file has no column of ids
    movie: Movie  # its ``movie_id`` is not yet set
    poster: str = ""  # a path or URL, as written
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # kind -> labels
    owned: bool | None = None  # None if the file has no such column

    @property
    def key(self) -> str:
        """The row's own id; without one its IMDb id, or its title with the year."""
        return self.own_id or self.movie.imdb_id or str(self.movie)


@dataclass(frozen=True, slots=True)
class OwnCatalogue:
    """The rows of a file, in its order; no two have the same key, or the same IMDb id."""

    file: Path
    rows: tuple[CatalogueRow, ...]
    refused: tuple[Refusal, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Refused(Skipped):
    """Rows that cannot be read, each by name; they are never too many."""

    refused: list[Refusal] = field(default_factory=list)

    @override
    def add_invalid(self, file: Path, line: int, problem: str, n: int = 1) -> None:
        self.refused.append(Refusal(line, "", "", problem))

    @override
    def check(self, file: Path, rows: int) -> None:
        pass


class _Invalid(Exception):
    """A value for which a row is refused."""

    def __init__(self, role: str, value: str, reason: str) -> None:
        super().__init__(reason)
        self.role, self.value, self.reason = role, value, reason


def read_catalogue(file: Path) -> OwnCatalogue:
    """Read a table of movies: CSV, JSON Lines or Parquet, compressed or not.

    It has a column of titles, and may have ids, years, genres, IMDb and TMDB ids and posters under their usual names.
    Any other column is a kind of facts, unless its texts are long.

    Raises:
        InvalidInput: the file cannot be read, has no column of titles, or more than ``MAX_ROWS`` rows.
    """
    found = layout(file, CATALOGUE_COLUMNS, "title")
    refused = _Refused()
    found.table.note_encoding(refused)
    used = set(found.roles.values())
    columns = {at: kind_of(name) for at, name in enumerate(found.table.columns) if at not in used and name.strip()}
    texts: set[int] = set()
    rows: dict[str, CatalogueRow] = {}
    lines: dict[str, int] = {}
    for line, fields in found.table.rows(refused, _row_test(found), 1 + found.roles["title"]):
        if len(rows) == MAX_ROWS:
            raise InvalidInput(f"{file}, line {line}: more than {MAX_ROWS:,} rows: split the file")
        texts |= {at for at in columns if len(fields[at]) > LONGEST_LABEL and _is_text(fields[at])}
        try:
            row = _row(found, line, fields, columns)
            _take(row, rows, lines)
        except _Invalid as error:
            name = found.table.columns[found.roles[error.role]]
            refused.refused.append(Refusal(line, name, error.value[:_SHOWN], error.reason))
    left_out = {columns[at] for at in texts}
    notes = [f"{file}: {found.table.columns[at]} has texts, no facts, and is left out" for at in sorted(texts)]
    kept = tuple(_without(row, left_out) for row in rows.values()) if left_out else tuple(rows.values())
    refused.refused.sort(key=lambda each: each.line)
    return OwnCatalogue(file, kept, tuple(refused.refused), (*refused.messages(), *notes))


def write_report(file: Path, source: Path, refused: Iterable[Refusal]) -> None:
    """Write a CSV file with a row for each refused one: file, line, column, value, reason.

    Raises:
        InvalidInput: the file cannot be written.
    """
    try:
        with replacing(file) as fresh, fresh.open("w", encoding="utf-8", newline="") as stream:
            table = csv.writer(stream)
            table.writerow(("file", "line", "column", "value", "reason"))
            table.writerows((source, each.line, each.column, each.value, each.reason) for each in refused)
    except OSError as error:
        raise InvalidInput(f"{file} cannot be written: {error.strerror or error}") from error


def _take(row: CatalogueRow, rows: dict[str, CatalogueRow], lines: dict[str, int]) -> None:
    """Add a row to those of a file, by key, and its line to those by IMDb id.

    Raises:
        _Invalid: there is one with its key, or with its IMDb id, which is of one movie.
    """
    imdb_id = row.movie.imdb_id
    if row.key in rows:
        role = "movie" if row.own_id else "imdb" if imdb_id else "title"
        raise _Invalid(role, row.key, f"line {rows[row.key].line} has the same, and is taken")
    if imdb_id and imdb_id in lines:
        problem = (
            f"line {lines[imdb_id]} has this IMDb id, and is taken: leave it out here if both are films of their own"
        )
        raise _Invalid("imdb", imdb_id, problem)
    rows[row.key] = row
    if imdb_id:
        lines[imdb_id] = row.line


def _row(found: Layout, line: int, fields: list[str], columns: Mapping[int, str]) -> CatalogueRow:
    """Return a row.

    Raises:
        _Invalid: a value cannot be used.
    """
    given = {role: found.field(fields, role).strip() for role in CATALOGUE_COLUMNS}
    own_id = source_id(given["movie"])
    if "movie" in found and own_id is None:
        problem = "the id is missing" if is_missing(given["movie"]) else "this is no id: give a number or a short text"
        raise _Invalid("movie", given["movie"], problem)
    if own_id is not None and is_numbered(own_id):
        raise _Invalid("movie", given["movie"], "this means the movie of this number: leave the prefix out")
    if is_missing(given["title"]):
        raise _Invalid("title", given["title"], "the title is missing")
    title, released = parse_title(" ".join(given["title"].split()))
    if released is None and not is_missing(given["year"]):
        released = year(given["year"])
        if released is None:
            raise _Invalid("year", given["year"], "this is no year: write one from 1800 to 2199")
    movie = Movie(0, title, released, genres(given["genres"]), _imdb_id(given["imdb"]), _tmdb_id(given["tmdb"]))
    try:
        movie = checked_movie(movie)
    except InvalidInput as error:
        role = "genres" if "genre" in str(error) else "year" if "year" in str(error) else "title"
        raise _Invalid(role if role in found else "title", given[role], str(error)) from error
    labels: dict[str, tuple[str, ...]] = {}
    for at, kind in columns.items():
        usable = labels_in(fields[at])
        if usable:
            labels[kind] = tuple(dict.fromkeys((*labels.get(kind, ()), *usable)))
    poster = "" if is_missing(given["poster"]) else given["poster"]
    owned = (False if is_missing(given["owned"]) else flag(given["owned"])) if "owned" in found else None
    if "owned" in found and owned is None:
        raise _Invalid("owned", given["owned"], "write yes or no")
    return CatalogueRow(line, own_id or "", movie, poster, labels, owned)


def _imdb_id(text: str) -> str | None:
    if is_missing(text):
        return None
    digits = whole(re.sub(r"^tt(?=[0-9])", "", text, flags=re.IGNORECASE), 10**10 - 1)
    if digits is None:
        raise _Invalid("imdb", text, "this is no IMDb id: write one such as tt0113277")
    return f"tt{digits:07d}"


def _tmdb_id(text: str) -> int | None:
    if is_missing(text):
        return None
    number = whole(text, MAX_TMDB_ID)
    if number is None:
        raise _Invalid("tmdb", text, "this is no TMDB id: write a number above 0, such as 949")
    return number


def _row_test(found: Layout) -> LooksLikeRow:
    role = "movie" if "movie" in found else "title"

    def is_row(fields: list[str]) -> bool:
        text = found.field(fields, role)
        return not is_missing(text) and (role == "title" or " " not in text.strip())

    return is_row


def _is_text(value: str) -> bool:
    return any(len(label) > LONGEST_LABEL for label in labels_in(value))


def _without(row: CatalogueRow, kinds: set[str]) -> CatalogueRow:
    labels = {kind: labels for kind, labels in row.labels.items() if kind not in kinds}
    return replace(row, labels=labels)
