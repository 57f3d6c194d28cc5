"""Collections of Milvus that the manifests of snapshots name. The manifests are the authority; aliases are for others.

A server reads collections by their names, so that no answer mixes two snapshots. The aliases lead other readers of
Milvus to the collections of the current snapshot.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from index.core.files import write_durably
from index.milvus.collection import PREFIX, Collection
from index.milvus.service import PATIENCE, PATIENCE_OF_BUILDS, Milvus, milvus_at
from index.snapshot.store import Manifest, SnapshotStore

_OWNER_FILE = ".search-id"  # of a data directory


def owner_of(data: Path) -> str:
    """Return the part of collections' names that tells whose they are; made at the first call."""
    file = data / _OWNER_FILE
    if not file.exists():
        write_durably(file, secrets.token_hex(4).encode())
    return file.read_text()


def in_milvus(manifest: Manifest) -> bool:
    """Return True if the vectors of a snapshot are in Milvus."""
    return any("milvus" in entry for entry in manifest.spaces.values())


def collections_of(manifest: Manifest, milvus: Milvus | None) -> dict[str, Collection]:
    """Return label -> collection of a snapshot, such as ``poster`` and ``poster_short``; empty without Milvus."""
    return {
        name if form == "whole" else f"{name}_{form}": Collection(
            milvus, named["name"], entry["movies"], named["numbers"]
        )
        for name, entry in manifest.spaces.items()
        for form, named in entry.get("milvus", {}).items()
    }


def check_collections(manifest: Manifest, search: str, *, patience: float = PATIENCE) -> None:
    """Raise SearchUnavailable unless Milvus has all collections of a snapshot, whole and loaded.

    Each is asked for ``patience`` seconds at most, until one does not answer.
    """
    for collection in collections_of(manifest, milvus_at(search) if search else None).values():
        collection.check(patience=patience)


def missing_aliases(manifest: Manifest, search: str, *, patience: float = PATIENCE) -> list[str]:
    """Return the aliases of a snapshot's collections that Milvus lacks; ``patience`` as in ``check_collections``.

    Raises:
        SearchUnavailable: it does not answer.
    """
    milvus = milvus_at(search)
    names = [_alias(each) for each in collections_of(manifest, milvus).values()]
    return [name for name in names if not milvus.call("has_collection", name, patience=patience)]


def point_aliases(manifest: Manifest, search: str) -> None:
    """Let the aliases lead to the collections of a snapshot, each by one atomic swap.

    Raises:
        SearchUnavailable: Milvus does not answer, or lacks a collection.
    """
    milvus = milvus_at(search)
    for collection in collections_of(manifest, milvus).values():
        alias = _alias(collection)
        there = milvus.call("has_collection", alias, patience=PATIENCE_OF_BUILDS)
        change = "alter_alias" if there else "create_alias"
        milvus.call(change, collection.name, alias, patience=PATIENCE_OF_BUILDS)


def prune(store: SnapshotStore, keep: int, search: str) -> list[str]:
    """Delete old snapshots, then the collections that no snapshot names; return the ids of the snapshots.

    Args:
        store: of the data directory.
        keep: number of newest snapshots to keep, as in ``SnapshotStore.prune``.
        search: address of Milvus; empty to leave all collections there.

    Raises:
        PosterityError: a build is running on the data directory.
        BadSnapshot: a manifest is damaged, so that its collections are not known.
        SearchUnavailable: Milvus does not answer.
    """
    deleted = store.prune(keep)
    if search:
        with store.alone():  # no manifest names a build's collections before its end
            point_aliases(store.manifest(), search)  # Milvus keeps whatever an alias leads to
            _drop_unnamed(store, milvus_at(search))
    return deleted


def _drop_unnamed(store: SnapshotStore, milvus: Milvus) -> None:
    manifests = [store.manifest(snapshot_id) for snapshot_id in store.ids()]
    named = {each.name for manifest in manifests for each in collections_of(manifest, milvus).values()}
    own = f"{PREFIX}_{owner_of(store.data)}_"
    for name in milvus.call("list_collections", patience=PATIENCE_OF_BUILDS):
        if name.startswith(own) and name not in named:
            milvus.call("drop_collection", name, patience=PATIENCE_OF_BUILDS)


def _alias(collection: Collection) -> str:
    """Return the alias of a collection: its name without the digest, so that a follower's is the builder's."""
    return collection.name.rpartition("_")[0]
