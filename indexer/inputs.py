"""Input fingerprints: skip builds that would reproduce the newest snapshot."""

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
from indexer.datasets.folders import with_ratings
from indexer.datasets.tables.parquet import is_folder_of_parts

FileStates = frozenset[tuple[str, int, int]]  # path, size, modification time in ns


def file_states(paths: Iterable[Path]) -> FileStates:
    """Return the state of every file under the paths; skip missing paths."""
    states = set()
    for path in paths:
        for file in (path, *path.rglob("*")):
            try:
                status = file.stat()
            except OSError:
                continue  # missing, or deleted since it was listed
            if stat.S_ISREG(status.st_mode):
                states.add((str(file), status.st_size, status.st_mtime_ns))
    return frozenset(states)


def input_fingerprint(plan: Plan) -> str:
    """Return the SHA-256 of the settings of a build and the states of its input files; the library is not included."""
    own = (plan.own.catalogue, plan.own.events)
    given = (plan.ratings, *_beside(plan.ratings), plan.facts, plan.posters, Path(plan.weights), *own)
    paths = [path for path in given if path is not None]
    settings = replace(plan, embed_path="auto")  # the embeddings of all paths agree
    return hashlib.sha256(repr((settings, sorted(file_states(paths)))).encode()).hexdigest()


def _beside(ratings: Path | None) -> list[Path]:
    """Return the other files of the data set that a file of ratings belongs to."""
    if ratings is None or not (ratings.is_file() or is_folder_of_parts(ratings)):
        return []
    files = with_ratings(ratings)
    return [file for file in (files.titles, files.metadata, files.links, files.tags, files.facts) if file is not None]


def newest_manifest(data: Path) -> Manifest | None:
    """Return the manifest of the newest snapshot, current or not; None if there is none or it cannot be read."""
    store = SnapshotStore(data)
    try:
        return store.manifest(store.ids()[-1])
    except (PosterityError, OSError, IndexError):
        return None


def includes_library(manifest: Manifest, data: Path) -> bool:
    """Return True if a snapshot includes every library change; False if the library cannot be read."""
    dataset = manifest.dataset
    try:
        library = Library.open(data)  # opened every time, because an import may have replaced it
        return (dataset.get("library"), dataset.get("library_id")) == (library.version(), library.identity())
    except PosterityError:
        return False


def matching_manifest(plan: Plan) -> Manifest | None:
    """Return the manifest of the newest snapshot if a build would reproduce that snapshot, else None."""
    manifest = newest_manifest(plan.data)
    if (
        manifest is not None
        and manifest.version == version("posterity")
        and manifest.dataset.get("made_from") == input_fingerprint(plan)
        and includes_library(manifest, plan.data)
    ):
        return manifest
    return None
