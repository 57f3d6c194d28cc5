"""What the library keeps of a movie: its facts, checked, and its poster; and what became of many since some moment."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from index.catalogue.catalogue import Movie
from index.core.arrays import Float16Array
from index.core.errors import InvalidInput
from index.posters.vgg16 import DIMENSION

YEARS = range(1800, 2201)
MAX_TITLE, MAX_GENRE = 500, 100  # characters
IMDB_ID = "tt[0-9]{7,10}"
MAX_TMDB_ID = 10**18 - 1


@dataclass(frozen=True, slots=True)
class Poster:
    """A poster to keep, and its vector where there are weights to make one."""

    content: bytes  # a picture that index.posters.images.decode_image takes
    vector: npt.NDArray[np.floating] | None = None  # (25088,) of length 1
    weights_sha256: str | None = None  # of the weights that made the vector

    def __post_init__(self) -> None:
        """Refuses a vector of another shape, and one without weights or the other way round."""
        if (self.vector is None) != (self.weights_sha256 is None):
            raise ValueError("a vector and the weights that made it belong together")
        if self.vector is not None and self.vector.shape != (DIMENSION,):
            raise ValueError(f"a poster's vector has shape ({DIMENSION},), not {self.vector.shape}")


@dataclass(frozen=True, slots=True)
class Entry:
    """A movie that was added, or that replaces the data set's movie of its id."""

    movie: Movie
    poster: str | None  # file name in the poster folder; None says nothing of a poster that the data set's movie has
    poster_sha256: str | None
    vector: Float16Array | None  # (25088,) of length 1; None where the next build has to make it
    weights_sha256: str | None  # of the weights that made the vector


@dataclass(frozen=True, slots=True)
class Changes:
    """What became of each movie that changed after some number."""

    version: int  # the number of the latest change of anything
    movies: tuple[Entry, ...] = ()  # ascending movie_id
    removed: frozenset[int] = frozenset()  # movie ids; some may be of movies that nobody else ever heard of
    movies_version: int = field(default=0, compare=False)  # the number of the latest change of a movie

    def applied_to(self, movies: Iterable[Movie]) -> tuple[Movie, ...]:
        """The movies after the changes, by ascending id."""
        after = {movie.movie_id: movie for movie in movies} | {e.movie.movie_id: e.movie for e in self.movies}
        return tuple(after[movie_id] for movie_id in sorted(after.keys() - self.removed))


def checked_movie(movie: Movie) -> Movie:
    """The movie with the space around its title and genres taken off and every genre once.

    Raises:
        InvalidInput: a title, year, genre or id that cannot be used; the message names it.
    """
    title = _text(movie.title, "title", MAX_TITLE)
    genres = tuple(dict.fromkeys(_text(genre, "genre", MAX_GENRE) for genre in movie.genres))
    if movie.year is not None and movie.year not in YEARS:
        raise InvalidInput(f"the year is {movie.year}; it must be from {YEARS[0]} to {YEARS[-1]}")
    if movie.imdb_id is not None and not re.fullmatch(IMDB_ID, movie.imdb_id, re.ASCII):
        raise InvalidInput(f"{movie.imdb_id!r} is no IMDb id: write tt and at least seven digits, such as tt0113277")
    if movie.tmdb_id is not None and not 0 < movie.tmdb_id <= MAX_TMDB_ID:
        raise InvalidInput(f"{movie.tmdb_id} is no TMDB id: write a number above 0, such as 949")
    return replace(movie, title=title, genres=genres)


def _text(text: str, what: str, limit: int) -> str:
    text = text.strip()
    if not text:
        raise InvalidInput(f"the {what} is empty")
    if len(text) > limit:
        raise InvalidInput(f"the {what} has {len(text)} characters; at most {limit} are allowed")
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
        raise InvalidInput(f"the {what} {text!r} holds control characters or is no Unicode: write it as plain text")
    return text
