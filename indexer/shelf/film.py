"""Films of a shelf as their sources describe them, and a report line for every file that was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

MAX_FILMS = 100_000  # of a source


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts of a film: of an NFO file, or of a media server. Fields are empty where nothing is known."""

    title: str = ""
    original_title: str = ""
    year: int | None = None
    imdb_id: str | None = None
    tmdb_id: int | None = None
    genres: tuple[str, ...] = ()
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # column of facts.csv -> labels
    overview: str = ""
    named: bool = False  # the title is from the name of a file, so that one from elsewhere is better


@dataclass(frozen=True, slots=True)
class Film:
    """A film of the shelf."""

    facts: Facts
    file: str  # the first of its files, as reported
    poster: Path | None = None
    poster_version: str = ""  # changes with the file


class Outcome(StrEnum):
    """Outcomes of a file of a folder, or of an item of a media server."""

    FILM = "film"
    VERSION = "version"  # another file of a film
    PART = "part"  # a further part of a film
    SKIPPED = "skipped"
    NOTE = "note"  # about a file that is used


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the report."""

    file: str
    outcome: Outcome
    film: str = ""  # title and year
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Watched:
    """A user's rating of a film, and what else a media server knows of the two."""

    user: str
    file: str  # as of Film
    rating: float | None = None  # from 0 to 10
    favourite: bool = False
    plays: int = 0
    time: int | None = None  # of the last play or rating, in seconds since 1970


@dataclass(frozen=True, slots=True)
class Found:
    """The films of a source, and its report."""

    films: tuple[Film, ...]
    lines: tuple[Line, ...]
    watched: tuple[Watched, ...] = ()


def titled(facts: Facts) -> str:
    """Return the title of a film with its year."""
    return facts.title if facts.year is None else f"{facts.title} ({facts.year})"
