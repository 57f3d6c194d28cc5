"""Real servers in processes of their own, for tests of what only they can show."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest

from tests.paths import ROOT


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@dataclass
class Serving:
    port: int
    process: subprocess.Popen[str]
    stdout: str = ""  # once it has ended

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def workers(self) -> list[int]:
        """The ids of gunicorn's processes, as Linux tells them."""
        pid = self.process.pid
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def loaded_libraries(self) -> str:
        """Return what its processes have mapped into memory, as Linux tells it."""
        return "".join(Path(f"/proc/{pid}/maps").read_text() for pid in (self.process.pid, *self.workers()))

    def kill(self) -> None:
        """Ends all of its processes at once, without a word to any."""
        os.killpg(self.process.pid, signal.SIGKILL)


@contextmanager
def serving(
    *arguments: object, stderr: IO[str] | None = None, environment: Mapping[str, str] | None = None
) -> Iterator[Serving]:
    """A real server in a process group of its own, once it is ready; stopped afterwards, unless it was killed."""
    port = free_port()
    command = [sys.executable, "-m", "posterity", *map(str, arguments), "--port", str(port)]
    variables = {**os.environ, **(environment or {})}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=stderr, text=True, cwd=ROOT, env=variables, process_group=0
    ) as process:
        server = Serving(port, process)
        assert process.stdout is not None
        try:
            # The port is open once the address is printed; a request before a worker is ready waits for it.
            for line in process.stdout:
                server.stdout += line
                if "Posterity is at" in line:
                    break
            else:
                pytest.fail("the server ended; what it said stands below")
            yield server
        finally:
            process.send_signal(signal.SIGTERM)
            server.stdout += process.stdout.read()
            process.wait(timeout=60)


def get(url: str, body: bytes | None = None) -> Any:
    with urllib.request.urlopen(url, body, timeout=120) as reply:  # noqa: S310
        return json.load(reply)
