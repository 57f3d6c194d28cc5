"""The commands that start a server: serve, demo. The options of serve are the settings of the server."""

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
    OneLineErrors,
    RateLimit,
    RateStorage,
    Switch,
    WholeNumber,
)
from server.config import ServerConfig

_DEFAULTS = ServerConfig()


def _setting(flag: str, kind: Any, help_: str, cls: type[click.Option] = click.Option) -> Callable[[Any], Any]:
    """An option with its variable and the default that ``ServerConfig`` has."""
    name = flag.split("/")[0].removeprefix("--").replace("-", "_")
    return click.option(
        flag,
        type=kind,
        cls=cls,
        is_flag=isinstance(kind, Switch),
        default=getattr(_DEFAULTS, name),
        envvar=f"POSTERITY_{name.upper()}",
        show_default=True,
        show_envvar=True,
        help=help_,
    )


host_option = _setting("--host", click.STRING, "The address to listen on.")
port_option = _setting("--port", WholeNumber(1, 65535), "The port to listen on.")


@click.command(cls=OneLineErrors)
@data_option
@host_option
@port_option
@_setting("--workers", WholeNumber(1, 64), "Processes.")
@_setting("--threads", WholeNumber(1, 256), "Threads of each process.")
@_setting(
    "--upload-queue",
    WholeNumber(1, 1000),
    "Uploads, and pictures that explain, in work or waiting in each process; beyond it 503 is answered.",
)
@_setting("--writes/--no-writes", Switch(), "Let those with an API key add, replace and remove movies.")
@_setting("--read-keys/--no-read-keys", Switch(), "Ask for an API key for reading, too.")
@_setting("--read-limit", RateLimit(), "How often a client may read; empty: as often as it likes.", EmptyCounts)
@_setting("--write-limit", RateLimit(), "How often a client may change something.", EmptyCounts)
@_setting("--upload-limit", RateLimit(), "How often a client may compare a picture.", EmptyCounts)
@_setting(
    "--rate-storage",
    RateStorage(),
    "Where requests are counted: memory:// (each process counts for itself) or redis://host:6379 (all together).",
)
@_setting(
    "--proxies",
    WholeNumber(0, 10),
    "Reverse proxies in front, whose X-Forwarded-For, -Proto and -Host are believed.",
)
@_setting("--log-format", click.Choice(["text", "json"]), "How the log on stderr is written.")
@_setting("--access-log/--no-access-log", Switch(), "Log a line a request.")
@embed_path_option
def serve(**settings: Any) -> None:
    """Serve the current snapshot: the web page and the HTTP API.

    A snapshot that is published meanwhile is served from then on. Every option can be given as a variable, too.
    """
    from server.run import run_server

    run_server(ServerConfig(**settings), say=say, warn=note)


@click.command()
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("data/demo"),
    show_default=True,
    help="Where the sample and its snapshot are kept.",
)
@host_option
@port_option
@click.option(
    "--weights", default="imagenet", metavar="imagenet|untrained|FILE", show_default=True, help="Weights of VGG16."
)
@embed_path_option
@click.option("--build-only", is_flag=True, help="Build the sample, and do not serve it.")
def demo(data: Path, host: str, port: int, weights: str, embed_path: str, build_only: bool) -> None:
    """Build the bundled sample catalogue and serve it.

    Where ImageNet weights cannot be downloaded, untrained ones are used and said so.
    """
    from indexer.demo import build_demo, demo_is_built, demo_weights, most_rated_movie
    from server.run import run_server

    if build_only:
        with shown_progress() as track:
            build_demo(data, weights, embed_path, track=track, say=note)
        return
    if not demo_is_built(data, weights):
        # In a process of its own: the server forks, and TensorFlow and Faiss hang where they were loaded before that.
        command = [*myself(), "demo", "--build-only", "--data", str(data)]
        command += ["--weights", weights, "--embed-path", embed_path]
        failed = subprocess.run(command, check=False).returncode  # noqa: S603  ourselves
        if failed:
            sys.exit(failed)
    if weights == "imagenet" and demo_weights(data) == "untrained":
        note(
            "Note: the demo compares posters with untrained weights, as every reply and page says."
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
        f"  1. Open {address}/movies/{movie_id} : what looks like {title}, and what is loved like it",
        f"  2. Drop a picture on {address}/",
        f"  3. curl '{address}/api/v1/movies/{movie_id}/similar?by=taste&limit=3'",
        "",
        "Stop it with Ctrl-C.",
    ]
    return "\n".join(lines)
