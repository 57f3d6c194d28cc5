"""The commands library add, remove, list, export and import.

Heavy imports are inside functions, so that ``posterity --help`` is fast.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from index.core.errors import UnknownMovie
from posterity.cli.console import (
    IdType,
    data_option,
    embed_path_option,
    json_option,
    note,
    print_json,
    print_table,
    report_option,
    shown_progress,
    tell_refused,
)

if TYPE_CHECKING:
    from index.library.backup import Contents
    from index.library.entries import Entry


@click.group()
def library() -> None:
    """Add, update and delete movies in the library, and back it up."""


@library.command()
@click.option("--title", help="Title without the year.")
@click.option("--year", type=int, help="Year of release.")
@click.option("--genre", "genres", multiple=True, help="A genre as the data set writes it. Repeatable.")
@click.option("--imdb", metavar="tt…", help="IMDb id.")
@click.option("--tmdb", type=IdType(), help="TMDB id.")
@click.option(
    "--poster",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Poster: a JPEG, PNG, WebP, GIF, AVIF, TIFF, BMP or HEIC file.",
)
@click.option(
    "--id",
    "replaced",
    metavar="ID",
    help="Replace the metadata of this movie, or add it again if it was deleted. Its ratings stay, and its poster"
    " without --poster.",
)
@click.option(
    "--from",
    "source",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Add all movies of a table: CSV, JSON Lines or Parquet, with the columns of build --catalogue. Repeat it to go"
    " on after an interruption: a movie that is here is not added again.",
)
@click.option("--update", is_flag=True, help="With --from: replace the metadata of movies that are here.")
@click.option(
    "--posters",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    show_default="the folder of the table",
    help="With --from: a folder that the paths of its posters are relative to.",
)
@report_option
@click.option("--url", metavar="ADDRESS", help="With --from: add them to this server, instead of a data directory.")
@click.option(
    "--key",
    envvar="POSTERITY_API_KEY",
    show_envvar=True,
    help="With --url: an API key of the server (posterity keys create).",
)
@data_option
@embed_path_option
@click.pass_context
def add(
    context: click.Context,
    title: str | None,
    year: int | None,
    genres: tuple[str, ...],
    imdb: str | None,
    tmdb: int | None,
    poster: Path | None,
    replaced: str | None,
    source: Path | None,
    update: bool,
    posters: Path | None,
    report: Path | None,
    url: str | None,
    key: str | None,
    data: Path,
    embed_path: str,
) -> None:
    """Add a movie to the library, or replace one, and print its id; or add all movies of a table.

    The library outlives snapshots: every build merges it with its data set.
    """
    given = {
        each.name
        for each in context.command.params
        if each.name and context.get_parameter_source(each.name) is ParameterSource.COMMANDLINE
    }
    if source is not None:
        for name in sorted(given - {"source", "update", "posters", "report", "data", "url", "key"}):
            raise click.UsageError(f"--from reads movies from {source}: leave --{name.replace('_', '-')} out")
        if url is not None and "data" in given:
            raise click.UsageError("--url adds the movies to a server, which has its own --data: leave one of them out")
        if url is None and "key" in given:
            raise click.UsageError("--key is of a server: give its --url, or leave it out")
        _add_from(source, update, posters, report, data, url, key)
        return
    for name in sorted(given & {"update", "posters", "report", "url", "key"}):
        raise click.UsageError(f"--{name} is for movies of a table: give --from FILE, or leave it out")
    if title is None:
        raise click.UsageError("Missing option '--title', or '--from' with a table of movies.")
    from index.catalogue.catalogue import Movie
    from index.library.entries import checked_movie
    from index.library.movies import Library
    from index.movie_index import MovieIndex
    from index.posters.images import read_image
    from index.publication.state import check_not_following

    check_not_following(data)
    index, known = MovieIndex.open(data, embed_path=embed_path), Library.open(data)
    movie_id = None
    if replaced is not None:
        try:
            movie_id = known.known_id(index.catalogue, replaced)
        except UnknownMovie as error:
            raise UnknownMovie(f"{error}: leave --id out to add a movie") from error
    movie = checked_movie(Movie(movie_id or 0, title, year, genres, imdb, tmdb))
    picture = None if poster is None else index.prepared(read_image(poster))
    if picture is not None and picture.vector is None:
        click.echo("Note: this snapshot has no poster space; the next build compares this one.", err=True)
    if movie_id is None:
        movie_id = known.add(movie, picture, catalogue=index.catalogue)
    else:
        known.put(movie, picture, catalogue=index.catalogue)
    click.echo(movie_id)


def _add_from(
    source: Path,
    update: bool,
    posters: Path | None,
    report: Path | None,
    data: Path,
    url: str | None,
    key: str | None,
) -> None:
    """Add the movies of a table to a data directory, or to a server; print the outcomes."""
    import posterity
    from index.publication.state import check_not_following
    from indexer.datasets.own_catalogue import read_catalogue, write_report
    from posterity.additions import add_catalogue

    if url is None:
        check_not_following(data)
    folders = [source.parent, *([posters] if posters else [])]
    service = posterity.open(data) if url is None else posterity.Client(url, api_key=key)
    with service, shown_progress() as track:
        catalogue = read_catalogue(source)
        done = add_catalogue(service, catalogue, update=update, folders=folders, track=track)
    for line in catalogue.notes:
        note(f"Note: {line}")
    kinds = sorted({kind for row in catalogue.rows for kind in row.labels})
    if kinds:
        note(f"Note: {', '.join(kinds)}: facts count from a build with --catalogue {source} on")
    tell_refused(source, done.refused, report)
    if report is not None:
        write_report(report, source, done.refused)
    counts = done.outcomes
    click.echo(
        f"{source}: {counts.total():,} rows: {counts['created']:,} created, {counts['exists']:,} here already,"
        f" {counts['updated']:,} updated, {counts['refused']:,} refused; {done.posters:,} posters stored"
    )


@library.command()
@click.argument("movie")
@data_option
def remove(movie: str, data: Path) -> None:
    """Delete MOVIE with its ratings and tags.

    MOVIE is an id (6), imdb:tt0113277, tmdb:949, or a whole title in quotes.
    """
    from index.library.movies import Library
    from index.movie_index import MovieIndex
    from index.publication.state import check_not_following

    check_not_following(data)

    def refuse(note: str) -> None:
        raise UnknownMovie(f"{note}: give the id to delete it")

    found = MovieIndex.open(data).catalogue.resolve(movie, refuse)
    Library.open(data).remove(found.movie_id)
    click.echo(f"Removed {found} (id {found.movie_id})")


@library.command("list")
@data_option
@json_option
def list_library(data: Path, as_json: bool) -> None:
    """List every movie that was added, replaced or deleted."""
    from index.library.movies import Library

    changes = Library.open(data).changes_since(0, vectors=False)
    if as_json:
        shown = [asdict(entry.movie) | {"poster": entry.poster} for entry in changes.movies]
        for movie in shown:
            del movie["source_id"]  # only the data set knows it
        print_json({"version": changes.version, "movies": shown, "removed": sorted(changes.deleted)})
        return
    columns = [("Id", "right"), ("Movie", "left"), ("Genres", "left"), ("Poster", "left"), ("Change", "left")]
    rows = {entry.movie.movie_id: _cells(entry) for entry in changes.movies}
    rows |= {movie_id: (str(movie_id), "", "", "", "removed") for movie_id in changes.deleted}
    print_table("", columns, [row for _, row in sorted(rows.items())])


@library.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@data_option
def export_command(file: Path, force: bool, data: Path) -> None:
    """Write the library to FILE, a tar archive, to back it up or to move it.

    The library is the only state that a build cannot recreate: added movies with posters, ratings and API keys. Servers
    may write meanwhile.
    """
    from index.library.backup import export_library

    contents = export_library(data, file, replace=force)
    click.echo(f"Exported {_summary(contents)} to {file}")


@library.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@data_option
def import_command(file: Path, data: Path) -> None:
    """Read a library from FILE into a data directory without one.

    FILE is checked first, and imported completely or not at all. The current snapshot shows its movies and ratings at
    once.
    """
    from index.library.backup import import_library
    from index.publication.state import check_not_following

    check_not_following(data)
    contents = import_library(file, data)
    click.echo(f"Imported {_summary(contents)} into {data}")


def _cells(entry: Entry) -> tuple[str, ...]:
    from index.library.database import FIRST_ID

    movie = entry.movie
    change = "added" if movie.movie_id >= FIRST_ID else "replaced"
    return str(movie.movie_id), str(movie), ", ".join(movie.genres), entry.poster or "", change


def _summary(contents: Contents) -> str:
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
