"""Users folded in from their ratings, against a refit that includes them: error and time."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean, median
from time import perf_counter

import click
import numpy as np

from indexer.datasets.movielens import read_dataset
from indexer.datasets.training import Training
from indexer.evaluation.splits import kfold
from indexer.models import factorization_machine
from indexer.models.rating_model import rating_model
from posterity.cli.console import print_table


@click.command()
@click.option("--ratings", type=click.Path(exists=True, path_type=Path), required=True, help="A MovieLens folder.")
@click.option("--users", type=click.IntRange(1), default=100, show_default=True, help="How many to leave out.")
def main(ratings: Path, users: int) -> None:
    """Leave users out of training, fold them in, and predict what neither fit has seen of them."""
    dataset = read_dataset(ratings)
    held_out = next(kfold(len(dataset.ratings), 5))
    training, test = Training.of(dataset, ~held_out), Training.of(dataset, held_out)
    strangers = np.random.default_rng(0).choice(len(training.users), users, replace=False)
    rest = training.take(~np.isin(training.user_rows, strangers))
    test = test.take(np.isin(test.user_rows, strangers))
    without = rating_model(factorization_machine.fit(rest, np.random.default_rng(0)), rest)
    begin = perf_counter()
    whole = rating_model(factorization_machine.fit(training, np.random.default_rng(0)), training)
    to_refit = perf_counter() - begin

    folded, seconds = np.zeros(test.values.size), []
    for user in strangers.tolist():
        mine, asked = training.user_rows == user, test.user_rows == user
        given = dict(zip(training.ratings.movie_ids[mine].tolist(), training.values[mine].tolist(), strict=True))
        movies = test.ratings.movie_ids[asked].tolist()
        begin = perf_counter()
        folded[asked] = [prediction.rating for prediction in without.predict(given, movies)]
        seconds.append(perf_counter() - begin)
    refit = np.clip(whole.distribution(test.user_rows, test.movie_rows)[0], *whole.scale)
    errors = (float(np.sqrt(np.mean((each - test.values) ** 2))) for each in (folded, refit))
    took = (
        f"{1000 * median(seconds):.2f} ms, mean {1000 * fmean(seconds):.2f}, at most {1000 * max(seconds):.1f}",
        f"{to_refit:.1f} s for all",
    )
    rows = [
        (name, f"{error:.4f}", time)
        for name, error, time in zip(("folded in", "refit that includes them"), errors, took, strict=True)
    ]
    columns = [("", "left"), ("RMSE", "right"), ("To fold in and predict, a user", "right")]
    heading = f"{dataset.name}: {users} users, {test.values.size:,} ratings that neither has seen"
    print_table(heading, columns, rows, f"{to_refit / median(seconds):,.0f} users are folded in while one refit runs.")


if __name__ == "__main__":
    main()
