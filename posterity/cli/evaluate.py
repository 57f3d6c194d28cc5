"""The commands evaluate and tune."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from index.core.references import plain_id
from index.snapshot.gallery import HEADINGS, NEAREST
from posterity.cli.build import (
    RATINGS,
    facts_option,
    iterations_option,
    ratings_option,
    scale_option,
    spark_option,
    weights_option,
)
from posterity.cli.console import (
    embed_path_option,
    json_option,
    print_json,
    print_table,
    scale_of,
    shown_progress,
)


@click.command()
@click.option("--ratings", type=click.Path(path_type=Path), help=f"{RATINGS} Not needed to evaluate poster search.")
@scale_option
@click.option(
    "--protocol",
    "protocols",
    type=click.Choice(["kfold", "article", "time", "user-time", "cold"]),
    multiple=True,
    help="Held-out ratings; repeatable. kfold (the default): shuffled ratings in folds. article: 10 ratings of each"
    " user. time: the newest fifth. user-time: the newest fifth of each user. cold: all ratings of some movies, in"
    " folds.",
)
@click.option("--folds", type=click.IntRange(2, 20), default=5, show_default=True, help="Number of folds.")
@click.option("--method", "names", multiple=True, metavar="NAME", help="Evaluate this method only. Repeatable.")
@click.option("--ranking", is_flag=True, help="Evaluate recommendations instead of predictions.")
@click.option("--similarity", is_flag=True, help="Evaluate similarity instead of predictions.")
@click.option(
    "--gallery",
    is_flag=True,
    help="Show the nearest neighbours of a few movies by several methods, as rows of posters in gallery.html.",
)
@click.option("--all", "everything", is_flag=True, help="Evaluate all of these in one report.")
@click.option(
    "--judged",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="With --similarity: a CSV file of judged pairs: movie, movie, alike (0 or 1).",
)
@click.option(
    "--film",
    "films",
    multiple=True,
    metavar="ID",
    help="With --similarity or --gallery: show the nearest neighbours of this movie, not of popular ones. Repeatable.",
)
@click.option(
    "--posters",
    type=click.Path(path_type=Path),
    help="A folder of posters. Without --ratings: evaluate poster search with distorted copies. With --similarity or"
    " --gallery: use the poster space, too. With --protocol cold: evaluate what posters tell of unseen movies. With"
    " --all: all of these.",
)
@click.option(
    "--alternates",
    type=click.Path(path_type=Path),
    help="A folder of other artwork of the same movies, with the same file names: evaluate poster search with it, too.",
)
@click.option(
    "--distorted",
    type=click.IntRange(1),
    show_default="all",
    help="Number of posters to distort, each in seven ways, which takes most of the time.",
)
@facts_option
@weights_option
@embed_path_option
@click.option("--seed", default=0, show_default=True, help="Seed of the methods; the folds are always the same.")
@iterations_option
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("evaluation"),
    show_default=True,
    help="Folder of the report and the gallery, each as JSON and HTML. An interrupted run resumes from here.",
)
@spark_option
@json_option
def evaluate(
    ratings: Path | None,
    scale: str | None,
    protocols: tuple[str, ...],
    folds: int,
    names: tuple[str, ...],
    ranking: bool,
    similarity: bool,
    gallery: bool,
    everything: bool,
    judged: Path | None,
    films: tuple[str, ...],
    posters: Path | None,
    alternates: Path | None,
    distorted: int | None,
    facts: Path | None,
    weights: str,
    embed_path: str,
    seed: int,
    iterations: int | None,
    output: Path,
    spark: str | None,
    as_json: bool,
) -> None:
    """Evaluate all methods on held-out ratings, and write a report.

    The methods are baselines, those of the 2017 article and newer ones. The last row is the method that builds use.

    With --spark, alternating least squares of Spark's MLlib is evaluated, too.

    With --posters and without --ratings, evaluate poster search: how often a distorted copy of a poster, or other
    artwork of its movie, finds it first.
    """
    from indexer.evaluate import EvaluationConfig, run
    from indexer.evaluate_posters import evaluate_posters
    from indexer.models.factorization_machine import Settings

    of_ratings = (ranking, similarity, gallery, everything, protocols, names, judged, films)
    if ratings is None and (posters is None or any(of_ratings)):
        raise click.UsageError("Give --ratings to compare methods, or --posters alone to evaluate poster search.")
    if sum((ranking, similarity, gallery, everything)) > 1:
        raise click.UsageError("Give only one of --ranking, --similarity, --gallery and --all.")
    if ranking and set(protocols) & {"article", "cold"}:
        raise click.UsageError("--ranking needs the protocol kfold or time.")
    if similarity and (protocols or names):
        raise click.UsageError("--similarity evaluates all spaces on one fold: leave out --protocol and --method.")
    if gallery and (protocols or names or judged):
        raise click.UsageError("--gallery has methods of its own: leave out --protocol, --method and --judged.")
    if everything and (protocols or names):
        raise click.UsageError("--all evaluates every protocol and method: leave out --protocol and --method.")
    if ratings is not None and (judged or films) and not (similarity or gallery or everything):
        raise click.UsageError("--judged and --film need --similarity, --gallery or --all.")
    if ratings is not None and posters and not (similarity or gallery or everything or "cold" in protocols):
        raise click.UsageError("--posters with --ratings needs --similarity, --gallery, --all or --protocol cold.")
    if distorted and (posters is None or ranking or similarity or gallery):
        raise click.UsageError("--distorted needs --posters, without --ratings or with --all.")
    if alternates and (not posters or similarity or gallery):
        raise click.UsageError("--alternates needs --posters, without --ratings or with --all.")
    settings = Settings() if iterations is None else Settings(iterations=iterations)
    shown = [film if (number := plain_id(film)) is None else number for film in films]
    chosen = (("all", everything), ("similarity", similarity), ("gallery", gallery), ("ranking", ranking))
    kind = next((name for name, wanted in chosen if wanted), "ratings")
    with ExitStack() as stack:
        more: tuple[Mapping[str, Any], Mapping[str, Any]] = ({}, {})
        if spark is not None:
            from indexer.spark.als import methods_of
            from indexer.spark.cluster import started

            more = methods_of(stack.enter_context(started(spark)))
        track = stack.enter_context(shown_progress())
        if ratings is not None:
            config = EvaluationConfig(
                ratings,
                output,
                folds,
                seed,
                settings,
                names,
                judged,
                shown,
                posters,
                weights,
                alternates,
                embed_path,
                scale_of(scale),
                distorted,
                facts,
                *more,
            )
            sections, warnings = run(config, kind, protocols, track=track)
        elif posters is not None:
            sections, warnings = evaluate_posters(
                posters, alternates, weights, output, embed_path=embed_path, distorted=distorted, track=track
            )
    for warning in warnings:
        click.echo(f"Warning: {warning}", err=True)
    if as_json:
        print_json(sections)
        return
    for section in sections.values():
        _print_section(section)
    if "gallery" in sections:
        click.echo(f"The gallery is {output / 'gallery.html'}")
    if not gallery:
        click.echo(f"The report is {output / 'report.html'}")


@click.command()
@ratings_option
@scale_option
@click.option("--method", "name", required=True, metavar="NAME", help="A method that posterity evaluate names.")
@click.option(
    "--set",
    "search",
    multiple=True,
    metavar="NAME=VALUE,VALUE",
    help="A setting with the values to try, instead of the method's own list. Repeatable.",
)
@click.option("--trials", type=click.IntRange(1), help="Number of random combinations to try. All of them by default.")
@click.option(
    "--folds",
    type=click.IntRange(2, 20),
    default=3,
    show_default=True,
    help="Number of folds of both cross-validations.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of the method and of the random combinations.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("tuned.json"),
    show_default=True,
    help="File for the trials and the best settings; posterity build reads it with --tuned.",
)
@json_option
def tune(
    ratings: Path,
    scale: str | None,
    name: str,
    search: tuple[str, ...],
    trials: int | None,
    folds: int,
    seed: int,
    output: Path,
    as_json: bool,
) -> None:
    """Tune a method's settings by nested cross-validation.

    Each outer fold tunes on its own training set and is scored on its held-out ratings. The written settings are tuned
    in the same way on all ratings.
    """
    from indexer.datasets.movielens import read_dataset
    from indexer.evaluation.tune import save_tuned
    from indexer.evaluation.tune import tune as find_settings

    wanted = {}
    for text in search:
        setting, given, values = text.partition("=")
        if not given or not values:
            raise click.UsageError(f"--set {text}: write NAME=VALUE,VALUE")
        wanted[setting.strip()] = [value.strip() for value in values.split(",")]
    with shown_progress() as track:
        dataset = read_dataset(ratings, scale=scale_of(scale))
        found = find_settings(dataset, name, search=wanted, trials=trials, folds=folds, seed=seed, track=track)
    save_tuned(found, dataset, output)
    if as_json:
        click.echo(output.read_text(), nl=False)
        return
    varied = list(found.trials[0].settings)
    metric = {"rmse": "RMSE", "ndcg_10": "nDCG@10"}[found.metric]
    columns = [*((setting, "right") for setting in varied), (f"{metric}, {folds} folds", "right")]
    rows = [(*(str(trial.settings[setting]) for setting in varied), f"{trial.score:.4f}") for trial in found.trials]
    print_table(f"{dataset.name}: {name}, best first", columns, rows)
    click.echo(f"Nested score, on ratings held out from the tuning: {metric} {found.nested_score:.4f}")
    click.echo(f"The best settings are in {output}: posterity build --tuned {output}")


def _print_section(section: dict[str, Any]) -> None:
    from indexer.reports.report_html import RANKING_COLUMNS, RATING_COLUMNS, SIMILARITY_COLUMNS, cell, diverse_lists

    if section["kind"] == "look":
        _print_poster_section(section)
        return
    if section["kind"] == "gallery":
        _print_gallery(section)
        return
    columns = {"ratings": RATING_COLUMNS, "ranking": RANKING_COLUMNS, "similarity": SIMILARITY_COLUMNS}[section["kind"]]
    shown = [name for name in columns if any(name in method["figures"] for method in section["methods"])]
    rows = []
    for method in section["methods"]:
        figures = {name: figure["value"] for name, figure in method["figures"].items()}
        rows.append((method["method"], *(cell(name, figures.get(name)) for name in shown)))
    heading = f"{section['title']}: {section['words']}"
    print_table(heading, [("", "left"), *((columns[name], "right") for name in shown)], rows)
    if "content" in section:
        _print_cold(section["content"])
    if diverse := diverse_lists(section["methods"][-1]["figures"]):
        lists: list[tuple[str, ...]] = [
            (f"{level:g}", f"{ndcg:.4f}", f"{alike:.1%}") for level, (ndcg, alike) in diverse.items()
        ]
        print_table(
            f"Diverse lists, {section['methods'][-1]['method']}",
            [("Diversity", "right"), ("nDCG@10", "right"), ("Percentile of two movies by likeness", "right")],
            lists,
        )
    if section["kind"] == "similarity":
        weights = ", ".join(f"{name} {weight:g}" for name, weight in section["weights"].items())
        click.echo(f"Weights of the blend, by all evidence: {weights}\n")


def _print_gallery(section: dict[str, Any]) -> None:
    for movie in section["movies"]:
        rows = [(HEADINGS[name], *(other["title"] for other in others)) for name, others in movie["nearest"].items()]
        columns = [("", "left"), *((str(place), "left") for place in range(1, NEAREST + 1))]
        print_table(f"Nearest to {movie['title']}", columns, [(*row, *[""] * (NEAREST + 1 - len(row))) for row in rows])


def _print_cold(found: dict[str, Any]) -> None:
    """Print the errors on unseen movies by content."""

    def told(estimate: dict[str, float], digits: int = 4) -> str:
        value, low, high = (f"{estimate[name]:.{digits}f}" for name in ("value", "low", "high"))
        return f"{value} ({low} to {high})"

    tables = {
        "Unseen movies by content": "rows",
        "Those with posters": "with_posters",
        "Those with people": "with_people",
    }
    for title, key in tables.items():
        if key in found:
            rows: list[tuple[str, ...]] = [
                (str(row["method"]), f"{row['held_out']:,}", told(row["rmse"])) for row in found[key]
            ]
            print_table(title, [("", "left"), ("Ratings", "right"), ("RMSE", "right")], rows)
    for name, figure in found.get("lists", {}).items():
        click.echo(f"nDCG@10 of recommendations among unseen movies, {name}: {told(figure)}")
    for name, lift in found.get("lifts", {}).items():
        click.echo(
            f"RMSE with {name} less that of {'the machine' if name.endswith('alone') else 'facts'}: {told(lift)}"
        )
    first: list[tuple[str, ...]] = [
        (str(row["ratings"]), told(row["rmse"]), told(row["without_content"]), f"{row['inside_80']['value']:.1%}")
        for row in found["first_ratings"]
    ]
    columns = [
        ("First ratings", "right"),
        ("RMSE", "right"),
        ("Without content", "right"),
        ("In 80% interval", "right"),
    ]
    print_table("The same ratings after some others of the movie", columns, first)


def _print_poster_section(section: dict[str, Any]) -> None:
    from indexer.reports.poster_report import caution, tables, words

    click.echo(f"{section['title']}: {words(section)} {caution(section)}".rstrip() + "\n")
    for table in tables(section):
        columns = [(title, "left" if at == 0 else "right") for at, title in enumerate(table.columns)]
        rows = [
            (row.name, *(f"{cell.value} {cell.interval and f'({cell.interval})'}" for cell in row.cells))
            for row in table.rows
        ]
        print_table(table.title, columns, rows, table.words)
        click.echo()
