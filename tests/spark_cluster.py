"""A Spark cluster of several workers on this machine: ``python -m tests.spark_cluster --workers 2``.

It prints the address of its master and stops with Ctrl-C. Needs Java 17 and pyspark (``pip install 'posterity[spark]'``).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.request import urlopen

from tests.serving import free_port

HOST = "127.0.0.1"
READY = 300.0  # seconds


@dataclass(frozen=True)
class LocalCluster:
    """A running master with its workers."""

    master: str  # address
    page: str  # address of the master's page, which has its state as JSON, too
    workers: tuple[subprocess.Popen[bytes], ...]
    folder: Path  # of logs

    def kill(self, worker: int) -> None:
        """Kill a worker with all its processes, as a power cut would."""
        _kill(self.workers[worker])

    def alive(self) -> int:
        """Return the number of workers that the master knows to be alive."""
        with urlopen(f"{self.page}/json/", timeout=10) as response:  # noqa: S310
            found = json.load(response)["workers"]
        return sum(each["state"] == "ALIVE" for each in found)


def missing() -> str:
    """Return what a cluster needs and this machine lacks; empty if it has all."""
    if find_spec("pyspark") is None:
        return "pyspark is not installed: make test-spark has it"
    return "" if shutil.which("java") else "there is no Java: apt-get install openjdk-17-jre-headless"


@contextmanager
def running(workers: int = 2, cores: int = 1, memory: str = "2g") -> Iterator[LocalCluster]:
    """Start a cluster, and stop it after the block.

    Args:
        workers: their number.
        cores: of each.
        memory: of each, for its executors.
    """
    folder = Path(tempfile.mkdtemp(prefix="spark-cluster-"))
    port, page = free_port(), free_port()
    master = f"spark://{HOST}:{port}"
    started = [_start(folder, "master", "Master", "--port", str(port), "--webui-port", str(page))]
    try:
        for number in range(workers):
            arguments = ("--cores", str(cores), "--memory", memory, "--work-dir", str(folder / f"work-{number}"))
            started.append(_start(folder, f"worker-{number}", "Worker", *arguments, "--webui-port", "0", master))
        cluster = LocalCluster(master, f"http://{HOST}:{page}", tuple(started[1:]), folder)
        _wait(cluster, workers, started)
        yield cluster
    finally:
        for process in started:
            _kill(process)
        shutil.rmtree(folder, ignore_errors=True)


def environment() -> Mapping[str, str]:
    """Return the environment of processes that take part in the cluster."""
    here = {
        "SPARK_LOCAL_IP": HOST,
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    return os.environ | here


def _start(folder: Path, name: str, role: str, *arguments: str) -> subprocess.Popen[bytes]:
    import pyspark

    command = [str(Path(pyspark.__file__).parent / "bin" / "spark-class")]
    command += [f"org.apache.spark.deploy.{role.lower()}.{role}", "--host", HOST, *arguments]
    with (folder / f"{name}.log").open("wb") as log:
        # A group of its own, which is killed as a whole.
        return subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            env={**environment(), "SPARK_DAEMON_MEMORY": "256m"},
            start_new_session=True,
        )


def _wait(cluster: LocalCluster, workers: int, started: list[subprocess.Popen[bytes]]) -> None:
    until = time.monotonic() + READY
    while True:
        with suppress(OSError, ValueError):
            if cluster.alive() == workers:
                return
        if time.monotonic() > until or any(process.poll() is not None for process in started):
            logs = "\n".join(file.read_text(errors="replace")[-2000:] for file in sorted(cluster.folder.glob("*.log")))
            raise RuntimeError(f"the cluster did not start:\n{logs}")
        time.sleep(0.1)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def main() -> None:
    """Start a cluster and wait for Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--cores", type=int, default=1, help="of each worker")
    parser.add_argument("--memory", default="2g", help="of each worker")
    options = parser.parse_args()
    if problem := missing():
        sys.exit(problem)
    with suppress(KeyboardInterrupt), running(options.workers, options.cores, options.memory) as cluster:
        sys.stdout.write(f"--spark {cluster.master}, pages at {cluster.page}\n")
        sys.stdout.flush()
        signal.pause()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    main()
