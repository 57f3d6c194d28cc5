"""Memory of scans: the films of every folder, so that the next scan reads only what has changed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from index.core.files import write_durably
from indexer.shelf.film import Facts, Film, Line, Outcome
from indexer.shelf.nfo import MAX_BYTES, BadNfo, NotAFilm, read_nfo

_VERSION = 1  # of the form; raise it, too, if names or NFO files are read differently
_DEFAULTS = asdict(Facts())


@dataclass(frozen=True, slots=True)
class NfoFile:
    """An NFO file as it was read."""

    size: int
    changed: int  # time, in nanoseconds
    found: Mapping[str, Any]  # "facts", "problem" and "series", as far as there are any

    @classmethod
    def of(cls, path: str, known: NfoFile | None) -> tuple[NfoFile, bool]:
        """Return a file, read anew only if its size or time differs from ``known``, and True if it was read.

        Raises:
            OSError: the file cannot be read.
        """
        status = os.stat(path)  # noqa: PTH116
        if known is not None and (known.size, known.changed) == (status.st_size, status.st_mtime_ns):
            return known, False
        with open(path, "rb") as stream:  # noqa: PTH123
            content = stream.read(MAX_BYTES + 1)
        return cls(status.st_size, status.st_mtime_ns, _read(content)), True

    def facts(self) -> Facts:
        """Return the facts.

        Raises:
            NotAFilm: the file is of a series, an episode or music.
            BadNfo: the XML cannot be read, or the file is larger than ``MAX_BYTES``.
        """
        if "series" in self.found:
            raise NotAFilm(self.found["series"])
        facts = _facts(self.found.get("facts", {}))
        if "problem" in self.found:
            raise BadNfo(self.found["problem"], facts)
        return facts

    def is_current(self, path: str) -> bool:
        """Return True if the file still has this size and time."""
        return version_of(path) == f"{self.size} {self.changed}"


class Folder:
    """The films in one folder, and lines about its files, from a scan. Those of a former scan are made when needed."""

    __slots__ = ("_films", "_lines", "files", "folders", "nfo")

    def __init__(
        self,
        files: list[str],
        folders: list[str],
        nfo: Mapping[str, NfoFile],
        films: Sequence[Film | list[Any]],
        lines: Sequence[Line | list[Any]],
    ) -> None:
        self.files = files
        self.folders = folders
        self.nfo = nfo
        self._films = films
        self._lines = lines

    def is_current(self, files: Sequence[str], folders: Sequence[str]) -> bool:
        """Return True if the folder still has these entries, and no NFO file has changed."""
        if self.files != files or self.folders != folders:
            return False
        posters = ((film.poster, film.poster_version) if isinstance(film, Film) else film[2:] for film in self._films)
        return all(file.is_current(path) for path, file in self.nfo.items()) and all(
            poster is None or version_of(str(poster)) == version for poster, version in posters
        )

    @property
    def count(self) -> int:
        """Number of films."""
        return len(self._films)

    def made_films(self) -> list[Film]:
        """Return the films."""
        return [each if isinstance(each, Film) else _film(each) for each in self._films]

    def made_lines(self) -> list[Line]:
        """Return the lines."""
        return [each if isinstance(each, Line) else _line(each) for each in self._lines]

    def to_json(self) -> list[Any]:
        """Return plain values."""
        nfo = {path: [file.size, file.changed, file.found] for path, file in self.nfo.items()}
        films = [
            [_compact(each.facts), each.file, None if each.poster is None else str(each.poster), each.poster_version]
            if isinstance(each, Film)
            else each
            for each in self._films
        ]
        lines = [
            [each.file, each.outcome.value, each.film, each.reason] if isinstance(each, Line) else each
            for each in self._lines
        ]
        return [self.files, self.folders, nfo, films, lines]

    @classmethod
    def from_json(cls, values: list[Any]) -> Folder:
        """Return the folder of plain values."""
        files, folders, nfo, films, lines = values
        return cls(files, folders, {path: NfoFile(*each) for path, each in nfo.items()}, films, lines)


@dataclass(slots=True)
class Memory:
    """Result of a scan: folders, a fingerprint, and the summary."""

    folders: dict[str, Folder] = field(default_factory=dict)  # by path
    inputs: str = ""  # fingerprint of all else that the data set was made of
    summary: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, file: Path) -> Memory:
        """Return the memory of the last scan; an empty one if the file is missing, damaged or of another version."""
        try:
            found = json.loads(file.read_bytes())
            if found["version"] != _VERSION:
                return cls()
            folders = {path: Folder.from_json(values) for path, values in found["folders"].items()}
            return cls(folders, str(found["inputs"]), dict(found["summary"]))
        except (OSError, ValueError, KeyError, TypeError):
            return cls()

    def save(self, file: Path) -> None:
        """Write the memory for the next scan."""
        folders = {path: folder.to_json() for path, folder in self.folders.items()}
        found = {"version": _VERSION, "inputs": self.inputs, "summary": self.summary, "folders": folders}
        write_durably(file, json.dumps(found, separators=(",", ":")).encode())


def version_of(path: str) -> str:
    """Return the size and time of change of a file as a text; empty if it cannot be read."""
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return ""
    return f"{status.st_size} {status.st_mtime_ns}"


def _read(content: bytes) -> dict[str, Any]:
    if len(content) > MAX_BYTES:
        return {"problem": f"it is larger than {MAX_BYTES:,} bytes"}
    try:
        return {"facts": _compact(read_nfo(content))}
    except NotAFilm as reason:
        return {"series": str(reason)}
    except BadNfo as error:
        return {"problem": str(error), "facts": _compact(error.facts)}


def _compact(facts: Facts) -> dict[str, Any]:
    """Return the fields that are not empty."""
    found = {name: value for name in _DEFAULTS if (value := getattr(facts, name)) != _DEFAULTS[name]}
    if "labels" in found:
        found["labels"] = {kind: labels for kind, labels in facts.labels.items() if labels}
    return found


def _facts(found: Mapping[str, Any]) -> Facts:
    values = dict(found)
    if "genres" in values:
        values["genres"] = tuple(values["genres"])
    if "labels" in values:
        values["labels"] = {kind: tuple(labels) for kind, labels in values["labels"].items()}
    return Facts(**values)


def _film(values: list[Any]) -> Film:
    facts, file, poster, version = values
    return Film(_facts(facts), file, None if poster is None else Path(poster), version)


def _line(values: list[Any]) -> Line:
    file, outcome, film, reason = values
    return Line(file, Outcome(outcome), film, reason)
