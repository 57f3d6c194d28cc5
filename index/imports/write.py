"""Lists of movies as tables that Letterboxd and IMDb import."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Literal

from index.catalogue.movie import Movie
from index.catalogue.title_forms import alternatives

Layout = Literal["letterboxd", "imdb"]

_HEADS: dict[Layout, tuple[str, ...]] = {
    "letterboxd": ("Title", "Year", "imdbID", "tmdbID"),
    "imdb": ("Position", "Const", "Title", "Year"),
}


def movies_csv(movies: Iterable[Movie], layout: Layout = "letterboxd") -> str:
    """Return movies as CSV, in their order: in the columns that Letterboxd imports, or in those of IMDb's lists."""
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\r\n")
    table.writerow(_HEADS[layout])
    for at, movie in enumerate(movies, 1):
        imdb, year = movie.imdb_id or "", movie.year or ""
        if layout == "imdb":
            table.writerow((at, imdb, _main_title(movie), year))
        else:
            table.writerow((_main_title(movie), year, imdb, movie.tmdb_id or ""))
    return stream.getvalue()


def _main_title(movie: Movie) -> str:
    """Return the title without the alternative ones in parentheses, by which others would not find it."""
    return alternatives(movie.title)[0] or movie.title
