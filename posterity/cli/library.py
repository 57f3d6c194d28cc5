"""The commands of the library: library add, remove, list, export, import.

Heavy imports stand inside the commands: ``posterity --help`` must not wait for them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from index.core.errors import UnknownMovie
from posterity.cli.console import data_option, embed_path_option, json_option, print_json, print_table

if TYPE_CHECKING:
    from index.catalogue.catalogue import Catalogue
    from index.library.backup import Contents
    from index.library.entries import Entry, MovieChanges


@click.group()
def library() -> None:
    """Add, replace and remove movies for good."""


@library.command()
@click.option("--title", required=True, help="Without the year.")
@click.option("--year", type=int, help="Of release.")
@click.option("--genre", "genres", multiple=True, help="As the data set writes it; may be given again.")
@click.option("--imdb", metavar="tt…", help="Its IMDb id.")
@click.option("--tmdb", type=int, help="Its TMDB id.")
@click.option(
    "--poster",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Its poster: a JPEG, PNG, WebP or GIF file.",
)
@click.option(
    "--id",
    "movie_id",
    type=int,
    help="Replace what is known of this movie, or bring it back. Its ratings stay, as does its poster without another.",
)
@data_option
@embed_path_option
def add(
    title: str,
    year: int | None,
    genres: tuple[str, ...],
    imdb: str | None,
    tmdb: int | None,
    poster: Path | None,
    movie_id: int | None,
    data: Path,
    embed_path: str,
) -> None:
    """Add a movie and print its id, or replace one.

    It is kept beside whatever data set a snapshot is built from.
    """
    from index.catalogue.catalogue import Movie
    from index.library.entries import checked_movie
    from index.library.movies import Library
    from index.movie_index import MovieIndex
    from index.posters.images import read_image

    index, known = MovieIndex.open(data, embed_path=embed_path), Library.open(data)
    if movie_id is not None:
        _expect(movie_id, index.catalogue, known.changes_since(0, vectors=False))
    movie = checked_movie(Movie(movie_id or 0, title, year, genres, imdb, tmdb))
    picture = None if poster is None else index.prepared(read_image(poster))
    if picture is not None and picture.vector is None:
        click.echo("Note: this snapshot compares no posters; the next build compares this one.", err=True)
    if movie_id is None:
        movie = replace(movie, movie_id=known.next_id(int(index.catalogue.ids.values[-1])))
    known.put(movie, picture)
    click.echo(movie.movie_id)


@library.command()
@click.argument("movie")
@data_option
def remove(movie: str, data: Path) -> None:
    """Remove MOVIE, with its ratings and tags.

    MOVIE is an id (6), imdb:tt0113277, tmdb:949, or a title in quotes.
    """
    from index.library.movies import Library
    from index.movie_index import MovieIndex

    catalogue = MovieIndex.open(data).catalogue
    # A number that is nobody's id is a mistake here: the one film with such a number in its title must not go.
    found = catalogue.identify(movie) if movie.strip().isdecimal() else catalogue.resolve(movie)
    Library.open(data).remove(found.movie_id)
    click.echo(f"Removed {found} (id {found.movie_id})")


@library.command("list")
@data_option
@json_option
def list_library(data: Path, as_json: bool) -> None:
    """Show every movie that was added, replaced or removed."""
    from index.library.movies import Library

    changes = Library.open(data).changes_since(0, vectors=False)
    if as_json:
        shown = [_present(entry) for entry in changes.movies]
        print_json({"version": changes.version, "movies": shown, "removed": sorted(changes.deleted)})
        return
    columns = [("Id", "right"), ("Movie", "left"), ("Genres", "left"), ("Poster", "left"), ("Change", "left")]
    rows = {entry.movie.movie_id: _cells(entry) for entry in changes.movies}
    rows |= {movie_id: (str(movie_id), "", "", "", "removed") for movie_id in changes.deleted}
    print_table("", columns, [row for _, row in sorted(rows.items())])


@library.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE where it is there.")
@data_option
def export_command(file: Path, force: bool, data: Path) -> None:
    """Write the library with its posters to FILE, a tar, for backup or to move it.

    Movies, ratings and keys that came in: all that no build can make again. Servers may go on writing meanwhile.
    """
    from index.library.backup import export_library

    contents = export_library(data, file, replace=force)
    click.echo(f"Exported {_told(contents)} to {file}")


@library.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@data_option
def import_command(file: Path, data: Path) -> None:
    """Read a library from FILE into a data directory that has none yet.

    FILE is checked first and put in place whole or not at all. A snapshot that is there shows what came in at once.
    """
    from index.library.backup import import_library

    contents = import_library(file, data)
    click.echo(f"Imported {_told(contents)} into {data}")


def _expect(movie_id: int, catalogue: Catalogue, changes: MovieChanges) -> None:
    """Raises UnknownMovie unless the movie is in the snapshot or the library, or was once."""
    if movie_id not in {*catalogue.ids.values.tolist(), *changes.deleted, *(e.movie.movie_id for e in changes.movies)}:
        raise UnknownMovie(f"there is no movie {movie_id} to replace: leave --id out to add one")


def _present(entry: Entry) -> dict[str, Any]:
    movie = entry.movie
    return {
        "movie_id": movie.movie_id,
        "title": movie.title,
        "year": movie.year,
        "genres": list(movie.genres),
        "imdb_id": movie.imdb_id,
        "tmdb_id": movie.tmdb_id,
        "poster": entry.poster,
    }


def _cells(entry: Entry) -> tuple[str, ...]:
    from index.library.database import FIRST_ID

    movie = entry.movie
    change = "added" if movie.movie_id >= FIRST_ID else "replaced"
    return str(movie.movie_id), str(movie), ", ".join(movie.genres), entry.poster or "", change


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
