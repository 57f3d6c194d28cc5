"""Processor time of an imported list of ratings: read, matched, and recommended by; alone and with someone else."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import process_time

import click

from index.answers.imports import import_export
from index.catalogue.catalogue import Catalogue
from index.catalogue.title_forms import alternatives
from index.imports.read import read_export
from index.movie_index import MovieIndex
from posterity.cli.console import data_option, print_table


@click.command()
@data_option
@click.option(
    "--rows", type=click.IntRange(10, 100_000), default=2000, show_default=True, help="Ratings in the export."
)
@click.option("--repeat", type=click.IntRange(1), default=5, show_default=True, help="The median counts.")
def main(data: Path, rows: int, repeat: int) -> None:
    """Import ratings as Letterboxd exports them: of 20 rows 17 are in the catalogue, 2 misspelt, 1 is unknown."""
    index = MovieIndex.open(data)
    index.catalogue.prepare_search()  # as the server does when it starts
    export, other = (exported(index.catalogue, rows, seed) for seed in (0, 1))
    found, second = (import_export(index, each) for each in (export, other))
    counts = f"{len(found.matched)} matched, {len(found.uncertain)} uncertain, {len(found.unknown)} unknown"
    steps: dict[str, Callable[[], object]] = {
        "read": lambda: read_export(export),
        "read and match": lambda: import_export(index, export),
        "recommend": lambda: index.users.recommend(found.person.user, 12, watched=found.person.watched),
        "recommend to two": lambda: index.users.recommend_together([found.person, second.person], 12),
    }
    cells = [(name, f"{1000 * _median(step, repeat):.0f}") for name, step in steps.items()]
    print_table(f"{rows:,} rows, {len(index.catalogue):,} movies: {counts}", [("Step", "left"), ("ms", "right")], cells)


def exported(catalogue: Catalogue, rows: int, seed: int) -> bytes:
    """Return an export with titles of a catalogue."""
    chance = random.Random(seed)  # noqa: S311  no secret
    lines = ["Date,Name,Year,Letterboxd URI,Rating"]
    for at in range(rows):
        movie = chance.choice(catalogue.movies)
        title = (alternatives(movie.title)[0] or movie.title).replace('"', "")
        if at % 20 == 17:
            title = "".join(chance.sample(title, len(title)))
        elif at % 20 > 17 and len(title) > 1:
            title = title[:-2] + title[-1] + title[-2]
        lines.append(f'2024-01-01,"{title}",{movie.year or ""},u,{chance.randint(1, 10) / 2}')
    return "\n".join(lines).encode()


def _median(step: Callable[[], object], repeat: int) -> float:
    times = []
    for _ in range(repeat):
        begun = process_time()
        step()
        times.append(process_time() - begun)
    return median(times)


if __name__ == "__main__":
    main()
