"""Walk through a folder of films on disk; folders that have not changed since the last scan are not read again."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from index.core.errors import InvalidInput
from index.core.progress import Track, silent
from indexer.shelf.film import MAX_FILMS, Facts, Line, Outcome
from indexer.shelf.grouping import Grouping, Listing, shown
from indexer.shelf.memory import Folder, NfoFile
from indexer.shelf.names import DISCS, VIDEOS, holds_extras, is_season, is_system

MAX_DEPTH = 40  # of folders below the given one

_IGNORED = frozenset({".ignore", ".nomedia"})  # files that exclude their folder


class Walk:
    """A walk through a folder and everything below it. Nothing is written there.

    Args:
        root: the folder.
        before: folders of the last scan, by path.

    Raises:
        InvalidInput: the folder is missing or cannot be read.
    """

    def __init__(self, root: Path, before: Mapping[str, Folder]) -> None:
        self.folders: dict[str, Folder] = {}
        self.lines: list[Line] = []  # about what is not in ``folders``
        self.read = 0  # NFO files
        self.changed = False  # some folder differs from the last scan
        self._root = os.path.abspath(root)  # noqa: PTH100
        self._before = before
        self._seen: set[tuple[int, int]] = set()  # folders behind links, by device and inode
        try:
            os.scandir(root).close()
        except OSError as error:
            raise InvalidInput(f"{root} cannot be read: {error.strerror or error}; give a folder of films") from error

    def run(self, track: Track = silent) -> None:
        """Walk, depth first by name.

        Raises:
            InvalidInput: there are more than ``MAX_FILMS`` films.
        """
        films = 0
        for folder in track(self._walk(), f"Scanning {self._root}", None):
            films += folder.count
            if films > MAX_FILMS:
                raise InvalidInput(f"{self._root} holds more than {MAX_FILMS:,} films: give one of its folders")

    def _walk(self) -> Iterator[Folder]:
        pending = [(self._root, 0)]
        while pending:
            path, depth = pending.pop()
            found = self._listing(path)
            if found is None:
                continue
            lower = {name.lower() for name in found.files}
            if not _IGNORED.isdisjoint(lower):
                self._skip_all(path, f"in a folder with a file {' or '.join(sorted(_IGNORED))}")
                continue
            series = "tvshow.nfo" if "tvshow.nfo" in lower else next(filter(is_season, found.folders), None)
            if series is not None and depth:
                self._skip_series(path, f"a series; it has {series}")
                continue
            folder = self._folder(found)
            yield folder
            for name in reversed(found.folders):
                if name.casefold() in DISCS or is_system(name):
                    continue
                inner = os.path.join(path, name)  # noqa: PTH118
                if is_season(name):
                    self._skip_series(inner, "a season of a series")
                elif holds_extras(name, of_a_film=folder.count > 0 and depth > 0):
                    self._skip_all(inner, f"in a folder of extras; {name}")
                elif depth == MAX_DEPTH:
                    self._skip(inner, f"more than {MAX_DEPTH} folders deep")
                else:
                    pending.append((inner, depth + 1))

    def _listing(self, path: str) -> Listing | None:
        """Return the entries of a folder; None if it cannot be read."""
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
        return Listing(path, sorted(files), sorted(folders))

    def _is_new(self, entry: os.DirEntry[str]) -> bool:
        """Return True for a link to a folder that is not above it, and to which no other link was followed."""
        status = entry.stat()
        key = (status.st_dev, status.st_ino)
        if key in self._seen or entry.path.startswith(os.path.realpath(entry.path) + os.sep):
            self._skip(entry.path, "a link to a folder that is scanned already")
            return False
        self._seen.add(key)
        return True

    def _folder(self, found: Listing) -> Folder:
        """Return the films of a folder: those of the last scan, if neither its entries nor its NFO files changed."""
        before = self._before.get(found.path)
        if before is not None and before.is_current(found.files, found.folders):
            self.folders[found.path] = before
            return before
        self.changed = True
        known = {} if before is None else before.nfo
        nfo: dict[str, NfoFile] = {}

        def read(path: str) -> Facts:
            nfo[path], anew = NfoFile.of(path, known.get(path))
            self.read += anew
            return nfo[path].facts()

        grouping = Grouping(found, read, is_root=found.path == self._root)
        folder = Folder(list(found.files), list(found.folders), nfo, grouping.films, grouping.lines)
        self.folders[found.path] = folder
        return folder

    def _skip(self, path: str, reason: str) -> None:
        self.lines.append(Line(shown(path), Outcome.SKIPPED, reason=reason))

    def _skip_all(self, path: str, reason: str) -> None:
        """Report every video in a folder and below it as skipped."""
        for video in _videos(path):
            self._skip(video, reason)

    def _skip_series(self, path: str, reason: str) -> None:
        """Report a folder of a series as skipped, in one line."""
        videos = sum(1 for _ in _videos(path))
        self._skip(path, f"{reason}; {videos:,} {'video' if videos == 1 else 'videos'}")


def _videos(path: str) -> Iterator[str]:
    for folder, folders, files in os.walk(path):
        folders.sort()
        for name in sorted(files):
            if os.path.splitext(name)[1].lower() in VIDEOS and not name.startswith("."):  # noqa: PTH122
                yield os.path.join(folder, name)  # noqa: PTH118
