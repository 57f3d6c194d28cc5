"""The commands that ask a snapshot: similar, predict, recommend, snapshots.

Heavy imports stand inside the commands: ``posterity --help`` must not wait for them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from index.errors import BadSnapshot

if TYPE_CHECKING:
    from index.movie_index import MovieIndex

data_option = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("data"),
    envvar="POSTERITY_DATA",
    show_default=True,
    show_envvar=True,
    help="The data directory: posters, cache and snapshots.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
k_option = click.option("-k", type=click.IntRange(1, 1000), default=10, show_default=True, help="How many to show.")


@click.command()
@click.argument("movie", required=False)
@click.option(
    "--by",
    type=click.Choice(["poster", "taste", "facts", "blend"]),
    show_default="blend; poster for a picture",
    help="Alike in what: looks, who loves them, what they are, or all of it.",
)
@click.option(
    "--poster",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Compare a picture with all posters, instead of a MOVIE.",
)
@k_option
@data_option
@json_option
def similar(movie: str | None, by: str | None, poster: Path | None, k: int, data: Path, as_json: bool) -> None:
    """Show movies like MOVIE, or with posters like a picture.

    MOVIE is an id (6), imdb:tt0113277, tmdb:949, or a title in quotes.
    """
    from index.images import read_image
    from index.present import percent, present_matches, present_movie, provenance

    query: dict[str, Any]
    if poster is not None and movie is None:
        if by not in {None, "poster"}:
            raise click.UsageError(f"A picture has no {by}: it is compared by poster.")
        by, index = "poster", _open(data)
        query, heading = {"file": str(poster)}, f"Posters that look like {poster.name}"
        matches = index.similar_to_poster(read_image(poster), k)
    elif movie is not None and poster is None:
        by, index = by or "blend", _open(data)
        found = index.catalogue.resolve(movie)
        query, heading = {"movie": present_movie(index, found)}, f"Movies like {found} by {by}"
        matches = index.similar(found.movie_id, k, by=by)
    else:
        raise click.UsageError("Give either a MOVIE or --poster FILE.")
    shown = present_matches(index, matches)
    if as_json:
        _print_json({**query, "by": by, "results": shown} | provenance(index))
        return
    rows = [
        (*_movie_cells(match["movie"]), f"{match['score']:.3f}", percent(match["percentile"]), _spaces(match, index))
        for match in shown
    ]
    columns = [*_MOVIE_COLUMNS, ("Score", "right"), ("Closer than", "right"), ("By", "left")]
    print_table(heading, columns, rows, _weights_note(index, by))


@click.command()
@click.argument("user", type=int)
@click.argument("movies", nargs=-1, required=True, metavar="MOVIE...")
@data_option
@json_option
def predict(user: int, movies: tuple[str, ...], data: Path, as_json: bool) -> None:
    """Predict how USER would rate each MOVIE, with an 80% interval.

    A MOVIE is an id, imdb:tt…, tmdb:…, or a title in quotes.
    """
    index = _open(data)
    wanted = [index.catalogue.resolve(movie).movie_id for movie in movies]
    _show_predictions(index, user, index.predict(user, wanted), f"How user {user} would rate", as_json)


@click.command()
@click.argument("user", type=int)
@k_option
@data_option
@json_option
def recommend(user: int, k: int, data: Path, as_json: bool) -> None:
    """Show the movies that USER has not rated and would pick next, with predicted ratings."""
    index = _open(data)
    _show_predictions(index, user, index.recommend(user, k), f"Recommended to user {user}", as_json)


@click.group()
def snapshots() -> None:
    """List, verify, roll back and prune what was built."""


@snapshots.command("list")
@data_option
@json_option
def list_snapshots(data: Path, as_json: bool) -> None:
    """Show every snapshot; the one that is served has a star."""
    from index.snapshot import SnapshotStore

    store = SnapshotStore(data)
    current = store.current_id()
    listed: list[dict[str, Any]] = []
    for snapshot_id in store.ids():
        entry: dict[str, Any] = {"id": snapshot_id, "current": snapshot_id == current}
        try:
            manifest = store.manifest(snapshot_id)
        except BadSnapshot as error:
            listed.append(entry | {"damaged": str(error)})
            continue
        weights = manifest.weights
        listed.append(
            entry
            | {
                "created": manifest.created,
                "dataset": manifest.dataset["name"],
                "movies": manifest.dataset["movies"],
                "posters": manifest.posters["posters"],
                "ratings": manifest.dataset["ratings"],
                "weights": None if weights is None else weights["name"],
                "bytes": sum(file["size"] for file in manifest.files.values()),
            }
        )
    if as_json:
        _print_json(listed)
    elif not listed:
        click.echo(f"{data} holds no snapshot yet: run posterity build --data {data}")
    else:
        titles = ("", "Snapshot", "Built (UTC)", "Data set", "Movies", "Posters", "Weights", "MB")
        columns = [(title, "right" if title in {"Movies", "Posters", "MB"} else "left") for title in titles]
        print_table("", columns, [_snapshot_cells(entry) for entry in listed])


@snapshots.command()
@click.argument("snapshot_id", required=False, metavar="[SNAPSHOT]")
@data_option
def verify(snapshot_id: str | None, data: Path) -> None:
    """Check every file of a snapshot, of the one that is served by default."""
    from index.snapshot import SnapshotStore

    manifest = SnapshotStore(data).verify(snapshot_id)
    click.echo(f"{manifest.id}: all {len(manifest.files)} files are as they were built")


@snapshots.command()
@click.argument("snapshot_id", required=False, metavar="[SNAPSHOT]")
@data_option
def rollback(snapshot_id: str | None, data: Path) -> None:
    """Serve an earlier snapshot again: the one before the current, or SNAPSHOT."""
    from index.snapshot import SnapshotStore

    manifest = SnapshotStore(data).rollback(snapshot_id)
    click.echo(f"{manifest.id} is served from now on")


@snapshots.command()
@click.option("--keep", type=click.IntRange(1), default=3, show_default=True, help="How many of the newest to keep.")
@data_option
def prune(keep: int, data: Path) -> None:
    """Delete old snapshots; the one that is served always stays."""
    from index.snapshot import SnapshotStore

    deleted = SnapshotStore(data).prune(keep)
    click.echo(f"Deleted {', '.join(deleted)}" if deleted else "Nothing to delete")


commands = (similar, predict, recommend, snapshots)


def print_table(heading: str, columns: list[tuple[str, Any]], rows: list[tuple[str, ...]], note: str = "") -> None:
    """Prints a table with a heading and a note; columns are (name, "left" or "right")."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, title=heading, title_justify="left", title_style="bold", pad_edge=False)
    for name, side in columns:
        table.add_column(name, justify=side, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # Text: a title may hold square brackets
    console = Console()
    if not console.is_terminal:
        console = Console(width=160)  # a pipe has no width; a table cut at 80 columns helps nobody
    console.print(table)
    if not rows:
        console.print("There is nothing to show.")
    if note:
        console.print(Text(note), style="dim")


_MOVIE_COLUMNS = [("Id", "right"), ("Movie", "left"), ("Genres", "left"), ("Ratings", "right")]


def _open(data: Path) -> MovieIndex:
    from index.movie_index import MovieIndex

    return MovieIndex.open(data)


def _show_predictions(index: MovieIndex, user: int, predictions: list[Any], heading: str, as_json: bool) -> None:
    from index.present import present_predictions, provenance

    shown = present_predictions(index, predictions)
    if as_json:
        _print_json({"user_id": user, "results": shown} | provenance(index))
        return
    rows = [(*_movie_cells(p["movie"]), f"{p['rating']:.2f}", f"{p['low']:.1f} to {p['high']:.1f}") for p in shown]
    print_table(heading, [*_MOVIE_COLUMNS, ("Predicted", "right"), ("80% interval", "left")], rows)


def _movie_cells(movie: dict[str, Any]) -> tuple[str, ...]:
    title = movie["title"] if movie["year"] is None else f"{movie['title']} ({movie['year']})"
    return str(movie["movie_id"]), title, ", ".join(movie["genres"]), str(movie["rating_count"])


def _snapshot_cells(entry: dict[str, Any]) -> tuple[str, ...]:
    star = "*" if entry["current"] else ""
    if "damaged" in entry:
        return star, entry["id"], "damaged", "", "", "", "", ""
    return (
        star,
        entry["id"],
        entry["created"][:16].replace("T", " "),
        entry["dataset"],
        str(entry["movies"]),
        str(entry["posters"]),
        entry["weights"] or "none",
        f"{entry['bytes'] / 1e6:.0f}",
    )


def _spaces(match: dict[str, Any], index: MovieIndex) -> str:
    return "all" if len(match["spaces"]) == len(index.spaces) > 1 else ", ".join(match["spaces"])


def _weights_note(index: MovieIndex, by: str) -> str:
    from index.present import UNTRAINED_NOTICE

    weights = index.manifest.weights
    compared = by in {"poster", "blend"} and weights is not None and weights["name"] == "untrained"
    return UNTRAINED_NOTICE if compared else ""


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))
