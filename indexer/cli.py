"""The command that does the offline work, build, and what the commands that judge it share with it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from index.console import DurationType, SizeType, data_option, json_option, print_json

if TYPE_CHECKING:
    from index.snapshot import Manifest
    from index.track import Track

RATINGS = "A MovieLens folder as it is unzipped, or a CSV file of user, item, rating[, timestamp]."
KEPT = 3  # snapshots, by builds that repeat
ratings_option = click.option("--ratings", type=click.Path(path_type=Path), required=True, help=RATINGS)
weights_option = click.option(
    "--weights",
    default="imagenet",
    show_default=True,
    metavar="imagenet|untrained|FILE",
    help="Weights of VGG16: fetched or downloaded by Keras, seeded at random for trying things out, or a Keras .h5"
    " file.",
)
iterations_option = click.option(
    "--iterations",
    type=click.IntRange(30),
    show_default="100",
    help="Of each of the sampler's chains. More take longer. A build that is not told makes fewer chains of more than"
    " 2.5 million ratings.",
)


@click.command()
@click.option(
    "--ratings",
    type=click.Path(path_type=Path),
    show_default="what was fetched, else the sample",
    help=RATINGS,
)
@click.option(
    "--posters",
    type=click.Path(path_type=Path),
    show_default="with the default ratings those that belong to them, else none",
    help="A folder of <movie id>.jpg, .jpeg, .png or .webp. Without it, nothing is compared by look.",
)
@data_option
@weights_option
@click.option("--seed", default=0, show_default=True, help="Of everything drawn at random.")
@iterations_option
@click.option(
    "--tuned",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="A file of posterity tune, whose settings are used, or report.json of posterity evaluate --similarity, whose"
    " weights of the blend are; may be given again.",
)
@click.option(
    "--index",
    metavar="FACTORY",
    show_default="chosen by number and memory",
    help="How posters are indexed, as Faiss writes it: Flat, HNSW32, IVF256,SQ8 and the like.",
)
@click.option(
    "--memory",
    type=SizeType(),
    default="2GB",
    show_default=True,
    help="What the index of posters may take in each process that serves it.",
)
@click.option(
    "--no-evaluation",
    is_flag=True,
    help="Do not try the rating model on held-out ratings. Saves a third to a half of what sampling it takes.",
)
@click.option(
    "--every",
    type=DurationType(),
    help="Go on, and build again each time this long has passed since the last build began: 90s, 30m, 6h, 1d. A build"
    " for which nothing came in is left out.",
)
@click.option(
    "--keep",
    type=click.IntRange(1),
    show_default=f"{KEPT} with --every, all without",
    help="How many of the newest snapshots to keep after a build; the one that is served always stays.",
)
@click.option(
    "--if-new",
    is_flag=True,
    help="Do nothing where the newest snapshot was made by the same version, with the same settings and from the same"
    " files, and has all that came in since.",
)
@json_option
@click.pass_context
def build(
    context: click.Context,
    ratings: Path | None,
    posters: Path | None,
    data: Path,
    weights: str,
    seed: int,
    iterations: int | None,
    tuned: tuple[Path, ...],
    index: str | None,
    memory: int,
    no_evaluation: bool,
    every: float | None,
    keep: int | None,
    if_new: bool,
    as_json: bool,
) -> None:
    """Read ratings, embed posters, train, and publish a snapshot.

    Posters that were embedded before are not embedded again. Until the new snapshot is whole, the old one is served.
    """
    from indexer.sources import choose

    sources = choose(data, ratings, posters, weights)
    if every is not None:
        from indexer.every import build_every

        # In a process of its own each: its memory is given back, and its crash is not the end.
        command = [sys.executable, "-m", "posterity", "build", *_words(context, without={"every", "keep"})]
        paths = [*sources.paths, *tuned]
        build_every(every, command, data, paths, keep=keep or KEPT, say=lambda line: click.echo(line, err=True))
        return
    manifest = run_build(
        sources.ratings,
        sources.posters,
        data,
        sources.weights,
        seed=seed,
        iterations=iterations,
        tuned=tuned,
        index=index,
        memory=memory,
        evaluation=not no_evaluation,
        if_new=if_new,
    )
    if manifest is None:
        return
    if as_json:
        print_json(manifest.to_json())
    else:
        _summarise(manifest)
    if keep is not None:
        from index.snapshot import SnapshotStore

        deleted = SnapshotStore(data).prune(keep)
        if deleted and not as_json:
            click.echo(f"Deleted {', '.join(deleted)}")


commands = (build,)


def run_build(
    ratings: Path,
    posters: Path | None,
    data: Path,
    weights: str,
    *,
    seed: int = 0,
    iterations: int | None = None,
    tuned: Sequence[Path] = (),
    index: str | None = None,
    memory: int | None = None,
    evaluation: bool = True,
    if_new: bool = False,
) -> Manifest | None:
    """The manifest of a new snapshot, built with progress shown on stderr.

    Args:
        if_new: say so and give None where a build would make the newest snapshot again.
    """
    from indexer.build import Plan
    from indexer.build import build as publish
    from indexer.made_from import already_built
    from indexer.models.factorization_machine import Settings
    from indexer.settings import changed
    from indexer.tune import read_choices

    chosen = read_choices(tuned)
    settings = chosen.machine
    if iterations is not None:
        settings = changed(settings or Settings(), {"iterations": iterations}, "--iterations")
    plan = Plan(ratings, data, posters, weights, settings, chosen.rankers, chosen.blend, index, seed=seed)
    plan = replace(plan, evaluation=evaluation)
    if memory is not None:
        plan = replace(plan, memory=memory)
    if if_new and (there := already_built(plan)):
        click.echo(f"Nothing came in since snapshot {there.id}: there is nothing to build", err=True)
        return None
    with shown_progress() as track:
        return publish(plan, track=track)


def _words(context: click.Context, *, without: set[str]) -> list[str]:
    """What to write after the command for it to be called as it was, but for some options."""
    words = []
    for option in context.command.params:
        value = context.params.get(option.name or "")
        if option.name in without or value is None or value is False:
            continue
        several = value if isinstance(value, tuple) else (value,)
        words += [option.opts[0] if each is True else f"{option.opts[0]}={each}" for each in several]
    return words


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
    if "poster" in manifest.spaces:
        search = manifest.spaces["poster"]["search"]
        card = search["card"]
        click.echo(
            f"Search by look ({search['index']}): recall@10 {card['recall_at_10']:.4f},"
            f" {card['milliseconds']:.1f} ms against {card['full_scan_milliseconds']:.0f} by a full scan"
        )
    if "methods" in manifest.evaluation:
        ours = manifest.evaluation["methods"][-1]
        click.echo(
            f"Predicted ratings: RMSE {ours['rmse']['value']:.4f}, MAE {ours['mae']['value']:.4f} on"
            f" {manifest.evaluation['held_out']:,} held-out ratings"
        )
    click.echo(f"Snapshot {manifest.id} is published")


@contextmanager
def shown_progress() -> Iterator[Track]:
    """A ``Track`` that shows on stderr how far work has come."""
    from rich.console import Console

    from indexer.progress import progress

    with progress(Console(stderr=True)) as track:
        yield track
