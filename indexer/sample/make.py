"""Writes the whole sample to a folder."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from index.core.progress import Track, silent
from indexer.sample.catalogue import films
from indexer.sample.poster import draw_poster
from indexer.sample.tables import write_tables

_QUALITY = 51  # what keeps 240 posters below 4.5 MB


def make_sample(folder: Path, *, seed: int = 2017, track: Track = silent) -> None:
    """Writes ``ratings/*.csv`` and ``posters/<movie_id>.jpg``; what is there is overwritten."""
    write_tables(folder / "ratings", seed)
    posters = folder / "posters"
    posters.mkdir(parents=True, exist_ok=True)
    catalogue = films(seed)
    for film in track(catalogue, "Drawing posters", total=len(catalogue)):
        save_poster(draw_poster(film, seed), posters / f"{film.movie_id}.jpg")


def save_poster(poster: Image.Image, file: Path) -> None:
    """Writes the poster as a small JPEG."""
    poster.save(file, quality=_QUALITY, optimize=True, progressive=True)
