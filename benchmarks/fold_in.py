"""Error and time of folding in users, against a refit that includes them."""

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
@click.option("--users", type=click.IntRange(1), default=100, show_default=True, help="Number of users to leave out.")
def main(ratings: Path, users: int) -> None:
    """Leave users out of training, fold them in, and predict their held-out ratings."""
    dataset = read_dataset(ratings)
    held_out = next(kfold(len(dataset.ratings), 5))
    training, test = Training.of(dataset, ~held_out), Training.of(dataset, held_out)
    new_users = np.random.default_rng(0).choice(len(training.users), users, replace=False)
    rest = training.take(~np.isin(training.user_rows, new_users))
    test = test.take(np.isin(test.user_rows, new_users))
    model = rating_model(factorization_machine.fit(rest, np.random.default_rng(0)), rest)
    begin = perf_counter()
    refit = rating_model(factorization_machine.fit(training, np.random.default_rng(0)), training)
    refit_seconds = perf_counter() - begin

    folded_in, seconds = np.zeros(test.values.size), []
    for user in new_users.tolist():
        of_training, of_test = training.user_rows == user, test.user_rows == user
        movie_ids, values = training.ratings.movie_ids[of_training], training.values[of_training]
        given = dict(zip(movie_ids.tolist(), values.tolist(), strict=True))
        movies = test.ratings.movie_ids[of_test].tolist()
        begin = perf_counter()
        folded_in[of_test] = [prediction.rating for prediction in model.predict(given, movies)]
        seconds.append(perf_counter() - begin)
    refitted = np.clip(refit.distribution(test.user_rows, test.movie_rows)[0], *refit.scale)
    errors = (float(np.sqrt(np.mean((each - test.values) ** 2))) for each in (folded_in, refitted))
    times = (
        f"{1000 * median(seconds):.2f} ms, mean {1000 * fmean(seconds):.2f}, at most {1000 * max(seconds):.1f}",
        f"{refit_seconds:.1f} s for all",
    )
    rows = [
        (name, f"{error:.4f}", time)
        for name, error, time in zip(("fold-in", "refit with these users"), errors, times, strict=True)
    ]
    columns = [("", "left"), ("RMSE", "right"), ("Time per user, with predictions", "right")]
    heading = f"{dataset.name}: {users} users, {test.values.size:,} held-out ratings"
    note = f"One refit takes as long as {refit_seconds / median(seconds):,.0f} fold-ins."
    print_table(heading, columns, rows, note)


if __name__ == "__main__":
    main()
