"""The commands build and prepare, and options shared with evaluate and tune."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from index.core.errors import PosterityError
from posterity.cli.console import (
    DurationType,
    ScaleType,
    SizeType,
    data_option,
    embed_path_option,
    json_option,
    myself,
    note,
    print_json,
    report_option,
    scale_of,
    search_option,
    shown_progress,
    tell_refused,
)
from posterity.cli.fetch import EDITIONS, Sources, fetch_all, sources_options

if TYPE_CHECKING:
    from index.snapshot.store import Manifest
    from indexer.config import Plan
    from indexer.datasets.sources import Shelf

RATINGS = (
    "A folder or zip file of MovieLens, the Netflix Prize or one of their kind, or a table of user, item[, rating[,"
    " timestamp]]: CSV, TSV, Parquet, also compressed."
)
KEPT = 3  # snapshots, with --every
ratings_option = click.option("--ratings", type=click.Path(path_type=Path), required=True, help=RATINGS)
weights_option = click.option(
    "--weights",
    default="imagenet",
    show_default=True,
    metavar="imagenet|untrained|FILE",
    help="Weights of VGG16: imagenet (fetched, or downloaded by Keras), untrained (random, to try things out), or a"
    " Keras .h5 file.",
)
scale_option = click.option(
    "--scale",
    type=ScaleType(),
    metavar="LOWEST:HIGHEST",
    envvar="POSTERITY_SCALE",
    show_default="that of the ratings",
    show_envvar=True,
    help="Rating scale, such as 0.5:5. Ratings off it are skipped.",
)
facts_option = click.option(
    "--facts",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    show_default="facts.csv beside the movies, if there is one",
    help="A table of further facts: a column of movie ids, and columns of directors, actors, keywords or anything else;"
    " several values in a field are separated by |.",
)
catalogue_option = click.option(
    "--catalogue",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A table of your own movies: CSV, JSON Lines or Parquet. Columns: title, and if there are any, id, year,"
    " genres, imdb_id, tmdb_id and poster (a path or URL); any other one is a kind of facts. --ratings are by its ids.",
)
events_option = click.option(
    "--events",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A table of user, item and kind: who viewed, liked or bought what. The rankers learn from it, and the taste"
    " space where there are no ratings.",
)
event_weight_option = click.option(
    "--event-weight",
    "event_weights",
    multiple=True,
    metavar="KIND=WEIGHT",
    help="Weight of a kind of event, beside view=1, like=3, purchase=5; 0 leaves it out. Repeatable.",
)
spark_option = click.option(
    "--spark",
    metavar="MASTER_URL",
    envvar="POSTERITY_SPARK",
    show_envvar=True,
    help="A Spark cluster that takes part in the work: spark://HOST:7077, local[4], yarn or k8s://…. Needs Java and"
    " pip install 'posterity[spark]'.",
)
iterations_option = click.option(
    "--iterations",
    type=click.IntRange(30),
    show_default="100",
    help="Iterations of each Markov chain. By default builds run fewer chains on more than 2.5 million ratings.",
)


@click.command()
@click.option(
    "--ratings",
    type=click.Path(path_type=Path),
    show_default="the scanned shelf, the fetched edition, else the sample",
    help=RATINGS,
)
@scale_option
@click.option(
    "--posters",
    type=click.Path(path_type=Path),
    show_default="those of the default ratings, else none",
    help="A folder of <movie id>.jpg, .png, .webp, .gif, .avif, .tif, .bmp or .heic. Without it the snapshot has no"
    " poster space.",
)
@catalogue_option
@report_option
@events_option
@event_weight_option
@facts_option
@click.option(
    "--facts-weight",
    "facts_weights",
    multiple=True,
    metavar="COLUMN=WEIGHT",
    help="Weight of a column of the facts, beside 1 for genres, year and tags together; 0 leaves it out. Repeatable.",
)
@data_option
@search_option
@weights_option
@embed_path_option
@click.option("--seed", default=0, show_default=True, help="Seed of the random numbers.")
@iterations_option
@click.option(
    "--tuned",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="Use the settings in a file of posterity tune, or the blend weights in report.json of posterity evaluate"
    " --similarity. Repeatable.",
)
@click.option(
    "--index",
    metavar="FACTORY",
    show_default="chosen by number of posters and --memory",
    help="Faiss factory string of the poster index, such as Flat, HNSW32 or IVF256,SQ8.",
)
@click.option(
    "--memory",
    type=SizeType(),
    default="2GB",
    show_default=True,
    help="Memory for the poster index in each server process.",
)
@click.option(
    "--look",
    type=click.Choice(["standardised", "raw"]),  # as look_vectors.LOOKS, whose import is slow
    default="standardised",
    show_default=True,
    help="Vectors of the posters. raw: VGG16's own, as in the 2017 article. standardised: its maps smoothed and rooted,"
    " each number divided by its standard deviation in the catalogue.",
)
@click.option(
    "--no-evaluation",
    is_flag=True,
    help="Skip the evaluation of the rating model on held-out ratings. Saves a third to a half of the sampling time.",
)
@click.option(
    "--no-ltr",
    is_flag=True,
    help="Skip learning to rank: recommendations are ordered by the rankers alone. Saves most of a minute at 100,000"
    " ratings.",
)
@click.option(
    "--every",
    type=DurationType(),
    help="Build again in this interval, counted from start to start: 90s, 30m, 6h, 1d. Builds without changed inputs"
    " are skipped.",
)
@click.option(
    "--keep",
    type=click.IntRange(1),
    show_default=f"{KEPT} with --every, all without",
    help="Number of newest snapshots to keep after a build. The current one, the newest sound one and those in use are"
    " never deleted.",
)
@click.option(
    "--if-new",
    is_flag=True,
    help="Skip the build if the newest snapshot has the same version, settings, input files and library.",
)
@spark_option
@click.option(
    "--spark-folder",
    metavar="ADDRESS",
    envvar="POSTERITY_SPARK_FOLDER",
    show_envvar=True,
    show_default="the data directory, under the same path on all machines",
    help="With --spark: a folder that all machines see, as a path or an address such as s3://bucket/prefix.",
)
@json_option
@click.pass_context
def build(
    context: click.Context,
    ratings: Path | None,
    scale: str | None,
    posters: Path | None,
    catalogue: Path | None,
    report: Path | None,
    events: Path | None,
    event_weights: tuple[str, ...],
    facts: Path | None,
    facts_weights: tuple[str, ...],
    data: Path,
    search: str,
    weights: str,
    embed_path: str,
    seed: int,
    iterations: int | None,
    tuned: tuple[Path, ...],
    index: str | None,
    memory: int,
    look: str,
    no_evaluation: bool,
    no_ltr: bool,
    every: float | None,
    keep: int | None,
    if_new: bool,
    spark: str | None,
    spark_folder: str | None,
    as_json: bool,
) -> None:
    """Read ratings, embed posters, train the models and publish a snapshot.

    Embeddings are cached. The server answers from the previous snapshot until the new one is complete. With --search
    the vectors go to Milvus, and the snapshot keeps a few hundred bytes a movie of them.
    """
    from indexer.config import make_plan
    from indexer.datasets.labels import kind_of
    from indexer.datasets.movielens import Own
    from indexer.datasets.own_catalogue import read_catalogue, write_report
    from indexer.datasets.sources import choose_sources, scanned_shelf

    if spark_folder is not None and spark is None:
        raise click.UsageError("--spark-folder is the folder of a cluster: give --spark, or leave it out")
    if report is not None and catalogue is None:
        raise click.UsageError("--report lists the refused rows of a --catalogue: give one, or leave it out")
    shelf = scanned_shelf(data) if ratings is catalogue is events is None else None
    if shelf is not None:
        ratings, catalogue, events, facts = shelf.ratings, shelf.catalogue, shelf.events, facts or shelf.facts
    own = Own(catalogue, events, _weights("--event-weight", event_weights, "KIND=WEIGHT, such as like=3", str.casefold))
    sources = choose_sources(data, ratings, posters, weights, own=(catalogue or events) is not None)
    if every is not None:
        from indexer.schedule import build_every

        # Each build in a process of its own: it returns its memory, and a crash does not end the loop.
        command = [*myself(), "build", *_arguments(context, without={"every", "keep"})]
        files = [*tuned, *(file for file in (facts, catalogue, events) if file is not None)]
        build_every(every, command, data, [*sources.paths, *files], keep=keep or KEPT, search=search, say=note)
        return
    if catalogue is not None:
        refused = read_catalogue(catalogue).refused
        tell_refused(catalogue, refused, report)
        if report is not None:
            write_report(report, catalogue, refused)
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
        look=look,
        evaluation=not no_evaluation,
        embed_path=embed_path,
        scale=scale_of(scale),
        learn=not no_ltr,
        facts=facts,
        label_weights=_weights("--facts-weight", facts_weights, "COLUMN=WEIGHT, such as director=0.3", kind_of),
        own=own,
        search=search,
    )
    manifest = run_plan(plan, if_new=if_new, spark=spark, spark_folder=spark_folder)
    if manifest is None:
        return
    if as_json:
        print_json(manifest.to_json())
    else:
        summarise(manifest)
    if keep is not None:
        from index.snapshot.collections import prune
        from index.snapshot.store import SnapshotStore

        try:
            deleted = prune(SnapshotStore(data), keep, search)
        except (PosterityError, OSError) as error:  # the build itself succeeded
            note(f"Warning: old snapshots were not deleted ({error})")
            return
        if deleted and not as_json:
            click.echo(f"Deleted {', '.join(deleted)}")


def _weights(option: str, texts: tuple[str, ...], example: str, name: Callable[[str], str]) -> dict[str, float]:
    """Return the weights in the texts of an option, by name.

    Raises:
        UsageError: a text is not NAME=WEIGHT, or the weight is no number from 0 to 100.
    """
    from indexer.datasets.tables.values import real

    weights = {}
    for text in texts:
        key, _, given = text.rpartition("=")
        weight = real(given)
        if not key.strip() or weight is None or not 0 <= weight <= 100:
            raise click.UsageError(f"{option} {text}: write {example}; from 0 to 100")
        weights[name(key.strip())] = weight
    return weights


def shelf_plan(shelf: Shelf, data: Path, weights: str, embed_path: str, search: str = "") -> Plan:
    """Return the plan of a build of a scanned shelf."""
    from indexer.config import make_plan
    from indexer.datasets.movielens import Own
    from indexer.datasets.sources import fetched_weights

    return make_plan(
        shelf.ratings,
        data,
        None,
        fetched_weights(data, weights),
        embed_path=embed_path,
        search=search,
        facts=shelf.facts,
        own=Own(shelf.catalogue, shelf.events),
    )


def run_plan(plan: Plan, *, if_new: bool, spark: str | None = None, spark_folder: str | None = None) -> Manifest | None:
    """Build a plan with progress on stderr, and return the manifest of the new snapshot.

    Args:
        plan: the inputs and settings.
        if_new: print a note and return None if the build would repeat the newest snapshot.
        spark: master of the cluster that shares the work; None to do it all here.
        spark_folder: path or address of a folder that its machines see; None for the data directory.
    """
    from indexer.build import build as build_snapshot
    from indexer.inputs import matching_manifest

    if if_new and (existing := matching_manifest(plan)):
        note(f"No input changed since snapshot {existing.id}: nothing to build")
        return None
    with shown_progress() as track:
        if spark is None:
            return build_snapshot(plan, track=track)
        from indexer.spark.cluster import connected
        from indexer.spark.work import work_over

        with connected(spark, spark_folder, plan.data) as cluster:
            return build_snapshot(plan, work=work_over(cluster, plan.data), track=track)


def summarise(manifest: Manifest) -> None:
    """Print a summary of a published snapshot."""
    for warning in manifest.warnings:
        note(f"Warning: {warning}")
    for movie_id, reason in manifest.posters["unreadable"].items():
        note(f"Warning: the poster of movie {movie_id} is skipped: {reason}")
    counts = manifest.dataset
    rated = f"{counts['ratings']:,} ratings of {counts['rated_movies']:,} movies by {counts['users']:,} users"
    if not counts["ratings"]:
        rated = f"{counts['movies']:,} movies without ratings"
    posters = f"{manifest.posters['posters']:,} posters ({manifest.posters['embedded']:,} newly embedded)"
    click.echo(f"{counts['name']}: {rated}; {posters}")
    if counts.get("events"):
        click.echo(f"Events: {counts['events']:,} pairs of user and movie without a rating")
    if counts["ratings"] and manifest.ratings.get("implicit_data"):
        click.echo("Rating scale: none, as there are no ratings, only who watched what")
    elif counts["ratings"]:
        low, high = manifest.ratings["scale"]
        click.echo(f"Rating scale: {low:g} to {high:g}")
    if "poster" in manifest.spaces:
        search = manifest.spaces["poster"]["search"]
        report = search["card"]
        click.echo(
            f"Poster search ({search.get('scan') or search['index']}): recall@10 {report['recall_at_10']:.4f},"
            f" {report['milliseconds']:.1f} ms; full scan {report['full_scan_milliseconds']:.0f} ms"
        )
    if "methods" in manifest.evaluation:
        ours = manifest.evaluation["methods"][-1]
        click.echo(
            f"Predicted ratings: RMSE {ours['rmse']['value']:.4f}, MAE {ours['mae']['value']:.4f} on"
            f" {manifest.evaluation['held_out']:,} held-out ratings"
        )
    click.echo(f"Snapshot {manifest.id} is published")


def _arguments(context: click.Context, *, without: set[str]) -> list[str]:
    """Return the command-line arguments of a call, without some options."""
    arguments = []
    for option in context.command.params:
        value = context.params.get(option.name or "")
        if option.name in without or value is None or value is False:
            continue
        several = value if isinstance(value, tuple) else (value,)
        arguments += [option.opts[0] if each is True else f"{option.opts[0]}={each}" for each in several]
    return arguments


@click.command()
@click.option(
    "--edition",
    type=click.Choice(EDITIONS, case_sensitive=False),
    envvar="POSTERITY_MOVIELENS",
    show_envvar=True,
    show_default="latest-small with a key of TMDB",
    help="Edition of MovieLens to fetch and build.",
)
@data_option
@search_option
@weights_option
@embed_path_option
@sources_options
def prepare(edition: str | None, data: Path, search: str, weights: str, embed_path: str, sources: Sources) -> None:
    """Fetch and build a snapshot to serve, unless an up-to-date one exists.

    With --edition, or a key of TMDB in TMDB_API_KEY or TMDB_ACCESS_TOKEN, fetch MovieLens and build it if an input
    changed. Otherwise keep the current snapshot, or build the bundled sample if there is none. If fetching or building
    fails, keep the current snapshot. Films of your own stay: a scanned shelf is built whatever is fetched, and without
    --edition a key fetches nothing where a snapshot of other data is served.
    """
    from index.snapshot.store import SnapshotStore
    from indexer.config import make_plan
    from indexer.datasets.sources import choose_sources, has_own_films, scanned_shelf
    from indexer.demo import build_demo

    shelf = scanned_shelf(data)
    has_key = os.environ.get("TMDB_API_KEY") or os.environ.get("TMDB_ACCESS_TOKEN")
    if edition is None and has_key and not has_own_films(data):
        edition = "latest-small"
    if edition is None and shelf is None:
        with shown_progress() as track:
            build_demo(data, weights, embed_path, track=track, say=note)
        return
    try:
        if edition is not None:
            fetch_all(edition, data, sources)
        if shelf is not None:
            if edition is not None:
                note(f"{data} has a scanned shelf, which is built: the next posterity scan joins what was fetched")
            plan = shelf_plan(shelf, data, weights, embed_path, search)
        else:
            # By edition: the data directory may hold several, and serve another one.
            found = choose_sources(data, None, None, weights, edition=edition)
            plan = make_plan(found.ratings, data, found.posters, found.weights, embed_path=embed_path, search=search)
        manifest = run_plan(plan, if_new=True)
    except PosterityError as error:
        served = SnapshotStore(data).current_id()
        if served is None:
            raise
        # A server with a snapshot must not wait for a source to recover, or for another build to end.
        note(f"Warning: {error}. Snapshot {served} is served as it is")
        return
    if manifest is not None:
        summarise(manifest)
