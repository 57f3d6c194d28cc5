"""Poster files: found in a folder by movie id, kept in the data directory."""

from __future__ import annotations

import filecmp
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from index.core.errors import InvalidInput
from index.core.files import replacing
from index.core.ids import Ids

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")  # of several files for one movie the earliest of these is used

_EXAMPLES = 3


def find_posters(folder: Path, movie_ids: Ids | None) -> tuple[dict[int, Path], list[str]]:
    """The poster file of each movie that has one, by ascending id, and warnings about files that are nobody's.

    Args:
        movie_ids: of the data set; None where there is none and every id will do.

    Raises:
        InvalidInput: the folder is missing, or holds no poster of these movies.
    """
    if not folder.is_dir():
        raise InvalidInput(f"there is no poster folder {folder}: give a folder of <movie id>.jpg, or leave it out")
    found: dict[int, Path] = {}
    unnamed, unknown, doubles = [], [], []
    for file in sorted(folder.iterdir(), key=_preference):
        if file.name.startswith(".") or not file.is_file():
            continue
        if not re.fullmatch(r"[0-9]{1,18}", file.stem) or file.suffix.lower() not in SUFFIXES:
            unnamed.append(file.name)
        elif movie_ids is not None and int(file.stem) not in movie_ids:
            unknown.append(file.name)
        elif int(file.stem) in found:
            doubles.append(file.name)
        else:
            found[int(file.stem)] = file
    if not found:
        whose, ids = (
            ("", "")
            if movie_ids is None
            else (f" of the {len(movie_ids)} movies rated", ", with the ids of the data set")
        )
        raise InvalidInput(f"{folder} holds no poster{whose}: name the files <movie id>.jpg, .jpeg, .png or .webp{ids}")
    warnings = [
        f"{folder}: {len(names)} {'file' if len(names) == 1 else 'files'} left out, {why} (such as"
        f" {', '.join(sorted(names)[:_EXAMPLES])})"
        for names, why in (
            (unnamed, "not named <movie id>.jpg, .jpeg, .png or .webp"),
            (unknown, "of movies that are not in the data set"),
            (doubles, "the movie has another"),
        )
        if names
    ]
    return dict(sorted(found.items())), warnings


def keep_posters(posters: Mapping[int, Path], folder: Path) -> dict[int, str]:
    """File names of the posters, by movie id, after each was copied into ``folder`` as ``<movie id>.<ext>``.

    A file that is in the folder already, as the library's are, keeps its name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = {
        movie_id: file.name if file.parent == folder else f"{movie_id}{file.suffix.lower()}"
        for movie_id, file in posters.items()
    }
    for movie_id, file in posters.items():
        kept = folder / names[movie_id]
        if kept.exists() and filecmp.cmp(kept, file, shallow=False):
            continue
        with replacing(kept) as fresh:  # a server that sends the old one meanwhile is not disturbed
            shutil.copyfile(file, fresh)
    return names


def _preference(file: Path) -> tuple[int, str]:
    suffix = file.suffix.lower()
    return (SUFFIXES.index(suffix) if suffix in SUFFIXES else len(SUFFIXES), file.name)
