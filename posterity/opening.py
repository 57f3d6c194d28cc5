"""``posterity.open``: a local index of a data directory."""

from __future__ import annotations

import os
from pathlib import Path

from posterity.local import Index

__all__ = ["open_index"]


def open_index(data: str | os.PathLike[str] = "data", *, snapshot: str | None = None, search: str = "") -> Index:
    """Open the current snapshot of a data directory.

        with posterity.open("data") as index:
            for match in index.similar("imdb:tt0113277", by="taste", limit=5):
                print(match["movie"]["title"], match["score"])

    Args:
        data: the data directory, where ``posterity build`` published a snapshot.
        snapshot: id of a snapshot to stay at; None for the current one, also after a later build.
        search: address of the Milvus that has the vectors of a snapshot built with it, such as milvus://host:19530.

    Raises:
        InvalidInput: the address cannot be used.
        UnknownSnapshot: there is no such snapshot, or none at all.
        BadSnapshot: a file of it is missing or damaged.
        BadLibrary: the library cannot be read.
    """
    return Index(Path(data), snapshot, search)
