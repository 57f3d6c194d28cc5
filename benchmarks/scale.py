"""Build time, memory and response times with a generated data set of the shape of MovieLens 32M."""

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

from benchmarks.serving import memory, running, serve_command, timed
from index.core.arrays import Float32Array, Float64Array, Int64Array

REQUESTS = 200


@dataclass(frozen=True, slots=True)
class Shape:
    """The size of a data set."""

    users: int
    movies: int
    ratings: int
    tags: int


SHAPES = {
    "32m": Shape(200_948, 87_585, 32_000_204, 2_000_072),  # ml-32m's README
    "small": Shape(610, 9_742, 100_836, 3_683),  # ml-latest-small's, 9/2018
}
MIN_RATINGS = 20  # per user, in both
# The long tails of ml-32m: ratings of the movie at a rank; ratings per user are log-normal.
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
MEDIAN, SPREAD, MAX_RATINGS = 73, 1.38, 33_000
GENRES = [f"Genre {number}" for number in range(1, 20)]
FACTORS = 10
MEAN_STARS, BIAS, TASTE, NOISE = 3.5, 0.4, 0.5, 0.8  # the last three are standard deviations, in stars
HEAVY = 500  # a user with more ratings is drawn separately, without rejection
BLOCK = 1_000_000


@click.group()
def main() -> None:
    """Generate, build and serve a data set of the shape of MovieLens 32M."""


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
    user_rows, movie_rows = draw_pairs(size, popularity / popularity.sum(), rng)
    first = rng.integers(820_000_000, 1_690_000_000, size.users)  # seconds: from 1996 to 2023
    timestamps = first[user_rows] + rng.integers(0, 86_400, user_rows.size)
    stars = draw_stars(user_rows, movie_rows, size, rng)
    rated: dict[str, npt.ArrayLike] = {
        "userId": user_rows + 1,
        "movieId": movie_rows + 1,
        "rating": stars,
        "timestamp": timestamps,
    }
    write_csv(folder / "ratings.csv", rated)
    write_movies(folder, size.movies, rng)
    tagged = rng.integers(0, user_rows.size, size.tags)
    words = [f"tag {min(number, 20_000)}" for number in rng.zipf(1.3, size.tags).tolist()]
    users, movies = user_rows[tagged] + 1, movie_rows[tagged] + 1
    columns: dict[str, npt.ArrayLike] = {
        "userId": users,
        "movieId": movies,
        "tag": words,
        "timestamp": timestamps[tagged],
    }
    write_csv(folder / "tags.csv", columns)
    by_user, by_movie = np.bincount(user_rows), np.bincount(movie_rows, minlength=size.movies)
    print(f"{size.users:,} users, {size.movies:,} movies ({(by_movie > 0).sum():,} rated), {user_rows.size:,} ratings")
    for name, numbers in (("user", by_user), ("movie", by_movie)):
        fewest, middle, most = np.quantile(numbers, [0, 0.5, 1])
        print(f"ratings of a {name}: {fewest:,.0f} to {most:,.0f}, median {middle:,.0f}")


@main.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("data", type=click.Path(file_okay=False, path_type=Path))
def build(folder: Path, data: Path) -> None:
    """Build a snapshot of FOLDER in DATA, and print time and peak memory."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "posterity", "build", "--ratings", str(folder), "--data", str(data)]
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, "the build failed"  # noqa: S101
    minutes, gigabytes = (time.perf_counter() - start) / 60, usage.ru_maxrss * 1024 / 1e9  # kB on Linux
    print(f"built in {minutes:.1f} minutes, peak memory {gigabytes:.1f} GB")


@main.command()
@click.argument("large", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("small", type=click.Path(exists=True, file_okay=False, path_type=Path))
def serve(large: Path, small: Path) -> None:
    """Serve the snapshots of two data directories in turn, and compare their response times."""
    results = [measure(data) for data in (small, large, small, large)]  # in turn, so that other load affects both
    print(f"{'':34} {'small':>9} {'large':>9} {'ratio':>6}")
    for name in results[0]:
        of_small, of_large = (min(result[name] for result in results[at::2]) for at in (0, 1))
        print(f"{name:34} {of_small:9.2f} {of_large:9.2f} {of_large / of_small:6.1f}")


def measure(data: Path) -> dict[str, float]:
    """Return seconds until ready, memory in MB, and the median time of each kind of request in milliseconds."""
    catalogue = json.loads((data / "current" / "movies.json").read_bytes())
    rng = random.Random(0)  # noqa: S311
    popular = sorted(range(len(catalogue["movie_id"])), key=lambda row: -catalogue["rating_count"][row])[:2000]
    ids = [catalogue["movie_id"][row] for row in rng.choices(popular, k=REQUESTS)]
    words = [catalogue["title"][row].split()[0] for row in rng.choices(popular, k=REQUESTS)]
    users = rng.choices(range(1, 601), k=REQUESTS)
    pairs = [(first, second) for first, second in itertools.pairwise(ids) if first != second]
    api = "/api/v1"
    kinds: dict[str, list[tuple[str, bytes | None]]] = {
        "similar by taste": [(f"{api}/movies/{movie}/similar?by=taste", None) for movie in ids],
        "similar by blend": [(f"{api}/movies/{movie}/similar", None) for movie in ids],
        "similar by blend, other weights": [
            (f"{api}/movies/{movie}/similar?weights=taste:1,facts:2", None) for movie in ids
        ],
        "similar by taste, of a genre": [
            (f"{api}/movies/{movie}/similar?by=taste&genre={quote(GENRES[0])}", None) for movie in ids
        ],
        "titles": [(f"{api}/movies?q={word}", None) for word in words],
        "titles with a typing error": [(f"{api}/movies?q={word[1:]}", None) for word in words],
        "recommendations": [(f"{api}/users/{user}/recommendations", None) for user in users],
        "predictions": [
            (f"{api}/users/{user}/predictions/{movie}", None) for user, movie in zip(users, ids, strict=True)
        ],
        "recommendations for ten ratings": [
            (
                f"{api}/recommendations",
                json.dumps({"ratings": [{"movie": movie, "rating": 4} for movie in set(rng.sample(ids, 10))]}).encode(),
            )
            for _ in ids
        ],
        "explanation by taste": [
            (f"{api}/movies/{first}/explanations/{second}?by=taste", None) for first, second in pairs
        ],
        "page of a movie": [(f"/movies/{movie}", None) for movie in ids],
        "page of recommendations": [(f"/for-you?rated={first}:4,{second}:3", None) for first, second in pairs],
    }
    results: dict[str, float] = {}
    with running(serve_command(data)) as server:
        results["ready after, seconds"] = server.seconds
        results["memory when ready, MB"] = memory(server.pid)
        for name, requests in kinds.items():
            times = [timed(server.connection, path, body) for path, body in requests]
            results[f"{name}, ms"] = 1000 * median(times)
        results["memory at the end, MB"] = memory(server.pid)
    return results


def draw_pairs(size: Shape, popularity: Float64Array, rng: np.random.Generator) -> tuple[Int64Array, Int64Array]:
    """Draw the user rows (n,), ascending, and movie rows (n,) of ratings, without duplicates."""
    activity = np.minimum(np.exp(rng.normal(np.log(MEDIAN - MIN_RATINGS), SPREAD, size.users)), MAX_RATINGS)
    counts = MIN_RATINGS + rng.multinomial(size.ratings - MIN_RATINGS * size.users, activity / activity.sum())
    drawn: list[Int64Array] = []
    heavy = np.flatnonzero(counts > HEAVY)
    for user in heavy.tolist():
        # Sorting with Gumbel noise draws without replacement.
        order = np.argpartition(-np.log(popularity) - rng.gumbel(size=size.movies), counts[user])[: counts[user]]
        drawn.append(user * size.movies + order)
    counts[heavy] = 0
    cumulative = np.cumsum(popularity)
    pairs, missing = np.empty(0, np.int64), counts
    while missing.any():
        users = np.repeat(np.arange(size.users), missing)
        movies = np.minimum(np.searchsorted(cumulative, rng.random(users.size)), size.movies - 1)
        pairs = np.unique(np.concatenate([pairs, users * size.movies + movies]))
        missing = np.where(missing, counts - np.bincount(pairs // size.movies, minlength=size.users), 0)
        complete = missing[pairs // size.movies] == 0
        drawn.append(pairs[complete])
        pairs = pairs[~complete]
    pairs = np.sort(np.concatenate(drawn))
    return pairs // size.movies, pairs % size.movies


def draw_stars(user_rows: Int64Array, movie_rows: Int64Array, size: Shape, rng: np.random.Generator) -> Float32Array:
    """Draw ratings (n,) in half stars from a latent factor model with noise."""
    user_factors = rng.normal(size=(size.users, FACTORS)).astype(np.float32)
    item_factors = rng.normal(0, TASTE / np.sqrt(FACTORS), (size.movies, FACTORS)).astype(np.float32)
    user_bias, movie_bias = rng.normal(0, BIAS, size.users), rng.normal(0, BIAS, size.movies)
    stars = np.empty(user_rows.size, np.float32)
    for start in range(0, user_rows.size, BLOCK):
        part = slice(start, start + BLOCK)
        users, movies = user_rows[part], movie_rows[part]
        expected = MEAN_STARS + user_bias[users] + movie_bias[movies]
        expected += np.einsum("ij,ij->i", user_factors[users], item_factors[movies])
        stars[part] = np.clip(np.round(2 * rng.normal(expected, NOISE)), 1, 10) / 2
    return stars


def write_movies(folder: Path, movies: int, rng: np.random.Generator) -> None:
    """Write titles of one to four invented words with a year, one to three genres, and ids of other sites."""
    syllables = [start + vowel for start in "bcdfglmnprstv" for vowel in "aeiou"]
    words = np.array(["".join(rng.choice(syllables, rng.integers(2, 4))).capitalize() for _ in range(20_000)])
    ages = np.minimum(rng.exponential(22, movies).astype(np.int64), 120)
    titles = [
        f"{' '.join(words[np.minimum(rng.zipf(1.2, rng.integers(1, 5)), words.size) - 1])} ({2023 - age})"
        for age in ages.tolist()
    ]
    genres = ["|".join(rng.choice(GENRES, rng.integers(1, 4), replace=False)) for _ in range(movies)]
    ids = np.arange(1, movies + 1)
    write_csv(folder / "movies.csv", {"movieId": ids, "title": titles, "genres": genres})
    imdb_ids = [f"{movie_id + 10_000_000}" for movie_id in ids]
    write_csv(folder / "links.csv", {"movieId": ids, "imdbId": imdb_ids, "tmdbId": ids})


def write_csv(file: Path, columns: dict[str, npt.ArrayLike]) -> None:
    """Write columns as CSV."""
    pd.DataFrame(columns).to_csv(file, index=False)


if __name__ == "__main__":
    main()
