"""The process that follows a storage beside a server: started, watched, stopped.

A process of its own, as libraries of storages have threads, which do not survive the fork of gunicorn's workers. It
writes snapshots into the data directory; workers follow these as they follow those of a build.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from index.core.back_off import back_off
from index.core.errors import BadSnapshot, InvalidInput, UnknownSnapshot
from index.snapshot.store import Checked, SnapshotStore

_LOOK_EVERY = 0.2  # seconds, until there is a first snapshot

log = logging.getLogger(__name__)


class Following:
    """The process that follows; started again if it ends.

    Args:
        command: starts it.
        storage: address of the storage. It is passed by a variable: it may have a password, and every user of a machine
            sees the arguments of its processes.
        data: data directory that it writes snapshots into.
    """

    def __init__(self, command: Sequence[str], storage: str, data: Path) -> None:
        self._command = [*command, "--parent", str(os.getpid())]
        self._variables = {**os.environ, "POSTERITY_FOLLOW": storage}
        self._data = data
        self._stopped = threading.Event()
        self._process = self._start()

    def first_snapshot(self, say: Callable[[str], None]) -> tuple[Checked, BadSnapshot | None]:
        """Wait for a snapshot that can be served, and return it, as ``SnapshotStore.check_newest_sound``.

        Args:
            say: prints a line, if there is none yet.

        Raises:
            InvalidInput: the process has ended, and said why on stderr.
        """
        store, waiting = SnapshotStore(self._data), False
        while True:
            ended = self._process.poll() is not None
            with suppress(UnknownSnapshot, BadSnapshot):
                return store.check_newest_sound()
            if ended:
                raise InvalidInput(f"{self._data} has no snapshot to serve, and none can be followed: see above")
            if not waiting:
                say("Waiting for the first snapshot from the storage")
                waiting = True
            time.sleep(_LOOK_EVERY)

    def watch(self) -> None:
        """Start the process again whenever it ends, until ``stop``."""
        threading.Thread(target=self._watch, name="watch-following", daemon=True).start()

    def stop(self) -> None:
        """End the process."""
        self._stopped.set()
        with suppress(ProcessLookupError):
            self._process.terminate()

    def _watch(self) -> None:
        for pause in back_off():
            self._process.wait()
            if self._stopped.wait(pause):
                return
            log.warning("the process that follows the storage has ended, and is started again")
            with suppress(OSError):  # too many processes; tried again
                self._process = self._start()
            if self._stopped.is_set():  # meanwhile
                self.stop()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603  ourselves
            self._command, stdin=subprocess.DEVNULL, stdout=sys.stderr, env=self._variables
        )
