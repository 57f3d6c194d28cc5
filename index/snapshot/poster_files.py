"""Poster files of a snapshot: their paths, and their SHA-256 at the time of embedding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from index.catalogue.catalogue import Catalogue
from index.core.files import sha256_of
from index.core.ids import Ids

CONTENTS_FILE = "contents.npy"


def save_contents(folder: Path, contents: Sequence[str]) -> None:
    """Write the SHA-256 of every embedded poster, in row order, to the folder of the poster space."""
    digests = np.frombuffer(bytes.fromhex("".join(contents)), dtype=np.uint8)
    np.save(folder / CONTENTS_FILE, digests.reshape(len(contents), 32))


def load_contents(folder: Path) -> dict[int, str]:
    """Return movie id -> SHA-256 of its embedded poster; empty if the snapshot does not record them."""
    if not (folder / CONTENTS_FILE).exists():
        return {}
    movie_ids, digests = np.load(folder / "movie_ids.npy"), np.load(folder / CONTENTS_FILE)
    return {movie_id: digest.tobytes().hex() for movie_id, digest in zip(movie_ids.tolist(), digests, strict=True)}


def poster_paths(ids: Ids, catalogue: Catalogue, folder: Path) -> dict[int, Path]:
    """Return movie id -> poster file.

    Args:
        ids: of movies with posters.
        catalogue: names the files.
        folder: of the poster files.
    """
    names = (str(catalogue.posters[row]) for row in catalogue.ids.rows(ids.values.tolist()).tolist())
    return {movie_id: folder / name for movie_id, name in zip(ids.values.tolist(), names, strict=True)}


def changed_posters(contents: Mapping[int, str], catalogue: Catalogue, folder: Path) -> dict[str, str]:
    """Return file name -> reason for every poster file that changed since it was embedded.

    Args:
        contents: movie id -> SHA-256, from ``load_contents``.
        catalogue: names the files.
        folder: of the poster files.
    """
    changed = {}
    for movie_id, sha256 in contents.items():
        name = catalogue.posters[catalogue.ids.row(movie_id)]
        if name is None:
            continue
        try:
            same = sha256_of(folder / name) == sha256
        except OSError as error:
            changed[name] = f"cannot be read ({error.strerror})"
            continue
        if not same:
            changed[name] = "is another picture than the one that was embedded"
    return changed
