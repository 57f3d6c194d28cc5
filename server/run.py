"""Runs the server: gunicorn's processes and threads around the application."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.workers.gthread import ThreadWorker
from threadpoolctl import threadpool_limits

from index.core.errors import InvalidInput
from index.library.database import migrate
from index.snapshot.store import FORMAT, SnapshotStore
from server.config import ServerConfig
from server.middleware.logs import log_settings

_GRACE = 30  # seconds that requests in work have to end when the server is stopped
_IDLE = 75  # seconds that a connection is kept: longer than proxies keep theirs, or they send into a closed one
_SILENCE = 120  # seconds after which a process that says nothing is replaced; the first upload loads TensorFlow


def run_server(
    config: ServerConfig, *, say: Callable[[str], None], warn: Callable[[str], None], ready: str = ""
) -> None:
    """Serves until it is stopped; requests in work are answered before it ends.

    Args:
        ready: said once the port is open, in place of the address.
        say, warn: take lines for people, for stdout and stderr.

    Raises:
        UnknownSnapshot, BadSnapshot: there is nothing that can be served.
        BadLibrary: what came in online cannot be read.
        InvalidInput: the port is taken.
    """
    # Said here in one line, rather than by each worker in a page.
    manifest = SnapshotStore(config.data).verify()
    migrate(config.data)
    if manifest.format < FORMAT:
        warn(
            f"Note: snapshot {manifest.id} has format version {manifest.format}, this version of Posterity writes"
            f" {FORMAT}. It is served without what came later, until it is built again (posterity build)"
        )
    _check_address(config.host, config.port)
    counts = Path(tempfile.mkdtemp(prefix="posterity-metrics-"))
    # The library that counts reads this, and no other, once it is imported: in the workers.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(counts)
    host = f"[{config.host}]" if ":" in config.host else config.host

    class Server(BaseApplication):  # type: ignore[misc]
        def load_config(self) -> None:
            settings: dict[str, Any] = {
                "bind": f"{host}:{config.port}",
                "worker_class": Worker,
                "workers": config.workers,
                "threads": config.threads,
                "forwarded_allow_ips": "",  # which proxies are believed is said by one setting alone
                "logconfig_dict": log_settings(config.log_format),
                "proc_name": "posterity",
                "timeout": _SILENCE,
                "graceful_timeout": _GRACE,
                "keepalive": _IDLE,
                "when_ready": lambda _: say(ready or f"Posterity is at http://{host}:{config.port}/"),
                "child_exit": lambda _, worker: _forget(worker.pid, counts),
                # Not after run(), where each worker ends up, too.
                "on_exit": lambda _: shutil.rmtree(counts, ignore_errors=True),
            }
            for name, value in settings.items():
                self.cfg.set(name, value)

        def load(self) -> Any:
            # In the worker, not before the fork: Faiss and TensorFlow hang when their threads are forked away.
            from server.app import create_app

            app = create_app(config, counts=counts, checked=manifest.id)
            # Matrices are small here, and threads that wait for each other spin: requests already have threads.
            threadpool_limits(1, "blas")
            return app

    Server().run()


class Worker(ThreadWorker):  # type: ignore[misc]
    """A process with threads. One that is being stopped refuses connections, so that clients turn elsewhere at once."""

    def set_accept_enabled(self, enabled: bool) -> None:
        """Begins or ceases to take connections."""
        super().set_accept_enabled(enabled)
        if not self.alive:
            for listener in self.sockets:
                listener.close()


def _forget(pid: int, counts: Path) -> None:
    """Takes off what a process that has ended had in work; what it had counted stays."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(pid, str(counts))  # type: ignore[no-untyped-call]


def _check_address(host: str, port: int) -> None:
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        raise InvalidInput(
            f"cannot listen on {host}:{port} ({error.strerror}): give another --port (POSTERITY_PORT)"
            " or --host (POSTERITY_HOST)"
        ) from error
