"""The sample's tables, in the layout of MovieLens."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from indexer.sample.catalogue import sample_movies
from indexer.sample.simulate import simulated_ratings
from indexer.sample.titles import TAGS

_TAG_COUNT = 400
_INVENTED_IDS = 99_000_000  # far above all ids of IMDb and TMDB

_README = """\
Posterity sample: invented films, generated posters, simulated ratings

Everything here is made by Posterity from a seed: the films, their posters, the people
in the credits, the users, their ratings and their tags. Any likeness to real ones is
chance. It is free to use under the project's MIT licence. The tables have the layout of
a MovieLens data set (ratings.csv, movies.csv, links.csv, tags.csv); the ids in
links.csv, from 99000001 up, are made up too and lead nowhere.
"""


def write_tables(folder: Path, seed: int) -> None:
    """Write ``ratings.csv``, ``movies.csv``, ``links.csv``, ``tags.csv`` and ``README.txt``."""
    folder.mkdir(parents=True, exist_ok=True)
    ratings = simulated_ratings(seed)
    columns = (ratings.user_ids, ratings.movie_ids, ratings.stars, ratings.timestamps)
    rows = sorted(zip(*(column.tolist() for column in columns), strict=True))
    _write(folder / "ratings.csv", "userId,movieId,rating,timestamp", rows)
    catalogue = sample_movies(seed)
    movies = [(movie.movie_id, movie.listed_title, "|".join(movie.genres)) for movie in catalogue]
    _write(folder / "movies.csv", "movieId,title,genres", movies)
    links = [(movie.movie_id, *[_INVENTED_IDS + movie.movie_id] * 2) for movie in catalogue]
    _write(folder / "links.csv", "movieId,imdbId,tmdbId", links)

    rng = np.random.default_rng([seed, 4])
    tagged = rng.choice(len(rows), _TAG_COUNT, replace=False)
    tags = sorted((*rows[row][:2], str(rng.choice(TAGS)), rows[row][3] + 60) for row in tagged)
    _write(folder / "tags.csv", "userId,movieId,tag,timestamp", tags)
    (folder / "README.txt").write_text(_README, encoding="utf-8")


def _write(file: Path, header: str, rows: Iterable[tuple[object, ...]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(header.split(","))
        writer.writerows(rows)
