"""Film libraries of any size in five naming habits, with tiny files, for tests and benchmarks."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

_WORDS = ("Amber", "Bridge", "Canyon", "Dancer", "Ember", "Falcon", "Garden", "Harbor", "Island", "Journey", "Kingdom",
          "Lantern", "Meadow", "Needle", "Ocean", "Palace", "Quarry", "River", "Shadow", "Thunder", "Valley", "Winter",
          "Yellow", "Zephyr")  # fmt: skip
_GENRES = ("Crime", "Drama", "Comedy", "Science Fiction", "Romance", "Thriller")
_STREAM = io.BytesIO()
Image.new("RGB", (32, 48), (200, 80, 40)).save(_STREAM, "JPEG")
JPEG = _STREAM.getvalue()


@dataclass(frozen=True)
class Made:
    """A film of the library."""

    number: int  # from 1
    title: str
    year: int
    imdb_id: str
    tmdb_id: int

    @property
    def named(self) -> str:
        return f"{self.title} ({self.year})"


def film(number: int) -> Made:
    first, second = _WORDS[number % 24], _WORDS[number // 24 % 24]
    return Made(number, f"{first} {second} {number}", 1930 + number % 90, f"tt{9_000_000 + number}", 5_000_000 + number)


def nfo(made: Made) -> str:
    return f"""<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<movie>
  <title>{made.title}</title>
  <originaltitle>{made.title}</originaltitle>
  <year>{made.year}</year>
  <plot>Somebody looks for the {made.title}, and finds it.</plot>
  <mpaa>PG</mpaa>
  <uniqueid type="imdb" default="true">{made.imdb_id}</uniqueid>
  <uniqueid type="tmdb">{made.tmdb_id}</uniqueid>
  <genre>{_GENRES[made.number % 6]}</genre>
  <genre>{_GENRES[made.number // 6 % 6]}</genre>
  <director>Director {made.number % 40}</director>
  <actor><name>Actor {made.number % 70}</name><role>Hero</role></actor>
  <actor><name>Actor {made.number % 71}</name><role>Villain</role></actor>
  <set><name>Collection {made.number % 500}</name></set>
</movie>
"""


def jellyfin(root: Path, made: Made) -> None:
    folder = root / "Jellyfin" / f"{made.named} [imdbid-{made.imdb_id}]"
    _write(folder, {f"{folder.name}.mkv": b"", "movie.nfo": nfo(made), "folder.jpg": JPEG})


def kodi(root: Path, made: Made) -> None:
    name = made.named
    files: dict[str, str | bytes] = {f"{name}.nfo": nfo(made), f"{name}-poster.jpg": JPEG}
    _write(root / "Kodi" / name, files | {f"{name}-cd1.avi": b"", f"{name}-cd2.avi": b""})


def plex(root: Path, made: Made) -> None:
    name = f"{made.named} {{tmdb-{made.tmdb_id}}}"
    _write(root / "Plex" / name, {f"{name}.mp4": b"", "poster.jpg": JPEG})
    _write(root / "Plex" / name / "Trailers", {"Teaser.mp4": b""})


def emby(root: Path, made: Made) -> None:
    name = f"{made.named} [tmdbid={made.tmdb_id}]"
    _write(root / "Emby" / name, {f"{name} - 1080p.mkv": b"", f"{name} - 2160p.mkv": b"", "cover.png": JPEG})


def radarr(root: Path, made: Made) -> None:
    release = f"{made.title.replace(' ', '.')}.{made.year}.1080p.BluRay.x264-GRP"
    _write(root / "Radarr" / made.named, {f"{release}.mkv": b"", f"{release}-sample.mkv": b"", "poster.jpg": JPEG})


HABITS: tuple[Callable[[Path, Made], None], ...] = (jellyfin, kodi, plex, emby, radarr)


def make_library(root: Path, films: int) -> list[Made]:
    """Write films in all habits in turn, and return them."""
    made = [film(number) for number in range(1, films + 1)]
    for each in made:
        HABITS[each.number % len(HABITS)](root, each)
    return made


def _write(folder: Path, files: dict[str, str | bytes]) -> None:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
