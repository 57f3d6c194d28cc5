"""Work over a Spark cluster of two workers on this machine against one process: the same bytes, and the time.

One of the workers is killed amid the posters. Needs Java 17 and ``pip install 'posterity[spark]'``.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import click
import numpy as np

from benchmarks.embedding import draw_posters
from index.catalogue.catalogue import Movie
from index.core.ids import Ids
from index.posters import vgg16
from indexer.datasets.dataset import Ratings
from indexer.datasets.training import Training
from indexer.models.all_users import solve_all_users
from indexer.models.factorization_machine import THINNED, Posterior
from indexer.spaces.embed import embed_posters
from indexer.spark.cluster import Cluster, connected
from indexer.spark.posters import embed_over
from indexer.spark.users import solve_over
from tests.spark_cluster import LocalCluster, environment, missing, running

MOVIES, RATINGS_PER_USER, FACTORS = 87_585, 159, 16  # as of MovieLens 32M


@click.command()
@click.option("--posters", default=600, show_default=True, help="Number of pictures; 0 to leave them out.")
@click.option("--users", default=20_000, show_default=True, help="Number of users; 0 to leave them out.")
def main(posters: int, users: int) -> None:
    """Print the time of each part, here and over two workers, and whether the results are the same."""
    if problem := missing():
        sys.exit(problem)
    os.environ.update(environment())
    with tempfile.TemporaryDirectory() as folder, running() as cluster:
        root = Path(folder)
        if users:
            with connected(cluster.master, None, root / "users") as spark:
                measure_users(spark, users)
        if posters:
            with connected(cluster.master, None, root / "spark") as spark:
                measure_posters(cluster, spark, root, posters)


def measure_posters(local: LocalCluster, cluster: Cluster, root: Path, n: int) -> None:
    """Embed pictures over the workers, one of which is killed when a quarter is done; then here."""
    found = dict(enumerate(draw_posters(root / "posters", n), start=1))
    embed = vgg16.load("untrained")
    over, here = root / "spark" / "embeddings", root / "here"

    def kill() -> None:
        while len(list(over.rglob("*.npy"))) < n // 4:
            time.sleep(0.2)
        local.kill(0)
        print(f"a worker was killed with {len(list(over.rglob('*.npy')))} of {n} posters done", flush=True)

    killer = threading.Thread(target=kill)
    killer.start()
    begin = time.perf_counter()
    embed_posters(found, embed, over, over=embed_over(cluster, root / "spark"))
    middle = time.perf_counter()
    killer.join()
    print(f"{n} posters: {middle - begin:.0f} s over two workers, one killed", flush=True)
    embed_posters(found, embed, here)
    print(f"{n} posters: {time.perf_counter() - middle:.0f} s in one process ({embed.path})")
    files = sorted(file.relative_to(here) for file in here.rglob("*.npy"))
    same = sum((here / file).read_bytes() == (over / file).read_bytes() for file in files)
    print(f"{same} of {len(files)} files have the same bytes, {len(list(over.rglob('*.npy')))} are there")


def measure_users(cluster: Cluster, n: int) -> None:
    """Solve for users of the shape of MovieLens 32M over the workers, and here."""
    rng = np.random.default_rng(0)
    posterior, training = draw_posterior(rng), draw_training(n, rng)
    begin = time.perf_counter()
    over = solve_over(cluster)(posterior, training, np.random.default_rng(1))
    middle = time.perf_counter()
    print(f"{n:,} users, {training.values.size:,} ratings: {middle - begin:.0f} s over two workers", flush=True)
    here = solve_all_users(posterior, training, np.random.default_rng(1))
    print(f"{n:,} users: {time.perf_counter() - middle:.0f} s in one process")
    worst = max(np.abs(over.user_factors - here.user_factors).max(), np.abs(over.user_bias - here.user_bias).max())
    print(f"largest difference of a factor or bias: {worst:g}", flush=True)


def draw_posterior(rng: np.random.Generator) -> Posterior:
    """Return a posterior of random parameters, of the size of MovieLens 32M's movies."""
    shape = THINNED, MOVIES, FACTORS
    prior = np.stack([np.zeros((THINNED, FACTORS + 1)), np.full((THINNED, FACTORS + 1), 20.0)], axis=1)

    def draw(*size: int) -> np.ndarray:
        return 0.2 * rng.standard_normal(size, dtype=np.float32)

    return Posterior(
        np.full(THINNED, 3.5),
        draw(THINNED, 1),
        draw(THINNED, MOVIES),
        draw(THINNED, 1, FACTORS),
        draw(*shape),
        np.full(THINNED, 0.7),
        np.arange(THINNED),
        draw(THINNED, MOVIES, FACTORS + 1),
        prior,
        draw(THINNED, 0, FACTORS + 1),
    )


def draw_training(n_users: int, rng: np.random.Generator) -> Training:
    """Return ratings of which a few movies have most, by users of whom a few give most."""
    counts = np.maximum(20, rng.lognormal(np.log(70), 1.1, n_users)).astype(int)
    counts = (counts * RATINGS_PER_USER / counts.mean()).astype(int).clip(20, 5000)
    movies = (MOVIES * rng.random(counts.sum()) ** 4).astype(np.int64)
    pairs = np.unique(np.repeat(np.arange(n_users), counts) * MOVIES + movies)
    values = rng.integers(1, 11, pairs.size).astype(np.float32) / np.float32(2)
    ratings = Ratings(pairs // MOVIES, pairs % MOVIES, values, np.zeros(pairs.size, dtype=np.int64))
    return Training(ratings, Ids(np.arange(n_users)), [Movie(row, str(row), None, ()) for row in range(MOVIES)])


if __name__ == "__main__":
    main()
