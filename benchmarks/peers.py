"""Accuracy and time of our models, Surprise, implicit and LensKit on the same folds in one run."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from statistics import fmean
from time import perf_counter
from typing import Any

import click
import numpy as np
import pandas as pd
from rich.console import Console

from index.core.arrays import BoolArray, Float32Array, Float64Array, Int64Array
from index.core.progress import silent
from indexer.datasets.dataset import Dataset
from indexer.datasets.movielens import read_dataset
from indexer.datasets.training import Training
from indexer.evaluation.splits import kfold
from indexer.models import ease, registry
from indexer.ranking.methods import ranking_methods
from posterity.cli.console import print_table
from posterity.cli.progress import progress

try:
    import lenskit
    import surprise
    from implicit.als import AlternatingLeastSquares
    from implicit.bpr import BayesianPersonalizedRanking
    from lenskit.als import BiasedMFScorer, ImplicitMFScorer
    from lenskit.data import ItemList, from_interactions_df
    from lenskit.knn import EASEScorer, ItemKNNScorer
    from lenskit.parallel import initialize
    from lenskit.pipeline import topn_pipeline
    from lenskit.training import TrainingOptions
    from threadpoolctl import threadpool_limits
except ImportError as missing:
    sys.exit(f"{missing.name} is missing: pip install -r benchmarks/peers-requirements.txt")

FOLDS = 5
SEED = 0
LIBRARIES = ("numpy", "scipy", "myfm", "scikit-surprise", "implicit", "lenskit")
DISCOUNTS = 1 / np.log2(np.arange(2, 12))  # of the first ten ranks

Predict = Callable[[Int64Array, Int64Array], Float64Array]  # user rows and movie rows (m,) -> ratings (m,)
Score = Callable[[int], Float32Array]  # user row -> scores (n_movies,); NaN if a movie cannot be scored


@dataclass(frozen=True, slots=True)
class Fold:
    """A fold, with its training part also in the types of other libraries, so that no time includes the conversion."""

    number: int  # from 1
    training: Training
    test: Training
    surprise: Any  # Trainset; users and items are rows
    lenskit: Any  # Dataset; users and items are rows

    @classmethod
    def of(cls, number: int, dataset: Dataset, held_out: BoolArray) -> Fold:
        """Return the fold of a mask (n,) of held-out ratings."""
        training = Training.of(dataset, ~held_out)
        table = pd.DataFrame({"user": training.user_rows, "item": training.movie_rows, "rating": training.values})
        # Surprise's gradient descent depends on the order of ratings. Its own folds keep the order of the shuffle; with
        # another order, SVD's RMSE would be .898 instead of the published .895.
        positions = np.argsort(np.random.RandomState(0).permutation(held_out.size))[~held_out]
        shuffled, reader = table.iloc[np.argsort(positions)], surprise.Reader(rating_scale=training.ratings.scale)
        return cls(
            number,
            training,
            Training.of(dataset, held_out),
            surprise.Dataset.load_from_df(shuffled, reader).build_full_trainset(),
            from_interactions_df(table, user_col="user", item_col="item", rating_col="rating"),
        )


@dataclass(frozen=True, slots=True)
class Peer:
    """A method, one row of a table."""

    name: str
    settings: str
    fit: Callable[[Fold], Any]  # returns a Predict, or for rankers a Score


@dataclass(frozen=True, slots=True)
class Outcome:
    """Metrics and times of one method on one fold."""

    name: str
    fold: int
    metrics: Mapping[str, float]  # column -> value


@click.command()
@click.option("--ratings", type=click.Path(exists=True, path_type=Path), required=True, help="A MovieLens folder.")
@click.option(
    "--folds", type=click.IntRange(1, FOLDS), default=FOLDS, show_default=True, help="Number of the five folds to use."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, fold by fold, instead of tables of means.")
def main(ratings: Path, folds: int, as_json: bool) -> None:
    """Fit every method on the same folds, each on one thread."""
    threadpool_limits(1)  # Surprise and myfm have one thread
    initialize(threads=1, backend_threads=1)
    dataset = read_dataset(ratings)
    tables = {"Predicted ratings": (predictors(), measure_predictor), "Lists": (rankers(), measure_ranker)}
    outcomes: dict[str, list[Outcome]] = {title: [] for title in tables}
    with progress(Console(stderr=True)) as track:
        for number, held_out in enumerate(islice(kfold(len(dataset.ratings), FOLDS), folds), start=1):
            fold = Fold.of(number, dataset, held_out)
            for title, (peers, measure) in tables.items():
                outcomes[title] += [measure(peer, fold) for peer in track(peers, f"{title}, fold {number}", len(peers))]
    versions = {name: version(name) for name in LIBRARIES}
    if as_json:
        as_dicts = {title: [asdict(outcome) for outcome in of_table] for title, of_table in outcomes.items()}
        click.echo(json.dumps({"dataset": dataset.name, "versions": versions, **as_dicts}, indent=2))
        return
    heading = f"{dataset.name}, {len(dataset.ratings):,} ratings, means of {folds} of {FOLDS} folds, one thread"
    for title, (peers, _) in tables.items():
        show(f"{title}: {heading}", peers, outcomes[title])
    click.echo(", ".join(f"{name} {number}" for name, number in versions.items()))


def predictors() -> Sequence[Peer]:
    """Return rating methods, ours first."""
    ours = registry.rating_methods()
    by_items = {"name": "pearson_baseline", "user_based": False}
    neighbours = of_surprise(lambda: surprise.KNNBaseline(sim_options=by_items, verbose=False))
    return (
        Peer("ours: factorisation machine", "as served", of_ours(ours[registry.SERVED], "predict")),
        Peer("ours: ALS", "defaults", of_ours(ours["als"], "predict")),
        Peer("ours: SGD", "defaults", of_ours(ours["sgd"], "predict")),
        Peer("ours: item neighbours", "defaults", of_ours(ours["item-neighbours"], "predict")),
        Peer("Surprise SVD", "defaults", of_surprise(lambda: surprise.SVD(random_state=SEED))),
        Peer("Surprise SVDpp", "defaults", of_surprise(lambda: surprise.SVDpp(random_state=SEED))),
        Peer("Surprise BaselineOnly", "defaults", of_surprise(lambda: surprise.BaselineOnly(verbose=False))),
        Peer("Surprise KNNBaseline", "items, pearson_baseline", neighbours),
        Peer("LensKit BiasedMFScorer", "defaults", lenskit_predictor(BiasedMFScorer)),
        Peer("LensKit ItemKNNScorer", "defaults", lenskit_predictor(ItemKNNScorer)),
    )


def rankers() -> Sequence[Peer]:
    """Return rankers, ours first; a model of two libraries has the same settings in both."""
    ridge = ease.Settings().regularization
    by_ridge, by_factors = f"regularization {ridge:g}", "128 factors, regularization 30, weight 10"
    our_ease = of_ours(ranking_methods()["ease"], "scores")
    their_ease = lenskit_ranker(lambda: EASEScorer(regularization=ridge))
    implicit_als = of_implicit(lambda: AlternatingLeastSquares(128, 30, 10, num_threads=1, random_state=SEED))
    lenskit_als = lenskit_ranker(lambda: ImplicitMFScorer(embedding_size=128, regularization=30, weight=10))
    bpr = of_implicit(lambda: BayesianPersonalizedRanking(num_threads=1, random_state=SEED))
    return (
        Peer("ours: EASE", by_ridge, our_ease),
        Peer("LensKit EASEScorer", by_ridge, their_ease),
        Peer("implicit ALS", by_factors, implicit_als),
        Peer("LensKit ImplicitMFScorer", by_factors, lenskit_als),
        Peer("implicit BPR", "defaults", bpr),
        Peer("LensKit ItemKNNScorer", "implicit feedback", lenskit_ranker(lambda: ItemKNNScorer(feedback="implicit"))),
        Peer("popularity", "", popularity),
    )


def of_ours(method: registry.Method, function: str) -> Callable[[Fold], Any]:
    """Return the fit of a method of ours, seeded as in ``posterity evaluate``; it returns the named bound method."""

    def fit(fold: Fold) -> Any:
        rng = np.random.default_rng([SEED, fold.number])
        return getattr(method.fit(fold.training, rng, method.settings, track=silent), function)

    return fit


def of_surprise(make: Callable[[], Any]) -> Callable[[Fold], Predict]:
    """Return the fit of a Surprise algorithm."""

    def fit(fold: Fold) -> Predict:
        algorithm = make().fit(fold.surprise)

        def predict(users: Int64Array, movies: Int64Array) -> Float64Array:
            pairs = zip(users.tolist(), movies.tolist(), strict=True)
            return np.array([algorithm.predict(user, movie).est for user, movie in pairs])

        return predict

    return fit


def lenskit_predictor(make: Callable[[], Any]) -> Callable[[Fold], Predict]:
    """Return the fit of a LensKit scorer; its pipeline falls back to biases."""

    def fit(fold: Fold) -> Predict:
        pipeline = topn_pipeline(make(), predicts_ratings=True)
        pipeline.train(fold.lenskit, TrainingOptions(rng=SEED))

        def predict(users: Int64Array, movies: Int64Array) -> Float64Array:
            ratings = np.empty(users.size)
            for user in np.unique(users):
                mask = users == user
                ratings[mask] = lenskit.predict(pipeline, user, ItemList(item_ids=movies[mask])).scores()
            return ratings

        return predict

    return fit


def lenskit_ranker(make: Callable[[], Any]) -> Callable[[Fold], Score]:
    """Return the fit of a LensKit scorer that scores every movie."""

    def fit(fold: Fold) -> Score:
        pipeline = topn_pipeline(make())
        pipeline.train(fold.lenskit, TrainingOptions(rng=SEED))
        movies = ItemList(item_ids=np.arange(fold.training.shape[1]))
        return lambda user: lenskit.score(pipeline, user, movies).scores()

    return fit


def of_implicit(make: Callable[[], Any]) -> Callable[[Fold], Score]:
    """Return the fit of an implicit factorisation."""

    def fit(fold: Fold) -> Score:
        model = make()
        model.fit(fold.training.rated, show_progress=False)
        return lambda user: model.item_factors @ model.user_factors[user]

    return fit


def popularity(fold: Fold) -> Score:
    """Score movies by their number of ratings."""
    counts = np.asarray(fold.training.rated.sum(axis=0), dtype=np.float32).ravel()
    return lambda _user: counts


def measure_predictor(peer: Peer, fold: Fold) -> Outcome:
    """Measure the error of predictions, clipped to the scale as Surprise's are."""
    predict, fit_seconds = timed(lambda: peer.fit(fold))
    predicted, seconds = timed(lambda: predict(fold.test.user_rows, fold.test.movie_rows))
    error = np.clip(predicted, *fold.training.ratings.scale) - fold.test.values
    metrics = {"RMSE": float(np.sqrt(np.mean(error**2))), "MAE": float(np.mean(np.abs(error)))}
    return Outcome(peer.name, fold.number, metrics | {"Seconds to fit": fit_seconds, "Seconds to predict": seconds})


def measure_ranker(peer: Peer, fold: Fold) -> Outcome:
    """Measure the ranks of held-out movies."""
    score, fit_seconds = timed(lambda: peer.fit(fold))
    scores, seconds = timed(lambda: np.stack([score(user) for user in range(fold.training.shape[0])]))
    metrics = ranking_metrics(scores, fold.training, fold.test)
    return Outcome(peer.name, fold.number, metrics | {"Seconds to fit": fit_seconds, "Seconds to score": seconds})


def ranking_metrics(scores: Float32Array, training: Training, test: Training) -> dict[str, float]:
    """Return means over users with held-out ratings, from scores (n_users, n_movies).

    Every held-out rating is relevant; movies of a user's training ratings are excluded from their list.
    """
    allowed = np.nan_to_num(scores, nan=-np.inf)
    allowed[training.user_rows, training.movie_rows] = -np.inf
    lists = np.argsort(-allowed, axis=1, kind="stable")[:, :20]  # ties by row
    relevant = test.user_items.toarray() > 0
    counts = relevant.sum(axis=1)
    tested = counts > 0
    hits, counts = np.take_along_axis(relevant & (allowed > -np.inf), lists, axis=1)[tested], counts[tested]
    ideal = np.cumsum(DISCOUNTS)[np.minimum(counts, DISCOUNTS.size) - 1]
    by_user = {
        "nDCG@10": hits[:, :10] @ DISCOUNTS / ideal,
        "Recall@10": hits[:, :10].sum(axis=1) / counts,
        "Recall@20": hits.sum(axis=1) / counts,
    }
    return {name: float(values.mean()) for name, values in by_user.items()}


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """Return the result of a call, and its time in seconds."""
    start = perf_counter()
    result = call()
    return result, perf_counter() - start


def show(heading: str, peers: Sequence[Peer], outcomes: Sequence[Outcome]) -> None:
    """Print a table of means over folds."""
    names = list(outcomes[0].metrics)
    rows = []
    for peer in peers:
        by_fold = [outcome.metrics for outcome in outcomes if outcome.name == peer.name]
        means = {name: fmean(metrics[name] for metrics in by_fold) for name in names}
        cells = (f"{mean:.2f}" if name.startswith("Seconds") else f"{mean:.4f}" for name, mean in means.items())
        rows.append((peer.name, peer.settings, *cells))
    print_table(heading, [("Method", "left"), ("Settings", "left"), *((name, "right") for name in names)], rows)


if __name__ == "__main__":
    main()
