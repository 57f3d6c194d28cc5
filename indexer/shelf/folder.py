"""A folder of films on disk: its videos grouped into films, each with the facts of its NFO file and its poster."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from index.core.errors import InvalidInput
from index.core.progress import Track, silent
from indexer.shelf.film import Facts, Film, Found, Line, Outcome, titled
from indexer.shelf.names import (
    DISCS,
    PICTURES,
    VIDEOS,
    Name,
    combined,
    holds_extras,
    is_season,
    is_system,
    read_name,
    why_no_film,
    without_part,
)
from indexer.shelf.nfo import BadNfo, NotAFilm

MAX_FILMS = 100_000
MAX_DEPTH = 40  # of folders below the given one

_POSTERS = ("poster", "folder", "cover", "movie", "default", "movie-poster")  # names in the folder of one film
_IGNORED = (".ignore", ".nomedia")  # files that exclude their folder

ReadNfo = Callable[[Path], Facts]


@dataclass(frozen=True, slots=True)
class _Listing:
    """The entries of a folder, sorted by name."""

    path: str
    files: tuple[str, ...]
    folders: tuple[str, ...]
    lower: dict[str, str]  # name in lower case -> name, of files

    @property
    def name(self) -> str:
        return os.path.basename(self.path)  # noqa: PTH119  a Path costs as much as listing the folder

    def file(self, name: str) -> str | None:
        """Return the path of a file, letter case aside; None without one."""
        found = self.lower.get(name.casefold())
        return None if found is None else os.path.join(self.path, found)  # noqa: PTH118


@dataclass(slots=True)
class _Group:
    """Videos with the same name: a whole film, or its parts."""

    stem: str
    files: list[str] = field(default_factory=list)  # paths
    disc: bool = False

    @property
    def name(self) -> Name:
        return read_name(self.stem)


def scan_folder(folder: Path, read: ReadNfo, *, track: Track = silent) -> Found:
    """Return the films in a folder and everything below it, and a line for every video. Nothing is written there.

    Args:
        folder: the folder.
        read: returns the facts of an NFO file; raises NotAFilm, BadNfo or OSError.
        track: reports progress.

    Raises:
        InvalidInput: the folder is missing or cannot be read, or holds more than ``MAX_FILMS`` films.
    """
    try:
        os.scandir(folder).close()
    except OSError as error:
        raise InvalidInput(f"{folder} cannot be read: {error.strerror or error}; give a folder of films") from error
    scan = _Scan(read)
    for films in track(scan.folders(os.path.abspath(folder)), f"Scanning {folder}", None):  # noqa: PTH100
        scan.films += films
        if len(scan.films) > MAX_FILMS:
            raise InvalidInput(f"{folder} holds more than {MAX_FILMS:,} films: give one of its folders")
    return Found(tuple(scan.films), tuple(scan.lines))


class _Scan:
    def __init__(self, read: ReadNfo) -> None:
        self.films: list[Film] = []
        self.lines: list[Line] = []
        self._read = read
        self._seen: set[tuple[int, int]] = set()  # folders behind links, by device and inode

    def folders(self, root: str) -> Iterator[list[Film]]:
        """Yield the films of each folder, depth first by name."""
        pending = [(root, 0)]
        while pending:
            path, depth = pending.pop()
            found = self._listing(path)
            if found is None:
                continue
            if any(name in found.lower for name in _IGNORED):
                self._skip_all(path, f"{found.name} has a file {_IGNORED[0]} or {_IGNORED[1]}")
                continue
            series = "tvshow.nfo" if "tvshow.nfo" in found.lower else next(filter(is_season, found.folders), None)
            if series is not None and path != root:
                self._skip_series(path, f"a series: it has {series}")
                continue
            films = self._films(found, is_root=path == root)
            below = [each for each in found.folders if each.casefold() not in DISCS]
            of_a_film = bool(films) and path != root
            for name in reversed(below):
                inner = os.path.join(path, name)  # noqa: PTH118
                if is_system(name):
                    continue
                if is_season(name):
                    self._skip_series(inner, "a season of a series")
                elif holds_extras(name, of_a_film=of_a_film):
                    self._skip_all(inner, f"in the folder {name}")
                elif depth == MAX_DEPTH:
                    self._skip(inner, f"more than {MAX_DEPTH} folders deep")
                else:
                    pending.append((inner, depth + 1))
            yield films

    def _listing(self, path: str) -> _Listing | None:
        """Return the entries of a folder; None if it cannot be read, or was read before by another path."""
        files, folders = [], []
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    try:
                        if not entry.is_dir():
                            files.append(entry.name)
                        elif not entry.is_symlink() or self._is_new(entry):
                            folders.append(entry.name)
                    except OSError as error:
                        self._skip(entry.path, f"cannot be read: {error.strerror}")
        except OSError as error:
            self._skip(path, f"the folder cannot be read: {error.strerror}")
            return None
        files.sort()
        return _Listing(path, tuple(files), tuple(sorted(folders)), {name.casefold(): name for name in reversed(files)})

    def _is_new(self, entry: os.DirEntry[str]) -> bool:
        status = entry.stat()
        key = (status.st_dev, status.st_ino)
        known = key in self._seen
        self._seen.add(key)
        if known or entry.path.startswith(os.path.realpath(entry.path) + os.sep):
            self._skip(entry.path, "a link to a folder that is scanned already")
            return False
        return True

    def _films(self, found: _Listing, *, is_root: bool) -> list[Film]:
        groups = self._groups(found, is_root=is_root)
        if not groups:
            orphan = found.file("movie.nfo") or found.file(f"{found.name}.nfo")
            if orphan is not None:
                self._skip(orphan, "an NFO file without a video")
            return []
        folder = Name("") if is_root else read_name(found.name)
        if len(groups) == 1 or _are_versions(groups, folder, found.name):
            name = combined(groups[0].name, folder) if not is_root else groups[0].name
            return self._film(found, name, groups, alone=len(groups) == 1 or not is_root)
        films = []
        for versions in _by_name(groups):
            films += self._film(found, versions[0].name, versions, alone=False)
        return films

    def _groups(self, found: _Listing, *, is_root: bool) -> list[_Group]:
        """Return the videos of a folder that may be films, by name; report the others."""
        groups: dict[str, _Group] = {}
        disc = next((each for each in found.folders if each.casefold() in DISCS), None)
        if disc is None and "video_ts.ifo" in found.lower:
            disc = found.lower["video_ts.ifo"]
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

    def _film(self, found: _Listing, name: Name, versions: Sequence[_Group], *, alone: bool) -> list[Film]:
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
        nfo = _nfo(found, versions, alone=alone)
        if nfo is not None:
            try:
                facts = self._read(Path(nfo))
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
        film = Film(facts, _shown(file), _poster(found, versions, alone=alone))
        self._report(film, versions, notes)
        return [film]

    def _report(self, film: Film, versions: Sequence[_Group], notes: Sequence[str]) -> None:
        title = titled(film.facts)
        for at, version in enumerate(versions):
            for number, path in enumerate(version.files):
                outcome = Outcome.PART if number else Outcome.VERSION if at else Outcome.FILM
                reason = "; ".join(notes) if outcome is Outcome.FILM else ""
                self.lines.append(Line(_shown(path), outcome, title, reason))

    def _skip(self, path: str, reason: str) -> None:
        self.lines.append(Line(_shown(path), Outcome.SKIPPED, reason=reason))

    def _skip_all(self, path: str, reason: str) -> None:
        """Report every video in a folder and below it as skipped."""
        for video in self._videos(path):
            self._skip(video, reason)

    def _skip_series(self, path: str, reason: str) -> None:
        """Report a folder of a series as skipped, in one line."""
        videos = sum(1 for _ in self._videos(path))
        self._skip(path, f"{reason}; {videos:,} {'video' if videos == 1 else 'videos'}")

    def _videos(self, path: str) -> Iterator[str]:
        for folder, folders, files in os.walk(path):
            folders.sort()
            for name in sorted(files):
                if os.path.splitext(name)[1].lower() in VIDEOS and not name.startswith("."):  # noqa: PTH122
                    yield os.path.join(folder, name)  # noqa: PTH118


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


def _nfo(found: _Listing, versions: Sequence[_Group], *, alone: bool) -> str | None:
    """Return the path of the NFO file of a film."""
    stems = [os.path.splitext(os.path.basename(path))[0] for each in versions for path in each.files]  # noqa: PTH119, PTH122
    names = [f"{stem}.nfo" for stem in (*stems, *(each.stem for each in versions))]
    if alone:
        names += ["movie.nfo", f"{found.name}.nfo"]
    for name in names:
        path = found.file(name)
        if path is not None:
            return path
    if versions[0].disc:
        inner = os.path.join(versions[0].files[0], f"{stems[0]}.nfo")  # noqa: PTH118
        if os.path.isfile(inner):  # noqa: PTH113
            return inner
    others = [name for name in found.files if name.casefold().endswith(".nfo")] if alone else []
    return os.path.join(found.path, others[0]) if len(others) == 1 else None  # noqa: PTH118


def _poster(found: _Listing, versions: Sequence[_Group], *, alone: bool) -> Path | None:
    """Return the path of the poster of a film."""
    stems = [os.path.splitext(os.path.basename(path))[0] for each in versions for path in each.files]  # noqa: PTH119, PTH122
    stems += [each.stem for each in versions]
    names = [f"{stem}-poster" for stem in stems]
    if alone:
        names += _POSTERS
    names += [*(f"{stem}-cover" for stem in stems), *stems]
    for name in names:
        for suffix in PICTURES:
            path = found.file(name + suffix)
            if path is not None:
                return Path(path)
    return None


def _shown(path: str) -> str:
    """Return a path that can be written as text: bytes that are no UTF-8 are escaped."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
