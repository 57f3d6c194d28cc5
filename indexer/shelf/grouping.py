"""Grouping of the videos in one folder into films, each with the facts of its NFO file and its poster."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from indexer.shelf.film import Facts, Film, Line, Outcome, titled
from indexer.shelf.memory import version_of
from indexer.shelf.names import DISCS, PICTURES, VIDEOS, Name, combined, read_name, why_no_film, without_part
from indexer.shelf.nfo import BadNfo, NotAFilm

_POSTERS = ("poster", "folder", "cover", "movie", "default", "movie-poster")  # names in the folder of one film

ReadNfo = Callable[[str], Facts]


@dataclass(frozen=True, slots=True)
class Listing:
    """The entries of a folder, sorted by name."""

    path: str
    files: Sequence[str]
    folders: Sequence[str]

    @property
    def name(self) -> str:
        """Name of the folder."""
        return os.path.basename(self.path)  # noqa: PTH119  a Path costs as much as listing the folder


@dataclass(slots=True)
class _Group:
    """Videos with the same name: a whole film, or its parts."""

    stem: str
    files: list[str] = field(default_factory=list)  # paths
    disc: bool = False

    @property
    def name(self) -> Name:
        return read_name(self.stem)


class Grouping:
    """The films in a folder, not in those below it, and a line for each of its videos.

    Args:
        found: the folder.
        is_root: it is the whole library, whose name is no film's.
        read: returns the facts of an NFO file; raises NotAFilm, BadNfo or OSError.
    """

    def __init__(self, found: Listing, read: ReadNfo, *, is_root: bool) -> None:
        self.lines: list[Line] = []
        self._found = found
        self._read = read
        self._lower = {name.casefold(): name for name in reversed(found.files)}
        self.films = self._films(found, is_root=is_root)

    def _file(self, name: str) -> str | None:
        """Return the path of a file, letter case aside; None without one."""
        found = self._lower.get(name.casefold())
        return None if found is None else os.path.join(self._found.path, found)  # noqa: PTH118

    def _films(self, found: Listing, *, is_root: bool) -> list[Film]:
        groups = self._groups(found, is_root=is_root)
        if not groups:
            orphan = self._file("movie.nfo") or self._file(f"{found.name}.nfo")
            if orphan is not None:
                self._skip(orphan, "an NFO file without a video")
            return []
        folder = Name("") if is_root else read_name(found.name)
        if len(groups) == 1 or _are_versions(groups, folder, found.name):
            name = combined(groups[0].name, folder) if not is_root else groups[0].name
            return self._film(found, name, groups, alone=len(groups) == 1 or not is_root)
        films = []
        for versions in _by_name(groups):
            name = versions[0].name
            if name.year is None and f"{name.key} ({folder.year})" == folder.key:
                name = folder
            films += self._film(found, name, versions, alone=False)
        return films

    def _groups(self, found: Listing, *, is_root: bool) -> list[_Group]:
        """Return the videos of a folder that may be films, by name; report the others."""
        groups: dict[str, _Group] = {}
        disc = next((each for each in found.folders if each.casefold() in DISCS), None)
        if disc is None and "video_ts.ifo" in self._lower:
            disc = self._lower["video_ts.ifo"]
        if disc is not None and not is_root:
            groups[found.name] = _Group(found.name, [os.path.join(found.path, disc)], disc=True)  # noqa: PTH118
        stackable = not is_root and read_name(found.name).certain
        for name in found.files:
            stem, suffix = os.path.splitext(name)  # noqa: PTH122
            if suffix.lower() not in VIDEOS or name.startswith("."):
                continue
            path = os.path.join(found.path, name)  # noqa: PTH118
            reason = why_no_film(stem)
            if disc is not None and not is_root and suffix.lower() in {".vob", ".m2ts"}:
                reason = f"part of the disc {disc}"
            if reason is not None:
                self._skip(path, reason)
                continue
            part = without_part(stem)
            if part is not None and (
                stackable or part[1] in {"cd", "dvd", "disc", "disk"} or read_name(part[0]).certain
            ):
                stem = part[0]
            groups.setdefault(stem, _Group(stem)).files.append(path)
        return list(groups.values())

    def _film(self, found: Listing, name: Name, versions: Sequence[_Group], *, alone: bool) -> list[Film]:
        """Return the film with these versions, at most one, and report its files.

        Args:
            found: its folder.
            name: as read from its files or folder.
            versions: of the film; the first is reported as the film.
            alone: no other film is in the folder, so that movie.nfo and poster.jpg are its own.
        """
        file = versions[0].files[0]
        notes = [f"{each} is no id" for each in name.invalid]
        facts = Facts()
        nfo = self._nfo(found, versions, alone=alone)
        if nfo is not None:
            try:
                facts = self._read(nfo)
            except NotAFilm as reason:
                for path in (path for each in versions for path in each.files):
                    self._skip(path, str(reason))
                return []
            except BadNfo as error:
                facts = error.facts
                self.lines.append(Line(nfo, Outcome.NOTE, reason=f"the NFO file cannot be used: {error}"))
            except OSError as error:
                self.lines.append(Line(nfo, Outcome.NOTE, reason=f"the NFO file cannot be read: {error.strerror}"))
            for site, given, other in (
                ("IMDb", name.imdb_id, facts.imdb_id),
                ("TMDB", name.tmdb_id, facts.tmdb_id),
            ):
                if given is not None and other is not None and given != other:
                    notes.append(f"the name has the {site} id {given}, the NFO file {other}, which is taken")
        facts = replace(
            facts,
            title=facts.title or name.title,
            named=not facts.title,
            year=name.year if facts.year is None else facts.year,
            imdb_id=facts.imdb_id or name.imdb_id,
            tmdb_id=facts.tmdb_id or name.tmdb_id,
        )
        if not any(map(str.isalnum, facts.title)):
            for path in (path for each in versions for path in each.files):
                self._skip(path, "neither its name nor an NFO file has a title")
            return []
        poster = self._poster(versions, alone=alone)
        film = Film(facts, shown(file), poster, "" if poster is None else version_of(str(poster)))
        self._report(film, versions, notes)
        return [film]

    def _report(self, film: Film, versions: Sequence[_Group], notes: Sequence[str]) -> None:
        title = titled(film.facts)
        for at, version in enumerate(versions):
            for number, path in enumerate(version.files):
                outcome = Outcome.PART if number else Outcome.VERSION if at else Outcome.FILM
                reason = "; ".join(notes) if outcome is Outcome.FILM else ""
                self.lines.append(Line(shown(path), outcome, title, reason))

    def _skip(self, path: str, reason: str) -> None:
        self.lines.append(Line(shown(path), Outcome.SKIPPED, reason=reason))

    def _nfo(self, found: Listing, versions: Sequence[_Group], *, alone: bool) -> str | None:
        """Return the path of the NFO file of a film."""
        stems = [os.path.splitext(os.path.basename(path))[0] for each in versions for path in each.files]  # noqa: PTH119, PTH122
        names = [f"{stem}.nfo" for stem in (*stems, *(each.stem for each in versions))]
        if alone:
            names += ["movie.nfo", f"{found.name}.nfo"]
        for name in names:
            path = self._file(name)
            if path is not None:
                return path
        if versions[0].disc:
            inner = os.path.join(versions[0].files[0], f"{stems[0]}.nfo")  # noqa: PTH118
            if os.path.isfile(inner):  # noqa: PTH113
                return inner
        others = [name for name in found.files if name.casefold().endswith(".nfo")] if alone else []
        return os.path.join(found.path, others[0]) if len(others) == 1 else None  # noqa: PTH118

    def _poster(self, versions: Sequence[_Group], *, alone: bool) -> Path | None:
        """Return the path of the poster of a film."""
        stems = [os.path.splitext(os.path.basename(path))[0] for each in versions for path in each.files]  # noqa: PTH119, PTH122
        stems += [each.stem for each in versions]
        names = [f"{stem}-poster" for stem in stems]
        if alone:
            names += _POSTERS
        names += [*(f"{stem}-cover" for stem in stems), *stems]
        for name in names:
            for suffix in PICTURES:
                path = self._file(name + suffix)
                if path is not None:
                    return Path(path)
        return None


def _are_versions(groups: Sequence[_Group], folder: Name, name: str) -> bool:
    """Return True if all videos of a folder are versions of the film that the folder is named after."""
    if not folder.certain:
        return False
    return all(
        each.stem.casefold().startswith(name.casefold())
        or each.name.key == folder.key
        or (each.name.year is None and folder.key.startswith(each.name.key))
        for each in groups
    )


def _by_name(groups: Sequence[_Group]) -> list[list[_Group]]:
    """Return the videos by film: those with the same title, year and ids are versions of one."""
    films: dict[tuple[str, str | None, int | None], list[_Group]] = {}
    for group in groups:
        name = group.name
        key = (name.key if name.year is not None else group.stem, name.imdb_id, name.tmdb_id)
        films.setdefault(key, []).append(group)
    return list(films.values())


def shown(path: str) -> str:
    """Return a path that can be written as text: bytes that are no UTF-8 are escaped."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
