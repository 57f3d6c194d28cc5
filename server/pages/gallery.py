"""The gallery of the page "How good is it": a few films with their nearest by several methods, as rows of posters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

from index.catalogue.catalogue import Movie
from index.core.errors import NotComparable, UnknownMovie
from index.movie_index import MovieIndex
from index.snapshot.gallery import HEADINGS, NEAREST, GalleryMovie

_LACKING = {
    "item-cosine": "It had no rating to go by.",
    "sgd": "It had no rating to go by.",
    "taste": "Nobody has rated it yet.",
    "poster": "It has no poster here.",
}


@dataclass(frozen=True, slots=True)
class Way:
    """Nearest films by one method, or the reason why there are none."""

    name: str
    heading: str
    films: tuple[Movie, ...]
    hint: str


@dataclass(frozen=True, slots=True)
class Compared:
    """A film, and its nearest in several ways."""

    film: Movie
    ways: tuple[Way, ...]


def compared_films(index: MovieIndex) -> tuple[Compared, ...]:
    """Return the films of the snapshot's gallery that are still in the catalogue."""
    compared = []
    for movie in index.gallery.movies:
        with suppress(UnknownMovie):
            compared.append(Compared(index.catalogue.movie(movie.movie_id), tuple(_ways(index, movie))))
    return tuple(compared)


def _ways(index: MovieIndex, movie: GalleryMovie) -> Iterator[Way]:
    for name, heading in HEADINGS.items():
        if name in movie.nearest:
            known = (each for each in movie.nearest[name] if each in index.catalogue.ids)  # some may be deleted since
            films = tuple(index.catalogue.movie(each) for each in islice(known, NEAREST))
        elif name in index.spaces:
            try:
                matches = index.similar(movie.movie_id, NEAREST, by=name, distinct=True)
                films = tuple(index.catalogue.movie(match.movie_id) for match in matches)
            except NotComparable:
                films = ()
        else:
            continue
        yield Way(name, heading, films, "" if films else _LACKING[name])
