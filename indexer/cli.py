"""The commands that do the offline work: build, evaluate."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from index.cli import data_option, json_option

if TYPE_CHECKING:
    from index.snapshot import Manifest
    from indexer.evaluate import Score

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
@click.option("--folds", type=click.IntRange(2, 20), default=5, show_default=True, help="How many parts to cut into.")
@click.option("--seed", default=0, show_default=True, help="Of the sampler; the folds are always the same.")
@iterations_option
@json_option
def evaluate(ratings: Path, folds: int, seed: int, iterations: int, as_json: bool) -> None:
    """Measure rating predictions by cross-validation, with baselines beside them.

    Ratings are shuffled once and cut into folds (scikit-learn's KFold, shuffled, seed 0); each fold is predicted from
    the others, exactly as the server would.
    """
    from rich.console import Console

    from indexer.evaluate import cross_validate, mean_score
    from indexer.models.factorization_machine import Settings
    from indexer.movielens import read_dataset
    from indexer.progress import progress

    scores: dict[str, list[Score]] = {}
    with progress(Console(stderr=True)) as track:
        dataset = read_dataset(ratings)
        settings = Settings(iterations=iterations)
        for score in cross_validate(dataset, folds=folds, seed=seed, settings=settings, track=track):
            scores.setdefault(score.method, []).append(score)
    means = [mean_score(by_fold) for by_fold in scores.values()]
    if as_json:
        every = [asdict(score) for by_fold in scores.values() for score in by_fold]
        report = {"dataset": dataset.name, "folds": folds, "mean": [asdict(score) for score in means], "scores": every}
        click.echo(json.dumps(report, indent=2))
        return
    _print_scores(f"{dataset.name}: {len(dataset.ratings):,} ratings, {folds}-fold cross-validation", means)


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


def _print_scores(heading: str, means: list[Score]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, title=heading, title_justify="left", title_style="bold", pad_edge=False)
    table.add_column("Method")
    for name in ("RMSE", "MAE", "In 80% interval", "Seconds a fold"):
        table.add_column(name, justify="right")
    for score in means:
        inside: Any = "" if score.coverage is None else f"{score.coverage:.1%}"
        table.add_row(score.method, f"{score.rmse:.4f}", f"{score.mae:.4f}", inside, f"{score.seconds:.1f}")
    Console().print(table)
