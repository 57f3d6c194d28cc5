"""Posters of a data set's movies: verified image files, of TMDB or of a folder."""

from __future__ import annotations

from pathlib import Path

from index.posters.formats import SUFFIXES, suffix_of
from index.posters.images import decode_image, read_image, shown
from indexer.fetch.per_movie import Kind, LinkedMovie, Source
from indexer.spaces.poster_files import find_posters


def folder_source(folder: Path) -> tuple[list[LinkedMovie], Source]:
    """Return the movies with a poster in a folder of ``<movie id>.jpg``, and the source that reads it.

    Raises:
        InvalidInput: the folder is missing or has no poster.
    """
    files, _ = find_posters(folder, None)
    return [LinkedMovie(movie_id) for movie_id in files], lambda movie: read_image(files[movie.movie_id])


def _kept(poster: bytes) -> tuple[bytes, str]:
    decode_image(poster)  # for its errors
    poster = shown(poster)
    return poster, suffix_of(poster)


POSTERS = Kind("posters", SUFFIXES, _kept)
