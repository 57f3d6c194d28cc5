"""The poster files that a snapshot was embedded from: where they are, whether each is still the picture that it was."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from index.catalogue.catalogue import Catalogue
from index.core.ids import Ids

CONTENTS_FILE = "contents.npy"


def save_contents(folder: Path, contents: Sequence[str]) -> None:
    """Keeps the SHA-256 of every picture of the poster space in ``folder``, in the order of its rows."""
    digests = np.frombuffer(bytes.fromhex("".join(contents)), dtype=np.uint8)
    np.save(folder / CONTENTS_FILE, digests.reshape(len(contents), 32))


def load_contents(folder: Path) -> dict[int, str]:
    """SHA-256 of every movie's picture; none where the snapshot has no poster space or does not say."""
    if not (folder / CONTENTS_FILE).exists():
        return {}
    movie_ids, digests = np.load(folder / "movie_ids.npy"), np.load(folder / CONTENTS_FILE)
    return {movie_id: digest.tobytes().hex() for movie_id, digest in zip(movie_ids.tolist(), digests, strict=True)}


def files_of(ids: Ids, catalogue: Catalogue, folder: Path) -> dict[int, Path]:
    """Movie id -> poster file, of movies that have one.

    Args:
        folder: of the poster files.
    """
    names = (str(catalogue.posters[row]) for row in catalogue.ids.rows(ids.values.tolist()).tolist())
    return {movie_id: folder / name for movie_id, name in zip(ids.values.tolist(), names, strict=True)}


def changed_posters(contents: Mapping[int, str], catalogue: Catalogue, folder: Path) -> dict[str, str]:
    """What became of the posters that are no longer as they were embedded: file name -> why.

    Args:
        contents: movie id -> SHA-256.
        folder: of the poster files.
    """
    changed = {}
    for movie_id, content in contents.items():
        name = catalogue.posters[catalogue.ids.row(movie_id)]
        if name is None:
            continue
        try:
            same = hashlib.sha256((folder / name).read_bytes()).hexdigest() == content
        except OSError as error:
            changed[name] = f"cannot be read ({error.strerror})"
            continue
        if not same:
            changed[name] = "is another picture than the one that was embedded"
    return changed
