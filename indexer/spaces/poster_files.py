"""Poster files: find them by movie id, convert them for browsers, copy them into the data directory."""

from __future__ import annotations

import filecmp
import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path

from index.core.errors import BadImage, InvalidInput
from index.core.files import replacing, write_durably
from index.core.ids import Ids
from index.core.progress import Track, silent
from index.core.references import plain_id
from index.posters.formats import HEAD, SUFFIXES, format_of, suffix_of
from index.posters.images import read_image, shown

_EXAMPLES = 3
_NAMES = "<movie id>.jpg, .png, .webp, .gif, .avif, .tif, .bmp or .heic"


def find_posters(folder: Path, movie_ids: Ids | None) -> tuple[dict[int, Path], list[str]]:
    """Return movie id -> poster file by ascending id, and warnings about unused files.

    Args:
        folder: files named <movie id> and one of ``SUFFIXES``; the first in that order, if a movie has several.
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
        raise InvalidInput(f"{folder} holds no poster{of_movies}: name the files {_NAMES}{by_ids}")
    warnings = [
        f"{folder}: {len(names)} {'file' if len(names) == 1 else 'files'} left out, {reason} (such as"
        f" {', '.join(sorted(names)[:_EXAMPLES])})"
        for names, reason in (
            (misnamed, f"not named {_NAMES}"),
            (unknown, "of movies not in the data set"),
            (duplicates, "the movie has another file"),
        )
        if names
    ]
    return dict(sorted(found.items())), warnings


def shown_posters(posters: Mapping[int, Path], folder: Path, *, track: Track = silent) -> dict[int, Path]:
    """Return movie id -> poster file that browsers show: the file itself, or its conversion in ``folder``.

    Each content is converted once. Conversions of deleted posters are deleted. A file that cannot be converted
    is returned as it is, for the error of its embedding.
    """
    files = dict(posters)
    for movie_id, file in track(posters.items(), "Checking posters", len(posters)):
        try:
            with file.open("rb") as stream:
                if format_of(stream.read(HEAD)).shown:
                    continue
            content = read_image(file)
            stem = hashlib.sha256(content).hexdigest()
            converted = next(folder.glob(f"{stem}.*"), None)
            if converted is None:
                picture = shown(content)
                converted = folder / f"{stem}{suffix_of(picture)}"
                folder.mkdir(parents=True, exist_ok=True)
                write_durably(converted, picture)
        except (OSError, BadImage):
            continue
        files[movie_id] = converted
    if folder.is_dir():
        for abandoned in set(folder.iterdir()) - set(files.values()):
            abandoned.unlink()
    return files


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
