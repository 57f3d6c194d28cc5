"""Movie metadata, with look-up by id, IMDb id, TMDB id and title, and filters."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from index.catalogue.title_search import TitleSearch, normalise
from index.core.arrays import BoolArray, Int64Array
from index.core.errors import AmbiguousTitle, BadSnapshot, UnknownMovie
from index.core.ids import Ids

_MAX_CANDIDATES = 10  # listed by AmbiguousTitle
_MAX_SUGGESTIONS = 3  # listed by UnknownMovie
_FIELDS = ("movie_id", "title", "year", "genres", "imdb_id", "tmdb_id")  # of a movie, as columns of movies.json


@dataclass(frozen=True, slots=True)
class Movie:
    """Movie metadata."""

    movie_id: int
    title: str  # without the year, articles first: "The Godfather"
    year: int | None = None
    genres: tuple[str, ...] = ()  # empty if the data set lists none
    imdb_id: str | None = None  # "tt0113277"
    tmdb_id: int | None = None

    def __str__(self) -> str:
        """Return the title with its year: "Heat (1995)"."""
        return self.title if self.year is None else f"{self.title} ({self.year})"


@dataclass(frozen=True, slots=True)
class MovieFilter:
    """Filter on the movies to return. Defaults do not filter."""

    genres: tuple[str, ...] = ()  # a movie must have all of them; case does not matter
    year_from: int | None = None
    year_to: int | None = None  # inclusive
    exclude: tuple[int, ...] = ()  # movie ids
    among: tuple[int, ...] | None = None  # movie ids to choose from; None for all

    def __bool__(self) -> bool:
        """Return True if any field is set."""
        return self != MovieFilter()


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All movies with their rating statistics and posters; rows ascend by movie id."""

    movies: tuple[Movie, ...]
    rating_counts: tuple[int, ...]
    rating_means: tuple[float | None, ...]  # None if there are no ratings
    posters: tuple[str | None, ...]  # file name in the poster folder; None if there is no usable poster
    ids: Ids = field(init=False)
    genres: tuple[str, ...] = field(init=False)  # sorted, each once
    _external_rows: Mapping[str, int] = field(init=False)  # "imdb:tt0113277" -> row
    _titles: TitleSearch = field(init=False)
    _years: Int64Array = field(init=False)  # (n,) -1 if unknown
    _best_known: tuple[int, ...] = field(init=False)  # rows, with a poster first, then by rating count
    _genre_masks: Mapping[str, BoolArray] = field(init=False)  # casefolded genre -> (n,) movies with it

    def __post_init__(self) -> None:
        """Build the look-up tables."""
        genres = sorted({genre for movie in self.movies for genre in movie.genres})
        folded = [{genre.casefold() for genre in movie.genres} for movie in self.movies]
        derived: dict[str, Any] = {
            "ids": Ids([movie.movie_id for movie in self.movies]),
            "genres": tuple(genres),
            "_genre_masks": {
                name: np.array([name in of_movie for of_movie in folded], np.bool_) for name in set().union(*folded)
            },
            "_external_rows": _external_rows(self.movies),
            "_titles": TitleSearch(
                [str(movie) for movie in self.movies], [movie.title for movie in self.movies], self.rating_counts
            ),
            "_best_known": tuple(
                sorted(range(len(self)), key=lambda row: (not self.posters[row], -self.rating_counts[row]))
            ),
            "_years": np.array([-1 if movie.year is None else movie.year for movie in self.movies], np.int64),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        """Return the number of movies."""
        return len(self.movies)

    def movie(self, movie_id: int) -> Movie:
        """Return the movie with this id.

        Raises:
            UnknownMovie: there is no such movie.
        """
        return self.movies[self.ids.row(movie_id)]

    def best_known(self, limit: int) -> list[Movie]:
        """Return the most rated movies, those with a poster first."""
        return [self.movies[row] for row in self._best_known[:limit]]

    def search(self, text: str, limit: int = 10, offset: int = 0) -> list[Movie]:
        """Search the titles: return the matches of ``TitleSearch.prefix``, then those of ``TitleSearch.fuzzy``."""
        rows = self._titles.prefix(text)
        if len(rows) < offset + limit:
            found = set(rows)
            rows += [row for row in self._titles.fuzzy(text) if row not in found]
        return [self.movies[row] for row in rows[offset : offset + limit]]

    def titled(self, text: str) -> list[Movie]:
        """Return the movies with every word of ``text`` in their title, in the order of ``TitleSearch.prefix``."""
        return [self.movies[row] for row in self._titles.prefix(text)]

    def identify(self, text: str) -> Movie:
        """Return the movie with an id in any notation: ``6``, ``imdb:tt0113277`` or ``tmdb:949``.

        Raises:
            UnknownMovie: the text is no id, or no movie has it.
        """
        scheme, colon, rest = text.strip().lower().partition(":")
        if colon and scheme in {"imdb", "tmdb"}:
            row = self._external_rows.get(f"{scheme}:{rest.strip()}")
            if row is None:
                raise UnknownMovie(f"no movie here has the {scheme.upper()} id {rest.strip()!r}")
            return self.movies[row]
        if not re.fullmatch(r"[0-9]{1,18}", scheme):
            raise UnknownMovie(f"{text!r} is no movie id: give a number, imdb:tt… or tmdb:…")
        return self.movie(int(scheme))

    def resolve(self, text: str) -> Movie:
        """Return the movie with this id, in any notation of ``identify``, or this title.

        A number is an id first: a title only if no movie has that id.

        Raises:
            UnknownMovie: nothing matches.
            AmbiguousTitle: several movies match; the error lists them.
        """
        if re.match(r"\s*(imdb|tmdb):", text, re.IGNORECASE):
            return self.identify(text)
        try:
            return self.identify(text)
        except UnknownMovie:
            return self._by_title(text)

    def allowed(self, where: MovieFilter) -> BoolArray:
        """Return the mask (n,) of the rows that pass the filter."""
        mask = np.ones(len(self), dtype=np.bool_)
        if where.year_from is not None:
            mask &= self._years >= where.year_from
        if where.year_to is not None:
            mask &= (self._years <= where.year_to) & (self._years >= 0)
        for genre in where.genres:
            mask &= self._genre_masks.get(genre.casefold(), False)
        if where.among is not None:
            chosen = np.zeros(len(self), dtype=np.bool_)
            rows = self.ids.find(where.among)
            chosen[rows[rows >= 0]] = True
            mask &= chosen
        excluded = self.ids.find(where.exclude)
        mask[excluded[excluded >= 0]] = False
        return mask

    def to_json(self) -> dict[str, list[Any]]:
        """Return the columns of ``movies.json``."""
        return {name: [getattr(movie, name) for movie in self.movies] for name in _FIELDS} | {
            "rating_count": list(self.rating_counts),
            "rating_mean": list(self.rating_means),
            "poster": list(self.posters),
        }

    @classmethod
    def from_json(cls, columns: Mapping[str, Sequence[Any]]) -> Catalogue:
        """Return the catalogue from the columns of ``movies.json``.

        Raises:
            BadSnapshot: a column is missing, or of another length than the others.
        """
        try:
            movies = tuple(
                Movie(movie_id, title, year, tuple(genres), imdb_id, tmdb_id)
                for movie_id, title, year, genres, imdb_id, tmdb_id in zip(
                    *(columns[name] for name in _FIELDS), strict=True
                )
            )
            return cls(movies, tuple(columns["rating_count"]), tuple(columns["rating_mean"]), tuple(columns["poster"]))
        except (KeyError, ValueError) as error:
            raise BadSnapshot(f"movies.json is not a catalogue ({error}): build the snapshot again") from error

    def _by_title(self, text: str) -> Movie:
        text = text.strip()
        found = self.titled(text)
        if not found:
            similar = [f"{movie.movie_id} {movie}" for movie in self.search(text, _MAX_SUGGESTIONS)]
            perhaps = f"; perhaps {' or '.join(similar)}" if similar else ""
            raise UnknownMovie(
                f"no movie is called {text!r}{perhaps}; give an id, imdb:tt…, tmdb:… or words of a title"
            )
        wanted = normalise(text).strip()
        exact = [m for m in found if wanted in (normalise(m.title).strip(), normalise(str(m)).strip())]
        # Articles do not matter, except to choose between exact titles: "heat" is Heat, not The Heat.
        verbatim = [m for m in exact if text.casefold() in (m.title.casefold(), str(m).casefold())]
        fits = verbatim or exact or found
        if len(fits) == 1:
            return fits[0]
        candidates = [(movie.movie_id, str(movie)) for movie in fits[:_MAX_CANDIDATES]]
        more = f", and {len(fits) - len(candidates)} more" if len(fits) > len(candidates) else ""
        listed = "; ".join(f"{movie_id} {title}" for movie_id, title in candidates)
        raise AmbiguousTitle(f"{text!r} fits {len(fits)} movies, give an id: {listed}{more}", candidates)


def _external_rows(movies: Sequence[Movie]) -> dict[str, int]:
    """Return ``imdb:…`` and ``tmdb:…`` ids -> row; the first movie wins if the data set repeats an id."""
    rows: dict[str, int] = {}
    for row, movie in enumerate(movies):
        if movie.imdb_id:
            rows.setdefault(f"imdb:{movie.imdb_id.lower()}", row)
        if movie.tmdb_id is not None:
            rows.setdefault(f"tmdb:{movie.tmdb_id}", row)
    return rows
