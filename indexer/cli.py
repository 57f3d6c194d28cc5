"""The commands that do the offline work: build, evaluate."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from index.cli import data_option, json_option, print_table

if TYPE_CHECKING:
    from index.snapshot import Manifest

ratings_option = click.option(
    "--ratings",
    type=click.Path(path_type=Path),
    required=True,
    help="A MovieLens folder as it is unzipped, or a CSV file of user, item, rating[, timestamp].",
)
iterations_option = click.option(
    "--iterations",
    type=click.IntRange(30),
    default=300,
    show_default=True,
    help="Of the sampler. More take longer and predict a little better.",
)


@click.command()
@ratings_option
@click.option(
    "--posters",
    type=click.Path(path_type=Path),
    help="A folder of <movie id>.jpg, .jpeg, .png or .webp. Without it, nothing is compared by look.",
)
@data_option
@click.option(
    "--weights",
    default="imagenet",
    show_default=True,
    metavar="imagenet|untrained|FILE",
    help="Weights of VGG16: downloaded by Keras, seeded at random for trying things out, or a Keras .h5 file.",
)
@click.option("--seed", default=0, show_default=True, help="Of everything drawn at random.")
@iterations_option
@json_option
def build(
    ratings: Path, posters: Path | None, data: Path, weights: str, seed: int, iterations: int, as_json: bool
) -> None:
    """Read ratings, embed posters, train, and publish a snapshot.

    Posters that were embedded before are not embedded again. Until the new snapshot is whole, the old one is served.
    """
    manifest = run_build(ratings, posters, data, weights, seed=seed, iterations=iterations)
    if as_json:
        click.echo(json.dumps(manifest.to_json(), ensure_ascii=False, indent=2))
    else:
        _summarise(manifest)


@click.command()
@ratings_option
@click.option(
    "--protocol",
    type=click.Choice(["kfold", "article"]),
    default="kfold",
    show_default=True,
    help="kfold: shuffled once, cut into folds. article: 10 ratings of every user held out, once.",
)
@click.option("--folds", type=click.IntRange(2, 20), default=5, show_default=True, help="How many parts to cut into.")
@click.option("--method", "names", multiple=True, metavar="NAME", help="Only this method; may be given again.")
@click.option("--ranking", is_flag=True, help="Judge lists of recommendations instead of predictions.")
@click.option("--seed", default=0, show_default=True, help="Of the methods; the folds are always the same.")
@iterations_option
@json_option
def evaluate(
    ratings: Path,
    protocol: str,
    folds: int,
    names: tuple[str, ...],
    ranking: bool,
    seed: int,
    iterations: int,
    as_json: bool,
) -> None:
    """Measure how well every method predicts ratings that it has not seen.

    The baselines, the methods of the 2017 article and what has come since, all on the same held-out ratings. The last
    line is the model that is served.
    """
    from rich.console import Console

    from indexer.evaluate import evaluate as score_methods
    from indexer.evaluate import mean_score
    from indexer.models.factorization_machine import Settings
    from indexer.movielens import read_dataset
    from indexer.progress import progress
    from indexer.ranking import evaluate_ranking

    if ranking and (names or protocol != "kfold"):
        raise click.UsageError("--ranking judges every ranker, by folds: leave out --method and --protocol.")
    scores: dict[str, list[Any]] = {}
    settings = Settings(iterations=iterations)
    with progress(Console(stderr=True)) as track:
        dataset = read_dataset(ratings)
        found: Iterable[Any] = (
            evaluate_ranking(dataset, folds=folds, seed=seed, settings=settings, track=track)
            if ranking
            else score_methods(
                dataset, protocol=protocol, folds=folds, names=names, seed=seed, settings=settings, track=track
            )
        )
        for score in found:
            scores.setdefault(score.method, []).append(score)
    means = [mean_score(by_fold) for by_fold in scores.values()]
    if as_json:
        every = [asdict(score) for by_fold in scores.values() for score in by_fold]
        report = {"dataset": dataset.name, "protocol": protocol, "mean": [asdict(m) for m in means], "scores": every}
        click.echo(json.dumps(report, indent=2))
        return
    how = f"{folds}-fold cross-validation" if protocol == "kfold" else "10 ratings of every user held out"
    _print_scores(f"{dataset.name}: {len(dataset.ratings):,} ratings, {how}", means)


commands = (build, evaluate)


def run_build(
    ratings: Path, posters: Path | None, data: Path, weights: str, *, seed: int = 0, iterations: int = 300
) -> Manifest:
    """The manifest of a new snapshot, built with progress shown on stderr."""
    from rich.console import Console

    from indexer.build import Plan
    from indexer.build import build as publish
    from indexer.models.factorization_machine import Settings
    from indexer.progress import progress

    with progress(Console(stderr=True)) as track:
        settings = Settings(iterations=iterations)
        return publish(Plan(ratings, data, posters, weights, settings, seed), track=track)


def _summarise(manifest: Manifest) -> None:
    for warning in manifest.warnings:
        click.echo(f"Warning: {warning}", err=True)
    for movie_id, reason in manifest.posters["unreadable"].items():
        click.echo(f"Warning: the poster of movie {movie_id} is left out: {reason}", err=True)
    facts = manifest.dataset
    click.echo(
        f"{facts['name']}: {facts['ratings']:,} ratings of {facts['rated_movies']:,} movies by {facts['users']:,}"
        f" users; {manifest.posters['posters']:,} posters ({manifest.posters['embedded']:,} newly embedded)"
    )
    click.echo(f"Snapshot {manifest.id} is published")


_COLUMNS = {
    "rmse": "RMSE",
    "mae": "MAE",
    "mse": "MSE",
    "coverage": "In 80% interval",
    "ndcg_10": "nDCG@10",
    "recall_10": "Recall@10",
    "recall_20": "Recall@20",
    "hit_rate_10": "Hit rate@10",
    "liked_ndcg_10": "nDCG@10, liked",
    "catalogue_10": "Catalogue@10",
    "seconds": "Seconds to fit",
}
_PERCENT = {"coverage", "hit_rate_10", "catalogue_10"}


def _print_scores(heading: str, means: list[Any]) -> None:
    def cell(name: str, value: float | None) -> str:
        if value is None:
            return ""
        return f"{value:.1%}" if name in _PERCENT else f"{value:.1f}" if name == "seconds" else f"{value:.4f}"

    names = [name for name in _COLUMNS if hasattr(means[0], name)]
    rows = [(score.method, *(cell(name, getattr(score, name)) for name in names)) for score in means]
    print_table(heading, [("Method", "left"), *((_COLUMNS[name], "right") for name in names)], rows)
