"""The movies: by id, by IMDb or TMDB id, by title as one types."""

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

_MAX_CANDIDATES = 10
_MAX_NEAR = 3


@dataclass(frozen=True, slots=True)
class Movie:
    """What is known of a movie besides ratings and looks."""

    movie_id: int
    title: str  # without the year; a trailing article stands in front: "The Godfather"
    year: int | None = None
    genres: tuple[str, ...] = ()  # empty where the data set lists none
    imdb_id: str | None = None  # "tt0113277"
    tmdb_id: int | None = None

    def __str__(self) -> str:
        """The title with its year: "Heat (1995)"."""
        return self.title if self.year is None else f"{self.title} ({self.year})"


@dataclass(frozen=True, slots=True)
class MovieFilter:
    """Which movies may come back. What is left out does not restrict."""

    genres: tuple[str, ...] = ()  # all of them, in any case
    year_from: int | None = None
    year_to: int | None = None  # inclusive
    exclude: tuple[int, ...] = ()  # movie ids
    among: tuple[int, ...] | None = None  # movie ids; only these

    def __bool__(self) -> bool:
        """Whether anything is restricted at all."""
        return self != MovieFilter()


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All movies, rows by ascending id, with what ratings and posters say of each."""

    movies: tuple[Movie, ...]
    rating_counts: tuple[int, ...]
    rating_means: tuple[float | None, ...]  # None where nobody rated the movie
    posters: tuple[str | None, ...]  # file name in the poster folder; None where there is no usable poster
    ids: Ids = field(init=False)
    genres: tuple[str, ...] = field(init=False)  # every genre there is, sorted
    _external: Mapping[str, int] = field(init=False)  # "imdb:tt0113277" -> row
    _titles: TitleSearch = field(init=False)
    _years: Int64Array = field(init=False)  # (n,) -1 where unknown
    _best_known: tuple[int, ...] = field(init=False)  # rows
    _having: Mapping[str, BoolArray] = field(init=False)  # casefolded genre -> (n,) which movies have it

    def __post_init__(self) -> None:
        """Builds the look-ups once."""
        genres = sorted({genre for movie in self.movies for genre in movie.genres})
        folded = [{genre.casefold() for genre in movie.genres} for movie in self.movies]
        derived: dict[str, Any] = {
            "ids": Ids([movie.movie_id for movie in self.movies]),
            "genres": tuple(genres),
            "_having": {
                name: np.array([name in having for having in folded], np.bool_) for name in set().union(*folded)
            },
            "_external": _external_ids(self.movies),
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
        """How many movies there are."""
        return len(self.movies)

    def movie(self, movie_id: int) -> Movie:
        """The movie of an id.

        Raises:
            UnknownMovie: there is none.
        """
        return self.movies[self.ids.row(movie_id)]

    def best_known(self, limit: int) -> list[Movie]:
        """The most rated movies, those with a poster first."""
        return [self.movies[row] for row in self._best_known[:limit]]

    def search(self, text: str, limit: int = 10, offset: int = 0) -> list[Movie]:
        """Movies whose title holds every word of ``text``, or words that begin like them; then words much like them.

        Case, accents, punctuation and English articles do not matter; a year is a word. Exact titles come first,
        then titles that begin with the text, then the most rated.
        """
        rows = self._titles.exact(text)
        if len(rows) < offset + limit:
            known = set(rows)
            rows += [row for row in self._titles.near(text) if row not in known]
        return [self.movies[row] for row in rows[offset : offset + limit]]

    def titled(self, text: str) -> list[Movie]:
        """The same without those whose words are only like them."""
        return [self.movies[row] for row in self._titles.exact(text)]

    def identify(self, text: str) -> Movie:
        """The movie of an id as people write it: ``6``, ``imdb:tt0113277`` or ``tmdb:949``.

        Raises:
            UnknownMovie: it is no id, or nobody has it.
        """
        scheme, colon, rest = text.strip().lower().partition(":")
        if colon and scheme in {"imdb", "tmdb"}:
            row = self._external.get(f"{scheme}:{rest.strip()}")
            if row is None:
                raise UnknownMovie(f"no movie here has the {scheme.upper()} id {rest.strip()!r}")
            return self.movies[row]
        if not re.fullmatch(r"[0-9]{1,18}", scheme):
            raise UnknownMovie(f"{text!r} is no movie id: give a number, imdb:tt… or tmdb:…")
        return self.movie(int(scheme))

    def resolve(self, text: str) -> Movie:
        """The one movie that a person means by an id, as ``identify`` takes it, or a title.

        A number that is an id is an id, even where a film is called so.

        Raises:
            UnknownMovie: nothing fits.
            AmbiguousTitle: several movies fit; the error carries them.
        """
        if re.match(r"\s*(imdb|tmdb):", text, re.IGNORECASE):
            return self.identify(text)
        try:
            return self.identify(text)
        except UnknownMovie:
            return self._by_title(text)

    def allowed(self, where: MovieFilter) -> BoolArray:
        """(n,) which rows ``where`` lets through."""
        mask = np.ones(len(self), dtype=np.bool_)
        if where.year_from is not None:
            mask &= self._years >= where.year_from
        if where.year_to is not None:
            mask &= (self._years <= where.year_to) & (self._years >= 0)
        for genre in where.genres:
            mask &= self._having.get(genre.casefold(), False)
        if where.among is not None:
            chosen = np.zeros(len(self), dtype=np.bool_)
            rows = self.ids.find(where.among)
            chosen[rows[rows >= 0]] = True
            mask &= chosen
        excluded = self.ids.find(where.exclude)
        mask[excluded[excluded >= 0]] = False
        return mask

    def to_json(self) -> dict[str, list[Any]]:
        """The columns, ready for ``json.dumps``; ``from_json`` reads them back."""
        fields = ("movie_id", "title", "year", "genres", "imdb_id", "tmdb_id")
        return {name: [getattr(movie, name) for movie in self.movies] for name in fields} | {
            "rating_count": list(self.rating_counts),
            "rating_mean": list(self.rating_means),
            "poster": list(self.posters),
        }

    @classmethod
    def from_json(cls, columns: Mapping[str, Sequence[Any]]) -> Catalogue:
        """The catalogue that ``to_json`` wrote.

        Raises:
            BadSnapshot: a column is missing or shorter than the others.
        """
        try:
            movies = tuple(
                Movie(movie_id, title, year, tuple(genres), imdb_id, tmdb_id)
                for movie_id, title, year, genres, imdb_id, tmdb_id in zip(
                    *(columns[c] for c in ("movie_id", "title", "year", "genres", "imdb_id", "tmdb_id")),
                    strict=True,
                )
            )
            return cls(movies, tuple(columns["rating_count"]), tuple(columns["rating_mean"]), tuple(columns["poster"]))
        except (KeyError, ValueError) as error:
            raise BadSnapshot(f"movies.json is not a catalogue ({error}): build the snapshot again") from error

    def _by_title(self, text: str) -> Movie:
        text = text.strip()
        found = self.titled(text)
        if not found:
            near = [f"{movie.movie_id} {movie}" for movie in self.search(text, _MAX_NEAR)]
            perhaps = f"; perhaps {' or '.join(near)}" if near else ""
            raise UnknownMovie(
                f"no movie is called {text!r}{perhaps}; give an id, imdb:tt…, tmdb:… or words of a title"
            )
        wanted = normalise(text).strip()
        exact = [m for m in found if wanted in (normalise(m.title).strip(), normalise(str(m)).strip())]
        # "heat" means Heat rather than The Heat, though articles do not matter otherwise.
        to_the_letter = [m for m in exact if text.casefold() in (m.title.casefold(), str(m).casefold())]
        fits = to_the_letter or exact or found
        if len(fits) == 1:
            return fits[0]
        candidates = [(movie.movie_id, str(movie)) for movie in fits[:_MAX_CANDIDATES]]
        more = f", and {len(fits) - len(candidates)} more" if len(fits) > len(candidates) else ""
        listed = "; ".join(f"{movie_id} {title}" for movie_id, title in candidates)
        raise AmbiguousTitle(f"{text!r} fits {len(fits)} movies, give an id: {listed}{more}", candidates)


def _external_ids(movies: Sequence[Movie]) -> dict[str, int]:
    """IMDb and TMDB ids as they are asked for; the first movie wins where a data set gives one id twice."""
    rows: dict[str, int] = {}
    for row, movie in enumerate(movies):
        if movie.imdb_id:
            rows.setdefault(f"imdb:{movie.imdb_id.lower()}", row)
        if movie.tmdb_id is not None:
            rows.setdefault(f"tmdb:{movie.tmdb_id}", row)
    return rows
