"""Follow the snapshots that another machine publishes: copy each new one into a data directory, and make it current.

``.follow/`` in the data directory has the files that were copied so far, the file list of every snapshot that is here,
and the state that a server's health check shows. All else of the directory is as a build leaves it, without a library.
"""

from __future__ import annotations

import errno
import logging
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from itertools import chain, repeat
from pathlib import Path

from index.core.errors import BadSnapshot, InvalidInput, PosterityError, StorageUnavailable, UnknownSnapshot
from index.core.files import NO_ROOM, replacing, sha256_of, sync, write_durably
from index.core.progress import Count, uncounted
from index.publication.copying import copy_files
from index.publication.file_list import (
    File,
    FileList,
    Publication,
    file_of,
    publications_in,
    read_file_list,
    read_pointer,
)
from index.publication.state import OWN_FOLDER, State, write_state
from index.publication.storage import Storage
from index.snapshot.store import SnapshotStore

LOOK_EVERY = 1.0  # seconds
_PAUSES = (1.0, 2.0, 4.0)  # seconds after errors of the storage; the last is repeated
_REFUSED_FOR = 60.0  # seconds until a damaged publication is read again, if it stays the current one

log = logging.getLogger(__name__)


class Follower:
    """A data directory that follows a storage.

    Args:
        storage: of the publications.
        data: data directory, for nothing else: snapshots in it are deleted in favour of newer ones.
        keep: snapshots to keep.
        count: reports bytes copied.
        clock: monotonic seconds.

    Raises:
        InvalidInput: the data directory has snapshots that were built there.
    """

    def __init__(
        self,
        storage: Storage,
        data: Path,
        *,
        keep: int = 2,
        count: Count = uncounted,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._storage = storage
        self._data = data
        self._store = SnapshotStore(data)
        own = data / OWN_FOLDER
        self._copied = own / "files"
        self._lists = own / "lists"
        self._keep = keep
        self._count = count
        self._clock = clock
        self._followed: bytes | None = None  # content of current.json
        self._snapshot: str | None = None  # that it made current
        self._refused: tuple[bytes, float, BadSnapshot] | None = None  # its content, when it is due again, the reason
        if self._store.ids() and not own.is_dir():
            raise InvalidInput(f"{data} has snapshots that were built there: give --data another folder to follow into")
        for folder in (self._copied, self._lists):
            folder.mkdir(parents=True, exist_ok=True)

    def look(self) -> str | None:
        """Look at the storage once; return the id of a snapshot that is newly current here, None if nothing changed.

        After a kill at any moment the next look goes on; files that were copied are not copied again.

        Raises:
            StorageUnavailable: the storage does not answer, or nothing was published; the current snapshot stays.
            BadSnapshot: the publication is damaged, and refused for a minute; the current snapshot stays.
            OSError: the data directory cannot be written.
        """
        content = read_pointer(self._storage)
        if content is None:
            raise StorageUnavailable(f"{self._storage.shown} has no publication yet: run posterity publish")
        if content == self._followed and self._store.current_id() == self._snapshot:
            return None
        if self._refused is not None and self._refused[0] == content and self._clock() < self._refused[1]:
            raise self._refused[2]
        try:
            changed = self._follow(publications_in(content)[0])
        except BadSnapshot as error:
            self._refused = content, self._clock() + _REFUSED_FOR, error
            raise
        self._followed, self._refused = content, None
        self._snapshot = self._store.current_id()
        return changed

    def _follow(self, publication: Publication) -> str | None:
        """Copy a publication, and make it current; return its id, None if it was."""
        wanted = self._file_list(publication)
        here = f"snapshots/{wanted.snapshot}/"
        own = {path: file for path, file in wanted.files.items() if path.startswith(here)}
        beside = {path: file for path, file in wanted.files.items() if not path.startswith(here)}
        known = self._sound(wanted.snapshot)
        recorded = self._recorded()
        changed = {path: file for path, file in beside.items() if not self._has(path, file, recorded)}
        self._copy({**({} if known else own), **changed})
        for path, file in changed.items():  # before the snapshot that names them
            (self._data / path).parent.mkdir(exist_ok=True)
            with replacing(self._data / path) as fresh:
                _link(self._copied / file.sha256, fresh)
        before = self._store.current_id()
        if known:
            if before != wanted.snapshot:
                self._store.rollback(wanted.snapshot)
        else:
            self._install(wanted.snapshot, {path.removeprefix(here): file for path, file in own.items()})
        write_durably(self._lists / f"{wanted.snapshot}.json", wanted.to_bytes())
        shutil.rmtree(self._copied)
        self._copied.mkdir()
        self._prune()
        return None if known and before == wanted.snapshot else wanted.snapshot

    def _file_list(self, publication: Publication) -> FileList:
        file = self._lists / f"{publication.snapshot}.json"
        with suppress(OSError):
            content = file.read_bytes()
            if file_of(content) == publication.files:
                return FileList.from_bytes(content)
        return read_file_list(self._storage, publication)

    def current(self) -> str:
        """Return the id of the snapshot that is current here, in words without one."""
        return self._store.current_id() or "no snapshot"

    def _sound(self, snapshot_id: str) -> bool:
        try:
            self._store.verify(snapshot_id)
        except (UnknownSnapshot, BadSnapshot):
            return False
        return True

    def _recorded(self) -> Mapping[str, File]:
        """Return the files that were copied with the current snapshot; empty if that is not known."""
        with suppress(OSError, BadSnapshot):
            return FileList.from_bytes((self._lists / f"{self.current()}.json").read_bytes()).files
        return {}

    def _has(self, path: str, file: File, recorded: Mapping[str, File]) -> bool:
        """Return True if a poster, or the weights, are here. One that was copied before is not read again."""
        here = self._data / path
        if not here.is_file() or here.stat().st_size != file.size:
            return False
        return recorded.get(path) == file or sha256_of(here) == file.sha256

    def _copy(self, files: Mapping[str, File]) -> None:
        """Copy files into the folder of copied files, by their SHA-256. Link those that another snapshot here has."""
        wanted = {file: path for path, file in files.items() if not self._is_copied(file)}
        others = self._files_of_snapshots()
        for file in [file for file in wanted if file.sha256 in others]:
            if sha256_of(others[file.sha256]) == file.sha256:
                _link(others[file.sha256], self._copied / file.sha256)
                del wanted[file]
        needed, free = sum(file.size for file in wanted), shutil.disk_usage(self._data).free
        if needed > free:
            sizes = f"{needed / 1e6:,.0f} MB are needed, and {free / 1e6:,.0f} MB are free"
            raise OSError(errno.ENOSPC, sizes, str(self._data))

        def copy(file: File, path: str) -> None:
            fresh = self._copied / f"{file.sha256}.part"
            state = "missing"
            if self._storage.download(file.object, fresh):
                if fresh.stat().st_size == file.size and sha256_of(fresh) == file.sha256:
                    sync(fresh)
                    fresh.rename(self._copied / file.sha256)
                    return
                state = "damaged (its checksum differs)"
            fresh.unlink(missing_ok=True)
            raise BadSnapshot(f"{file.object} in the storage ({path}) is {state}: run posterity publish with --again")

        copy_files(wanted, copy, self._count)

    def _is_copied(self, file: File) -> bool:
        copied = self._copied / file.sha256
        return copied.is_file() and copied.stat().st_size == file.size

    def _files_of_snapshots(self) -> dict[str, Path]:
        found = {}
        for snapshot_id in self._store.ids():
            with suppress(BadSnapshot, UnknownSnapshot):
                folder = self._store.path(snapshot_id)
                for name, facts in self._store.manifest(snapshot_id).files.items():
                    found[str(facts["sha256"])] = folder / name
        return {sha256: path for sha256, path in found.items() if path.is_file()}

    def _install(self, snapshot_id: str, files: Mapping[str, File]) -> None:
        with self._store.writing() as folder:
            for name, file in files.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                _link(self._copied / file.sha256, folder / name)
            manifest = self._store.install(folder, snapshot_id)
        log.info("snapshot %s is here", manifest.id)

    def _prune(self) -> None:
        """Delete old snapshots, and the posters and weights that only they name."""
        try:
            self._store.prune(self._keep)
        except PosterityError as error:  # a command prunes at this moment
            log.warning("old snapshots were not deleted (%s)", error)
        kept = set(self._store.ids())
        gone = [file for file in self._lists.glob("*.json") if file.stem not in kept]
        if not gone:
            return
        named = _beside(file for file in self._lists.glob("*.json") if file.stem in kept)
        for path in _beside(gone) - named:
            (self._data / path).unlink(missing_ok=True)
        for file in gone:
            file.unlink()


def follow(follower: Follower, data: Path, sleep: Callable[[float], bool]) -> None:
    """Look at the storage every second, and less often while it does not answer; log every change of the state.

    Args:
        follower: of the data directory.
        data: the data directory.
        sleep: sleeps for some seconds; returns False to end the loop.
    """
    state, pauses = None, chain(_PAUSES, repeat(_PAUSES[-1]))
    while True:
        pause = LOOK_EVERY
        try:
            follower.look()
        except BadSnapshot as error:
            reason = str(error).replace(f"{data}/", "")
            now = State("degraded", f"the newest publication is refused: {reason}")
        except StorageUnavailable as error:
            now, pause = State("degraded", "the storage does not answer, or has no publication"), next(pauses)
            reason = str(error)
        except OSError as error:
            words = "the disk is full or read-only" if error.errno in NO_ROOM else "the disk cannot be written or read"
            now, pause, reason = State("degraded", words), next(pauses), str(error)
        except PosterityError as error:
            now, pause, reason = State("degraded", "another process writes snapshots"), next(pauses), str(error)
        else:
            now, reason, pauses = State("ok", None), "", chain(_PAUSES, repeat(_PAUSES[-1]))
        if now != state:
            if now.status == "degraded":
                log.warning("%s; %s stays current, and the storage is tried again", reason, follower.current())
            elif state is not None:
                log.info("the storage answers again")
            with suppress(OSError):  # a full disk
                write_state(data, now)
            state = now
        if not sleep(pause):
            return


def _beside(lists: Iterable[Path]) -> set[str]:
    """Return the posters and weights that stored file lists name."""
    found = set()
    for file in lists:
        with suppress(BadSnapshot):
            found |= {
                path for path in FileList.from_bytes(file.read_bytes()).files if not path.startswith("snapshots/")
            }
    return found


def _link(file: Path, name: Path) -> None:
    """Give a file another name; copy it where the file system has no links."""
    try:
        name.hardlink_to(file)
    except FileExistsError:
        raise
    except OSError:
        shutil.copyfile(file, name)
