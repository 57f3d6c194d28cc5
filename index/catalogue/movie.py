"""Metadata of one movie."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Movie:
    """Movie metadata."""

    movie_id: int
    title: str  # without the year, articles first: "The Godfather"
    year: int | None = None
    genres: tuple[str, ...] = ()  # empty if the data set lists none
    imdb_id: str | None = None  # "tt0113277"
    tmdb_id: int | None = None
    source_id: str | None = None  # the data set's own id, if that is no number and ``movie_id`` stands for it

    def __str__(self) -> str:
        """Return the title with its year: "Heat (1995)"."""
        return self.title if self.year is None else f"{self.title} ({self.year})"
