"""A data set with the shape of MovieLens 32M: made, built and served. How long, how much memory, how soon, how fast?"""

from __future__ import annotations

import itertools
import json
import os
import random
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.parse import quote

import click
import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.serving import memory, served, timed
from index.core.arrays import Float32Array, Float64Array, Int64Array

REQUESTS = 200


@dataclass(frozen=True, slots=True)
class Shape:
    """How much there is of what."""

    users: int
    movies: int
    ratings: int
    tags: int


SHAPES = {
    "32m": Shape(200_948, 87_585, 32_000_204, 2_000_072),  # ml-32m's README
    "small": Shape(610, 9_742, 100_836, 3_683),  # ml-latest-small's, 9/2018
}
FEWEST = 20  # ratings of one user in both
# The long tails of ml-32m: the number of ratings of the movie at a rank, and of people, whose numbers are log-normal.
POPULARITY = {
    1: 103_000,
    10: 79_000,
    100: 42_000,
    300: 24_000,
    1_000: 8_700,
    3_000: 2_000,
    10_000: 260,
    20_000: 50,
    40_000: 8,
    60_000: 3,
    84_000: 1,
    87_585: 0.3,
}
MEDIAN, SPREAD, MOST = 73, 1.38, 33_000
GENRES = [f"Genre {number}" for number in range(1, 20)]
FACTORS = 10
MEAN_STARS, BIAS, TASTE, NOISE = 3.5, 0.4, 0.5, 0.8  # the last three are standard deviations, in stars
KEEN = 500  # ratings: of more, a user's movies are drawn all at once
BLOCK = 1_000_000


@click.group()
def main() -> None:
    """Make, build and serve a data set with the shape of MovieLens 32M."""


@main.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--shape", type=click.Choice([*SHAPES]), default="32m", show_default=True)
def make(folder: Path, shape: str) -> None:
    """Write ratings.csv, movies.csv, links.csv and tags.csv into FOLDER."""
    folder.mkdir(parents=True, exist_ok=True)
    size, rng = SHAPES[shape], np.random.default_rng(0)
    ranks, counts = np.log([*zip(*POPULARITY.items(), strict=True)])
    at = np.linspace(1, max(POPULARITY), size.movies)
    popularity = rng.permutation(np.exp(np.interp(np.log(at), ranks, counts)))
    user_rows, movie_rows = who_rated_what(size, popularity / popularity.sum(), rng)
    first = rng.integers(820_000_000, 1_690_000_000, size.users)  # seconds: from 1996 to 2023
    when = first[user_rows] + rng.integers(0, 86_400, user_rows.size)
    columns = {"userId": user_rows + 1, "movieId": movie_rows + 1, "rating": rated(user_rows, movie_rows, size, rng)}
    written(folder / "ratings.csv", columns | {"timestamp": when})
    write_movies(folder, size.movies, rng)
    tagged = rng.integers(0, user_rows.size, size.tags)
    words = [f"tag {min(number, 20_000)}" for number in rng.zipf(1.3, size.tags).tolist()]
    columns = {"userId": user_rows[tagged] + 1, "movieId": movie_rows[tagged] + 1, "tag": words}
    written(folder / "tags.csv", columns | {"timestamp": when[tagged]})
    of_users, of_movies = np.bincount(user_rows), np.bincount(movie_rows, minlength=size.movies)
    print(f"{size.users:,} users, {size.movies:,} movies ({(of_movies > 0).sum():,} rated), {user_rows.size:,} ratings")
    for what, numbers in (("user", of_users), ("movie", of_movies)):
        fewest, middle, most = np.quantile(numbers, [0, 0.5, 1])
        print(f"ratings of a {what}: {fewest:,.0f} to {most:,.0f}, median {middle:,.0f}")


@main.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("data", type=click.Path(file_okay=False, path_type=Path))
def build(folder: Path, data: Path) -> None:
    """Build a snapshot of FOLDER in DATA, and say how long it took and how much memory."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "posterity", "build", "--ratings", str(folder), "--data", str(data)]
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, "the build failed"  # noqa: S101
    minutes, gigabytes = (time.perf_counter() - start) / 60, usage.ru_maxrss * 1024 / 1e9  # kB on Linux
    print(f"built in {minutes:.1f} minutes, {gigabytes:.1f} GB at most")


@main.command()
@click.argument("large", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("small", type=click.Path(exists=True, file_okay=False, path_type=Path))
def serve(large: Path, small: Path) -> None:
    """Serve the snapshots of two data directories in turn, and compare how long they take to answer."""
    found = [asked(data) for data in (small, large, small, large)]  # whatever else the machine does meets both
    print(f"{'':34} {'small':>9} {'large':>9} {'ratio':>6}")
    for what in found[0]:
        few, many = (min(each[what] for each in found[at::2]) for at in (0, 1))
        print(f"{what:34} {few:9.2f} {many:9.2f} {many / few:6.1f}")


def asked(data: Path) -> dict[str, float]:
    """Seconds until ready, MB, and median milliseconds of each question."""
    catalogue = json.loads((data / "current" / "movies.json").read_bytes())
    rng = random.Random(0)  # noqa: S311
    known = sorted(range(len(catalogue["movie_id"])), key=lambda row: -catalogue["rating_count"][row])[:2000]
    ids = [catalogue["movie_id"][row] for row in rng.choices(known, k=REQUESTS)]
    words = [catalogue["title"][row].split()[0] for row in rng.choices(known, k=REQUESTS)]
    users = rng.choices(range(1, 601), k=REQUESTS)
    pairs = [(one, other) for one, other in itertools.pairwise(ids) if one != other]
    api = "/api/v1"
    questions: dict[str, list[tuple[str, bytes | None]]] = {
        "similar by taste": [(f"{api}/movies/{each}/similar?by=taste", None) for each in ids],
        "similar by blend": [(f"{api}/movies/{each}/similar", None) for each in ids],
        "the same with weights of one's own": [
            (f"{api}/movies/{each}/similar?weights=taste:1,facts:2", None) for each in ids
        ],
        "similar by taste, of a genre": [
            (f"{api}/movies/{each}/similar?by=taste&genre={quote(GENRES[0])}", None) for each in ids
        ],
        "titles": [(f"{api}/movies?q={word}", None) for word in words],
        "titles with a typing error": [(f"{api}/movies?q={word[1:]}", None) for word in words],
        "recommendations": [(f"{api}/users/{user}/recommendations", None) for user in users],
        "predictions": [
            (f"{api}/users/{user}/predictions/{each}", None) for user, each in zip(users, ids, strict=True)
        ],
        "recommendations for a stranger": [
            (
                f"{api}/recommendations",
                json.dumps({"ratings": [{"movie": each, "rating": 4} for each in set(rng.sample(ids, 10))]}).encode(),
            )
            for _ in ids
        ],
        "why two are loved alike": [
            (f"{api}/movies/{one}/explanations/{other}?by=taste", None) for one, other in pairs
        ],
        "the page of a film": [(f"/movies/{each}", None) for each in ids],
        "the page that recommends": [(f"/for-you?rated={one}:4,{other}:3", None) for one, other in pairs],
    }
    found: dict[str, float] = {}
    with served(data) as (connection, pid, seconds):
        found["ready after, seconds"] = seconds
        found["memory when ready, MB"] = memory(pid)
        for what, requests in questions.items():
            times = [timed(connection, path, body) for path, body in requests]
            found[f"{what}, ms"] = 1000 * median(times)
        found["memory at the end, MB"] = memory(pid)
    return found


def who_rated_what(size: Shape, popularity: Float64Array, rng: np.random.Generator) -> tuple[Int64Array, Int64Array]:
    """User rows, ascending, and movie rows (n,): nobody rates a movie twice."""
    keenness = np.minimum(np.exp(rng.normal(np.log(MEDIAN - FEWEST), SPREAD, size.users)), MOST)
    numbers = FEWEST + rng.multinomial(size.ratings - FEWEST * size.users, keenness / keenness.sum())
    chosen: list[Int64Array] = []
    keen = np.flatnonzero(numbers > KEEN)
    for user in keen.tolist():
        # Gumbel noise turns the order into draws without replacement.
        order = np.argpartition(-np.log(popularity) - rng.gumbel(size=size.movies), numbers[user])[: numbers[user]]
        chosen.append(user * size.movies + order)
    numbers[keen] = 0
    cumulative = np.cumsum(popularity)
    pairs, missing = np.empty(0, np.int64), numbers
    while missing.any():
        drawn = np.repeat(np.arange(size.users), missing)
        movies = np.minimum(np.searchsorted(cumulative, rng.random(drawn.size)), size.movies - 1)
        pairs = np.unique(np.concatenate([pairs, drawn * size.movies + movies]))
        missing = np.where(missing, numbers - np.bincount(pairs // size.movies, minlength=size.users), 0)
        complete = missing[pairs // size.movies] == 0
        chosen.append(pairs[complete])
        pairs = pairs[~complete]
    pairs = np.sort(np.concatenate(chosen))
    return pairs // size.movies, pairs % size.movies


def rated(user_rows: Int64Array, movie_rows: Int64Array, size: Shape, rng: np.random.Generator) -> Float32Array:
    """Half stars (n,) from a latent model with noise."""
    of_users = rng.normal(size=(size.users, FACTORS)).astype(np.float32)
    of_movies = rng.normal(0, TASTE / np.sqrt(FACTORS), (size.movies, FACTORS)).astype(np.float32)
    user_bias, movie_bias = rng.normal(0, BIAS, size.users), rng.normal(0, BIAS, size.movies)
    stars = np.empty(user_rows.size, np.float32)
    for start in range(0, user_rows.size, BLOCK):
        part = slice(start, start + BLOCK)
        who, what = user_rows[part], movie_rows[part]
        expected = MEAN_STARS + user_bias[who] + movie_bias[what]
        expected += np.einsum("ij,ij->i", of_users[who], of_movies[what])
        stars[part] = np.clip(np.round(2 * rng.normal(expected, NOISE)), 1, 10) / 2
    return stars


def write_movies(folder: Path, movies: int, rng: np.random.Generator) -> None:
    """Titles of one to four invented words, a year, one to three genres, and ids of other sites."""
    syllables = [start + vowel for start in "bcdfglmnprstv" for vowel in "aeiou"]
    words = np.array(["".join(rng.choice(syllables, rng.integers(2, 4))).capitalize() for _ in range(20_000)])
    ages = np.minimum(rng.exponential(22, movies).astype(np.int64), 120)
    titles = [
        f"{' '.join(words[np.minimum(rng.zipf(1.2, rng.integers(1, 5)), words.size) - 1])} ({2023 - age})"
        for age in ages.tolist()
    ]
    genres = ["|".join(rng.choice(GENRES, rng.integers(1, 4), replace=False)) for _ in range(movies)]
    ids = np.arange(1, movies + 1)
    written(folder / "movies.csv", {"movieId": ids, "title": titles, "genres": genres})
    written(folder / "links.csv", {"movieId": ids, "imdbId": [f"{each + 10_000_000}" for each in ids], "tmdbId": ids})


def written(file: Path, columns: dict[str, npt.ArrayLike]) -> None:
    """Writes columns as CSV."""
    pd.DataFrame(columns).to_csv(file, index=False)


if __name__ == "__main__":
    main()
