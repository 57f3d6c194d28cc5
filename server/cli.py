"""The command that answers: serve."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import click

from index.console import data_option
from index.errors import BadData

host_option = click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
port_option = click.option(
    "--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="The port to listen on."
)


@click.command()
@data_option
@host_option
@port_option
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes.")
@click.option("--threads", type=click.IntRange(1, 256), default=8, show_default=True, help="Threads a process.")
@click.option("--access-log", is_flag=True, help="Write a line a request to stdout.")
def serve(data: Path, host: str, port: int, workers: int, threads: int, access_log: bool) -> None:
    """Serve the current snapshot: the web page and the HTTP API.

    A snapshot that is published meanwhile is served from then on.
    """
    run_server(data, host, port, workers=workers, threads=threads, access_log=access_log)


commands = (serve,)


def run_server(
    data: Path, host: str, port: int, *, workers: int = 1, threads: int = 8, access_log: bool = False, ready: str = ""
) -> None:
    """Serves until it is stopped.

    Args:
        ready: printed once the port is open.

    Raises:
        UnknownSnapshot, BadSnapshot: there is nothing that can be served.
        BadData: the port is taken.
    """
    from gunicorn.app.base import BaseApplication

    from index.snapshot import SnapshotStore
    from server.config import ServerConfig

    # Said here in one line, rather than by each worker in a page.
    SnapshotStore(data).verify()
    _check_port(host, port)
    config = ServerConfig(data=data)

    class Server(BaseApplication):  # type: ignore[misc]
        def load_config(self) -> None:
            settings: dict[str, Any] = {
                "bind": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
                "worker_class": "gthread",
                "workers": workers,
                "threads": threads,
                "accesslog": "-" if access_log else None,
                "loglevel": "warning",
                "proc_name": "posterity",
                "timeout": 120,  # the first upload loads TensorFlow
                "when_ready": lambda _: click.echo(ready or f"Posterity is at http://{host}:{port}/"),
            }
            for name, value in settings.items():
                self.cfg.set(name, value)

        def load(self) -> Any:
            # In the worker, not before the fork: Faiss and TensorFlow hang when their threads are forked away.
            from server.app import create_app

            return create_app(config)

    Server().run()


def _check_port(host: str, port: int) -> None:
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        raise BadData(f"cannot listen on {host}:{port} ({error.strerror}): give another --port") from error
