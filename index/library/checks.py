"""Checks of a change to the library against the catalogue: the movie exists, and its ids are free."""

from __future__ import annotations

import re

from index.catalogue.catalogue import Catalogue, Movie
from index.core.errors import Conflict, UnknownMovie
from index.library.movies import Library


def known_id(catalogue: Catalogue, library: Library, text: str) -> int:
    """Return the id of a movie that exists or was deleted from the library.

    Args:
        catalogue: the movies that exist.
        library: the changes so far.
        text: ``6``, ``imdb:tt0113277`` or ``tmdb:949``; for a deleted movie its number alone.

    Raises:
        UnknownMovie: no movie has or had this id.
        BadLibrary: the library cannot be read.
    """
    try:
        return catalogue.identify(text).movie_id
    except UnknownMovie:
        if re.fullmatch("[0-9]{1,18}", text, re.ASCII) and library.knows(int(text)):
            return int(text)
        raise


def with_free_ids(catalogue: Catalogue, movie: Movie) -> Movie:
    """Return the movie unchanged if no other movie has its IMDb or TMDB id.

    Raises:
        Conflict: another movie has one of them; the message names it.
    """
    for scheme, value in (("imdb", movie.imdb_id), ("tmdb", movie.tmdb_id)):
        try:
            other = catalogue.identify(f"{scheme}:{value}")
        except UnknownMovie:
            continue
        if other.movie_id != movie.movie_id:
            raise Conflict(
                f"{scheme}:{value} is {other} (id {other.movie_id}): replace that one, or give another {scheme}_id"
            )
    return movie
