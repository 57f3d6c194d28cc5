"""Time and memory of fitting the served rating model, by number of ratings up to that of MovieLens 1M."""

from __future__ import annotations

import resource
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

import click
import numpy as np
from rich.console import Console

from index.catalogue.catalogue import Movie
from index.core.arrays import Float64Array
from indexer.datasets.dataset import Dataset, Ratings
from indexer.datasets.training import Training
from indexer.models import factorization_machine
from posterity.cli.console import print_table
from posterity.cli.progress import progress

ITERATIONS = factorization_machine.Settings().iterations  # of the served model
USERS, MOVIES, RATINGS = 6_040, 3_706, 1_000_209  # of ml-1m, without unrated movies
MIN_RATINGS = 20  # per user, in ml-1m
GENRES = tuple(f"Genre {number}" for number in range(1, 19))
NEWEST = 2000  # year of release
HEAD = 100  # flattens Zipf's head: at most about 2,000 ratings per user and a median of about 90, as in ml-1m
FACTORS = 10
MEAN_STARS, BIAS, TASTE, NOISE = 3.6, 0.4, 0.5, 0.85  # the last three are standard deviations, in stars


@dataclass(frozen=True, slots=True)
class Run:
    """Time and memory of one fit."""

    ratings: int
    seconds: float
    megabytes: float  # peak of its process


@click.command()
@click.option("--iterations", type=click.IntRange(30), default=ITERATIONS, show_default=True, help="Of the sampler.")
@click.option(
    "--sizes", type=click.IntRange(1, 10), default=4, show_default=True, help="Number of halvings of the largest size."
)
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="An SVG file to draw.")
def main(iterations: int, sizes: int, plot: Path | None) -> None:
    """Fit increasing parts of a synthetic MovieLens 1M."""
    counts = [RATINGS >> halvings for halvings in range(sizes, -1, -1)]
    # On Linux, a process inherits its parent's memory peak, so this process must not allocate the data.
    fresh = ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1)
    with fresh, progress(Console(stderr=True)) as track:
        runs = list(track(fresh.map(partial(measure, iterations=iterations), counts), "Fitting", len(counts)))
    slope, _ = growth(runs)
    rows: list[tuple[str, ...]] = [
        (f"{run.ratings:,}", f"{run.seconds:.1f}", f"{run.megabytes:.0f}", f"{run.seconds / run.ratings * 1e5:.2f}")
        for run in runs
    ]
    names = ("Ratings", "Seconds to fit", "MB at most", "Seconds per 100,000 ratings")
    heading = f"{USERS:,} users, {MOVIES:,} movies, {iterations} iterations"
    note = f"Time grows with the number of ratings to the power of {slope:.2f}; 1 is linear."
    print_table(heading, [(name, "right") for name in names], rows, note)
    if plot:
        draw(runs, heading, plot)


def measure(count: int, *, iterations: int) -> Run:
    """Fit ``count`` ratings; run it in a new process."""
    mask = np.zeros(RATINGS, dtype=np.bool_)
    mask[np.random.default_rng(1).permutation(RATINGS)[:count]] = True
    training = Training.of(simulate(np.random.default_rng(0)), mask)
    settings = factorization_machine.Settings(iterations=iterations)
    start = perf_counter()
    factorization_machine.fit(training, np.random.default_rng(0), settings)
    seconds = perf_counter() - start
    return Run(count, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6)  # kB on Linux


def simulate(rng: np.random.Generator) -> Dataset:
    """Simulate a data set of MovieLens 1M's size, with long tails, a latent factor model, genres and years."""
    counts = MIN_RATINGS + rng.multinomial(RATINGS - MIN_RATINGS * USERS, _zipf(USERS, rng))
    user_rows = np.repeat(np.arange(USERS), counts)
    popularity = np.log(_zipf(MOVIES, rng))
    # Sorting with Gumbel noise draws without replacement. The copy frees the rest of the order.
    chosen = [np.argsort(-popularity - rng.gumbel(size=MOVIES))[:count].copy() for count in counts]
    movie_rows = np.concatenate(chosen)
    users, movies = rng.normal(size=(USERS, FACTORS)), rng.normal(0, TASTE / np.sqrt(FACTORS), (MOVIES, FACTORS))
    expected = MEAN_STARS + rng.normal(0, BIAS, USERS)[user_rows] + rng.normal(0, BIAS, MOVIES)[movie_rows]
    expected += np.concatenate([movies[rows] @ user for rows, user in zip(chosen, users, strict=True)])
    stars = np.clip(np.round(rng.normal(expected, NOISE)), 1, 5).astype(np.float32)
    return Dataset("synthetic-1m", "", _movies(rng), Ratings(user_rows + 1, movie_rows + 1, stars))


def growth(runs: list[Run]) -> tuple[float, float]:
    """Return exponent and factor of seconds = factor * ratings ** exponent, by least squares of the logarithms."""
    ratings, seconds = np.log([run.ratings for run in runs]), np.log([run.seconds for run in runs])
    slope, level = np.polyfit(ratings, seconds, 1)
    return float(slope), float(np.exp(level))


def draw(runs: list[Run], heading: str, file: Path) -> None:
    """Write an SVG plot of time over ratings on logarithmic axes, with a line of linear growth."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    ratings, seconds = np.array([run.ratings for run in runs]), np.array([run.seconds for run in runs])
    slope, factor = growth(runs)
    mpl.rcParams["svg.fonttype"] = "none"  # keep text as text
    mpl.rcParams["svg.hashsalt"] = file.name  # deterministic output
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.loglog(ratings, seconds, "o", color="C0", label="measured")
    axes.loglog(ratings, factor * ratings**slope, "-", color="C0", label=f"least squares: slope {slope:.2f}")
    axes.loglog(ratings, seconds[-1] * ratings / ratings[-1], "--", color="0.5", label="linear growth: slope 1")
    axes.set_xticks(ratings, [f"{count:,}" for count in ratings])
    axes.set_yticks(seconds, [f"{second:.3g}" for second in seconds])
    axes.minorticks_off()
    axes.set(title=f"Fitting the rating model\n{heading}", xlabel="ratings", ylabel="seconds to fit")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(file, format="svg", metadata={"Date": None})


def _zipf(n: int, rng: np.random.Generator) -> Float64Array:
    """Return shares (n,) of a long tail in random order; they sum to 1."""
    weights = 1 / (rng.permutation(n) + HEAD)
    shares: Float64Array = weights / weights.sum()
    return shares


def _movies(rng: np.random.Generator) -> tuple[Movie, ...]:
    """Generate movies with one to three genres each, most of recent years."""
    ages = np.minimum(rng.exponential(14, MOVIES).astype(np.int64), 80)
    counts = rng.integers(1, 4, MOVIES)
    return tuple(
        Movie(
            row + 1, f"Movie {row + 1}", NEWEST - int(ages[row]), tuple(rng.permutation(GENRES)[: counts[row]].tolist())
        )
        for row in range(MOVIES)
    )


if __name__ == "__main__":
    main()
