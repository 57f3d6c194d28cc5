"""The commands fetch movielens, posters, facts, weights and all.

Heavy imports are inside functions, so that ``posterity --help`` is fast.
"""

from __future__ import annotations

import functools
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from posterity.cli.console import DurationType, NumberRange, data_option, shown_progress
from posterity.cli.signals import stoppable

if TYPE_CHECKING:
    from index.core.progress import Count
    from indexer.datasets.dataset import Dataset
    from indexer.fetch.per_movie import Kind, LinkedMovie, Source, Summary
    from indexer.fetch.tmdb import Key

EDITIONS = ("latest-small", "latest", "25m", "32m", "1m", "100k")
LINKLESS = {"1m", "100k"}

edition_argument = click.argument(
    "edition", type=click.Choice(EDITIONS, case_sensitive=False), default="latest-small", metavar="[EDITION]"
)
again_option = click.option("--again", is_flag=True, help="Fetch it again.")
size_option = click.option(
    "--size",
    default="w500",
    show_default=True,
    help="Size of the posters, by TMDB's names: w185, w342, w500, w780, original.",
)
rate_option = click.option(
    "--rate",
    type=NumberRange(0.1, 40),  # beyond, TMDB answers 429
    default=20,
    show_default=True,
    help="Requests per second at most, to the API and for images together.",
)
api_option = click.option(
    "--api",
    default="https://api.themoviedb.org",
    show_default=True,
    envvar="POSTERITY_TMDB_API",
    show_envvar=True,
    help="Address of TMDB's API, or of a mirror.",
)
missing_option = click.option(
    "--missing-for",
    type=DurationType(),
    default="30d",
    show_default=True,
    help="Time before asking again for a movie that had no poster.",
)


class _Md5(click.ParamType[str]):
    """An MD5 sum in hexadecimal digits."""

    name = "md5"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not re.fullmatch(r"[0-9a-fA-F]{32}", str(value)):
            self.fail(f"{value!r} is no MD5 sum of 32 hexadecimal digits", param, ctx)
        return str(value).lower()


class _Country(click.ParamType[str]):
    """An ISO 3166-1 code of two letters."""

    name = "country"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not re.fullmatch(r"[A-Za-z]{2}", str(value)):
            self.fail(f"{value!r} is no ISO code of two letters, such as US", param, ctx)
        return str(value).upper()


def _movielens_from(flag: str) -> Callable[[Any], Any]:
    return click.option(
        flag,
        "movielens_from",
        metavar="URL|ZIP|FOLDER",
        envvar="POSTERITY_MOVIELENS_FROM",
        show_envvar=True,
        show_default="files.grouplens.org",
        help="Another source: the address of the zip or of a mirror's folder, a zip, or a folder with the zip or its"
        " contents.",
    )


def _weights_from(flag: str) -> Callable[[Any], Any]:
    return click.option(
        flag,
        "weights_from",
        metavar="URL|FILE",
        envvar="POSTERITY_WEIGHTS_FROM",
        show_envvar=True,
        show_default="Keras' address",
        help="Another source of the weights.",
    )


def _weights_md5(flag: str) -> Callable[[Any], Any]:
    return click.option(
        flag,
        "weights_md5",
        type=_Md5(),
        metavar="HEX",
        envvar="POSTERITY_WEIGHTS_MD5",
        show_envvar=True,
        show_default="that of Keras' file",
        help="MD5 sum of another VGG16, such as one trained by yourself.",
    )


@dataclass(frozen=True, slots=True)
class Sources:
    """The sources of ratings, posters and weights, and the request rate."""

    movielens_from: str | None
    size: str
    rate: float  # requests a second
    api: str
    missing_for: float  # seconds
    weights_from: str | None
    weights_md5: str | None


def sources_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of ``Sources``, as its keyword argument ``sources``."""

    @functools.wraps(command)
    def gathered(**values: Any) -> None:
        chosen = {field.name: values.pop(field.name) for field in fields(Sources)}
        command(**values, sources=Sources(**chosen))

    options = (
        _movielens_from("--movielens-from"),
        size_option,
        rate_option,
        api_option,
        missing_option,
        _weights_from("--weights-from"),
        _weights_md5("--weights-md5"),
    )
    for option in reversed(options):
        gathered = option(gathered)
    return gathered


@click.group()
def fetch() -> None:
    """Fetch real movies: ratings, posters and weights.

    An interrupted command resumes if it is given again.
    """


@fetch.command()
@edition_argument
@_movielens_from("--from")
@data_option
@again_option
def movielens(edition: str, movielens_from: str | None, data: Path, again: bool) -> None:
    """Fetch an edition of MovieLens.

    EDITION is latest-small (the default), latest, 25m, 32m, 1m or 100k. Commercial use needs GroupLens' permission.
    """
    with stoppable():
        _movielens(edition, data, movielens_from, again)


@fetch.command()
@click.option(
    "--ratings",
    type=click.Path(path_type=Path),
    show_default="the fetched edition",
    help="The data set to fetch posters for: a MovieLens folder with links.csv.",
)
@data_option
@size_option
@rate_option
@api_option
@click.option(
    "--from",
    "folder",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Copy the posters from a folder of <movie id>.jpg, .png, .webp, .gif, .avif, .tif, .bmp or .heic instead."
    " Needs no key.",
)
@missing_option
def posters(
    ratings: Path | None, data: Path, size: str, rate: float, api: str, folder: Path | None, missing_for: float
) -> None:
    """Fetch the posters of a data set's movies from TMDB.

    Needs a key of TMDB in TMDB_API_KEY (the v3 key or the v4 token) or TMDB_ACCESS_TOKEN, which is free for
    non-commercial use. The most rated movies come first. Posters are fetched again after 180 days.
    """
    with stoppable():
        if folder is not None:
            _posters_from_folder(folder, data, missing_for)
            return
        from indexer.fetch.tmdb import Key

        _posters(ratings, data, Key.of(os.environ), size, rate, api, missing_for)


@fetch.command()
@click.option(
    "--ratings",
    type=click.Path(path_type=Path),
    show_default="the fetched edition",
    help="The data set to fetch facts for: a MovieLens folder with links.csv.",
)
@data_option
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    show_default="facts.csv beside the movies, where posterity build finds it",
    help="The table to write.",
)
@click.option(
    "--country",
    type=_Country(),
    default="US",
    show_default=True,
    help="Country whose certificates are taken, by its ISO code of two letters.",
)
@rate_option
@api_option
@missing_option
def facts(
    ratings: Path | None, data: Path, out: Path | None, country: str, rate: float, api: str, missing_for: float
) -> None:
    """Fetch facts of a data set's movies from TMDB: keywords, cast, crew, collection, certificate, overview.

    They become a table, facts.csv, by which posterity build compares movies. Needs a key of TMDB as posterity fetch
    posters does. One request per movie, the most rated first; facts are fetched again after 180 days.
    """
    with stoppable():
        from indexer.fetch.tmdb import Key

        _facts(ratings, data, Key.of(os.environ), out, country, rate, api, missing_for)


@fetch.command()
@_weights_from("--from")
@_weights_md5("--md5")
@data_option
@again_option
def weights(weights_from: str | None, weights_md5: str | None, data: Path, again: bool) -> None:
    """Fetch VGG16's ImageNet weights."""
    with stoppable():
        _weights(data, weights_from, weights_md5, again)


@fetch.command("all")
@edition_argument
@data_option
@sources_options
def everything(edition: str, data: Path, sources: Sources) -> None:
    """Fetch MovieLens, the weights and the posters, so that posterity build needs nothing else.

    EDITION is latest-small (the default), latest, 25m or 32m. Needs a key of TMDB, as posterity fetch posters does.
    """
    if edition in LINKLESS:
        raise click.UsageError(
            f"MovieLens {edition} has no links to TMDB, so there are no posters to fetch: give posterity fetch"
            f" movielens {edition} and posterity fetch weights"
        )
    fetch_all(edition, data, sources)


def fetch_all(edition: str, data: Path, sources: Sources) -> None:
    """Fetch an edition of MovieLens and, where it has links to TMDB, VGG16's weights and its movies' posters.

    Raises:
        Unauthorised: there is no key of TMDB.
        SourceUnavailable: a source does not answer.
    """
    from indexer.fetch.tmdb import Key

    with stoppable():
        key = None if edition in LINKLESS else Key.of(os.environ)
        ratings = _movielens(edition, data, sources.movielens_from, again=False)
        if key is None:
            return
        _weights(data, sources.weights_from, sources.weights_md5, again=False)
        _posters(ratings, data, key, sources.size, sources.rate, sources.api, sources.missing_for)


def _movielens(edition: str, data: Path, source: str | None, again: bool) -> Path:
    from indexer.fetch.movielens import fetch_movielens
    from indexer.fetch.web import HttpClient

    lines: list[str] = []  # reported after the bar
    with _counted(f"Downloading ml-{edition}.zip") as count:
        folder = fetch_movielens(
            edition, data, HttpClient(), source=source, again=again, count=count, notify=lines.append
        )
    click.echo("\n".join(lines))
    return folder


def _weights(data: Path, source: str | None, md5: str | None, again: bool) -> None:
    from indexer.fetch.web import HttpClient
    from indexer.fetch.weights import fetch_weights

    lines: list[str] = []
    with _counted("Downloading VGG16's weights") as count:
        fetch_weights(data, HttpClient(), source=source, md5=md5, again=again, count=count, notify=lines.append)
    click.echo("\n".join(lines))


def _posters(ratings: Path | None, data: Path, key: Key, size: str, rate: float, api: str, missing_for: float) -> None:
    from indexer.fetch.per_movie import linked_movies
    from indexer.fetch.posters import POSTERS
    from indexer.fetch.tmdb import NOTICE, Posters
    from indexer.fetch.web import HttpClient

    movies = linked_movies(_dataset(ratings, data)[1])
    source = functools.partial(Posters, HttpClient(rate=rate), api, key, size)
    if _fetch_each(POSTERS, movies, data, source, size, missing_for).found:
        click.echo(NOTICE)


def _posters_from_folder(folder: Path, data: Path, missing_for: float) -> None:
    from indexer.fetch.posters import POSTERS, folder_source

    movies, find = folder_source(folder)
    _fetch_each(POSTERS, movies, data, lambda: find, None, missing_for)


def _facts(
    ratings: Path | None,
    data: Path,
    key: Key,
    out: Path | None,
    country: str,
    rate: float,
    api: str,
    missing_for: float,
) -> None:
    from indexer.datasets.sources import fetched_folder
    from indexer.fetch.facts import FACTS, FORM, Facts, is_found, table_of, write_table
    from indexer.fetch.ledger import Ledger
    from indexer.fetch.per_movie import found_ids, linked_movies
    from indexer.fetch.tmdb import NOTICE, Api
    from indexer.fetch.web import HttpClient

    ratings, dataset = _dataset(ratings, data)
    table, movies, folder = table_of(ratings, out), linked_movies(dataset), fetched_folder(data, FACTS.noun)
    source = functools.partial(Facts, Api(HttpClient(rate=rate), api, key))
    try:
        summary = _fetch_each(FACTS, movies, data, source, FORM, missing_for)
    finally:  # also of those that were fetched until now
        with Ledger(folder.with_suffix(".db")) as ledger:
            found = found_ids(movies, ledger)
        rows = write_table([movie for movie in dataset.movies if movie.movie_id in found], folder, table, country)
    if rows:
        flag = "" if is_found(table, ratings) else f": give it to posterity build by --facts {table}"
        click.echo(f"{table} has facts of {rows:,} movies{flag}")
    if summary.found:
        click.echo(NOTICE)


def _dataset(ratings: Path | None, data: Path) -> tuple[Path, Dataset]:
    from index.core.errors import InvalidInput
    from indexer.datasets.movielens import read_dataset
    from indexer.datasets.sources import fetched_ratings

    ratings = ratings or fetched_ratings(data)
    if ratings is None:
        raise InvalidInput(f"there are no films in {data}: posterity fetch movielens, or give --ratings")
    return ratings, read_dataset(ratings)


def _fetch_each(
    kind: Kind,
    movies: Sequence[LinkedMovie],
    data: Path,
    opened: Callable[[], Source],
    form: str | None,
    missing_for: float,
) -> Summary:
    """Fetch the files of movies, print a summary, and return it."""
    from indexer.datasets.sources import fetched_folder
    from indexer.fetch.download import download_folder
    from indexer.fetch.ledger import Ledger
    from indexer.fetch.per_movie import fetch_each

    folder = fetched_folder(data, kind.noun)
    with download_folder(data, kind.noun), Ledger(folder.with_suffix(".db")) as ledger, shown_progress() as track:
        summary = fetch_each(
            kind, movies, folder, ledger, opened, form=form, missing_for=missing_for, now=time.time, track=track
        )
    for line in summary.lines():
        click.echo(line)
    click.echo(f"The {kind.noun} are in {folder}")
    return summary


@contextmanager
def _counted(label: str) -> Iterator[Count]:
    from rich.console import Console

    from posterity.cli.progress import byte_progress

    with byte_progress(Console(stderr=True), label) as count:
        yield count
