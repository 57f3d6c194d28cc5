"""Poster files: find them by movie id, copy them into the data directory."""

from __future__ import annotations

import filecmp
import shutil
from collections.abc import Mapping
from pathlib import Path

from index.core.errors import InvalidInput
from index.core.files import replacing
from index.core.ids import Ids
from index.core.references import plain_id

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")  # in order of preference if a movie has several files

_EXAMPLES = 3


def find_posters(folder: Path, movie_ids: Ids | None) -> tuple[dict[int, Path], list[str]]:
    """Return movie id -> poster file by ascending id, and warnings about unused files.

    Args:
        folder: files named <movie id>.jpg, .jpeg, .png or .webp.
        movie_ids: ids of the data set; None to accept every id.

    Raises:
        InvalidInput: the folder is missing, or holds no poster of these movies.
    """
    if not folder.is_dir():
        raise InvalidInput(f"there is no poster folder {folder}: give a folder of <movie id>.jpg, or leave it out")
    found: dict[int, Path] = {}
    misnamed, unknown, duplicates = [], [], []
    for file in sorted(folder.iterdir(), key=_preference):
        if file.name.startswith(".") or not file.is_file():
            continue
        movie_id = plain_id(file.stem)
        if movie_id is None or file.suffix.lower() not in SUFFIXES:
            misnamed.append(file.name)
        elif movie_ids is not None and movie_id not in movie_ids:
            unknown.append(file.name)
        elif movie_id in found:
            duplicates.append(file.name)
        else:
            found[movie_id] = file
    if not found:
        of_movies, by_ids = (
            ("", "") if movie_ids is None else (f" of the {len(movie_ids)} movies", ", with the ids of the data set")
        )
        raise InvalidInput(
            f"{folder} holds no poster{of_movies}: name the files <movie id>.jpg, .jpeg, .png or .webp{by_ids}"
        )
    warnings = [
        f"{folder}: {len(names)} {'file' if len(names) == 1 else 'files'} left out, {reason} (such as"
        f" {', '.join(sorted(names)[:_EXAMPLES])})"
        for names, reason in (
            (misnamed, "not named <movie id>.jpg, .jpeg, .png or .webp"),
            (unknown, "of movies not in the data set"),
            (duplicates, "the movie has another file"),
        )
        if names
    ]
    return dict(sorted(found.items())), warnings


def copy_posters(posters: Mapping[int, Path], folder: Path) -> dict[int, str]:
    """Copy each poster into ``folder`` as ``<movie id>.<ext>``; return movie id -> file name.

    Files already in the folder, such as the library's, keep their names.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = {
        movie_id: file.name if file.parent == folder else f"{movie_id}{file.suffix.lower()}"
        for movie_id, file in posters.items()
    }
    for movie_id, file in posters.items():
        copy = folder / names[movie_id]
        if copy.exists() and filecmp.cmp(copy, file, shallow=False):
            continue
        with replacing(copy) as fresh:  # a server may be sending the old file
            shutil.copyfile(file, fresh)
    return names


def _preference(file: Path) -> tuple[int, str]:
    suffix = file.suffix.lower()
    return (SUFFIXES.index(suffix) if suffix in SUFFIXES else len(SUFFIXES), file.name)
