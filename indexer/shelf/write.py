"""The data set of a shelf: a folder that builds read, with links to the posters."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from index.catalogue.movie import Movie
from index.core.arrays import Int64Array
from index.core.files import replacing, write_durably
from indexer.datasets.dataset import Dataset
from indexer.shelf.film import Line, Watched
from indexer.shelf.join import Owned
from indexer.shelf.nfo import LABELS

_SUFFIXES = {".tbn": ".jpg"}  # of Kodi's
_MOST_PLAYS = 10  # of a film by a user, that count


def write_movies(folder: Path, movies: Sequence[Owned], dataset: Dataset | None) -> None:
    """Write movies.csv, facts.csv and, with a data set that has some, tags.csv; a file that is the same stays."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = (
        (_id(movie), f"{movie.title} ({movie.year})" if movie.year else movie.title, "|".join(movie.genres),
         movie.imdb_id or "", "" if movie.tmdb_id is None else movie.tmdb_id)
        for movie in (owned.movie for owned in movies)
    )  # fmt: skip
    _write(folder / "movies.csv", ("movieId", "title", "genres", "imdbId", "tmdbId"), rows)
    kinds = [*LABELS, *sorted({kind for owned in movies for kind in owned.facts.labels} - set(LABELS))]
    facts = (
        (_id(owned.movie), *("|".join(owned.facts.labels.get(kind, ())) for kind in kinds), owned.facts.overview)
        for owned in movies
    )
    _write(folder / "facts.csv", ("movieId", *kinds, "overview"), (row for row in facts if any(row[1:])))
    tags = {} if dataset is None else dataset.tags
    tagged = ((_id(owned.movie), tag) for owned in movies for tag in tags.get(owned.movie.movie_id, ()))
    _write(folder / "tags.csv", ("movieId", "tag"), tagged)


def write_ratings(folder: Path, movies: Sequence[Owned], dataset: Dataset | None, watched: Sequence[Watched]) -> int:
    """Write ratings.csv: a data set's ratings of the movies, and those of a media server's users; return their number.

    Where nobody rated, it has the films that users played or marked as favourites, without a column of ratings. Else
    these are in events.csv. A file without rows is deleted.
    """
    implicit = dataset is not None and dataset.ratings.implicit
    by_file = {name: owned.movie for owned in movies for name in owned.files}
    known = [(each, _id(by_file[each.file])) for each in watched if each.file in by_file]
    rated = [] if implicit else [
        (each.user, movie, _on_scale(each.rating, dataset), each.time or 0)
        for each, movie in known if each.rating is not None
    ]  # fmt: skip
    events = [(each.user, movie, kind, each.time or "") for each, movie in known for kind in _kinds(each)]
    joined = None if dataset is None else _joined(movies, dataset)
    columns = ("userId", "movieId", "rating", "timestamp")
    if joined is not None and not joined.empty:
        table = pd.concat([joined, pd.DataFrame(rated, columns=columns)]) if rated else joined
    elif rated:
        table = pd.DataFrame(rated, columns=columns)
    else:
        seen = dict.fromkeys((user, movie) for user, movie, *_ in events)
        table, events = pd.DataFrame(list(seen), columns=["userId", "movieId"]), []
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "events.csv", ("user", "item", "kind", "time"), events)
    file = folder / "ratings.csv"
    if table.empty:
        file.unlink(missing_ok=True)
    else:
        with replacing(file) as fresh:
            table.to_csv(fresh, index=False)
    return len(table)


def write_notice(folder: Path, dataset: Dataset | None) -> None:
    """Write the terms of the data set that the ratings are of; without one, delete them."""
    file = folder / "README.txt"
    if dataset is not None and dataset.notice:
        write_durably(file, f"{dataset.notice}\n".encode())
    else:
        file.unlink(missing_ok=True)


def link_posters(folder: Path, movies: Iterable[Owned]) -> int:
    """Make ``folder`` hold a link to the poster of each movie that has one, and nothing else; return their number.

    Links instead of copies: the build copies what it serves.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted: dict[str, str] = {}
    for owned in movies:
        if owned.poster is not None:
            suffix = Path(owned.poster).suffix.lower()
            wanted[f"{owned.movie.movie_id}{_SUFFIXES.get(suffix, suffix)}"] = owned.poster
    linked = set()
    for entry in list(os.scandir(folder)):
        if entry.is_symlink() and os.readlink(entry.path) == wanted.get(entry.name):  # noqa: PTH115
            linked.add(entry.name)
        else:
            Path(entry.path).unlink()
    for name in wanted.keys() - linked:
        (folder / name).symlink_to(wanted[name])
    return len(wanted)


def write_report(file: Path, lines: Iterable[Line]) -> None:
    """Write a row for every file: path, outcome, film, reason."""
    _write(
        file,
        ("file", "outcome", "film", "reason"),
        ((each.file, each.outcome.value, each.film, each.reason) for each in lines),
    )


def _kinds(watched: Watched) -> Iterator[str]:
    if watched.favourite:
        yield "like"
    yield from ["view"] * min(watched.plays, _MOST_PLAYS)


def _on_scale(rating: float | None, dataset: Dataset | None) -> float:
    """Return a rating from 0 to 10 on the scale of a data set; the same without one."""
    given = rating or 0.0
    if dataset is None:
        return given
    low, high = dataset.ratings.scale
    return min(max(given / 10 * high, low), high)


def _joined(movies: Sequence[Owned], dataset: Dataset) -> pd.DataFrame:
    ids = np.array([owned.movie.movie_id for owned in movies if owned.how], np.int64)
    ratings = dataset.ratings.take(np.isin(dataset.ratings.movie_ids, ids))
    names = {owned.movie.movie_id: owned.movie.source_id for owned in movies if owned.movie.source_id is not None}
    columns: dict[str, Any] = {
        "userId": _named(ratings.user_ids, dataset.user_names),
        "movieId": _named(ratings.movie_ids, names),
    }
    if not ratings.implicit:
        columns["rating"] = ratings.values
    if ratings.timestamps is not None:
        columns["timestamp"] = ratings.timestamps
    return pd.DataFrame(columns)


def _named(ids: Int64Array, names: Mapping[int, str]) -> Int64Array | list[str]:
    """Return ids as their data set writes them."""
    return [names.get(each, str(each)) for each in ids.tolist()] if names else ids


def _id(movie: Movie) -> str:
    return movie.source_id or str(movie.movie_id)


def _write(file: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table, unless the file has the same content already; delete it if there are no rows."""
    stream = io.StringIO(newline="")
    table = csv.writer(stream)
    table.writerow(header)
    empty = stream.tell()
    table.writerows(rows)
    if stream.tell() == empty:
        file.unlink(missing_ok=True)
        return
    content = stream.getvalue().encode("utf-8", "replace")
    if not file.is_file() or file.read_bytes() != content:
        write_durably(file, content)
