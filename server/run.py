"""gunicorn, configured for the application: worker processes with an event loop and threads."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from gunicorn.app.base import BaseApplication
from threadpoolctl import threadpool_limits

from index.core.errors import InvalidInput
from index.library.database import migrate
from index.snapshot.collections import in_milvus
from index.snapshot.store import FORMAT, SnapshotStore
from server.config import ServerConfig
from server.media.body_sizes import largest_body
from server.middleware import refusals
from server.middleware.logs import log_settings
from server.middleware.refusals import Refused
from server.state.following import Following
from server.state.memory import share_arena
from server.worker import worker_class

_GRACE = 30  # seconds for running requests to end when the server is stopped
_IDLE = 75  # seconds of keep-alive: longer than a proxy's, which would otherwise send into a closed connection
_SILENCE = 120  # seconds before a worker without heartbeat is killed; the first upload loads TensorFlow


def run_server(
    config: ServerConfig,
    *,
    say: Callable[[str], None],
    warn: Callable[[str], None],
    ready: str = "",
    follow: Sequence[str] = (),
) -> None:
    """Serve until the process is stopped; running requests are answered first.

    Args:
        config: the settings.
        say: prints a line on stdout.
        warn: prints a line on stderr.
        ready: printed once the port is open, in place of the address.
        follow: command that follows the storage of the settings, if there is one.

    Raises:
        UnknownSnapshot, BadSnapshot: no snapshot can be served.
        BadLibrary: the library cannot be read.
        InvalidInput: the port is in use, or no snapshot can be followed.
    """
    # Checked here, for one line instead of a traceback per worker.
    _check_address(config.host, config.port)
    store = SnapshotStore(config.data)
    following = Following(follow, config.follow, config.data) if config.follow else None
    checked, damage = store.check_newest_sound() if following is None else following.first_snapshot(warn)
    if damage is not None:
        warn(f"Warning: {damage}. Snapshot {checked.id}, the newest before it that is sound, is served")
    manifest = store.manifest(checked.id)
    migrate(config.data)
    if manifest.format < FORMAT:
        warn(
            f"Note: snapshot {manifest.id} has format version {manifest.format}, this version of Posterity writes"
            f" {FORMAT}. It is served without newer features until posterity build makes a new one"
        )
    if in_milvus(manifest) and not config.search:
        raise InvalidInput(
            f"the vectors of snapshot {manifest.id} are in Milvus: give --search milvus://host:19530 (POSTERITY_SEARCH)"
        )
    if config.search and not in_milvus(manifest):
        warn(f"Note: snapshot {manifest.id} was built without --search, so its vectors are in its own files")
    counts = Path(tempfile.mkdtemp(prefix="posterity-metrics-"))
    # prometheus_client reads this variable when the workers import it.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(counts)
    host = f"[{config.host}]" if ":" in config.host else config.host

    def begin() -> None:
        if following is not None:
            following.watch()
        say(ready or f"Posterity is at http://{host}:{config.port}{config.prefix}/")

    def end() -> None:
        if following is not None:
            following.stop()
        shutil.rmtree(counts, ignore_errors=True)

    class Server(BaseApplication):  # type: ignore[misc]
        def load_config(self) -> None:
            settings: dict[str, Any] = {
                "bind": f"{host}:{config.port}",
                "worker_class": worker_class(
                    config.request_timeout, largest_body, self.record, asks_first=config.ready_responses
                ),
                "workers": config.workers,
                "threads": config.threads,
                "forwarded_allow_ips": "",  # trusted proxies have one setting: --proxies
                "logconfig_dict": log_settings(config.log_format),
                "proc_name": "posterity",
                "timeout": _SILENCE,
                "graceful_timeout": _GRACE,
                "keepalive": _IDLE,
                "when_ready": lambda _: begin(),
                "child_exit": lambda _, worker: _forget(worker.pid, counts),
                # Not after run(), which returns in every worker, too.
                "on_exit": lambda _: end(),
            }
            for name, value in settings.items():
                self.cfg.set(name, value)

        def load(self) -> Any:
            # In the worker, after the fork: threads of Faiss and TensorFlow do not survive a fork.
            from server.app import create_app

            share_arena()
            leave_out_unused(milvus=bool(config.search))
            self.app = create_app(config, counts=counts, checked=checked)
            # Matrices are small, and idle BLAS threads spin; requests have threads of their own.
            threadpool_limits(1, "blas")
            return self.app

        def record(self, refused: Refused) -> None:
            refusals.record(self.app, refused)

    Server().run()


def leave_out_unused(*, milvus: bool) -> None:
    """Keep libraries from being imported that this process needs nothing of.

    Keras imports them where they are installed, which is half of the time to the first answer to a picture.

    Args:
        milvus: import pymilvus now: it imports pandas, 37 MB, to tell its tables from lists.
    """
    if milvus:
        import_without_pandas("pymilvus")
    for name in ("matplotlib", "sklearn", "pandas"):
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]


def import_without_pandas(library: str) -> None:
    """Import a library, which gets types without objects for those of pandas; with pandas if that fails."""

    def named(name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})

    before = set(sys.modules)
    for name in ("pandas", "pandas.api", "pandas.api.types"):
        sys.modules[name] = module = ModuleType(name)
        vars(module)["__getattr__"] = named
    failed = False
    try:
        import_module(library)
    except Exception:  # noqa: BLE001  another version may do anything with them
        failed = True
    for name in set(sys.modules) - before:
        root = name.partition(".")[0]
        if root == "pandas" or (failed and root == library):
            del sys.modules[name]
    if failed:
        import_module(library)


def _forget(pid: int, counts: Path) -> None:
    """Remove a dead worker's gauges from the metrics; its counters stay."""
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
