"""Move the vectors of a build into Milvus, so that the snapshot keeps only what estimates are made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import faiss

from index.core.arrays import Float32Array
from index.core.progress import Track, silent
from index.milvus.collection import FLOAT16, FLOAT32, Blocks, Collection, name_of, write
from index.milvus.service import Milvus
from index.spaces.faiss_index import read_index
from index.spaces.vectors import FLAT_FILE, ROWS_FILE, SHORT_FILE, ShortVectors, load_short
from indexer.spaces.two_stage import make_index

_IN_BYTES = "SQ8"  # Faiss' factory string
_BLOCK = 256  # vectors in memory at a time


def move_to_milvus(
    milvus: Milvus, owner: str, folder: Path, entries: Mapping[str, Mapping[str, Any]], *, track: Track = silent
) -> dict[str, dict[str, Any]]:
    """Write the vectors of all spaces into collections, delete the long ones' files, and return the manifest entries.

    Args:
        milvus: to write to.
        owner: of the collections' names.
        folder: of the snapshot.
        entries: manifest entries by name of the space.
        track: shows progress.

    Raises:
        SearchUnavailable: Milvus does not answer in time.
    """
    moved = {}
    wide = FLOAT16 if milvus.takes_float16() else FLOAT32
    for name, entry in entries.items():
        space, search = folder / name, entry.get("search")
        if search is None:
            forms = {"whole": (read_index(space / FLAT_FILE), FLOAT32, _blocks)}
        else:
            long = read_index(space / ROWS_FILE)
            shorten = partial(_short_blocks, load_short(space, search))
            forms = {"whole": (long, wide, _blocks), "short": (long, FLOAT32, shorten)}
        named = {}
        for form, (index, numbers, of) in forms.items():
            blocks: Blocks = partial(of, index)
            label = name if form == "whole" else f"{name}_{form}"
            collection = Collection(milvus, name_of(owner, label, numbers, blocks()), int(index.ntotal), numbers)
            write(collection, blocks, label=f"{label} to Milvus", track=track)
            named[form] = {"name": collection.name, "numbers": numbers}
        (space / ROWS_FILE).unlink(missing_ok=True)
        moved[name] = {**entry, "milvus": named}
        if search is not None and search.get("scan"):
            _write_in_bytes(space / SHORT_FILE)
            moved[name]["search"] = {**search, "index": _IN_BYTES}
    return moved


def _write_in_bytes(file: Path) -> None:
    """Write short vectors anew in a byte a number: a server without the long ones is to be small."""
    flat = read_index(file)
    short = flat.reconstruct_n(0, flat.ntotal)
    index = make_index(_IN_BYTES, flat.d)
    index.train(short)
    index.add(short)
    file.unlink()  # it is mapped
    faiss.write_index(index, str(file))


def _blocks(index: Any) -> Iterator[Float32Array]:
    for start in range(0, index.ntotal, _BLOCK):
        yield index.reconstruct_n(start, min(_BLOCK, index.ntotal - start))


def _short_blocks(short: ShortVectors, index: Any) -> Iterator[Float32Array]:
    for block in _blocks(index):
        yield short.of_reduced(short.reduce(block))
