"""The movies of a shelf: its films, each once, under the ids of a data set that has ratings of them."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from index.catalogue.catalogue import Catalogue
from index.catalogue.movie import Movie
from index.catalogue.title_forms import words
from index.core.errors import InvalidInput
from index.core.ids import Ids
from index.core.source_ids import FIRST_NAMED
from index.imports.export import Entry
from index.imports.match import match
from indexer.datasets.dataset import Dataset
from indexer.shelf.film import Facts, Film
from indexer.spaces.poster_files import find_posters

_FIRST_OWN = 10**12  # of ids that no data set gives

# Genres as MovieLens calls them, so that films without ratings are predicted from those with.
_MOVIELENS_GENRES = {"science fiction": "Sci-Fi", "film noir": "Film-Noir", "family": "Children", "kids": "Children"}


@dataclass(frozen=True, slots=True)
class ShelfMovie:
    """A movie of the shelf's catalogue."""

    movie: Movie
    facts: Facts
    files: tuple[str, ...]  # of its films, as reported; the first names it; none if it is not owned
    poster: str | None = None  # path
    how: str = ""  # how it was found in the data set; empty if it was not
    note: str = ""  # why it was not, if something is like it

    @property
    def of_dataset(self) -> bool:
        """Return True if the movie has the id of the data set."""
        return bool(self.how) or not self.files


@dataclass(frozen=True, slots=True)
class _Unit:
    """Films that are the same."""

    facts: Facts
    films: tuple[Film, ...]
    movie: Movie | None = field(default=None)  # of the data set
    how: str = ""
    note: str = ""

    @property
    def poster(self) -> str | None:
        return next((str(film.poster) for film in self.films if film.poster is not None), None)


def own_movies(films: Iterable[Film], dataset: Dataset | None) -> list[ShelfMovie]:
    """Return the movies of some films, by ascending id.

    Films with a common IMDb or TMDB id are one movie; so are those of the same title and year, unless their ids differ.
    A movie has the id of the data set's movie with its IMDb or TMDB id, or, for want of both, with its whole title and
    its year. Others have a number from their own id or title, the same in every scan.
    """
    units = _united(films)
    if dataset is not None:
        units = _united_by_movie(_joined(units, dataset))
    taken = set() if dataset is None else {movie.movie_id for movie in dataset.movies}
    movies = []
    for unit in sorted(units, key=lambda unit: unit.films[0].file):
        movie, facts = unit.movie, unit.facts
        genres = facts.genres
        if dataset is not None:
            genres = tuple(dict.fromkeys(_MOVIELENS_GENRES.get(genre.casefold(), genre) for genre in genres))
        if movie is None:
            number = next(number for number in _own_numbers(facts) if number not in taken)
            taken.add(number)
            movie = Movie(number, _title(facts), facts.year, genres, facts.imdb_id, facts.tmdb_id)
        else:
            movie = replace(
                movie,
                title=movie.title if facts.named else _title(facts),
                year=movie.year if facts.named or facts.year is None else facts.year,
                genres=movie.genres or genres,
                imdb_id=facts.imdb_id or movie.imdb_id,
                tmdb_id=facts.tmdb_id or movie.tmdb_id,
            )
        files = tuple(film.file for film in unit.films)
        movies.append(ShelfMovie(movie, facts, files, unit.poster, unit.how, unit.note))
    return sorted(movies, key=lambda owned: owned.movie.movie_id)


def _title(facts: Facts) -> str:
    """Return a film's title with its original one in parentheses, if that is another."""
    original = facts.original_title
    if not original or words(original) == words(facts.title) or "(" in facts.title + original:
        return facts.title
    return f"{facts.title} ({original})"


def _own_numbers(facts: Facts) -> Iterator[int]:
    """Yield the numbers that may stand for a film of no data set, the first of all unless another film took it."""
    if facts.imdb_id is not None:
        key = f"imdb:{facts.imdb_id}"
    else:
        key = f"title:{_key(facts)}" if facts.tmdb_id is None else f"tmdb:{facts.tmdb_id}"
    attempt = 0
    while True:
        digest = hashlib.blake2b(f"{key}\0{attempt}".encode(errors="replace"), digest_size=8).digest()
        yield _FIRST_OWN + int.from_bytes(digest) % (FIRST_NAMED - _FIRST_OWN)
        attempt += 1


def _key(facts: Facts) -> str:
    """Return a film's title and year as compared."""
    title = " ".join(words(facts.title)) or facts.title.casefold()
    return title if facts.year is None else f"{title} ({facts.year})"


def _united(films: Iterable[Film]) -> list[_Unit]:
    """Return the films without repeats: those with ids first, so that the order of folders does not matter."""
    by_imdb: dict[str, int] = {}
    by_tmdb: dict[int, int] = {}
    by_title: dict[str, list[int]] = defaultdict(list)
    units: list[_Unit] = []
    for film in sorted(films, key=lambda film: (-_ids(film.facts), film.file)):
        facts, key = film.facts, _key(film.facts)
        at = by_imdb.get(facts.imdb_id) if facts.imdb_id is not None else None
        if at is None and facts.tmdb_id is not None:
            at = by_tmdb.get(facts.tmdb_id)
        if at is None and not _ids(facts) and len(by_title[key]) == 1:
            (at,) = by_title[key]
        if at is None:
            at = len(units)
            units.append(_Unit(facts, (film,)))
            by_title[key].append(at)
        else:
            units[at] = replace(units[at], facts=_filled(units[at].facts, facts), films=(*units[at].films, film))
        if units[at].facts.imdb_id is not None:
            by_imdb.setdefault(str(units[at].facts.imdb_id), at)
        if units[at].facts.tmdb_id is not None:
            by_tmdb.setdefault(int(units[at].facts.tmdb_id or 0), at)
    return units


def _ids(facts: Facts) -> int:
    return (facts.imdb_id is not None) + (facts.tmdb_id is not None)


def _filled(facts: Facts, other: Facts) -> Facts:
    """Return facts with those of another version where they are empty."""
    named = other if facts.named and not other.named else facts
    return replace(
        facts,
        title=named.title,
        original_title=named.original_title,
        named=named.named,
        year=facts.year if facts.year is not None else other.year,
        imdb_id=facts.imdb_id or other.imdb_id,
        tmdb_id=facts.tmdb_id or other.tmdb_id,
        genres=facts.genres or other.genres,
        labels={**other.labels, **{kind: labels for kind, labels in facts.labels.items() if labels}},
        overview=facts.overview or other.overview,
    )


def _joined(units: Sequence[_Unit], dataset: Dataset) -> list[_Unit]:
    by_imdb = {movie.imdb_id: movie for movie in reversed(dataset.movies) if movie.imdb_id is not None}
    by_tmdb = {movie.tmdb_id: movie for movie in reversed(dataset.movies) if movie.tmdb_id is not None}
    found = []
    for unit in units:
        facts = unit.facts
        if facts.imdb_id in by_imdb:
            found.append(replace(unit, movie=by_imdb[facts.imdb_id], how="IMDb id"))
        elif facts.tmdb_id in by_tmdb:
            found.append(replace(unit, movie=by_tmdb[facts.tmdb_id], how="TMDB id"))
        else:
            found.append(unit)
    without_ids = [at for at, unit in enumerate(found) if not _ids(unit.facts)]
    if not without_ids:
        return found
    n = len(dataset.movies)
    catalogue = Catalogue(dataset.movies, (0,) * n, (None,) * n, (None,) * n)
    entries = (Entry(found[at].films[0].file, "watched", found[at].facts.title, found[at].facts.year)
               for at in without_ids)  # fmt: skip
    for at, each in zip(without_ids, match(entries, catalogue), strict=True):
        if each.movie is not None:
            found[at] = replace(found[at], movie=each.movie, how="title and year", note=each.note)
        elif each.candidates:
            candidates = " or ".join(map(str, each.candidates[:3]))
            found[at] = replace(found[at], note=f"perhaps {candidates}: {each.note}")
    return found


def _united_by_movie(units: Sequence[_Unit]) -> list[_Unit]:
    """Return the films with those of the same movie of the data set as one."""
    by_movie: dict[int, int] = {}
    united: list[_Unit] = []
    for unit in units:
        at = None if unit.movie is None else by_movie.setdefault(unit.movie.movie_id, len(united))
        if at is None or at == len(united):
            united.append(unit)
        else:
            first = united[at]
            united[at] = replace(first, facts=_filled(first.facts, unit.facts), films=(*first.films, *unit.films))
    return united


def with_others(movies: Sequence[ShelfMovie], dataset: Dataset) -> list[ShelfMovie]:
    """Return the movies of the shelf with all others of a data set, by ascending id."""
    owned = {each.movie.movie_id for each in movies}
    others = [ShelfMovie(movie, Facts(), ()) for movie in dataset.movies if movie.movie_id not in owned]
    return sorted([*movies, *others], key=lambda each: each.movie.movie_id)


def with_posters(movies: Sequence[ShelfMovie], folder: Path) -> list[ShelfMovie]:
    """Return the movies with posters of a folder, which are named by the ids of the data set, where they have none."""
    try:
        found, _ = find_posters(folder, Ids([each.movie.movie_id for each in movies]))
    except InvalidInput:  # it has none of these movies
        return list(movies)
    return [
        replace(each, poster=str(found[each.movie.movie_id].resolve()))
        if each.poster is None and each.of_dataset and each.movie.movie_id in found
        else each
        for each in movies
    ]


def with_labels(movies: Sequence[ShelfMovie], labels: Mapping[str, Mapping[int, tuple[str, ...]]]) -> list[ShelfMovie]:
    """Return the movies with the labels of a data set, by column of facts.csv, where they have none of that kind."""
    filled = []
    for owned in movies:
        of_movie = {kind: found for kind, of_all in labels.items() if (found := of_all.get(owned.movie.movie_id))}
        known = {kind: found for kind, found in owned.facts.labels.items() if found}
        filled.append(replace(owned, facts=replace(owned.facts, labels={**of_movie, **known})))
    return filled
