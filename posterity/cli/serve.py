"""The command that answers: serve. Its options are the one place where the server's settings are read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from posterity.cli.console import data_option, note, say
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
def serve(**settings: Any) -> None:
    """Serve the current snapshot: the web page and the HTTP API.

    A snapshot that is published meanwhile is served from then on. Every option can be given as a variable, too.
    """
    from server.run import run_server

    run_server(ServerConfig(**settings), say=say, warn=note)
