"""The commands serve and demo. The options of serve are the settings of the server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from posterity.cli.console import data_option, embed_path_option, myself, note, say, shown_progress
from posterity.cli.server_options import (
    EmptyCounts,
    HttpAddress,
    OneLineErrors,
    Origins,
    Prefix,
    RateLimit,
    RateStorage,
    SearchAddress,
    StorageAddress,
)
from server.config import ServerConfig

_DEFAULTS = ServerConfig()


def _setting(flag: str, kind: Any, help_: str, cls: type[click.Option] = click.Option) -> Callable[[Any], Any]:
    """Return an option with its environment variable and the default of ``ServerConfig``."""
    name = flag.split("/")[0].removeprefix("--").replace("-", "_")
    return click.option(
        flag,
        type=kind,
        cls=cls,
        is_flag=kind is click.BOOL,
        default=getattr(_DEFAULTS, name),
        envvar=f"POSTERITY_{name.upper()}",
        show_default=True,
        show_envvar=True,
        help=help_,
    )


host_option = _setting("--host", click.STRING, "Address to listen on.")
port_option = _setting("--port", click.IntRange(1, 65535), "Port to listen on.")


@click.command(cls=OneLineErrors)
@data_option
@host_option
@port_option
@_setting("--workers", click.IntRange(1, 64), "Number of worker processes.")
@_setting("--threads", click.IntRange(1, 256), "Number of threads per worker.")
@_setting(
    "--request-timeout",
    click.IntRange(1, 3600),
    "Seconds for a request's header to arrive; its body, and the client's reading of the response, must then go on at"
    " 16 KiB a second. Slower requests get 408.",
)
@_setting(
    "--upload-queue",
    click.IntRange(1, 1000),
    "Image jobs running or queued per worker; further requests get 503.",
)
@_setting(
    "--writes/--no-writes", click.BOOL, "Allow writes with an API key: add, update and delete movies and ratings."
)
@_setting(
    "--writer",
    HttpAddress(),
    "Address of the server that takes writes, such as https://films.example: named where this one refuses them. Empty"
    " for none.",
)
@_setting(
    "--follow",
    StorageAddress(),
    "Serve the snapshots published in a storage, such as s3://bucket/prefix or file:///folder, and take no writes. The"
    " data directory is a copy. Empty to serve what is built here.",
)
@_setting("--follow-keep", click.IntRange(1), "Number of followed snapshots to keep in the data directory.")
@_setting(
    "--search",
    SearchAddress(),
    "Address of the Milvus that has the vectors of snapshots built with it, such as milvus://host:19530. Empty for"
    " none.",
)
@_setting("--read-keys/--no-read-keys", click.BOOL, "Require an API key for reads, too; the pages stay open.")
@_setting(
    "--user-keys/--no-user-keys",
    click.BOOL,
    "Require an API key to read users' ratings, and the predictions and recommendations from them. Without it, or"
    " --read-keys, anyone who reaches the server can read them.",
)
@_setting("--read-limit", RateLimit(), "Rate limit of reads per client; empty for none.", EmptyCounts)
@_setting("--write-limit", RateLimit(), "Rate limit of writes per client; empty for none.", EmptyCounts)
@_setting("--upload-limit", RateLimit(), "Rate limit of uploads per client; empty for none.", EmptyCounts)
@_setting(
    "--rate-storage",
    RateStorage(),
    "Storage of the request counts: memory:// (per worker) or redis://host:6379 (shared by all workers; while it does"
    " not answer, each worker counts for itself).",
)
@_setting(
    "--proxies",
    click.IntRange(0, 10),
    "Number of trusted reverse proxies in front, whose X-Forwarded-For, -Proto, -Host and -Prefix are believed.",
)
@_setting(
    "--prefix",
    Prefix(),
    "Path under which the server is reached, such as /films: every address begins with it. Requests may come with or"
    " without it. Not needed if a trusted proxy sends X-Forwarded-Prefix.",
)
@_setting(
    "--cors-origins",
    Origins(),
    "Origins whose pages may use the API and embed films, such as https://films.example, separated by commas; * for"
    " all, empty for none.",
)
@_setting("--log-format", click.Choice(["text", "json"]), "Format of the log on stderr.")
@_setting("--access-log/--no-access-log", click.BOOL, "Log one line per request.")
@embed_path_option
def serve(**settings: Any) -> None:
    """Serve the current snapshot: the web page and the HTTP API.

    The server follows new snapshots of the data directory; with --follow, those that another machine publishes. Every
    option has an environment variable.
    """
    from server.run import run_server

    config = ServerConfig(**settings)
    follow: list[str] = []
    if config.follow:
        follow = [*myself(), "follow", "--data", str(config.data), "--keep", str(config.follow_keep)]
        follow += ["--log-format", config.log_format]
    run_server(config, say=say, warn=note, follow=follow)


@click.command()
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("data/demo"),
    show_default=True,
    help="Data directory of the sample and its snapshot.",
)
@host_option
@port_option
@click.option(
    "--weights", default="imagenet", metavar="imagenet|untrained|FILE", show_default=True, help="Weights of VGG16."
)
@embed_path_option
@click.option(
    "--posters",
    type=click.IntRange(1),
    show_default="all 240",
    help="Number of posters to draw and embed, for a quicker start.",
)
@click.option("--build-only", is_flag=True, help="Build the sample without serving it.")
def demo(
    data: Path, host: str, port: int, weights: str, embed_path: str, posters: int | None, build_only: bool
) -> None:
    """Build the bundled sample catalogue and serve it.

    If the ImageNet weights cannot be downloaded, the demo uses untrained ones and says so.
    """
    from indexer.demo import build_demo, demo_is_built, demo_weights, most_rated_movie
    from server.run import run_server

    if build_only:
        with shown_progress() as track:
            build_demo(data, weights, embed_path, posters=posters, track=track, say=note)
        return
    if not demo_is_built(data, weights):
        # In a process of its own: the server forks, and TensorFlow and Faiss hang if they were loaded before.
        command = [*myself(), "demo", "--build-only", "--data", str(data)]
        command += ["--weights", weights, "--embed-path", embed_path]
        if posters is not None:
            command += ["--posters", str(posters)]
        failed = subprocess.run(command, check=False).returncode  # noqa: S603  ourselves
        if failed:
            sys.exit(failed)
    if weights == "imagenet" and demo_weights(data) == "untrained":
        note(
            "Note: the demo compares posters with untrained weights, as every response and page says."
            f" Delete {data} to try the download again, or give --weights FILE."
        )
    film = most_rated_movie(data)
    address = f"http://{'localhost' if host in {'127.0.0.1', '0.0.0.0'} else host}:{port}"  # noqa: S104
    config = ServerConfig(data=data, host=host, port=port, embed_path=embed_path)
    run_server(config, ready=_things_to_try(address, film.movie_id, str(film)), say=say, warn=note)


def _things_to_try(address: str, movie_id: int, title: str) -> str:
    lines = [
        "",
        f"Posterity is at {address}/",
        "",
        "Three things to try:",
        f"  1. Open {address}/movies/{movie_id} : {title}, and its nearest neighbours by poster and by taste",
        f"  2. Drop an image on {address}/",
        f"  3. curl '{address}/api/v1/movies/{movie_id}/similar?by=taste&limit=3'",
        "",
        "Press Ctrl-C to stop.",
    ]
    return "\n".join(lines)
