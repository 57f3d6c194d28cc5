"""The command about posters: explain.

Heavy imports stand inside the command: ``posterity --help`` must not wait for them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from index.console import data_option, json_option, print_json, print_table
from index.errors import BadData

if TYPE_CHECKING:
    from index.heat import Comparison


def _check_out(context: click.Context, parameter: click.Parameter, out: Path | None) -> Path | None:
    if out is not None and out.suffix.lower() != ".png":
        raise click.BadParameter(f"{out} does not end in .png", context, parameter)
    if out is not None and not out.parent.is_dir():
        raise click.BadParameter(f"there is no folder {out.parent} for {out.name}", context, parameter)
    return out


@click.command()
@click.argument("movie")
@click.argument("other")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_check_out,
    metavar="FILE.png",
    help="Draw it: both posters, with colours where they are alike and lines between the parts that match best.",
)
@data_option
@json_option
def explain(movie: str, other: str, out: Path | None, data: Path, as_json: bool) -> None:
    """Show why the posters of MOVIE and OTHER look alike, part by part.

    MOVIE and OTHER are ids (6), imdb:tt0113277, tmdb:949, or titles in quotes.
    """
    from index.movie_index import MovieIndex
    from index.present import draw_look, look_in_words, present_look, present_movie, provenance, weights_note

    index = MovieIndex.open(data)
    first, second = index.catalogue.resolve(movie), index.catalogue.resolve(other)
    look = index.explain_look(first.movie_id, second.movie_id)
    if out is not None:
        _write(out, draw_look(index, look))
    if as_json:
        movies = {"movie": present_movie(index, first), "other": present_movie(index, second)}
        print_json(movies | present_look(look) | provenance(index))
        return
    _show(f"{first} and {second}", look_in_words(look), look.comparison, weights_note(index))
    if out is not None:
        click.echo(f"Drawn in {out}")


commands = (explain,)


def _show(names: str, words: str, comparison: Comparison, note: str) -> None:
    from index.present import percent

    heat = [[f"{value:.4f}" for value in row] for row in comparison.heat]
    likeness = [[percent(value) for value in row] for row in comparison.likeness]
    _print_grid(f"{names}\n{words}\n\nWhat each part of the posters adds to the score", heat)
    _print_grid("How much of the difference between random posters is not there", likeness)
    rows: list[tuple[str, ...]] = [
        (str(number), _name(match.cell), _name(match.other), f"{match.strength:.3f}", f"{match.contribution:.4f}")
        for number, match in enumerate(comparison.matches, start=1)
    ]
    columns = [("", "right"), ("First", "left"), ("Second", "left"), ("Cosine", "right"), ("Would add", "right")]
    print_table("The parts that match best", columns, rows, note)


def _print_grid(heading: str, grid: list[list[str]]) -> None:
    columns = [("", "right"), *((_letter(column), "right") for column in range(len(grid[0])))]
    print_table(heading, columns, [(str(number), *row) for number, row in enumerate(grid, start=1)])


def _name(cell: tuple[int, int]) -> str:
    """As in a spreadsheet, rows from the top: (0, 2) is C1."""
    return f"{_letter(cell[1])}{cell[0] + 1}"


def _letter(column: int) -> str:
    return chr(ord("A") + column)


def _write(out: Path, content: bytes) -> None:
    try:
        out.write_bytes(content)
    except OSError as error:
        raise BadData(f"cannot write {out} ({error.strerror}): give another --out") from error
