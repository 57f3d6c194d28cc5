"""The command that looks at posters themselves: duplicates.

Heavy imports stand inside the command: ``posterity --help`` must not wait for them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from index.console import data_option, json_option, print_json, print_table

if TYPE_CHECKING:
    from index.duplicates import Duplicates
    from index.movie_index import MovieIndex
    from index.track import T

_NAMED = 10  # posters left out that the warning names


@click.command()
@data_option
@json_option
def duplicates(data: Path, as_json: bool) -> None:
    """Show groups of movies whose posters are the same picture.

    A copy may be smaller, cropped by up to 5% on any side, compressed again, greyed or brightened. Another poster of
    the same film, or of the same series, is no copy.
    """
    from index.movie_index import MovieIndex
    from index.present import present_duplicates, provenance

    index = MovieIndex.open(data)
    found = index.duplicates(track=_progress)
    _warn(found)
    if as_json:
        print_json(present_duplicates(index, found) | provenance(index))
    elif found.groups:
        _show(index, found)
    else:
        click.echo(f"No two of the {found.compared} posters are the same picture.")


commands = (duplicates,)


def _show(index: MovieIndex, found: Duplicates) -> None:
    from index.present import percent

    rows: list[tuple[str, ...]] = []
    for number, group in enumerate(found.groups, 1):
        first = (str(number), percent(group.similarity))
        for copy in group.copies:
            title = str(index.catalogue.movie(copy.movie_id))
            file = (f"{copy.width} x {copy.height}", f"{copy.size / 1000:.1f}")
            rows.append((*first, str(copy.movie_id), title, *file))
            first = ("", "")
    count = len(found.groups)
    heading = f"{count} {'picture is' if count == 1 else 'pictures are'} the poster of more than one movie"
    columns = [("Group", "right"), ("Alike", "right"), ("Id", "right"), ("Movie", "left")]
    print_table(
        heading,
        [*columns, ("Pixels", "right"), ("kB", "right")],
        rows,
        f"{found.compared} posters were compared. Alike: how alike two copies are where they differ most. The copy with"
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
    """Draws a bar on a terminal's stderr; elsewhere nothing."""
    with click.progressbar(items, total, f"{label:<16}", file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
        yield from bar
