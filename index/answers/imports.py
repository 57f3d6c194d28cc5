"""An export, matched with the catalogue: as a value to work with, and as JSON."""

from __future__ import annotations

from dataclasses import dataclass

from index.answers.schemas import EntryAnswer, ImportAnswer, ImportedAnswer
from index.answers.serialize import present_movie
from index.imports.export import Entry, Export, Skipped
from index.imports.match import Found, match
from index.imports.read import read_export
from index.movie_index import MovieIndex
from index.ratings.groups import Person


@dataclass(frozen=True, slots=True)
class Import:
    """An export, matched with a catalogue. Every film is in one of the lists, and no movie twice in one."""

    name: str  # of the file
    export: Export
    matched: tuple[Found, ...]  # rated, the latest first
    watched: tuple[Found, ...]
    watchlist: tuple[Found, ...]
    uncertain: tuple[Found, ...]
    unknown: tuple[Found, ...]
    skipped: tuple[Skipped, ...]
    to: tuple[float, float]  # scale of the snapshot

    def rating(self, entry: Entry) -> float | None:
        """Return the rating of an entry on the scale of the snapshot; None if it is not rated."""
        scale = entry.scale
        return None if entry.rating is None or scale is None else round(scale.mapped(entry.rating, *self.to), 3)

    @property
    def ratings(self) -> dict[int, float]:
        """Ratings of certain matches by movie id, on the scale of the snapshot; the latest first."""
        return {
            each.certain.movie_id: rating for each in self.matched if (rating := self.rating(each.entry)) is not None
        }

    @property
    def person(self) -> Person:
        """Return the person whose export it is, by certain matches."""
        watchlist = tuple(each.certain.movie_id for each in self.watchlist)
        return Person(self.ratings, tuple(each.certain.movie_id for each in self.watched), watchlist)

    def summary(self) -> list[str]:
        """Return lines about what was read and matched, and about every row that is not used."""
        rated, scale = len(self.matched), self.export.scale
        lines = [
            f"{self.export.format}: {rated:,} rated, {len(self.watched):,} watched, {len(self.watchlist):,} to watch",
            f"{len(self.uncertain):,} uncertain, {len(self.unknown):,} unknown, {len(self.skipped):,} skipped",
        ]
        if scale is not None and (scale.low, scale.high) != self.to:
            low, high = self.to
            lines.append(
                f"Ratings from {scale.low:g} to {scale.high:g} ({scale.reason}) are mapped to {low:g} to {high:g}:"
                f" {scale.high:g} is {high:g}"
            )
        lines += [f"{each.entry.place}: {each.entry} is taken: {each.note}" for each in self.matched if each.note]
        for each in self.uncertain:
            candidates = "; ".join(f"{movie.movie_id} {movie}" for movie in each.candidates)
            lines.append(f"{each.entry.place}: {each.entry} is not certain, {each.note}: {candidates}")
        lines += [f"{each.entry.place}: {each.entry}: {each.note}" for each in self.unknown]
        return [*lines, *(f"{each.place}: {each.text} is skipped: {each.reason}" for each in self.skipped)]


def import_export(index: MovieIndex, content: bytes, name: str = "") -> Import:
    """Read an export and match it with the catalogue. Nothing of it is stored.

    Args:
        index: to match with.
        content: the file.
        name: of the file; decides only whether a list of Letterboxd is a watchlist.

    Raises:
        InvalidInput: it is no export, too large, or damaged.
    """
    export = read_export(content, name)
    lists: dict[str, list[Found]] = {"rated": [], "watched": [], "watchlist": [], "uncertain": [], "unknown": []}
    skipped = list(export.skipped)
    seen: dict[tuple[bool, int], Entry] = {}  # by watchlist or not, and movie id
    # The first entry of a movie counts: rated before watched, the latest rating first.
    entries = sorted(export.entries, key=lambda entry: entry.date, reverse=True)
    for found in match(sorted(entries, key=lambda entry: entry.kind != "rated"), index.catalogue):
        entry = found.entry
        if found.movie is None:
            lists["uncertain" if found.candidates else "unknown"].append(found)
            continue
        first = seen.setdefault((entry.kind == "watchlist", found.movie.movie_id), entry)
        if first is entry:
            lists[entry.kind].append(found)
        else:
            skipped.append(Skipped(entry.place, str(entry), f"it is the same film as {first.place}: {found.movie}"))
    rated, watched, watchlist, uncertain, unknown = map(tuple, lists.values())
    return Import(name, export, rated, watched, watchlist, uncertain, unknown, tuple(skipped), index.users.scale)


def present_import(index: MovieIndex, found: Import) -> ImportAnswer:
    """Return an import as JSON."""
    scale = found.export.scale
    return {
        "format": found.export.format,
        "scale": None
        if scale is None
        else {"low": scale.low, "high": scale.high, "reason": scale.reason, "mapped_to": [*found.to]},
        "counts": {
            "entries": len(found.export.entries),
            "matched": len(found.matched),
            "watched": len(found.watched),
            "watchlist": len(found.watchlist),
            "uncertain": len(found.uncertain),
            "unknown": len(found.unknown),
            "skipped": len(found.skipped),
        },
        "matched": [_matched(index, found, each) for each in found.matched],
        "watched": [_matched(index, found, each) for each in found.watched],
        "watchlist": [_matched(index, found, each) for each in found.watchlist],
        "uncertain": [
            {
                "entry": _entry(found, each.entry),
                "candidates": [present_movie(index, movie) for movie in each.candidates],
                "note": each.note,
            }
            for each in found.uncertain
        ],
        "unknown": [{"entry": _entry(found, each.entry), "note": each.note} for each in found.unknown],
        "skipped": [{"place": each.place, "text": each.text, "reason": each.reason} for each in found.skipped],
    }


def _matched(index: MovieIndex, found: Import, each: Found) -> ImportedAnswer:
    return {
        "movie": present_movie(index, each.certain),
        "given": each.entry.rating,
        "rating": found.rating(each.entry),
        "place": each.entry.place,
        "note": each.note,
    }


def _entry(found: Import, entry: Entry) -> EntryAnswer:
    return {
        "place": entry.place,
        "title": entry.title,
        "year": entry.year,
        "imdb_id": entry.imdb_id,
        "tmdb_id": entry.tmdb_id,
        "kind": entry.kind,
        "given": entry.rating,
        "rating": found.rating(entry),
    }
