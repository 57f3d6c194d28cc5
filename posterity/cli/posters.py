"""The commands explain and duplicates.

Heavy imports are inside functions, so that ``posterity --help`` is fast.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from index.core.errors import InvalidInput
from posterity.cli.console import data_option, json_option, print_json, print_note, print_table, search_option

if TYPE_CHECKING:
    from index.answers.schemas import BlendAnswer
    from index.core.progress import T
    from index.explain.cells import Comparison
    from index.movie_index import MovieIndex
    from index.posters.duplicates import Duplicates

_NAMED = 10  # skipped posters that the warning names


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
    "--by",
    type=click.Choice(["poster", "blend"]),
    default="poster",
    show_default=True,
    help="Explain the score by poster, part by part, or by blend, as a sum over the spaces.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_check_out,
    metavar="FILE.png",
    help="With --by poster: write a figure of both, coloured by similarity, with lines between the best parts.",
)
@data_option
@search_option
@json_option
def explain(movie: str, other: str, by: str, out: Path | None, data: Path, search: str, as_json: bool) -> None:
    """Explain the similarity of MOVIE and OTHER: of their posters, part by part, or by blend.

    MOVIE and OTHER are ids (6), imdb:tt0113277, tmdb:949, or titles in quotes.
    """
    from index.answers.serialize import (
        draw_look,
        look_in_words,
        present_blend,
        present_look,
        present_movie,
        provenance,
        weights_note,
    )
    from index.movie_index import MovieIndex

    if by == "blend" and out is not None:
        raise click.UsageError("--out draws posters: leave it out, or give --by poster.")
    index = MovieIndex.open(data, search=search)
    first, second = index.catalogue.resolve(movie, print_note), index.catalogue.resolve(other, print_note)
    if by == "blend":
        blend = present_blend(*index.explain_blend(first.movie_id, [second.movie_id]))
        if as_json:
            movies = {"movie": present_movie(index, first), "other": present_movie(index, second)}
            print_json(movies | blend | provenance(index))
            return
        _show_blend(f"{first} and {second}", blend, weights_note(index))
        return
    look = index.explainer.look(first.movie_id, second.movie_id)
    if out is not None:
        _write(out, draw_look(index, look))
    if as_json:
        movies = {"movie": present_movie(index, first), "other": present_movie(index, second)}
        print_json(movies | present_look(look) | provenance(index))
        return
    _show(f"{first} and {second}", look_in_words(look), look.comparison, weights_note(index))
    if out is not None:
        click.echo(f"Drawn in {out}")


@click.command()
@data_option
@search_option
@json_option
def duplicates(data: Path, search: str, as_json: bool) -> None:
    """Find groups of movies with the same image as poster.

    A copy may be smaller, cropped by up to 5% on each side, compressed again, greyed or brightened. Another poster of
    the same movie or series is no copy.
    """
    from index.answers.serialize import present_duplicates, provenance
    from index.movie_index import MovieIndex

    index = MovieIndex.open(data, search=search)
    found = index.duplicates(track=_progress)
    _warn(found)
    if as_json:
        print_json(present_duplicates(index, found) | provenance(index))
    elif found.groups:
        _show_groups(index, found)
    else:
        click.echo(f"No two of the {found.compared} posters are the same image.")


def _show(names: str, words: str, comparison: Comparison, note: str) -> None:
    from index.answers.serialize import percent

    cells = [[f"{value:.4f}" for value in row] for row in comparison.cells]
    likeness = [[percent(value) for value in row] for row in comparison.likeness]
    _print_grid(f"{names}\n{words}\n\nContribution of each part of the posters to the score", cells)
    _print_grid("Similarity of each part: 100% if equal, 0% as between random posters", likeness)
    rows: list[tuple[str, ...]] = [
        (str(number), _name(match.cell), _name(match.other), f"{match.strength:.3f}", f"{match.contribution:.4f}")
        for number, match in enumerate(comparison.matches, start=1)
    ]
    columns = [("", "right"), ("First", "left"), ("Second", "left"), ("Cosine", "right"), ("Would add", "right")]
    print_table("Best matching parts", columns, rows, note)


def _show_blend(names: str, blend: BlendAnswer, note: str) -> None:
    from index.answers.serialize import percent

    rows: list[tuple[str, ...]] = [
        (part["space"], f"{part['weight']:g}", f"{part['score']:.3f}", percent(part["percentile"]),
         f"{part['contribution']:+.3f}")
        for part in blend["parts"]
    ]  # fmt: skip
    rows.append(("sum", "", "", percent(blend["percentile"]), f"{blend['score']:.3f}"))
    columns = [("", "left"), ("Weight", "right"), ("Score", "right"), ("Closer than", "right"), ("Adds", "right")]
    print_table(f"{names}, by blend", columns, rows, note)


def _print_grid(heading: str, grid: list[list[str]]) -> None:
    columns = [("", "right"), *((_letter(column), "right") for column in range(len(grid[0])))]
    print_table(heading, columns, [(str(number), *row) for number, row in enumerate(grid, start=1)])


def _name(cell: tuple[int, int]) -> str:
    """Return the name of a cell as in a spreadsheet: (0, 2) is C1."""
    return f"{_letter(cell[1])}{cell[0] + 1}"


def _letter(column: int) -> str:
    return chr(ord("A") + column)


def _write(out: Path, content: bytes) -> None:
    try:
        out.write_bytes(content)
    except OSError as error:
        raise InvalidInput(f"cannot write {out} ({error.strerror}): give another --out") from error


def _show_groups(index: MovieIndex, found: Duplicates) -> None:
    from index.answers.serialize import percent

    rows: list[tuple[str, ...]] = []
    for number, group in enumerate(found.groups, 1):
        first = (str(number), percent(group.similarity))
        for copy in group.copies:
            title = str(index.catalogue.movie(copy.movie_id))
            file = (f"{copy.width} x {copy.height}", f"{copy.size / 1000:.1f}")
            rows.append((*first, str(copy.movie_id), title, *file))
            first = ("", "")
    count = len(found.groups)
    heading = f"{count} {'image is' if count == 1 else 'images are'} the poster of more than one movie"
    columns = [("Group", "right"), ("Similarity", "right"), ("Id", "right"), ("Movie", "left")]
    print_table(
        heading,
        [*columns, ("Pixels", "right"), ("kB", "right")],
        rows,
        f"{found.compared} posters were compared. Similarity is that of the two most different copies. The copy with"
        " more pixels, or more kB of as many, is the better one.",
    )


def _warn(found: Duplicates) -> None:
    if not found.skipped:
        return
    reasons = list(found.skipped.values())
    more = f"; and {len(reasons) - _NAMED} more" if len(reasons) > _NAMED else ""
    count = f"{len(reasons)} {'poster was' if len(reasons) == 1 else 'posters were'}"
    click.echo(f"Warning: {count} not compared: {'; '.join(reasons[:_NAMED])}{more}", err=True)


def _progress(items: Iterable[T], label: str, total: int | None = None) -> Iterable[T]:
    """Yield the items with a progress bar on stderr if it is a terminal."""
    with click.progressbar(items, total, f"{label:<16}", file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
        yield from bar
