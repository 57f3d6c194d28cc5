"""Marks of the movies on the shelf, on the pages of a catalogue that has others, too."""

from __future__ import annotations

from index.catalogue.catalogue import Catalogue
from index.catalogue.movie import Movie
from index.movie_index import MovieIndex


def tells_apart(catalogue: Catalogue) -> bool:
    """Return True if some movies are on the shelf, and some are not."""
    return catalogue.owned is not None and 0 < len(catalogue.owned) < len(catalogue)


def is_marked(index: MovieIndex, movie: Movie) -> bool:
    """Return True if a movie is on the shelf, and others are not."""
    return tells_apart(index.catalogue) and index.catalogue.owns(movie.movie_id)
