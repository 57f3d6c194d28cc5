"""Stored neighbours of all movies over partitions: blocks of movies times all vectors, by the search of one machine."""

from __future__ import annotations

import io
import json
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from index.core.arrays import Float32Array, Int32Array
from index.core.errors import InvalidInput
from index.core.progress import Track
from indexer.spaces.neighbours import FindAll, Finder, padded
from indexer.spark.cluster import Cluster
from indexer.spark.shared import REMEDY, WORK, Shared


@dataclass(frozen=True, slots=True)
class FindBlocks:
    """Task whose items are blocks of rows: find their neighbours; the result is rows and scores."""

    finder: Finder
    root: str  # folder of the spaces' folders: a path that all machines see, or a name in ``shared``
    files: tuple[str, ...]  # in it, to be copied from ``shared``; empty for a path
    depth: int
    shared: Shared

    def __call__(self, items: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Yield the items with their neighbours."""
        find = self.finder.open(self._folder())
        for item in items:
            rows, scores = padded(find(np.arange(*json.loads(item)), self.depth), self.depth)
            content = io.BytesIO()
            np.savez(content, rows=rows, scores=scores)
            yield item, content.getvalue()

    def _folder(self) -> Path:
        """Return the folder of the spaces on this machine."""
        if not self.files:
            folder = Path(self.root)
            if not folder.is_dir():
                raise InvalidInput(f"there is no {folder} on this machine: {REMEDY}")
            return folder
        for name in self.files:
            copy = self.shared.copy_of(f"{self.root}/{name}")
        return copy.parents[name.count("/")]


def find_over(cluster: Cluster) -> FindAll:
    """Return the function that finds the neighbours of all movies on a cluster."""

    def find(
        finder: Finder, root: Path, blocks: Sequence[tuple[int, int]], depth: int, label: str, track: Track
    ) -> Iterable[tuple[Int32Array, Float32Array]]:
        shared, folder = cluster.shared, str(root.resolve())
        files: tuple[str, ...] = ()
        if shared.data is None:
            folder = f"{WORK}/{secrets.token_hex(8)}"
            found = sorted(file for name in finder.folders for file in (root / name).rglob("*") if file.is_file())
            files = tuple(file.relative_to(root).as_posix() for file in found)
            for name in files:
                shared.storage.upload(root / name, f"{folder}/{name}")
        try:
            task = FindBlocks(finder, folder, files, depth, shared)
            for _, content in cluster.run(task, [json.dumps(block) for block in blocks], label, track=track):
                with np.load(io.BytesIO(content)) as found:
                    yield found["rows"], found["scores"]
        finally:
            shared.delete(f"{folder}/{name}" for name in files)

    return find
