"""Accuracy and time of our models beside Surprise, implicit and LensKit, on the same folds in the same run."""

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
DISCOUNTS = 1 / np.log2(np.arange(2, 12))  # of the first ten places

Predict = Callable[[Int64Array, Int64Array], Float64Array]  # user rows and movie rows (m,) -> ratings (m,)
Score = Callable[[int], Float32Array]  # user row -> (n_movies,), larger comes first; nan for what cannot be scored


@dataclass(frozen=True, slots=True)
class Fold:
    """One fold, its training part in other libraries' own form too, so that no time has the conversion in it."""

    number: int  # from 1
    training: Training
    test: Training
    surprise: Any  # Trainset; users and items are rows
    lenskit: Any  # Dataset; likewise

    @classmethod
    def of(cls, number: int, dataset: Dataset, held_out: BoolArray) -> Fold:
        """The fold with everything that its methods are given."""
        training = Training.of(dataset, ~held_out)
        table = pd.DataFrame({"user": training.user_rows, "item": training.movie_rows, "rating": training.values})
        # Surprise's own folds stay in the order of the shuffle, which its gradient descent follows: without it SVD has
        # another RMSE than anyone else measures, .898 and not .895.
        places = np.argsort(np.random.RandomState(0).permutation(held_out.size))[~held_out]
        shuffled, reader = table.iloc[np.argsort(places)], surprise.Reader(rating_scale=training.ratings.scale)
        return cls(
            number,
            training,
            Training.of(dataset, held_out),
            surprise.Dataset.load_from_df(shuffled, reader).build_full_trainset(),
            from_interactions_df(table, user_col="user", item_col="item", rating_col="rating"),
        )


@dataclass(frozen=True, slots=True)
class Peer:
    """One row of a table."""

    name: str
    settings: str
    fit: Callable[[Fold], Any]  # gives a Predict, or in the table of lists a Score


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one row did on one fold."""

    name: str
    fold: int
    figures: Mapping[str, float]  # by the name of their column


@click.command()
@click.option("--ratings", type=click.Path(exists=True, path_type=Path), required=True, help="A MovieLens folder.")
@click.option("--folds", type=click.IntRange(1, FOLDS), default=FOLDS, show_default=True, help="How many of the five.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, fold by fold, instead of tables of means.")
def main(ratings: Path, folds: int, as_json: bool) -> None:
    """Fit every method on the same folds, each on one thread."""
    threadpool_limits(1)  # Surprise and myfm know no more than one
    initialize(threads=1, backend_threads=1)
    dataset = read_dataset(ratings)
    tables = {"Predicted ratings": (predictors(), judge_ratings), "Lists": (rankers(), judge_lists)}
    outcomes: dict[str, list[Outcome]] = {title: [] for title in tables}
    with progress(Console(stderr=True)) as track:
        for number, held_out in enumerate(islice(kfold(len(dataset.ratings), FOLDS), folds), start=1):
            fold = Fold.of(number, dataset, held_out)
            for title, (peers, judge) in tables.items():
                outcomes[title] += [judge(peer, fold) for peer in track(peers, f"{title}, fold {number}", len(peers))]
    versions = {name: version(name) for name in LIBRARIES}
    if as_json:
        every = {title: [asdict(outcome) for outcome in found] for title, found in outcomes.items()}
        click.echo(json.dumps({"dataset": dataset.name, "versions": versions, **every}, indent=2))
        return
    about = f"{dataset.name}, {len(dataset.ratings):,} ratings, means of {folds} of {FOLDS} folds, one thread"
    for title, (peers, _) in tables.items():
        show(f"{title}: {about}", peers, outcomes[title])
    click.echo(", ".join(f"{name} {number}" for name, number in versions.items()))


def predictors() -> Sequence[Peer]:
    """Ours, then the others."""
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
    """Ours, then the others; a model that two libraries have is given the same settings in both."""
    ridge = ease.Settings().regularization
    by_ridge, by_factors = f"regularization {ridge:g}", "128 factors, regularization 30, weight 10"
    our_ease = of_ours(registry.ranking_methods()["ease"], "scores")
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


def of_ours(method: registry.Method, answer: str) -> Callable[[Fold], Any]:
    """How to fit a method of ours, with the seeds of ``posterity evaluate``; ``answer`` is what it is asked for."""

    def fit(fold: Fold) -> Any:
        rng = np.random.default_rng([SEED, fold.number])
        return getattr(method.fit(fold.training, rng, method.settings, track=silent), answer)

    return fit


def of_surprise(make: Callable[[], Any]) -> Callable[[Fold], Predict]:
    """How to fit one of Surprise's algorithms."""

    def fit(fold: Fold) -> Predict:
        algorithm = make().fit(fold.surprise)

        def predict(users: Int64Array, movies: Int64Array) -> Float64Array:
            pairs = zip(users.tolist(), movies.tolist(), strict=True)
            return np.array([algorithm.predict(user, movie).est for user, movie in pairs])

        return predict

    return fit


def lenskit_predictor(make: Callable[[], Any]) -> Callable[[Fold], Predict]:
    """How to fit a LensKit scorer; its pipeline answers by biases where the scorer has no answer."""

    def fit(fold: Fold) -> Predict:
        pipeline = topn_pipeline(make(), predicts_ratings=True)
        pipeline.train(fold.lenskit, TrainingOptions(rng=SEED))

        def predict(users: Int64Array, movies: Int64Array) -> Float64Array:
            ratings = np.empty(users.size)
            for user in np.unique(users):
                theirs = users == user
                ratings[theirs] = lenskit.predict(pipeline, user, ItemList(item_ids=movies[theirs])).scores()
            return ratings

        return predict

    return fit


def lenskit_ranker(make: Callable[[], Any]) -> Callable[[Fold], Score]:
    """How to fit a LensKit scorer that is asked for every movie."""

    def fit(fold: Fold) -> Score:
        pipeline = topn_pipeline(make())
        pipeline.train(fold.lenskit, TrainingOptions(rng=SEED))
        movies = ItemList(item_ids=np.arange(fold.training.shape[1]))
        return lambda user: lenskit.score(pipeline, user, movies).scores()

    return fit


def of_implicit(make: Callable[[], Any]) -> Callable[[Fold], Score]:
    """How to fit one of implicit's factorisations."""

    def fit(fold: Fold) -> Score:
        model = make()
        model.fit(fold.training.rated, show_progress=False)
        return lambda user: model.item_factors @ model.user_factors[user]

    return fit


def popularity(fold: Fold) -> Score:
    """What most users rated, for everyone."""
    counts = np.asarray(fold.training.rated.sum(axis=0), dtype=np.float32).ravel()
    return lambda _user: counts


def judge_ratings(peer: Peer, fold: Fold) -> Outcome:
    """Errors of predictions, kept to the scale as Surprise keeps its own."""
    predict, to_fit = timed(lambda: peer.fit(fold))
    predicted, to_predict = timed(lambda: predict(fold.test.user_rows, fold.test.movie_rows))
    error = np.clip(predicted, *fold.training.ratings.scale) - fold.test.values
    figures = {"RMSE": float(np.sqrt(np.mean(error**2))), "MAE": float(np.mean(np.abs(error)))}
    return Outcome(peer.name, fold.number, figures | {"Seconds to fit": to_fit, "Seconds to predict": to_predict})


def judge_lists(peer: Peer, fold: Fold) -> Outcome:
    """How many of the movies that users rated next stand in their lists, and how high."""
    score, to_fit = timed(lambda: peer.fit(fold))
    scores, to_score = timed(lambda: np.stack([score(user) for user in range(fold.training.shape[0])]))
    figures = list_figures(scores, fold.training, fold.test)
    return Outcome(peer.name, fold.number, figures | {"Seconds to fit": to_fit, "Seconds to score": to_score})


def list_figures(scores: Float32Array, training: Training, test: Training) -> dict[str, float]:
    """Means over users with held-out ratings, from scores (n_users, n_movies).

    Any held-out rating is relevant, whatever its value; what a user rated in training is left out of their list.
    """
    allowed = np.nan_to_num(scores, nan=-np.inf)
    allowed[training.user_rows, training.movie_rows] = -np.inf
    lists = np.argsort(-allowed, axis=1, kind="stable")[:, :20]  # ties go to the lower row
    relevant = test.user_items.toarray() > 0
    counts = relevant.sum(axis=1)
    asked = counts > 0
    hits, counts = np.take_along_axis(relevant & (allowed > -np.inf), lists, axis=1)[asked], counts[asked]
    ideal = np.cumsum(DISCOUNTS)[np.minimum(counts, DISCOUNTS.size) - 1]
    by_user = {
        "nDCG@10": hits[:, :10] @ DISCOUNTS / ideal,
        "Recall@10": hits[:, :10].sum(axis=1) / counts,
        "Recall@20": hits.sum(axis=1) / counts,
    }
    return {name: float(values.mean()) for name, values in by_user.items()}


def timed(run: Callable[[], Any]) -> tuple[Any, float]:
    """What a call gives, and the seconds that it took."""
    start = perf_counter()
    result = run()
    return result, perf_counter() - start


def show(heading: str, peers: Sequence[Peer], outcomes: Sequence[Outcome]) -> None:
    """A table of means over folds."""
    names = list(outcomes[0].figures)
    rows = []
    for peer in peers:
        mine = [outcome.figures for outcome in outcomes if outcome.name == peer.name]
        means = {name: fmean(figures[name] for figures in mine) for name in names}
        cells = (f"{mean:.2f}" if name.startswith("Seconds") else f"{mean:.4f}" for name, mean in means.items())
        rows.append((peer.name, peer.settings, *cells))
    print_table(heading, [("Method", "left"), ("Settings", "left"), *((name, "right") for name in names)], rows)


if __name__ == "__main__":
    main()
