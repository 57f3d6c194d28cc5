"""What a snapshot was made from, so that a build can tell that it would make the same again."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from index.core.errors import PosterityError
from index.library.movies import Library
from index.snapshot.store import Manifest, SnapshotStore
from indexer.config import Plan

State = frozenset[tuple[str, int, int]]  # path, size and time of change of each file


def state_of(paths: Iterable[Path]) -> State:
    """What tells whether any file, or any file in a folder, has changed; one that is not there is not in it."""
    found = set()
    for path in paths:
        for file in (path, *path.rglob("*")):
            try:
                status = file.stat()
            except OSError:
                continue  # gone meanwhile, say
            if stat.S_ISREG(status.st_mode):
                found.add((str(file), status.st_size, status.st_mtime_ns))
    return frozenset(found)


def fingerprint(plan: Plan) -> str:
    """SHA-256 of the settings of a build and the state of the files that it reads, besides the library."""
    paths = [path for path in (plan.ratings, plan.posters, Path(plan.weights)) if path is not None]
    settings = replace(plan, embed_path="auto")  # the vectors of all paths agree
    return hashlib.sha256(repr((settings, sorted(state_of(paths)))).encode()).hexdigest()


def newest(data: Path) -> Manifest | None:
    """The manifest of the newest snapshot, be it served or not; None where there is none that can be read."""
    store = SnapshotStore(data)
    try:
        return store.manifest(store.ids()[-1])
    except (PosterityError, IndexError):
        return None


def has_library(manifest: Manifest, data: Path) -> bool:
    """Whether a snapshot has all that came in; not where the library cannot be read, as a build says why."""
    merged = manifest.dataset
    try:
        library = Library.open(data)  # anew: another one may have been put in its place
        return (merged.get("library"), merged.get("library_id")) == (library.version(), library.identity())
    except PosterityError:
        return False


def already_built(plan: Plan) -> Manifest | None:
    """The manifest of the newest snapshot if a build would make the same again; else None."""
    manifest = newest(plan.data)
    if (
        manifest is not None
        and manifest.version == version("posterity")
        and manifest.dataset.get("made_from") == fingerprint(plan)
        and has_library(manifest, plan.data)
    ):
        return manifest
    return None
