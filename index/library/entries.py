"""Library entries: validated movies with their posters, and the changes since a point in time."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Set
from dataclasses import dataclass, field, replace

from index.catalogue.catalogue import Catalogue, Movie
from index.catalogue.tables import Genres
from index.core.arrays import AnyFloatArray, Float16Array
from index.core.errors import InvalidInput
from index.posters.vgg16 import DIMENSION

YEARS = range(1800, 2201)
MAX_TITLE, MAX_GENRE = 500, 100  # characters
IMDB_ID = "tt[0-9]{7,10}"
MAX_TMDB_ID = 10**18 - 1


@dataclass(frozen=True, slots=True)
class Poster:
    """Poster to store, with its embedding if there are weights to compute it."""

    content: bytes  # image file that index.posters.images.decode_image accepts
    vector: AnyFloatArray | None = None  # (25088,) of length 1
    weights_sha256: str | None = None  # of the VGG16 weights behind the vector

    def __post_init__(self) -> None:
        """Raise ValueError for a vector of another shape, or without its weights, or weights without a vector."""
        if (self.vector is None) != (self.weights_sha256 is None):
            raise ValueError("a vector and its weights_sha256 belong together: give both or neither")
        if self.vector is not None and self.vector.shape != (DIMENSION,):
            raise ValueError(f"a poster's vector has shape ({DIMENSION},), not {self.vector.shape}")


@dataclass(frozen=True, slots=True)
class Entry:
    """Movie added to the library, or replacing the data set's movie of the same id."""

    movie: Movie
    poster: str | None  # file name in the poster folder; None keeps the data set's poster, if any
    poster_sha256: str | None
    vector: Float16Array | None  # (25088,) of length 1; None if the next build must compute it
    weights_sha256: str | None  # of the VGG16 weights behind the vector


@dataclass(frozen=True, slots=True)
class MovieChanges:
    """Movies changed in the library after some sequence number, each in its latest state."""

    version: int  # sequence number of the latest change
    movies: tuple[Entry, ...] = ()  # ascending movie_id
    deleted: frozenset[int] = frozenset()  # ids of deleted movies; some may be in no data set
    movies_version: int = field(default=0, compare=False)  # sequence number of the latest change of a movie

    def spelled(self, known: Catalogue | Genres) -> MovieChanges:
        """Return the changes with the movies' genres as a catalogue writes them."""
        spelled = (replace(each.movie, genres=known.spelled(each.movie.genres)) for each in self.movies)
        entries = (replace(each, movie=movie) for each, movie in zip(self.movies, spelled, strict=True))
        return replace(self, movies=tuple(entries))

    def applied_to(self, movies: Iterable[Movie]) -> tuple[Movie, ...]:
        """Return the movies with the changes applied, by ascending id.

        An IMDb or TMDB id of a changed movie is removed from a movie that was not changed: the library decides.
        """
        imdb_ids, tmdb_ids = {e.movie.imdb_id for e in self.movies}, {e.movie.tmdb_id for e in self.movies}
        after = {movie.movie_id: _without_ids(movie, imdb_ids, tmdb_ids) for movie in movies}
        for entry in self.movies:
            before = after.get(entry.movie.movie_id)
            after[entry.movie.movie_id] = (
                entry.movie
                if before is None
                else replace(entry.movie, source_id=before.source_id or entry.movie.source_id)
            )
        return tuple(after[movie_id] for movie_id in sorted(after.keys() - self.deleted))


def _without_ids(movie: Movie, imdb_ids: Set[str | None], tmdb_ids: Set[int | None]) -> Movie:
    """Return the movie without an id that is among these; None is no id."""
    if movie.imdb_id is not None and movie.imdb_id in imdb_ids:
        movie = replace(movie, imdb_id=None)
    if movie.tmdb_id is not None and movie.tmdb_id in tmdb_ids:
        movie = replace(movie, tmdb_id=None)
    return movie


def checked_movie(movie: Movie) -> Movie:
    """Return the movie with its title and genres stripped of white space, and each genre once.

    Raises:
        InvalidInput: a title, year, genre or id is invalid; the message names it.
    """
    title = _checked_text(movie.title, "title", MAX_TITLE)
    genres = tuple(dict.fromkeys(_checked_text(genre, "genre", MAX_GENRE) for genre in movie.genres))
    if movie.year is not None and movie.year not in YEARS:
        raise InvalidInput(f"the year is {movie.year}; it must be from {YEARS[0]} to {YEARS[-1]}")
    if movie.imdb_id is not None and not re.fullmatch(IMDB_ID, movie.imdb_id, re.ASCII):
        raise InvalidInput(f"{movie.imdb_id!r} is no IMDb id: write tt and at least seven digits, such as tt0113277")
    if movie.tmdb_id is not None and not 0 < movie.tmdb_id <= MAX_TMDB_ID:
        raise InvalidInput(f"{movie.tmdb_id} is no TMDB id: write a number above 0, such as 949")
    return replace(movie, title=title, genres=genres)


def _checked_text(text: str, label: str, limit: int) -> str:
    text = text.strip()
    if not text:
        raise InvalidInput(f"the {label} is empty: write at least one character")
    if len(text) > limit:
        raise InvalidInput(f"the {label} has {len(text)} characters; at most {limit} are allowed")
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
        raise InvalidInput(f"the {label} {text!r} holds control characters or is no Unicode: write it as plain text")
    return text
