"""The commands that ask a snapshot: similar, predict, recommend, snapshots.

Heavy imports stand inside the commands: ``posterity --help`` must not wait for them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from index.console import data_option, json_option, print_json, print_table
from index.errors import BadData, BadSnapshot

if TYPE_CHECKING:
    from index.movie_index import MovieIndex
    from index.ratings import Who

_EXPLAINED = 10  # contributions that are named

k_option = click.option("-k", type=click.IntRange(1, 1000), default=10, show_default=True, help="How many to show.")


class _User(click.ParamType[int | None]):
    """A user's id, or - for someone new (None)."""

    name = "user"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        if value == "-":
            return None
        return click.INT.convert(value, param, ctx)


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
        print_json({**query, "by": by, "results": shown} | provenance(index))
        return
    rows = [
        (*_movie_cells(match["movie"]), f"{match['score']:.3f}", percent(match["percentile"]), _spaces(match, index))
        for match in shown
    ]
    columns = [*_MOVIE_COLUMNS, ("Score", "right"), ("Closer than", "right"), ("By", "left")]
    print_table(heading, columns, rows, _weights_note(index, by))


user_argument = click.argument("user", type=_User(), metavar="USER")
rated_option = click.option(
    "--rated",
    multiple=True,
    metavar="MOVIE=STARS",
    help="With - for USER: a rating of someone new; may be given again. Nothing is stored.",
)


@click.command()
@user_argument
@click.argument("movies", nargs=-1, required=True, metavar="MOVIE...")
@rated_option
@click.option("--explain", is_flag=True, help="Show what each rated movie adds to the first prediction.")
@data_option
@json_option
def predict(
    user: int | None, movies: tuple[str, ...], rated: tuple[str, ...], explain: bool, data: Path, as_json: bool
) -> None:
    """Predict how USER would rate each MOVIE, with an 80% interval.

    USER is an id, or - for someone new, whose ratings are given by --rated. A MOVIE is an id, imdb:tt…, tmdb:…, or a
    title in quotes.
    """
    from index.present import present_explanation

    index = _open(data)
    who, name = _who(index, user, rated)
    wanted = [index.catalogue.resolve(movie).movie_id for movie in movies]
    explanation = present_explanation(index, index.explain(who, wanted[0]), _EXPLAINED) if explain else None
    _show_predictions(index, user, index.predict(who, wanted), f"How {name} would rate", as_json, explanation)


@click.command()
@user_argument
@rated_option
@k_option
@data_option
@json_option
def recommend(user: int | None, rated: tuple[str, ...], k: int, data: Path, as_json: bool) -> None:
    """Show the movies that USER has not rated and would pick next, with predicted ratings.

    USER is an id, or - for someone new, whose ratings are given by --rated.
    """
    index = _open(data)
    who, name = _who(index, user, rated)
    _show_predictions(index, user, index.recommend(who, k), f"Recommended to {name}", as_json)


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
        print_json(listed)
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
    """Check every file of a snapshot, of the one that is served by default, and the posters that it was made from."""
    from index.catalogue import Catalogue
    from index.poster_files import changed_posters, load_contents
    from index.snapshot import SnapshotStore

    store = SnapshotStore(data)
    manifest = store.verify(snapshot_id)
    click.echo(f"{manifest.id}: all {len(manifest.files)} files are as they were built")
    folder = store.path(manifest.id)
    catalogue = Catalogue.from_json(json.loads((folder / "movies.json").read_bytes()))
    changed = changed_posters(load_contents(folder / "poster"), catalogue, data / "posters")
    for name, why in changed.items():
        click.echo(f"{data / 'posters' / name} {why}", err=True)
    if changed:
        raise BadData(f"{len(changed)} posters are not as they were embedded: put them right, or build again")


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


_MOVIE_COLUMNS = [("Id", "right"), ("Movie", "left"), ("Genres", "left"), ("Ratings", "right")]


def _open(data: Path) -> MovieIndex:
    from index.movie_index import MovieIndex

    return MovieIndex.open(data)


def _who(index: MovieIndex, user: int | None, rated: tuple[str, ...]) -> tuple[Who, str]:
    """Whom a command is about, and what they are called."""
    if user is not None:
        if rated:
            raise click.UsageError("--rated is for someone new: write - for USER.")
        return user, f"user {user}"
    who: dict[int, float] = {}
    for text in rated:
        name, given, stars = text.rpartition("=")
        try:
            value = float(stars)
        except ValueError:
            given = ""
        if not given:
            raise click.UsageError(f"--rated {text}: write MOVIE=STARS, such as 6=4.5")
        who[index.catalogue.resolve(name).movie_id] = value
    if not who:
        raise click.UsageError("Someone new is known by what they rate: give --rated MOVIE=STARS.")
    return who, "someone new"


def _show_predictions(
    index: MovieIndex,
    user: int | None,
    predictions: list[Any],
    heading: str,
    as_json: bool,
    explanation: dict[str, Any] | None = None,
) -> None:
    from index.present import present_predictions, provenance

    shown = present_predictions(index, predictions)
    if as_json:
        explained = {} if explanation is None else {"explanation": explanation}
        print_json({"user_id": user, "results": shown} | explained | provenance(index))
        return
    rows = [(*_movie_cells(p["movie"]), f"{p['rating']:.2f}", f"{p['low']:.1f} to {p['high']:.1f}") for p in shown]
    print_table(heading, [*_MOVIE_COLUMNS, ("Predicted", "right"), ("80% interval", "left")], rows)
    if explanation is not None:
        _show_explanation(shown[0]["movie"]["title"], explanation)


def _show_explanation(title: str, explanation: dict[str, Any]) -> None:
    rows: list[tuple[str, ...]] = [("", "anyone", "", f"{explanation['base']:+.2f}")]
    for part in explanation["contributions"]:
        movie = _movie_cells(part["movie"])
        rows.append((movie[0], movie[1], f"{part['given']:g}", f"{part['total']:+.2f}"))
    others = explanation["others"]
    if others["count"]:
        rows.append(("", f"{others['count']} others", "", f"{others['total']:+.2f}"))
    rows.append(("", "sum", "", f"{explanation['sum']:.2f}"))
    columns = [("Id", "right"), ("Movie", "left"), ("Rated", "right"), ("Adds", "right")]
    print_table(f"Why, for {title}", columns, rows)


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
    from index.present import weights_note

    return weights_note(index) if by in {"poster", "blend"} else ""
