"""The commands that carry the library elsewhere and back: library export, import.

Heavy imports stand inside the commands: ``posterity --help`` must not wait for them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from index.console import data_option

if TYPE_CHECKING:
    from index.backup import Contents


@click.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE where it is there.")
@data_option
def export_command(file: Path, force: bool, data: Path) -> None:
    """Write the library with its posters to FILE, a tar, for backup or to move it.

    Movies, ratings and keys that came in: all that no build can make again. Servers may go on writing meanwhile.
    """
    from index.backup import export_library

    contents = export_library(data, file, replace=force)
    click.echo(f"Exported {_told(contents)} to {file}")


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@data_option
def import_command(file: Path, data: Path) -> None:
    """Read a library from FILE into a data directory that has none yet.

    FILE is checked first and put in place whole or not at all. A snapshot that is there shows what came in at once.
    """
    from index.backup import import_library

    contents = import_library(file, data)
    click.echo(f"Imported {_told(contents)} into {data}")


commands = (export_command, import_command)


def _told(contents: Contents) -> str:
    movies, ratings, keys, posters = (
        f"{count:,} {name if count == 1 else name + 's'}"
        for count, name in (
            (contents.movies, "movie"),
            (contents.ratings, "rating"),
            (contents.keys, "key"),
            (contents.posters, "poster"),
        )
    )
    return f"{movies}, {ratings}, {keys} and {posters}"
