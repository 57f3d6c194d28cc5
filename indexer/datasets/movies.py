"""Movies of a data set, by the id that its files give them: titles, genres and years, links and tags."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from index.catalogue.catalogue import Movie
from index.catalogue.title_forms import parse_title
from index.core.quoted import LooksLikeRow
from index.library.entries import MAX_TITLE, MAX_TMDB_ID
from indexer.datasets.tables.columns import LINK_COLUMNS, MOVIE_COLUMNS, TAG_COLUMNS, Layout, layout, normalised
from indexer.datasets.tables.delimited import Table
from indexer.datasets.tables.skipped import Skipped
from indexer.datasets.tables.values import genres, is_missing, source_id, whole, year

Movies = dict[str, Movie]  # by id as of ``source_id``; their ``movie_id`` is not yet set

# Genre flags of u.item after "unknown". Source: u.genre of ml-100k.
_GENRES_100K = [
    "Action",
    "Adventure",
    "Animation",
    "Children",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
]
_COLUMNS_ITEM = ("movieId", "title", "release", "video", "url", "unknown", *_GENRES_100K)


def read_movies(file: Path, skipped: Skipped) -> Movies:
    """Read a file of movies with at least an id and a title; a movie without a title is named by its id.

    Raises:
        InvalidInput: the file cannot be read, or more than a tenth of its rows.
    """
    if file.suffix == ".item" and normalised(file.name) == "uitem":
        return _read_items(file, skipped)
    if file.name.startswith("movies.dat"):
        table = Table(file, ("movieId", "title", "genres"), "::", skip=0, quoted=False)
        found = Layout(table, {"movie": 0, "title": 1, "genres": 2}, header=False)
    else:
        found = layout(file, MOVIE_COLUMNS, "movie", "title")
        found.table.note_encoding(skipped)
    spaced = "genres" in found and found.table.columns[found.roles["genres"]].endswith(":token_seq")  # RecBole's
    movies: Movies = {}
    for line, fields in found.table.rows(skipped, _row_test(found), 1 + found.roles["title"]):
        movie_id = source_id(found.field(fields, "movie"))
        if movie_id is None:
            skipped.add_invalid(file, line, f"movie {found.field(fields, 'movie')[:80]!r} is no id")
            continue
        listed = found.field(fields, "genres")
        movie = described(movie_id, found.field(fields, "title"), listed, found.field(fields, "year"))
        if spaced:
            movie = replace(movie, genres=tuple(dict.fromkeys(listed.split())))
        if is_missing(found.field(fields, "title")):
            skipped.add(file, "movies without a title, named by their ids", f"line {line}, movie {movie_id}")
        movie = _linked(movie, found, fields, line, skipped)
        _add(movies, movie_id, movie, file, line, skipped)
    skipped.check(file, len(movies) + skipped.invalid[file])
    return movies


def described(movie_id: str, title: str, listed: str = "", released: str = "") -> Movie:
    """Return a movie by its title, genres and year as files write them; the year of the title counts first."""
    if is_missing(title):
        named = unlisted(movie_id)
        return replace(named, year=named.year or year(released), genres=genres(listed))
    name, found = parse_title(" ".join(title.split()))
    return Movie(0, name[:MAX_TITLE], year(released) if found is None else found, genres(listed))


def unlisted(movie_id: str) -> Movie:
    """Return a movie of which only the id is known, named by that."""
    if movie_id.isascii() and movie_id.isdigit():
        return Movie(0, f"Movie {movie_id}")
    name, released = parse_title(movie_id)
    return Movie(0, name, released)


def add_links(movies: Movies, file: Path, skipped: Skipped) -> None:
    """Add the IMDb and TMDB ids in a file of links; one that cannot be read costs that link alone.

    Raises:
        InvalidInput: the file cannot be read.
    """
    found = layout(file, LINK_COLUMNS, "movie")
    for line, fields in found.table.rows(skipped, _row_test(found), 1 + found.roles["movie"]):
        movie_id = source_id(found.field(fields, "movie"))
        if movie_id is None or movie_id not in movies:
            given = found.field(fields, "movie")[:80]
            skipped.add(file, "skipped links of unknown movies", f"line {line}, movie {given}")
            continue
        movies[movie_id] = _linked(movies[movie_id], found, fields, line, skipped)


def read_tags(file: Path, movies: Movies, skipped: Skipped) -> dict[str, tuple[str, ...]]:
    """Return movie -> tags as written, repeats included.

    Raises:
        InvalidInput: the file cannot be read, or more than a tenth of its rows.
    """
    if file.name.startswith("tags.dat"):
        table = Table(file, ("user", "movie", "tag", "timestamp"), "::", skip=0, quoted=False)
        found = Layout(table, {"movie": 1, "tag": 2}, header=False)
    else:
        found = layout(file, TAG_COLUMNS, "movie", "tag")
    tags: dict[str, list[str]] = defaultdict(list)
    for line, fields in found.table.rows(skipped, _row_test(found), found.width):
        movie_id = source_id(found.field(fields, "movie"))
        if movie_id is not None and movie_id in movies:
            tags[movie_id].append(found.field(fields, "tag"))
        else:
            given = found.field(fields, "movie")[:80]
            skipped.add(file, "skipped tags of unknown movies", f"line {line}, movie {given}")
    return {movie_id: tuple(given) for movie_id, given in tags.items()}


def join_by_tmdb_id(links: Path, by_tmdb_id: Movies, skipped: Skipped) -> Movies:
    """Return the movies of TMDB's metadata under the ids that a file of links gives them.

    Raises:
        InvalidInput: the file cannot be read.
    """
    found = layout(links, LINK_COLUMNS, "movie", "tmdb")
    movies: Movies = {}
    for _, fields in found.table.rows(skipped, _row_test(found), 1 + found.roles["movie"]):
        movie_id = source_id(found.field(fields, "movie"))
        tmdb_id = source_id(found.field(fields, "tmdb"))
        if movie_id is not None and tmdb_id in by_tmdb_id:
            movies[movie_id] = by_tmdb_id[tmdb_id]
    return movies


def _read_items(file: Path, skipped: Skipped) -> Movies:
    """Read u.item of ml-100k, which has a flag for each genre."""
    table = Table(file, _COLUMNS_ITEM, "|", skip=0, quoted=False)
    movies: Movies = {}
    for line, (given, title, release, _video, _url, _unknown, *flags) in table.rows(skipped, lambda _: True):
        movie_id = source_id(given)
        if movie_id is None:
            skipped.add_invalid(file, line, f"movie {given[:80]!r} is no id")
            continue
        names = [genre for genre, flag in zip(_GENRES_100K, flags, strict=True) if flag.strip() == "1"]
        _add(movies, movie_id, described(movie_id, title, "|".join(names), release), file, line, skipped)
    return movies


def _row_test(found: Layout) -> LooksLikeRow:
    """Return a function that tells a row by its id."""

    def is_row(fields: list[str]) -> bool:
        movie_id = source_id(found.field(fields, "movie"))
        return movie_id is not None and " " not in movie_id

    return is_row


def _linked(movie: Movie, found: Layout, fields: list[str], line: int, skipped: Skipped) -> Movie:
    """Return a movie with the ids of other sites in a row; count those that are none."""
    file = found.table.file
    imdb, tmdb = (found.field(fields, role).strip() for role in ("imdb", "tmdb"))
    if not is_missing(imdb):
        digits = whole(re.sub(r"^tt(?=[0-9])", "", imdb, flags=re.IGNORECASE), 10**10 - 1)
        if digits is None:
            skipped.add(file, "skipped IMDb ids that are none", f"line {line}: {imdb[:80]!r}")
        else:
            movie = replace(movie, imdb_id=f"tt{digits:07d}")
    if not is_missing(tmdb):
        number = whole(tmdb, MAX_TMDB_ID)
        if number is None:
            skipped.add(file, "skipped TMDB ids that are none", f"line {line}: {tmdb[:80]!r}")
        else:
            movie = replace(movie, tmdb_id=number)
    return movie


def _add(movies: Movies, movie_id: str, movie: Movie, file: Path, line: int, skipped: Skipped) -> None:
    if movie_id in movies:
        skipped.add(file, "duplicate movie ids, kept the first", f"line {line}, movie {movie_id}")
    else:
        movies[movie_id] = movie
