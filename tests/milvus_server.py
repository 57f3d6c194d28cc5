"""A real Milvus for tests: the address in POSTERITY_TEST_MILVUS, or a process of the Python package ``milvus``.

The package (``pip install milvus==2.3.5 'setuptools<81' 'marshmallow<4'``) has the server's program. It is best in a
virtual environment of its own, whose folder POSTERITY_TEST_MILVUS then is.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import urllib3

from tests.serving import free_port

_PREPARE = """
import sys
from milvus import MilvusServer, _initialize_data_files
server = MilvusServer()
server.set_base_dir(sys.argv[1])
server.config.resolve()
_initialize_data_files(sys.argv[1])
print(server.config.get("proxy_port"))
"""
_START_WITHIN = 180  # seconds, on a busy machine


def given_milvus() -> str:
    """Return POSTERITY_TEST_MILVUS; empty without it."""
    return os.environ.get("POSTERITY_TEST_MILVUS", "")


def python_with_milvus() -> str | None:
    """Return a Python that has the package ``milvus``; None if there is none."""
    if given_milvus() and (python := Path(given_milvus()) / "bin" / "python").exists():
        return str(python)
    return sys.executable if find_spec("milvus") is not None else None


@dataclass(frozen=True)
class Given:
    """A Milvus that others started; tests must not kill it."""

    address: str


class MilvusProcess:
    """A Milvus of its own, which a test may kill, pause and start again on the same port and data.

    Args:
        folder: its data.
    """

    def __init__(self, folder: Path) -> None:
        python = python_with_milvus()
        assert python is not None
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        said = subprocess.run(
            [python, "-W", "ignore", "-c", _PREPARE, str(folder)], check=True, capture_output=True, text=True
        )
        self.address = f"milvus://127.0.0.1:{int(said.stdout.split()[-1])}"
        self._health = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start the server, and wait until it answers. Milvus 2.3.5 may crash as it starts: it is started again."""
        end = time.monotonic() + _START_WITHIN
        while not self._is_well():
            if self._process is None or self._process.poll() is not None:
                self._run()
            assert time.monotonic() < end, (self._folder / "log").read_text()[-2000:]
            time.sleep(0.2)

    def kill(self) -> None:
        """Kill the server, as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Let the server hang: it has the port, and answers nothing."""
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """End ``pause``."""
        os.kill(self.pid, signal.SIGCONT)

    def _run(self) -> None:
        program = self._folder / "bin" / "milvus"
        variables = {
            **os.environ,
            "DEPLOY_MODE": "STANDALONE",
            "METRICS_PORT": str(self._health),
            "MILVUS_RUN_DIR": str(self._folder / "run"),
            "LD_LIBRARY_PATH": str(program.parent),
        }
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [program, "run", "standalone"], cwd=self._folder, env=variables, stdout=log, stderr=log
            )

    def _is_well(self) -> bool:
        try:
            reply = urllib3.request("GET", f"http://127.0.0.1:{self._health}/healthz", retries=False, timeout=5)
        except urllib3.exceptions.HTTPError:
            return False
        return reply.status == 200 and b"OK" in reply.data
