"""Poster files of a snapshot: their paths, and their SHA-256 at the time of embedding."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from index.catalogue.catalogue import Catalogue
from index.core.files import sha256_of
from index.core.ids import Ids

CONTENTS_FILE = "contents.npy"
SHOWN = 16  # hexadecimal digits of a SHA-256 that name the content of a poster

_NAMED = re.compile(rf"([0-9]+)-([0-9a-f]{{{SHOWN}}})\.[a-z]+", re.ASCII)


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


def content_in_name(movie_id: int, name: str) -> str | None:
    """Return the beginning of the SHA-256 that the name of a library's poster has; None for any other poster."""
    found = _NAMED.fullmatch(name) if "-" in name else None  # a map asks for the names of all movies
    return found[2] if found is not None and found[1] == str(movie_id) else None


@lru_cache(maxsize=2**14)
def _content_of(file: Path, mtime_ns: int, size: int) -> str:  # noqa: ARG001  the state is a part of the cache's key
    return sha256_of(file)[:SHOWN]


def content_of(file: Path) -> str:
    """Return the beginning of the SHA-256 of a poster file. It is read again only after a change.

    Raises:
        OSError: the file cannot be read.
    """
    state = file.stat()
    return _content_of(file, state.st_mtime_ns, state.st_size)


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
