"""The data set of a shelf: a folder of tables that builds read."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from index.catalogue.movie import Movie
from index.core.arrays import Int64Array
from index.core.files import replacing, write_durably
from indexer.datasets.dataset import Dataset
from indexer.datasets.sources import CATALOGUE, EVENTS, FACTS, RATINGS
from indexer.shelf.film import Line, Watched
from indexer.shelf.join import ShelfMovie
from indexer.shelf.nfo import LABELS

_MOST_PLAYS = 10  # of a film by a user, that count
_LIKED = 5.0  # of 10


def write_movies(folder: Path, movies: Sequence[ShelfMovie], dataset: Dataset | None) -> None:
    """Write the catalogue, facts.csv and, with a data set that has some, tags.csv; a file that is the same stays."""
    folder.mkdir(parents=True, exist_ok=True)
    header = ("id", "title", "year", "genres", "imdb_id", "tmdb_id", "poster", "owned")
    rows = (
        (
            _id(movie),
            movie.title,
            movie.year or "",
            "|".join(movie.genres),
            movie.imdb_id or "",
            movie.tmdb_id or "",
            each.poster or "",
            "yes" if each.files else "no",
        )
        for each in movies
        for movie in (each.movie,)
    )
    _write(folder / CATALOGUE, header, rows)
    kinds = [*LABELS, *sorted({kind for each in movies for kind in each.facts.labels} - set(LABELS))]
    facts = (
        (_id(each.movie), *("|".join(each.facts.labels.get(kind, ())) for kind in kinds), each.facts.overview)
        for each in movies
    )
    _write(folder / FACTS, ("movieId", *kinds, "overview"), (row for row in facts if any(row[1:])))
    tags = {} if dataset is None else dataset.tags
    tagged = ((_id(each.movie), tag) for each in movies for tag in tags.get(each.movie.movie_id, ()))
    _write(folder / "tags.csv", ("movieId", "tag"), tagged)


def write_ratings(
    folder: Path, movies: Sequence[ShelfMovie], dataset: Dataset | None, watched: Sequence[Watched]
) -> int:
    """Write a data set's ratings of the movies with those of a media server's users, and events of these users.

    Ratings of users are on the data set's scale; among data without ratings they are events, too. Return the number of
    ratings. A file without rows is deleted.
    """
    implicit = dataset is not None and dataset.ratings.implicit
    by_file = {name: each.movie for each in movies for name in each.files}
    known = [(each, _id(by_file[each.file])) for each in watched if each.file in by_file]
    events = [(each.user, movie, kind) for each, movie in known for kind in _kinds(each, implicit=implicit)]
    _write(folder / EVENTS, ("user", "item", "kind"), events)
    rated = [
        (each.user, movie, _on_scale(each.rating, dataset), each.time or 0)
        for each, movie in known
        if each.rating is not None and not implicit
    ]
    table = pd.DataFrame(rated, columns=["userId", "movieId", "rating", "timestamp"])
    if dataset is not None:
        joined = _joined(movies, dataset)
        table = pd.concat([joined, table]) if rated else joined
    file = folder / RATINGS
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


def write_report(file: Path, lines: Iterable[Line]) -> None:
    """Write a row for every file: path, outcome, film, reason."""
    rows = ((each.file, each.outcome.value, each.film, each.reason) for each in lines)
    _write(file, ("file", "outcome", "film", "reason"), rows)


def _kinds(watched: Watched, *, implicit: bool) -> Iterator[str]:
    """Yield the kinds of events of a user and a film, as builds know them."""
    if watched.favourite:
        yield "favourite"
    if implicit and watched.rating is not None:
        yield "like" if watched.rating > _LIKED else "view"
    yield from ["play"] * min(watched.plays, _MOST_PLAYS)


def _on_scale(rating: float | None, dataset: Dataset | None) -> float:
    """Return a rating from 0 to 10 on the scale of a data set; the same without one."""
    given = rating or 0.0
    if dataset is None:
        return given
    low, high = dataset.ratings.scale
    return min(max(given / 10 * high, low), high)


def _joined(movies: Sequence[ShelfMovie], dataset: Dataset) -> pd.DataFrame:
    ids = np.array([each.movie.movie_id for each in movies if each.of_dataset], np.int64)
    ratings = dataset.ratings.take(np.isin(dataset.ratings.movie_ids, ids))
    names = {each.movie.movie_id: each.movie.source_id for each in movies if each.movie.source_id is not None}
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
