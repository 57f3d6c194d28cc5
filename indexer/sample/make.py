"""Generation of the sample's files."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from PIL import Image

from index.core.progress import Track, silent
from indexer.sample.catalogue import sample_movies
from indexer.sample.poster import draw_poster
from indexer.sample.tables import write_tables

_QUALITY = 51  # of JPEG; keeps 240 posters below 4.5 MB


def make_sample(
    folder: Path, *, posters: Collection[int] | None = None, seed: int = 2017, track: Track = silent
) -> None:
    """Write ``ratings/*.csv`` and ``posters/<movie_id>.jpg``; overwrite existing files.

    Args:
        folder: folder to write to; created if it does not exist.
        posters: ids of the movies to draw posters of; None for all.
        seed: seed of everything random.
        track: shows progress.
    """
    write_tables(folder / "ratings", seed)
    (folder / "posters").mkdir(parents=True, exist_ok=True)
    catalogue = [movie for movie in sample_movies(seed) if posters is None or movie.movie_id in posters]
    for movie in track(catalogue, "Drawing posters", total=len(catalogue)):
        save_poster(draw_poster(movie, seed), folder / "posters" / f"{movie.movie_id}.jpg")


def save_poster(poster: Image.Image, file: Path) -> None:
    """Write a poster as a small JPEG."""
    poster.save(file, quality=_QUALITY, optimize=True, progressive=True)
