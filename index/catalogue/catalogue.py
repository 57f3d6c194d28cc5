"""Movie metadata, with look-up by id, IMDb id, TMDB id and title, and filters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import numpy as np

from index.catalogue.movie import Movie
from index.catalogue.tables import ExternalIds, Genres, external_ids
from index.catalogue.title_forms import alternatives, parse_title, verbatim, words
from index.catalogue.titles import Titles
from index.core.arrays import BoolArray, Int64Array
from index.core.columns import Column
from index.core.errors import AmbiguousTitle, BadSnapshot, UnknownMovie
from index.core.ids import Ids
from index.core.references import is_numbered, movie_reference
from index.core.source_ids import FIRST_NAMED, candidates, plain_number

__all__ = ["Catalogue", "Listing", "Movie", "MovieFilter"]

_MAX_CANDIDATES = 10  # listed by AmbiguousTitle
_MAX_SUGGESTIONS = 3  # listed by UnknownMovie
_WITH_POSTER = 2**40  # more than any number of ratings
_FIELDS = ("movie_id", "title", "year", "genres", "imdb_id", "tmdb_id", "source_id")  # columns of movies.json

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class MovieFilter:
    """Filter on the movies to return. Defaults do not filter."""

    genres: tuple[str, ...] = ()  # a movie must have all of them; case does not matter
    year_from: int | None = None
    year_to: int | None = None  # inclusive
    exclude: tuple[int, ...] = ()  # movie ids
    among: tuple[int, ...] | None = None  # movie ids to choose from; None for all
    owned: bool | None = None  # only movies of the shelf, or only others; None for all

    def __bool__(self) -> bool:
        """Return True if any field is set."""
        return self != MovieFilter()


@dataclass(frozen=True, slots=True)
class Listing:
    """A movie of a catalogue, with its rating statistics and poster."""

    movie: Movie
    rating_count: int = 0
    rating_mean: float | None = None
    poster: str | None = None

    @property
    def fame(self) -> int:
        """Return the key of ``Catalogue.best_known``: larger comes first."""
        return self.rating_count + (_WITH_POSTER if self.poster else 0)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All movies with their rating statistics and posters; rows ascend by movie id.

    ``changed`` makes the next one of a few changes; it shares all look-up tables, or copies arrays, but goes through no
    table of all movies.
    """

    movies: Sequence[Movie]
    rating_counts: Sequence[int]
    rating_means: Sequence[float | None]  # None if there are no ratings
    posters: Sequence[str | None]  # file name in the poster folder; None if there is no usable poster
    owned: Ids | None = None  # movies of the shelf; None if the data set does not tell
    ids: Ids = field(init=False)
    _genres: Genres = field(init=False)
    _external: ExternalIds = field(init=False)
    _titles: Titles = field(init=False)
    _years: Int64Array = field(init=False)  # (n,) -1 if unknown
    _fame: Int64Array = field(init=False)  # (n,) as of Listing

    def __post_init__(self) -> None:
        """Build the look-up tables."""
        listings = map(Listing, self.movies, self.rating_counts, self.rating_means, self.posters)
        self._set(
            movies=Column(self.movies),
            rating_counts=Column(self.rating_counts),
            rating_means=Column(self.rating_means),
            posters=Column(self.posters),
            ids=Ids([movie.movie_id for movie in self.movies]),
            _genres=Genres.of(self.movies),
            _external=ExternalIds.of(self.movies),
            _titles=Titles.of(self.movies, self.rating_counts),
            _years=np.array([_year(movie) for movie in self.movies], np.int64),
            _fame=np.array([listing.fame for listing in listings], np.int64),
        )

    def _set(self, **fields: Any) -> None:
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def listing(self, movie_id: int) -> Listing | None:
        """Return a movie with its statistics and poster; None if there is no such movie."""
        if movie_id not in self.ids:
            return None
        row = self.ids.row(movie_id)
        return Listing(self.movies[row], self.rating_counts[row], self.rating_means[row], self.posters[row])

    def changed(self, listings: Iterable[Listing], deleted: Iterable[int] = ()) -> Catalogue:
        """Return the catalogue with some movies deleted, and some added or in place of those of the same id."""
        after = {listing.movie.movie_id: listing for listing in listings}
        deleted = tuple(deleted)
        before = {movie_id: known for movie_id in {*after, *deleted} if (known := self.listing(movie_id))}
        after = {movie_id: after[movie_id] for movie_id in sorted(after) if after[movie_id] != before.get(movie_id)}
        gone = {movie_id for movie_id in deleted if movie_id in before}
        if not after and not gone:
            return self
        ids, edit = self.ids.edited([movie_id for movie_id in after if movie_id not in before], gone)
        new = [listing for movie_id, listing in after.items() if movie_id not in before]
        updated = {ids.row(movie_id): listing for movie_id, listing in after.items() if movie_id in before}
        years = edit.array(self._years, [_year(listing.movie) for listing in new])
        fame = edit.array(self._fame, [listing.fame for listing in new])
        if updated:
            years, fame = years.copy(), fame.copy()
            years[[*updated]] = [_year(listing.movie) for listing in updated.values()]
            fame[[*updated]] = [listing.fame for listing in updated.values()]

        def column(before: Sequence[Value], value: Callable[[Listing], Value]) -> Column[Value]:
            return cast(Column[Value], before).edited(
                edit, map(value, new), {row: value(each) for row, each in updated.items()}
            )

        movies_before = [before[movie_id].movie for movie_id in before if movie_id in gone or movie_id in after]
        movies_after = [listing.movie for listing in after.values()]
        changed: Catalogue = object.__new__(Catalogue)
        changed._set(
            movies=column(self.movies, lambda listing: listing.movie),
            rating_counts=column(self.rating_counts, lambda listing: listing.rating_count),
            rating_means=column(self.rating_means, lambda listing: listing.rating_mean),
            posters=column(self.posters, lambda listing: listing.poster),
            owned=self.owned,
            ids=ids,
            _genres=self._genres.changed(movies_before, movies_after),
            _external=self._external.changed(movies_after),
            _titles=self._titles.changed(movies_after, [listing.rating_count for listing in after.values()], gone),
            _years=years,
            _fame=fame,
        )
        return changed

    @property
    def genres(self) -> tuple[str, ...]:
        """All genres, sorted, each once."""
        return self._genres.names

    def spelled(self, genres: Iterable[str]) -> tuple[str, ...]:
        """Return genres as this catalogue writes them, as ``Genres.spelled``."""
        return self._genres.spelled(genres)

    def __len__(self) -> int:
        """Return the number of movies."""
        return len(self.movies)

    def movie(self, movie_id: int) -> Movie:
        """Return the movie with this id.

        Raises:
            UnknownMovie: there is no such movie.
        """
        return self.movies[self.ids.row(movie_id)]

    def best_known(self, limit: int, among: Ids | None = None) -> list[Movie]:
        """Return the most rated movies, those with a poster first, ties by id.

        Args:
            limit: number of movies at most.
            among: ids of the movies to choose from; None for all.
        """
        rows = np.arange(len(self)) if among is None else self.ids.find(among.values)
        rows = rows[rows >= 0]
        fame = self._fame[rows]
        if rows.size > limit > 0:
            kept = np.flatnonzero(fame >= np.partition(fame, rows.size - limit)[rows.size - limit])
            rows, fame = rows[kept], fame[kept]
        return [self.movies[row] for row in rows[np.argsort(-fame, kind="stable")][:limit].tolist()]

    def listed(
        self, limit: int, offset: int = 0, *, after: int | None = None, owned: bool | None = None
    ) -> list[Movie]:
        """Return movies by ascending id.

        Args:
            limit: number of movies at most.
            offset: number of movies to skip.
            after: only movies of larger ids; None for all.
            owned: as of ``MovieFilter``.
        """
        start = 0 if after is None else int(self.ids.values.searchsorted(after, side="right"))
        if owned is None:
            return list(self.movies[start + offset : start + offset + limit])
        rows = np.flatnonzero(self.allowed(MovieFilter(owned=owned)))
        return [self.movies[row] for row in rows[rows >= start][offset : offset + limit].tolist()]

    def owns(self, movie_id: int) -> bool:
        """Return True if a movie is of the shelf."""
        return self.owned is not None and movie_id in self.owned

    def names_of_year(self, year: int) -> dict[str, int]:
        """Return the ids of the movies of a year by title, main or alternative, in the words of search, unspaced."""
        return self._titles.names_of_year(year)

    def prepare_search(self) -> None:
        """Build the tables of title search, seconds for 87,585 movies, which the first search would wait for."""
        self._titles.fuzzy("title")

    def search(self, text: str, limit: int = 10, offset: int = 0, *, owned: bool | None = None) -> list[Movie]:
        """Search the titles: return the matches of ``Titles.prefix``, then those of ``Titles.fuzzy``.

        Before all comes the movie that the data set itself calls so, as people also search for an id: ``B000EXAMPL``.
        If none has the year in parentheses at the end of the text, the movies with the title come first. ``owned``: as
        of ``MovieFilter``.
        """

        def wanted(movie_ids: Iterable[int]) -> list[int]:
            return [each for each in movie_ids if owned is None or self.owns(each) is owned]

        named = self._with_source_id(text.strip())
        titled = self._titles.prefix(text)
        found = wanted(titled if named is None else dict.fromkeys([named.movie_id, *titled]))
        title, year = parse_title(text)
        if not found and year is not None:
            found = wanted(movie_id for movie_id, _ in sorted(self._titles.whole(title), key=lambda each: -each[1]))
        if len(found) < offset + limit:
            known = set(found)
            found += wanted(movie_id for movie_id in self._titles.fuzzy(text) if movie_id not in known)
        if not found and year is not None:
            return self.search(title, limit, offset, owned=owned)
        return [self.movie(movie_id) for movie_id in found[offset : offset + limit]]

    def titled(self, text: str) -> list[Movie]:
        """Return the movies with every word of ``text`` in their title, in the order of ``Titles.prefix``."""
        return [self.movie(movie_id) for movie_id in self._titles.prefix(text)]

    def identify(self, text: str) -> Movie:
        """Return the movie with an id in any notation: of ``movie_reference``, or the data set's own, ``B000EXAMPL``.

        A prefix counts before own ids: ``id:5`` and ``imdb:tt0113277`` are what they say, whatever else is called so.

        Raises:
            UnknownMovie: the text is no id, or no movie has it.
        """
        reference = movie_reference(text)
        named = self._named(text, reference)
        if named is not None:
            return named
        if reference is None:
            raise UnknownMovie(f"{text!r} is no movie id: give a number, imdb:tt… or tmdb:…")
        if isinstance(reference, int):
            return self.movie(reference)
        scheme, _, rest = reference.partition(":")
        raise UnknownMovie(f"no movie here has the {scheme.upper()} id {rest!r}")

    def _named(self, text: str, reference: int | str | None) -> Movie | None:
        """Return the movie with another site's id, or else with the data set's own; None without one."""
        external = self._with_external_id(reference) if isinstance(reference, str) else None
        if external is not None or is_numbered(text):
            return external
        return self._with_source_id(text.strip())

    def _with_external_id(self, reference: str) -> Movie | None:
        """Return the movie with another site's id, as of ``movie_reference``; None without one."""
        for movie_id in self._external.candidates(reference):
            if movie_id in self.ids and reference in external_ids(self.movie(movie_id)):
                return self.movie(movie_id)
        return None

    @property
    def has_source_ids(self) -> bool:
        """Return True if some movies of the data set have ids that are no numbers."""
        return self.ids.largest >= FIRST_NAMED

    def _with_source_id(self, text: str) -> Movie | None:
        """Return the movie that the data set itself calls so; None without one, and for numbers."""
        if not self.has_source_ids or plain_number(text) is not None:
            return None
        for number in candidates(text):
            movie = self.movie(number) if number in self.ids else None
            if movie is None or movie.source_id == text:
                return movie
        return None

    def resolve(self, text: str, note: Callable[[str], None] = lambda _: None) -> Movie:
        """Return the movie with this id, in any notation of ``identify``, or this title.

        A text that ends in a year in parentheses is a whole title, main or alternative. Other texts may also be words
        of one title alone.

        Args:
            text: the id or the title.
            note: called with one line if the movie has another title than the text, or is of the year before or after.

        Raises:
            UnknownMovie: nothing matches.
            AmbiguousTitle: several movies match, or the number is one movie's id and another's title; the error lists
                them.
        """
        reference = movie_reference(text)
        named = self._named(text, reference)
        if named is not None:
            return named
        if reference is None:
            return self._by_title(text.strip(), note)
        titled = self.whole(text.strip()) if text.strip().isdecimal() else []
        if not titled:
            return self.identify(text)
        if isinstance(reference, int) and reference in self.ids:
            found = self.movie(reference)
            if titled != [found]:
                problem = f"{reference} is the id of {found}, and a title: give id:{reference}, or the id of the other"
                raise _ambiguous(problem, list(dict.fromkeys([found, *titled])))
            return found
        if len(titled) > 1:
            raise _ambiguous(f"{text!r} fits {len(titled)} movies, give an id", titled)
        return titled[0]

    def allowed(self, where: MovieFilter) -> BoolArray:
        """Return the mask (n,) of the rows that pass the filter."""
        mask = np.ones(len(self), dtype=np.bool_)
        if where.year_from is not None:
            mask &= self._years >= where.year_from
        if where.year_to is not None:
            mask &= (self._years <= where.year_to) & (self._years >= 0)
        for genre in where.genres:
            has = np.zeros(len(self), dtype=np.bool_)
            has[self.ids.find(self._genres.members(genre))] = True
            mask &= has
        if where.among is not None:
            chosen = np.zeros(len(self), dtype=np.bool_)
            rows = self.ids.find(where.among)
            chosen[rows[rows >= 0]] = True
            mask &= chosen
        if where.owned is not None:
            shelf = np.zeros(len(self), dtype=np.bool_)
            rows = self.ids.find([] if self.owned is None else self.owned.values)
            shelf[rows[rows >= 0]] = True
            mask &= shelf == where.owned
        excluded = self.ids.find(where.exclude)
        mask[excluded[excluded >= 0]] = False
        return mask

    def to_json(self) -> dict[str, list[Any]]:
        """Return the columns of ``movies.json``."""
        named = any(movie.source_id for movie in self.movies)
        fields = _FIELDS if named else _FIELDS[:-1]
        return (
            {name: [getattr(movie, name) for movie in self.movies] for name in fields}
            | {
                "rating_count": list(self.rating_counts),
                "rating_mean": list(self.rating_means),
                "poster": list(self.posters),
            }
            | ({} if self.owned is None else {"owned": [movie.movie_id in self.owned for movie in self.movies]})
        )

    @classmethod
    def from_json(cls, columns: Mapping[str, Sequence[Any]]) -> Catalogue:
        """Return the catalogue from the columns of ``movies.json``.

        Raises:
            BadSnapshot: a column is missing, or of another length than the others.
        """
        try:
            named = columns.get("source_id") or [None] * len(columns["movie_id"])
            years, lists = _Once[int | None](), _Once[tuple[str, ...]]()
            movies = tuple(
                Movie(movie_id, title, years[year], lists[tuple(genres)], imdb_id, tmdb_id, source_id)
                for movie_id, title, year, genres, imdb_id, tmdb_id, source_id in zip(
                    *(columns[name] for name in _FIELDS[:-1]), named, strict=True
                )
            )
            counts, means, posters = (tuple(columns[name]) for name in ("rating_count", "rating_mean", "poster"))
            owned = None
            if "owned" in columns:
                marks = zip(movies, columns["owned"], strict=True)
                owned = Ids([movie.movie_id for movie, is_owned in marks if is_owned])
            return cls(movies, counts, means, posters, owned)
        except (KeyError, ValueError) as error:
            raise BadSnapshot(f"movies.json is not a catalogue ({error}): build the snapshot again") from error

    def _by_title(self, text: str, note: Callable[[str], None]) -> Movie:
        title, year = parse_title(text)
        fits = self.whole(text, year)
        if not fits and year is not None:
            near = [self.whole(f"{title} ({each})", each) for each in (year - 1, year + 1)]
            fits = [movie for movies in near for movie in movies]
            if len(fits) == 1:
                note(f"there is no {text!r} here, but {fits[0]} (id {fits[0].movie_id})")
        elif not fits and _has_letters(text):
            wanted = set(words(text))
            found = self.titled(text)
            fits = found if len(found) > 1 else [movie for movie in found if wanted <= set(words(str(movie)))]
            if len(fits) == 1:
                note(f"{text!r} is read as {fits[0]} (id {fits[0].movie_id})")
        if len(fits) == 1:
            return fits[0]
        if fits:
            raise _ambiguous(f"{text!r} fits {len(fits)} movies, give an id", fits)
        suggested = dict.fromkeys([*self.whole(title), *self.search(text, _MAX_SUGGESTIONS)])
        similar = [f"{movie.movie_id} {movie}" for movie in suggested][:_MAX_SUGGESTIONS]
        perhaps = f"; perhaps {' or '.join(similar)}" if similar else ""
        raise UnknownMovie(f"no movie is called {text!r}{perhaps}; give an id, imdb:tt…, tmdb:… or words of a title")

    def whole(self, text: str, year: int | None = None) -> list[Movie]:
        """Return the movies with this whole title, main or alternative, in the most exact sense that some movie has it.

        Letter case tells "Heat" from "HEAT", and an article "Heat" from "The Heat", where there are both. Without
        letters and a year the title is exact: 1_0 is not "10".

        Args:
            text: the title, with or without a year.
            year: of the movies; None for any.
        """
        found = [(self.movie(movie_id), rank) for movie_id, rank in self._titles.whole(text)]
        if year is not None:
            found = [(movie, rank) for movie, rank in found if year in (movie.year, parse_title(movie.title)[1])]
        elif not _has_letters(text):
            found = [(movie, rank) for movie, rank in found if _is_named(movie, text)]
        best = max((rank for _, rank in found), default=0)
        return [movie for movie, rank in found if rank == best]


def _has_letters(text: str) -> bool:
    return any(map(str.isalpha, text))


def _is_named(movie: Movie, text: str) -> bool:
    main, others = alternatives(movie.title)
    return verbatim(text) in map(verbatim, (main, *others, movie.title))


def _ambiguous(problem: str, movies: Sequence[Movie]) -> AmbiguousTitle:
    candidates = [(movie.movie_id, str(movie)) for movie in movies[:_MAX_CANDIDATES]]
    more = f", and {len(movies) - len(candidates)} more" if len(movies) > len(candidates) else ""
    listed = "; ".join(f"{movie_id} {title}" for movie_id, title in candidates)
    return AmbiguousTitle(f"{problem}: {listed}{more}", candidates)


def _year(movie: Movie) -> int:
    return -1 if movie.year is None else movie.year


class _Once(dict[Value, Value]):
    """Each value as the first one that was equal: a parser makes a new object of every one, and years are few."""

    def __missing__(self, value: Value) -> Value:
        """Return the value, which is the first."""
        self[value] = value
        return value
