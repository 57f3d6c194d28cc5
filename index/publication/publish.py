"""Publish a snapshot of a data directory into a storage: all of its files first, the pointer to it last."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

from index.catalogue.catalogue import Catalogue
from index.core.errors import BadSnapshot, InvalidInput, StorageUnavailable
from index.core.files import locked, sha256_of
from index.core.progress import Count, uncounted
from index.posters.vgg16 import weights_file
from index.publication.copying import AT_ONCE, copy_files
from index.publication.file_list import (
    FILES,
    File,
    FileList,
    Publication,
    file_of,
    publications_in,
    read_file_list,
    read_pointer,
    write_pointer,
)
from index.publication.storage import Storage
from index.snapshot.store import Manifest, SnapshotStore


@dataclass(frozen=True, slots=True)
class Published:
    """Outcome of a publication."""

    snapshot: str
    files: int  # of the snapshot, with posters and weights
    copied: int  # of them, as the storage had the others
    bytes: int  # copied
    changed: bool  # False if this publication was the current one already
    deleted: int  # files of earlier publications


def publish_snapshot(
    data: Path,
    storage: Storage,
    snapshot_id: str | None = None,
    *,
    keep: int = 3,
    again: bool = False,
    count: Count = uncounted,
    warn: Callable[[str], None],
) -> Published:
    """Publish a snapshot, by default the current one, after verification. Copy only files that the storage lacks.

    Followers see it once everything is in the storage. After a kill at any moment they see the publication before, and
    the next run goes on. The library is not published: a build merges it into its snapshot.

    Args:
        data: data directory.
        storage: one publisher at a time.
        snapshot_id: by default the current snapshot.
        keep: publications to keep, this one included; files of no other are deleted.
        again: copy all files, as some in the storage are damaged.
        count: reports bytes copied.
        warn: reports posters that are missing, and files that were not deleted.

    Raises:
        UnknownSnapshot, BadSnapshot: there is no such snapshot, or it is damaged; nothing was published.
        InvalidInput: a poster or the weights changed meanwhile, or the storage is this process' memory.
        StorageUnavailable: the storage does not answer; running it again goes on.
        PosterityError: another process publishes from the same data directory.
    """
    if storage.shown.startswith("memory://"):
        raise InvalidInput(f"{storage.shown} ends with this process: publish into a folder or an object storage")
    store = SnapshotStore(data)
    busy = f"another process publishes from {data}: wait until it ends"
    store.path(snapshot_id)  # before the lock's file is created
    with locked(data / ".publish.lock", busy), store.holding(snapshot_id) as folder:
        manifest = store.verify(folder.name)
        files = _snapshot_files(folder, manifest) | _files_beside(data, folder, manifest, warn)
        wanted = FileList(manifest.id, files)
        copied = _copy(data, storage, wanted, again=again, count=count)
        earlier = _publications(storage, warn)
        content = wanted.to_bytes()
        this = Publication(manifest.id, file_of(content), datetime.now(UTC).isoformat(timespec="milliseconds"))
        changed = again or not earlier or (earlier[0].snapshot, earlier[0].files) != (this.snapshot, this.files)
        if not changed:
            return Published(manifest.id, len(wanted.files), len(copied), sum(copied), changed=False, deleted=0)
        storage.write(this.files.object, content)
        _expect_complete(storage, wanted)
        kept = [this, *(each for each in earlier if each.snapshot != this.snapshot)][:keep]
        write_pointer(storage, kept)
        deleted = _delete_unlisted(storage, wanted, kept, warn)
    return Published(manifest.id, len(wanted.files), len(copied), sum(copied), changed=True, deleted=deleted)


def _snapshot_files(folder: Path, manifest: Manifest) -> dict[str, File]:
    """Return the files of a verified snapshot, its manifest included."""
    found = {name: File(facts["size"], facts["sha256"]) for name, facts in manifest.files.items()}
    found["manifest.json"] = file_of((folder / "manifest.json").read_bytes())
    return {f"snapshots/{folder.name}/{name}": file for name, file in found.items()}


def _files_beside(data: Path, folder: Path, manifest: Manifest, warn: Callable[[str], None]) -> dict[str, File]:
    """Return the files that a snapshot needs beside its own: posters, and the weights that compare uploads."""
    catalogue = Catalogue.from_json(json.loads((folder / "movies.json").read_bytes()))
    paths = [data / "posters" / name for name in catalogue.posters if name is not None]
    if manifest.weights is not None:
        paths.append(weights_file(data, manifest.weights["sha256"]))
    there = [path for path in paths if path.is_file()]
    missing = [path for path in paths if not path.is_file()]
    if missing:
        names = f"{len(missing)} files are missing and not published, such as {missing[0]}"
        warn(f"Warning: {names}: restore them, or build again")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        digests = pool.map(sha256_of, there)
        return {
            str(path.relative_to(data)): File(path.stat().st_size, digest)
            for path, digest in zip(there, digests, strict=True)
        }


def _copy(data: Path, storage: Storage, wanted: FileList, *, again: bool, count: Count) -> list[int]:
    """Copy the files that the storage lacks; return their sizes."""
    there = {} if again else storage.sizes(FILES)
    lacking = {file: path for path, file in wanted.files.items() if there.get(file.sha256) != file.size}

    def copy(file: File, path: str) -> None:
        # The snapshot was verified and never changes; the files beside it may.
        if not path.startswith("snapshots/") and sha256_of(data / path) != file.sha256:
            raise InvalidInput(f"{data / path} was changed while it was published: publish again")
        storage.upload(data / path, file.object)

    copy_files(lacking, copy, count)
    return [file.size for file in lacking]


def _publications(storage: Storage, warn: Callable[[str], None]) -> list[Publication]:
    """Return the publications so far; none if the pointer is damaged, which this publication repairs."""
    try:
        content = read_pointer(storage)
        return [] if content is None else publications_in(content)
    except BadSnapshot as error:
        warn(f"Warning: {error}. It is written anew")
        return []


def _expect_complete(storage: Storage, wanted: FileList) -> None:
    """Raise StorageUnavailable unless the storage has every file of a file list in full."""
    there = storage.sizes(FILES)
    for path, file in wanted.files.items():
        if there.get(file.sha256) != file.size:
            raise StorageUnavailable(
                f"{storage.shown} has not kept {file.object} ({path}): publish again, from one machine at a time"
            )


def _delete_unlisted(storage: Storage, wanted: FileList, kept: list[Publication], warn: Callable[[str], None]) -> int:
    """Delete every file that no kept publication lists; return their number. If a file list is damaged, delete none."""
    try:
        lists = [wanted, *(read_file_list(storage, each) for each in kept[1:])]
        listed = {file.sha256 for file in chain.from_iterable(each.files.values() for each in lists)}
        listed |= {each.files.sha256 for each in kept}
        unlisted = storage.sizes(FILES).keys() - listed
        storage.delete(f"{FILES}/{name}" for name in sorted(unlisted))
    except (BadSnapshot, StorageUnavailable) as error:
        warn(f"Warning: files of earlier publications were not deleted ({error})")
        return 0
    return len(unlisted)
