"""An export of ratings from another service, as it is read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["rated", "watched", "watchlist"]

KINDS: tuple[Kind, ...] = ("rated", "watched", "watchlist")


@dataclass(frozen=True, slots=True)
class Scale:
    """The scale of an export's ratings, and the reason to think so."""

    low: float
    high: float
    reason: str

    def mapped(self, rating: float, low: float, high: float) -> float:
        """Return a rating on another scale: the same share of its highest, as 8 of 10 is 4 of 5."""
        return min(max(rating / self.high * high, low), high)


@dataclass(frozen=True, slots=True)
class Entry:
    """One film of an export."""

    place: str  # in the export: ratings.csv, line 12
    kind: Kind
    title: str = ""
    year: int | None = None
    rating: float | None = None  # on the export's scale; None unless the kind is rated
    imdb_id: str | None = None  # tt0113277
    tmdb_id: str | None = None  # 949
    own_id: str | None = None  # of a catalogue that is not named, perhaps ours
    date: str = ""  # or time, ISO 8601; empty if unknown
    scale: Scale | None = None  # of the rating: files of an archive may differ

    def __str__(self) -> str:
        """Return title and year, or an id."""
        name = self.title or self.imdb_id or (f"tmdb:{self.tmdb_id}" if self.tmdb_id else self.own_id or self.place)
        return name if self.year is None else f"{name} ({self.year})"


@dataclass(frozen=True, slots=True)
class Skipped:
    """A row that is not used, and the reason."""

    place: str
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Export:
    """The films of an export, each once and kind by kind, and the rows that are no films."""

    format: str  # such as Letterboxd
    scale: Scale | None  # None without ratings
    entries: tuple[Entry, ...]
    skipped: tuple[Skipped, ...]

    def of_kind(self, kind: Kind) -> list[Entry]:
        """Return the entries of one kind."""
        return [entry for entry in self.entries if entry.kind == kind]


def each_once(entries: Iterable[Entry]) -> tuple[tuple[Entry, ...], list[Skipped]]:
    """Return every film once, rated rather than watched, by its latest rating; and the other ratings that it has.

    A film of the watchlist may stand there too. Films are the same by an id, or by title and year.
    """
    found: dict[tuple[str, ...], Entry] = {}
    earlier: list[Skipped] = []
    for entry in entries:
        listed = "watchlist" if entry.kind == "watchlist" else "seen"
        key = (listed, entry.imdb_id or entry.tmdb_id or entry.own_id or f"{entry.title.casefold()} {entry.year}")
        before = found.get(key)
        if before is None:
            found[key] = entry
            continue
        kept, left = (entry, before) if _tells_more(entry, before) else (before, entry)
        found[key] = replace(kept, date=max(entry.date, before.date))
        if left.rating is not None and (left.rating, left.scale) != (kept.rating, kept.scale):
            earlier.append(Skipped(left.place, f"{left} {left.rating:g}", f"it is rated again: {kept.place}"))
    return tuple(found.values()), earlier


def _tells_more(entry: Entry, before: Entry) -> bool:
    if (entry.kind == "rated") != (before.kind == "rated"):
        return entry.kind == "rated"
    return entry.date >= before.date
