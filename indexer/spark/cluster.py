"""The connection to a Spark cluster, and the one way in which work is divided over its machines."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd

from index.core.errors import InvalidInput, PosterityError
from index.core.progress import Track, silent
from indexer.spark.shared import Shared

# A function of items of work that yields each with its result; it runs in the processes of workers. An item may be done
# twice, after a worker was lost: it must have the same result then.
Task = Callable[[Sequence[str]], Iterator[tuple[str, bytes]]]

_MASTERS = ("local", "spark://", "yarn", "k8s://")
_REACHED, _STARTED = 5.0, 120.0  # seconds to reach a master, and until a worker has started an executor
_SCHEMA = "item string, content binary, error string"
_PER_CORE = 4  # partitions, so that a lost worker loses little and none ends much later than the others


class Cluster:
    """A running application on a cluster; ``connected`` makes it."""

    def __init__(self, session: Any, shared: Shared) -> None:
        self.session = session
        self.shared = shared

    @property
    def cores(self) -> int:
        """Number of tasks that run at once."""
        return max(1, int(self.session.sparkContext.defaultParallelism))

    def broadcast(self, file: Path) -> str:
        """Send a file to every worker, and return the name by which ``received`` finds it there."""
        self.session.sparkContext.addFile(str(file))
        return file.name

    def run(
        self, task: Task, items: Sequence[str], label: str, *, most: int = 16, track: Track = silent
    ) -> list[tuple[str, bytes]]:
        """Run a task over the items in partitions, and return each item with its result, in order.

        Args:
            task: its fields are sent to the workers.
            items: of work.
            label: of the progress.
            most: number of items in a partition, at most.
            track: shows progress, in partitions.

        Raises:
            PosterityError: an item failed, four times where a retry may help.
        """
        if not items:
            return []
        size = min(most, max(1, len(items) // (_PER_CORE * self.cores)))
        partitions = -(-len(items) // size)
        context = self.session.sparkContext
        sent = context.broadcast(list(items))
        frame = self.session.range(0, len(items), 1, partitions).mapInPandas(
            _Partition(task, sent, version("posterity")), _SCHEMA
        )
        rows = self._collected(frame, partitions, label, track)
        sent.destroy()
        for row in rows:
            if row.error:
                raise PosterityError(f"a worker of Spark: {row.error}")
        return [(row.item, bytes(row.content)) for row in rows]

    def _collected(self, frame: Any, partitions: int, label: str, track: Track) -> list[Any]:
        """Return the rows of a frame; show how many partitions are done."""
        from pyspark.errors import PySparkException

        context, group = self.session.sparkContext, secrets.token_hex(8)

        def collect() -> list[Any]:
            context.setJobGroup(group, label, interruptOnCancel=True)
            rows: list[Any] = frame.collect()
            return rows

        steps = iter(track(range(partitions), label, partitions))
        done = 0
        with ThreadPoolExecutor(1, thread_name_prefix="spark") as pool:
            result = pool.submit(collect)
            try:
                while not result.done():
                    wait([result], timeout=0.5)
                    now = _completed(context.statusTracker(), group)
                    for _ in range(now - done):
                        next(steps, None)
                    done = max(done, now)
            except BaseException:
                context.cancelJobGroup(group)
                raise
            for _ in steps:
                pass
            try:
                return result.result()
            except (PySparkException, OSError) as error:
                raise PosterityError(f"the work on Spark failed: {_last_line(error)}") from error
            except Exception as error:  # py4j's, of any kind that Java throws
                raise PosterityError(f"the work on Spark failed: {_last_line(error)}") from error


@dataclass(frozen=True, slots=True)
class _Partition:
    """Function of ``mapInPandas``: frames with the numbers of items in, frames of results out."""

    task: Task
    items: Any  # broadcast
    version: str  # of the driver

    def __call__(self, frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        """Yield a frame of the results of each frame."""
        for frame in frames:
            items = [self.items.value[number] for number in frame["id"]]
            yield pd.DataFrame(list(self._results(items)), columns=["item", "content", "error"])

    def _results(self, items: Sequence[str]) -> Iterator[tuple[str, bytes, str]]:
        if version("posterity") != self.version:
            yield (
                "",
                b"",
                f"it has posterity {version('posterity')}, not {self.version}: install the same on all machines",
            )
            return
        try:
            for item, content in self.task(items):
                yield item, content, ""
        except PosterityError as error:  # would be raised again by each retry
            yield "", b"", str(error)


@contextmanager
def connected(master: str, place: str | None, data: Path) -> Iterator[Cluster]:
    """Start an application on a cluster; end it with the block.

    Args:
        master: Spark's address of it, such as ``spark://host:7077`` or ``local[4]``.
        place: path or address of fsspec of a folder that all machines see; None for the data directory.
        data: the data directory.

    Raises:
        InvalidInput: the address is none, or Java or pyspark is missing.
        PosterityError: the master does not answer, or has no worker.
    """
    shared = Shared.of(place, data)
    with started(master) as session:
        yield Cluster(session, shared)


@contextmanager
def started(master: str) -> Iterator[Any]:
    """Yield a session of Spark on a cluster; end it with the block.

    Raises:
        InvalidInput: the address is none, or Java or pyspark is missing.
        PosterityError: the master does not answer, or has no worker.
    """
    _check(master)
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    from pyspark.sql import SparkSession

    builder = (
        SparkSession.builder.master(master)
        .appName("posterity")
        .config("spark.log.level", "ERROR")
        .config("spark.ui.showConsoleProgress", "false")
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
        try:
            session = builder.getOrCreate()
        except Exception as error:  # py4j's, of any kind that Java throws
            raise PosterityError(f"Spark cannot be started on {master}: {_last_line(error)}") from error
        try:
            if not master.startswith("local"):
                _wait_for_workers(session, master)
            yield session
        finally:
            session.stop()


def received(name: str) -> Path:
    """Return the path of a file that was sent to this worker."""
    from pyspark import SparkFiles

    return Path(SparkFiles.get(name))


def _check(master: str) -> None:
    if not master.startswith(_MASTERS):
        raise InvalidInput(
            f"--spark {master!r} is no master of Spark: write spark://HOST:7077, local[4], yarn or k8s://…"
        )
    missing = [name for name in ("pyspark", "pyarrow") if find_spec(name) is None]
    if missing:
        raise InvalidInput(f"--spark needs the Python package {missing[0]}: run pip install 'posterity[spark]'")
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        raise InvalidInput("--spark needs Java 17 or newer: install it, or set JAVA_HOME")
    if master.startswith("spark://"):
        problems = [_unreachable(each) for each in master.removeprefix("spark://").split(",")]
        if all(problems):
            raise PosterityError(f"there is no answer from {master} ({problems[0]}): is the master running?")


def _unreachable(address: str) -> str:
    """Return why an address HOST:PORT cannot be reached; empty if it can."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise InvalidInput(f"--spark spark://{address} has no port: write spark://HOST:7077")
    try:
        socket.create_connection((host, int(port)), _REACHED).close()
    except (OSError, OverflowError) as error:
        return str(error)
    return ""


def _wait_for_workers(session: Any, master: str) -> None:
    """Return once an executor has started: without one Spark would wait for ever."""
    until = time.monotonic() + _STARTED
    tracker = session.sparkContext._jsc.sc().statusTracker()  # noqa: SLF001  Python's has no executors
    while len(tracker.getExecutorInfos()) < 2:  # the driver is the first
        if time.monotonic() > until:
            raise PosterityError(
                f"no worker of {master} started an executor within {_STARTED:.0f} s: are workers running, with as much"
                " memory and as many cores as spark.executor.memory and spark.executor.cores ask for?"
            )
        time.sleep(0.2)


def _completed(tracker: Any, group: str) -> int:
    """Return the number of tasks done in a group of jobs."""
    done = 0
    for job in tracker.getJobIdsForGroup(group):
        info = tracker.getJobInfo(job)
        for stage in info.stageIds if info else ():
            found = tracker.getStageInfo(stage)
            done += found.numCompletedTasks if found else 0
    return done


def _last_line(error: Exception) -> str:
    """Return the line of an error that tells the cause: Python's, at the end of its traceback, or Java's first."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    of_python = [line for line in lines if line.split(":")[0].rpartition(".")[2].endswith(("Error", "Exception"))]
    return ([*of_python, *lines[:1], type(error).__name__][0])[:500]
