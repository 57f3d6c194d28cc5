"""The Netflix Prize: ratings below a line per movie, in a file per movie or, as on Kaggle, in a few large ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from index.core.errors import InvalidInput
from index.core.source_ids import plain_number
from indexer.datasets.movies import Movies, described
from indexer.datasets.ratings import IdColumn, RatingTable
from indexer.datasets.tables.skipped import Skipped
from indexer.datasets.tables.text import open_text
from indexer.datasets.tables.values import real, seconds

_PATTERNS = ("combined_data_*.txt*", "training_set/mv_*.txt*", "mv_*.txt*", "*/mv_*.txt*")
_BLOCK = 2**18  # rows converted at a time


def rating_files(folder: Path) -> list[Path]:
    """Return the files of ratings in a folder; empty if it is not of the Netflix Prize."""
    return next((files for pattern in _PATTERNS if (files := sorted(folder.glob(pattern)))), [])


def title_file(folder: Path) -> Path | None:
    """Return the file of titles in a folder; None without one."""
    return next((file for file in sorted(folder.glob("movie_titles.*")) if file.is_file()), None)


def read_netflix_ratings(files: list[Path], skipped: Skipped) -> RatingTable:
    """Read ratings ``user,rating,date`` below lines ``movie:``.

    Raises:
        InvalidInput: a file cannot be read, or more than a tenth of its rows.
    """
    parts: list[tuple[np.ndarray, ...]] = []
    block: list[tuple[int, int, float, str]] = []

    def convert() -> None:
        if block:
            users, movies, values, dates = zip(*block, strict=True)
            times, _ = seconds(dates)
            parts.append((np.array(users, np.int64), np.array(movies, np.int64), np.array(values, np.float32), times))
            block.clear()

    for file in files:
        rows = 0
        for line, movie, text in _lines(file):
            rows += 1
            user, rating, date = (*text.split(","), "", "")[:3]
            number, value = plain_number(user.strip()), real(rating)
            if movie is None or number is None or value is None or text.count(",") > 2:
                told = "no line of a movie before it" if movie is None else f"{text[:80]!r} is not user,rating,date"
                skipped.add_invalid(file, line, told)
                continue
            block.append((number, movie, value, date.strip()))
            if len(block) == _BLOCK:
                convert()
        skipped.check(file, rows)
    convert()
    if not parts:
        raise InvalidInput(f"{files[0]} holds no ratings")
    users, movies, values, times = (np.concatenate(column) for column in zip(*parts, strict=True))
    return RatingTable(files[0].parent, IdColumn(users), IdColumn(movies), values, times, lambda row: row + 1)


def read_netflix_titles(file: Path, skipped: Skipped) -> Movies:
    """Read titles ``movie,year,title``; titles hold commas, without quotes.

    Raises:
        InvalidInput: the file cannot be read, or more than a tenth of its rows.
    """
    movies: Movies = {}
    rows = 0
    with open_text(file) as text:
        for at, line in enumerate(text, start=1):
            if not line.strip():
                continue
            rows += 1
            movie_id, released, title = (*line.rstrip("\r\n").split(",", 2), "", "")[:3]
            if plain_number(movie_id.strip()) is None:
                skipped.add_invalid(file, at, f"movie {movie_id[:80]!r} is not a whole number")
            else:
                title = title.strip().rstrip(",").strip('"')
                movies[movie_id.strip()] = described(movie_id.strip(), title, released=released)
    skipped.check(file, rows)
    return movies


def _lines(file: Path) -> Iterator[tuple[int, int | None, str]]:
    """Yield line number, movie and text of every line of a rating."""
    movie = None
    with open_text(file) as text:
        for at, line in enumerate(text, start=1):
            row = line.strip()
            if row.endswith(":") and (number := plain_number(row[:-1])) is not None:
                movie = number
            elif row:
                yield at, movie, row
