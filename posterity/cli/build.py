"""The command that does the offline work, build, and what the commands that judge it share with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from posterity.cli.console import (
    DurationType,
    SizeType,
    data_option,
    embed_path_option,
    json_option,
    myself,
    note,
    print_json,
    shown_progress,
)

if TYPE_CHECKING:
    from index.snapshot.store import Manifest
    from indexer.config import Plan

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
@embed_path_option
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
    embed_path: str,
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
    from indexer.config import make_plan
    from indexer.datasets.sources import choose_sources

    sources = choose_sources(data, ratings, posters, weights)
    if every is not None:
        from indexer.schedule import build_every

        # In a process of its own each: its memory is given back, and its crash is not the end.
        command = [*myself(), "build", *_words(context, without={"every", "keep"})]
        build_every(every, command, data, [*sources.paths, *tuned], keep=keep or KEPT, say=note)
        return
    plan = make_plan(
        sources.ratings,
        data,
        sources.posters,
        sources.weights,
        seed=seed,
        iterations=iterations,
        tuned=tuned,
        index=index,
        memory=memory,
        evaluation=not no_evaluation,
        embed_path=embed_path,
    )
    manifest = run_plan(plan, if_new=if_new)
    if manifest is None:
        return
    if as_json:
        print_json(manifest.to_json())
    else:
        summarise(manifest)
    if keep is not None:
        from index.snapshot.store import SnapshotStore

        deleted = SnapshotStore(data).prune(keep)
        if deleted and not as_json:
            click.echo(f"Deleted {', '.join(deleted)}")


def run_plan(plan: Plan, *, if_new: bool) -> Manifest | None:
    """Build a plan with progress on stderr, and return the manifest of the new snapshot.

    Args:
        if_new: return None, with a note, where a build would make the newest snapshot again.
    """
    from indexer.build import build as build_snapshot
    from indexer.inputs import matching_manifest

    if if_new and (existing := matching_manifest(plan)):
        note(f"No input changed since snapshot {existing.id}: nothing to build")
        return None
    with shown_progress() as track:
        return build_snapshot(plan, track=track)


def summarise(manifest: Manifest) -> None:
    """Print what a build published."""
    for warning in manifest.warnings:
        note(f"Warning: {warning}")
    for movie_id, reason in manifest.posters["unreadable"].items():
        note(f"Warning: the poster of movie {movie_id} is left out: {reason}")
    facts = manifest.dataset
    click.echo(
        f"{facts['name']}: {facts['ratings']:,} ratings of {facts['rated_movies']:,} movies by {facts['users']:,}"
        f" users; {manifest.posters['posters']:,} posters ({manifest.posters['embedded']:,} newly embedded)"
    )
    if "poster" in manifest.spaces:
        search = manifest.spaces["poster"]["search"]
        report = search["card"]
        click.echo(
            f"Search by look ({search['index']}): recall@10 {report['recall_at_10']:.4f},"
            f" {report['milliseconds']:.1f} ms against {report['full_scan_milliseconds']:.0f} by a full scan"
        )
    if "methods" in manifest.evaluation:
        ours = manifest.evaluation["methods"][-1]
        click.echo(
            f"Predicted ratings: RMSE {ours['rmse']['value']:.4f}, MAE {ours['mae']['value']:.4f} on"
            f" {manifest.evaluation['held_out']:,} held-out ratings"
        )
    click.echo(f"Snapshot {manifest.id} is published")


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
