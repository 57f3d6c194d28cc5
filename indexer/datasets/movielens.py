"""Data set readers: any unzipped MovieLens edition, or any CSV file of user, item, rating[, timestamp]."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from index.catalogue.catalogue import Movie
from index.catalogue.title_forms import parse_title
from index.core.arrays import BoolArray
from index.core.errors import InvalidInput
from index.core.ids import Ids
from indexer.datasets.dataset import Dataset, Ratings
from indexer.datasets.delimited import Table, csv_table, whole_number
from indexer.datasets.sources import SAMPLE

CITATION = (
    "Ratings: MovieLens (F. Maxwell Harper and Joseph A. Konstan. 2015. The MovieLens Datasets: History and Context."
    " ACM Transactions on Interactive Intelligent Systems 5, 4: 19:1–19:19). Not for commercial use without"
    " permission of GroupLens; redistribution only under the same terms."
)
SAMPLE_NOTICE = "Invented films, generated posters and simulated ratings, made by Posterity; free to use."

_README_SAMPLE = "Posterity sample"
_COLUMNS = {
    "user": {"user", "userid"},
    "movie": {"item", "itemid", "movie", "movieid"},
    "rating": {"rating", "score"},
    "timestamp": {"timestamp", "time"},
}
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
_TITLES_FILE = {"ratings.csv": "movies.csv", "ratings.dat": "movies.dat", "u.data": "u.item"}
_COLUMNS_1M = ("user", "movie", "rating", "timestamp")
_COLUMNS_ITEM = ("movieId", "title", "release", "video", "url", "unknown", *_GENRES_100K)


@dataclass(slots=True)
class _Warnings:
    """Skipped rows: the count and the first example per reason."""

    first: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, reason: str, example: str, n: int = 1) -> None:
        self.first.setdefault(reason, example)
        self.counts[reason] += n

    def messages(self) -> tuple[str, ...]:
        return tuple(f"{reason}: {n:,} (such as {self.first[reason]})" for reason, n in self.counts.items())


def read_dataset(path: Path) -> Dataset:
    """Read the data set in a folder or a CSV file.

    Skip rows that do not affect the rest and count them in ``warnings``: ratings of unknown movies, and all but the
    latest rating of a movie by the same user. Any other invalid row is an error.

    Raises:
        InvalidInput: the path holds no data set, or a file is invalid; the message names file, line and value.
    """
    if path.suffix.lower() == ".zip":
        raise InvalidInput(f"{path} is a zip file: unzip it and give the folder")
    if path.is_file():
        # The ratings file of an edition stands for its folder, so that the titles are read too.
        titles = _TITLES_FILE.get(path.name)
        return read_dataset(path.parent) if titles and (path.parent / titles).exists() else _read_any_csv(path)
    if not path.is_dir():
        raise InvalidInput(f"there is no folder or file {path}: give a MovieLens folder or a CSV file")
    folder = _dataset_folder(path)
    if (folder / "ratings.dat").exists():
        return _with_name_and_notice(_read_1m(folder), folder)
    if (folder / "u.data").exists():
        return _with_name_and_notice(_read_100k(folder), folder)
    if (folder / "movies.csv").exists():
        return _with_name_and_notice(_read_csv_edition(folder), folder)
    return _with_name_and_notice(_read_any_csv(*folder.glob("*.csv")), folder)


def _dataset_folder(path: Path) -> Path:
    """Return ``path``, or its only subfolder that holds a data set."""
    if holds_dataset(path):
        return path
    inner = [folder for folder in sorted(path.iterdir()) if folder.is_dir() and holds_dataset(folder)]
    if len(inner) == 1:
        return inner[0]
    if inner:
        raise InvalidInput(f"{path} holds several data sets; give one: {', '.join(str(folder) for folder in inner)}")
    raise InvalidInput(
        f"{path} holds no ratings: expected ratings.csv and movies.csv, ratings.dat (ml-1m), u.data (ml-100k), or"
        " one CSV file of user, item, rating"
    )


def holds_dataset(folder: Path) -> bool:
    """Return True if this folder itself, not a subfolder, holds the files of a data set."""
    known = any((folder / name).exists() for name in ("ratings.csv", "ratings.dat", "u.data"))
    return known or len(list(folder.glob("*.csv"))) == 1


def _read_csv_edition(folder: Path) -> Dataset:
    skipped = _Warnings()
    movies = _movies_from_csv(folder / "movies.csv", skipped)
    if (folder / "links.csv").exists():
        _add_links(movies, folder / "links.csv", skipped)
    tags = _tags(folder / "tags.csv", movies, skipped) if (folder / "tags.csv").exists() else {}
    return _dataset(movies, _rating_table(folder / "ratings.csv"), skipped, tags)


def _read_1m(folder: Path) -> Dataset:
    skipped = _Warnings()
    titles = Table(folder / "movies.dat", ("movieId", "title", "genres"), "::", "latin-1", header=False)
    movies: dict[int, Movie] = {}
    for line, (movie_id, title, genres) in titles.rows():
        _add_movie(movies, _movie(movie_id, title, genres.split("|"), titles.file, line), titles.file, line, skipped)
    return _dataset(movies, Table(folder / "ratings.dat", _COLUMNS_1M, "::", "latin-1", header=False), skipped)


def _read_100k(folder: Path) -> Dataset:
    skipped = _Warnings()
    items = Table(folder / "u.item", _COLUMNS_ITEM, "|", "latin-1", header=False)
    movies: dict[int, Movie] = {}
    for line, (movie_id, title, release, _video, _url, _unknown, *flags) in items.rows():
        genres = [genre for genre, flag in zip(_GENRES_100K, flags, strict=True) if flag.strip() == "1"]
        movie = _movie(movie_id, title, genres, items.file, line)
        if movie.year is None and re.search(r"\d{4}$", release):
            movie = replace(movie, year=int(release[-4:]))
        _add_movie(movies, movie, items.file, line, skipped)
    return _dataset(movies, Table(folder / "u.data", _COLUMNS_1M, "\t", "latin-1", header=False), skipped)


def _read_any_csv(file: Path) -> Dataset:
    """Read a file of ratings without titles; name movies by their ids."""
    return replace(_dataset(None, _rating_table(file), _Warnings()), name=file.stem)


def _movies_from_csv(file: Path, skipped: _Warnings) -> dict[int, Movie]:
    table, at = _with_columns(csv_table(file), "movieId", "title", "genres")
    movies: dict[int, Movie] = {}
    for line, fields in table.rows():
        movie_id, title, genres = (fields[column] for column in at)
        _add_movie(movies, _movie(movie_id, title, genres.split("|"), file, line), file, line, skipped)
    return movies


def _add_links(movies: dict[int, Movie], file: Path, skipped: _Warnings) -> None:
    table, at = _with_columns(csv_table(file), "movieId", "imdbId", "tmdbId")
    for line, fields in table.rows():
        movie_id = whole_number(fields[at[0]], "movieId", file, line)
        imdb, tmdb = (fields[column].strip() for column in at[1:])
        if movie_id not in movies:
            skipped.add(f"{file}: skipped links of unknown movies", f"line {line}, movie {movie_id}")
            continue
        movies[movie_id] = replace(
            movies[movie_id],
            imdb_id=f"tt{whole_number(imdb, 'imdbId', file, line):07d}" if imdb else None,
            tmdb_id=whole_number(tmdb, "tmdbId", file, line) if tmdb else None,
        )


def _tags(file: Path, movies: Mapping[int, Movie], skipped: _Warnings) -> dict[int, tuple[str, ...]]:
    table, at = _with_columns(csv_table(file), "movieId", "tag")
    tags: dict[int, list[str]] = defaultdict(list)
    for line, fields in table.rows():
        movie_id = whole_number(fields[at[0]], "movieId", file, line)
        if movie_id in movies:
            tags[movie_id].append(fields[at[1]])
        else:
            skipped.add(f"{file}: skipped tags of unknown movies", f"line {line}, movie {movie_id}")
    return {movie_id: tuple(given) for movie_id, given in tags.items()}


def _rating_table(file: Path) -> Table:
    """Return the layout of a CSV file of ratings, with columns named user, movie, rating and timestamp."""
    table = csv_table(file)
    normalized = [name.casefold().replace("_", "") for name in table.columns]
    positions: dict[str, int] = {}
    for name, accepted in _COLUMNS.items():
        found = [at for at, given in enumerate(normalized) if given in accepted]
        if len(found) > 1:
            both = " and ".join(table.columns[at] for at in found)
            raise InvalidInput(f"{file}, line 1: {both} could both be the {name} column: remove one")
        if found:
            positions[name] = found[0]
        elif name != "timestamp":
            raise InvalidInput(
                f"{file}, line 1: no {name} column among {', '.join(table.columns)}; expected one of"
                f" {', '.join(sorted(_COLUMNS[name]))}, or with an underscore"
            )
    names = {at: name for name, at in positions.items()}
    return replace(table, columns=tuple(names.get(at, given) for at, given in enumerate(table.columns)))


def _with_columns(table: Table, *names: str) -> tuple[Table, list[int]]:
    """Return the table and the positions of the columns ``names``."""
    normalized = [name.casefold() for name in table.columns]
    missing = [name for name in names if name.casefold() not in normalized]
    if missing:
        raise InvalidInput(f"{table.file}, line 1: no {missing[0]} column among {', '.join(table.columns)}")
    return table, [normalized.index(name.casefold()) for name in names]


def _movie(movie_id: str, title: str, genres: Sequence[str], file: Path, line: int) -> Movie:
    name, year = parse_title(title)
    if not name:
        raise InvalidInput(f"{file}, line {line}: movie {movie_id} has no title")
    listed = tuple(dict.fromkeys(genre.strip() for genre in genres if genre.strip()))
    if listed == ("(no genres listed)",):
        listed = ()
    return Movie(whole_number(movie_id, "movieId", file, line), name, year, listed)


def _add_movie(movies: dict[int, Movie], movie: Movie, file: Path, line: int, skipped: _Warnings) -> None:
    if movie.movie_id in movies:
        skipped.add(f"{file}: duplicate movie ids, kept the first", f"line {line}, movie {movie.movie_id}")
    else:
        movies[movie.movie_id] = movie


def _dataset(
    movies: Mapping[int, Movie] | None,
    table: Table,
    skipped: _Warnings,
    tags: Mapping[int, tuple[str, ...]] | None = None,
) -> Dataset:
    """Return the data set of ``movies``, or of the rated movies if None."""
    optional = [name for name in table.columns if name == "timestamp"]
    columns = table.numbers(["user", "movie", *optional], ["rating"])
    ratings = Ratings(columns["user"], columns["movie"], columns["rating"], columns.get("timestamp"))
    if not len(ratings):
        raise InvalidInput(f"{table.file} holds no ratings")
    if movies is None:
        movies = {int(i): Movie(int(i), f"Movie {i}") for i in np.unique(ratings.movie_ids)}
    kept = _listed(ratings, movies, table, skipped) & _latest(ratings, table, skipped)
    if not kept.any():
        raise InvalidInput(f"{table.file}: no rating is of a listed movie: do the files belong together?")
    ordered = tuple(movies[movie_id] for movie_id in sorted(movies))
    ratings = ratings if kept.all() else ratings.take(kept)
    return Dataset("", "", ordered, ratings, tags or {}, skipped.messages())


def _listed(ratings: Ratings, movies: Mapping[int, Movie], table: Table, skipped: _Warnings) -> BoolArray:
    """Return the mask (n,) of ratings of listed movies."""
    listed = Ids(sorted(movies)).find(ratings.movie_ids) >= 0
    unknown = np.flatnonzero(~listed)
    if unknown.size:
        line, movie_id = table.line_of(int(unknown[0])), ratings.movie_ids[unknown[0]]
        reason = f"{table.file}: skipped ratings of unlisted movies"
        skipped.add(reason, f"line {line}, movie {movie_id}", unknown.size)
    return listed


def _latest(ratings: Ratings, table: Table, skipped: _Warnings) -> BoolArray:
    """Return the mask (n,) of each user's latest rating per movie; of equal timestamps, the last in the file."""
    pairs = pd.DataFrame({"user": ratings.user_ids, "movie": ratings.movie_ids})
    repeated = pairs.duplicated().to_numpy()
    if not repeated.any():
        return ~repeated
    if ratings.timestamps is not None:
        pairs = pairs.iloc[np.argsort(ratings.timestamps, kind="stable")]
    latest = np.zeros(len(ratings), dtype=np.bool_)
    latest[pairs.index[~pairs.duplicated(keep="last")]] = True
    first = int(np.flatnonzero(repeated)[0])
    example = f"line {table.line_of(first)}, user {ratings.user_ids[first]}, movie {ratings.movie_ids[first]}"
    reason = f"{table.file}: repeated ratings of a movie by the same user, kept the latest"
    skipped.add(reason, example, int(repeated.sum()))
    return latest


def _with_name_and_notice(dataset: Dataset, folder: Path) -> Dataset:
    """Return the data set with the name and terms of its folder and README."""
    readme = next((file for file in sorted(folder.glob("README*")) if file.is_file()), None)
    text = "" if readme is None else readme.read_text(encoding="utf-8", errors="replace")[:100_000]
    if text.startswith(_README_SAMPLE):
        return replace(dataset, name=SAMPLE, notice=SAMPLE_NOTICE)
    is_movielens = "MovieLens" in text or folder.name.startswith("ml-")
    written = re.search(r"\bml-[\w-]*\w", text)
    name = written.group() if is_movielens and written and not folder.name.startswith("ml-") else folder.resolve().name
    return replace(dataset, name=name, notice=CITATION if is_movielens else "")
