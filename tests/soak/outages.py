"""Outages of what a server stands on, under reads and writes: nothing acknowledged is lost, and it answers again soon.

Run ``python -m tests.soak.outages --seconds 10``; needs Linux. A full and a read-only disk need root, a clock that
jumps needs a C compiler, Redis needs redis-server and the Python package redis: without them that outage is skipped.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from threading import Event, Thread

import click
import urllib3

from index.library.api_keys import Keys
from index.library.database import Database
from index.snapshot.store import SnapshotStore
from tests.conftest import SPACE, build_world
from tests.serving import Serving, free_port, serving
from tests.soak.editions import Edition

SOON = 10.0  # seconds in which a server answers again
STEADY = 20  # rounds of questions in a row that must be answered
READ = "/api/v1/movies/3/similar"
NEEDS_ROOT = "skipped: mounting needs root"
UNLIMITED = ("--read-limit", "1000000/minute", "--write-limit", "1000000/minute", "--upload-limit", "")


@dataclass
class Outcome:
    """Results of one outage."""

    reads: Counter[int] = field(default_factory=Counter)  # status -> number, while it lasted; 0 without a response
    writes: Counter[int] = field(default_factory=Counter)
    acknowledged: int = 0  # over the whole run
    recovered: float | None = None  # seconds
    failures: list[str] = field(default_factory=list)

    def line(self, name: str) -> str:
        recovered = "never" if self.recovered is None else f"{self.recovered:.1f} s after it"
        return (
            f"{name}: reads {dict(self.reads)}, writes {dict(self.writes)}; answers again {recovered};"
            f" {self.acknowledged} acknowledged writes, {len(self.failures)} failures"
        )


class Writer:
    """A client that rates and adds movies, one request after another, and remembers what was acknowledged."""

    def __init__(self, address: str, key: str) -> None:
        self._http = urllib3.PoolManager(retries=False, timeout=5)
        self.address = address
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._count = 0
        # Of each place, the last acknowledged rating, None before the first, and those after it.
        self.possible: dict[tuple[int, int], set[float | None]] = defaultdict(lambda: {None})
        self.added: dict[int, str] = {}  # movie id -> title
        self.acknowledged = 0

    def write(self) -> int:
        """Send one write, and return its status; 0 without a response."""
        self._count += 1
        if self._count % 5 == 0:
            body = {"title": f"Film {self._count}", "year": 2000, "genres": ["Drama"]}
            status, reply = self._send("POST", "/movies", body)
            if status == 201:
                self.added[json.loads(reply)["movie"]["movie_id"]] = body["title"]  # type: ignore[assignment]
        else:
            place = 900 + self._count % 7, SPACE[self._count % len(SPACE)]
            rating = 0.5 + self._count % 10 / 2
            self.possible[place].add(rating)
            status, _ = self._send("PUT", f"/users/{place[0]}/ratings/{place[1]}", {"rating": rating})
            if status == 200:
                self.possible[place] = {rating}
        self.acknowledged += 200 <= status < 300
        return status

    def lost(self) -> list[str]:
        """Return what was acknowledged and is not there."""
        missing = []
        for (user, movie), allowed in self.possible.items():
            status, reply = self._send("GET", f"/users/{user}/ratings?limit=100", None)
            results = json.loads(reply).get("results", [])  # none of a user without ratings, 404
            found = {each["movie"]["movie_id"]: each["rating"] for each in results}
            if found.get(movie) not in allowed:
                missing.append(f"user {user} rates {movie} {found.get(movie)}, not one of {allowed} ({status})")
        for movie, title in self.added.items():
            status, reply = self._send("GET", f"/movies/{movie}", None)
            if status != 200 or json.loads(reply)["movie"]["title"] != title:
                missing.append(f"movie {movie}, {title}: {status}")
        return missing

    def _send(self, method: str, path: str, body: object) -> tuple[int, bytes]:
        content = None if body is None else json.dumps(body).encode()
        try:
            reply = self._http.request(method, f"{self.address}/api/v1{path}", body=content, headers=self._headers)
        except urllib3.exceptions.HTTPError:
            return 0, b"{}"
        return reply.status, reply.data


def status_of(url: str) -> int:
    """Return the status of a request by a new connection; 0 without a response."""
    try:
        return urllib3.request("GET", url, retries=False, timeout=5, headers={"Connection": "close"}).status
    except urllib3.exceptions.HTTPError:
        return 0


Outage = Callable[[Path, Serving], AbstractContextManager[None]]


def go_through(
    data: Path,
    outage: Outage,
    seconds: float,
    *,
    options: Sequence[object] = (),
    environment: Mapping[str, object] | None = None,
) -> Outcome:
    """Serve ``data``, let an outage happen under load, and return what was answered meanwhile and afterwards."""
    outcome, store = Outcome(), SnapshotStore(data)
    edition = Edition("the world", store.path(), store.manifest())
    _, key = Keys(Database(data)).create("outages")
    variables = {name: str(value) for name, value in (environment or {}).items()}
    log = data.parent / "log"
    command = ("serve", "--data", data, "--workers", 2, *UNLIMITED, *options)
    with log.open("w") as stream, serving(*command, stderr=stream, environment=variables) as server:
        writer = Writer(server.address, key)
        while not answers(server, writer) or len(server.workers()) < 2:
            time.sleep(0.1)
        stop, over = Event(), Event()

        def keep_writing() -> None:
            while not stop.is_set():
                status = writer.write()
                if not over.is_set():
                    outcome.writes[status] += 1

        thread = Thread(target=keep_writing)
        with outage(data, server):
            thread.start()
            killed, end = False, time.monotonic() + seconds
            while time.monotonic() < end:
                outcome.reads[status_of(f"{server.address}{READ}")] += 1
                if not killed and time.monotonic() > end - seconds / 2:
                    os.kill(server.workers()[0], signal.SIGKILL)  # another worker begins amid it
                    killed = True
        over.set()
        stop.set()
        thread.join()
        outcome.recovered = recovery(server, writer)
        published = edition.publish(store)
        if not followed(server, published):
            outcome.failures.append(f"snapshot {published} was not followed")
        outcome.acknowledged = writer.acknowledged
        outcome.failures += writer.lost()
    with serving("serve", "--data", data) as again:
        writer.address = again.address
        outcome.failures += [f"after a restart: {each}" for each in writer.lost()]
    if outcome.recovered is None or outcome.recovered > SOON:
        outcome.failures.append(f"it did not answer again within {SOON:g} s; the log ends {log.read_text()[-2000:]}")
    return outcome


def recovery(server: Serving, writer: Writer) -> float | None:
    """Return the seconds until reads, writes and the readiness check are answered, and go on to be; None if never."""
    begin = since = time.monotonic()
    good = 0
    while good < STEADY:
        if answers(server, writer):
            good += 1
        else:
            good, since = 0, time.monotonic()
        if time.monotonic() > begin + 60:
            return None
        time.sleep(0.05)
    return since - begin


def answers(server: Serving, writer: Writer) -> bool:
    """Return True if a read, a write and the readiness check are answered as if there were no fault."""
    if status_of(f"{server.address}{READ}") != 200 or not 200 <= writer.write() < 300:
        return False
    try:
        return bool(
            urllib3.request("GET", f"{server.address}/readyz", retries=False, timeout=5).json()["status"] == "ready"
        )
    except urllib3.exceptions.HTTPError:
        return False


def followed(server: Serving, snapshot_id: str) -> bool:
    """Return True once responses are of a snapshot, from all workers."""
    end, row = time.monotonic() + 2 * SOON, 0
    while time.monotonic() < end and row < STEADY:
        found = urllib3.request("GET", f"{server.address}/api/v1/movies/3", timeout=5).json()["snapshot"]
        row = row + 1 if found == snapshot_id else 0
        time.sleep(0.05)
    return row >= STEADY


@contextmanager
def too_many_files(data: Path, server: Serving) -> Iterator[None]:
    """Let the workers open one further file each, such as a connection, while another snapshot becomes current."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    starved = server.workers()
    for pid in starved:
        most = max(int(file.name) for file in Path(f"/proc/{pid}/fd").iterdir()) + 2
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, limits[1]))
    store = SnapshotStore(data)
    Edition("the world", store.path(), store.manifest()).publish(store)
    yield
    for pid in set(starved) & set(server.workers()):
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)


@contextmanager
def full_disk(data: Path, _: Serving) -> Iterator[None]:
    """Fill the disk of the data directory to the last byte."""
    filler = data / "filler"
    for size in (2**16, 1):
        with suppress(OSError), filler.open("ab", buffering=0) as stream:
            while True:
                stream.write(bytes(size))
    yield
    filler.unlink()


@contextmanager
def read_only_disk(data: Path, _: Serving) -> Iterator[None]:
    """Mount the data directory read-only over itself: every file that is opened from now on is."""
    with mounted("--bind", data, data):
        run("mount", "-o", "remount,bind,ro", data)
        yield


@contextmanager
def clock_set_back(data: Path, _: Serving) -> Iterator[None]:
    """Set the server's clock back by a day; it stays so."""
    (data.parent / "set-back").touch()
    yield


class Redis:
    """Redis on a port, in a process that can be killed and started again."""

    def __init__(self) -> None:
        self.port = free_port()
        self.start()

    def start(self) -> None:
        command = ["redis-server", "--port", str(self.port), "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while self._process.poll() is None:
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                break
            time.sleep(0.05)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    @contextmanager
    def killed(self, _: Path, __: Serving) -> Iterator[None]:
        self.kill()
        yield
        self.start()


def try_files(world: Path, root: Path, seconds: float) -> Outcome:
    return go_through(copied(world, root), too_many_files, seconds)


def try_full(world: Path, root: Path, seconds: float) -> Outcome | str:
    (root / "data").mkdir()
    try:
        with mounted("-t", "tmpfs", "-o", "size=200m", "none", root / "data"):
            return with_room_named(go_through(copied(world, root), full_disk, seconds))
    except PermissionError:
        return NEEDS_ROOT


def try_read_only(world: Path, root: Path, seconds: float) -> Outcome | str:
    try:
        return with_room_named(go_through(copied(world, root), read_only_disk, seconds))
    except PermissionError:
        return NEEDS_ROOT


def with_room_named(outcome: Outcome) -> Outcome:
    """Return an outcome, with a failure if a write was answered by 500 instead of 507, as any mistake is."""
    if outcome.writes[500]:
        outcome.failures.append(f"{outcome.writes[500]} writes were 500 for want of room")
    return outcome


def try_clock(world: Path, root: Path, seconds: float) -> Outcome | str:
    if not shutil.which("cc"):
        return "skipped: needs a C compiler"
    run("cc", "-shared", "-fPIC", "-o", root / "clock.so", Path(__file__).with_name("clock.c"))
    preloaded = {"LD_PRELOAD": root / "clock.so", "CLOCK_SET_BACK": root / "set-back"}
    return go_through(copied(world, root), clock_set_back, seconds, environment=preloaded)


def try_redis(world: Path, root: Path, seconds: float) -> Outcome | str:
    if not (shutil.which("redis-server") and find_spec("redis")):
        return "skipped: needs redis-server and the Python package redis"
    redis = Redis()
    try:
        options = ("--rate-storage", f"redis://127.0.0.1:{redis.port}")
        return go_through(copied(world, root), redis.killed, seconds, options=options)
    finally:
        redis.kill()


OUTAGES: dict[str, Callable[[Path, Path, float], Outcome | str]] = {
    "files": try_files,
    "full": try_full,
    "read-only": try_read_only,
    "clock": try_clock,
    "redis": try_redis,
}


def go_through_all(world: Path, root: Path, seconds: float, names: Sequence[str]) -> dict[str, Outcome | str]:
    """Return the outcome of each outage, or the reason why it was skipped.

    Args:
        world: a data directory, which is copied for each.
        root: an empty folder for the copies and logs.
        seconds: time that each outage lasts.
        names: of the outages.
    """
    found = {}
    for name in names:
        (root / name).mkdir()
        found[name] = OUTAGES[name](world, root / name, seconds)
    return found


def copied(world: Path, root: Path) -> Path:
    """Copy a data directory, and return the copy."""
    return Path(shutil.copytree(world, root / "data", symlinks=True, dirs_exist_ok=True))


@contextmanager
def mounted(*arguments: object) -> Iterator[None]:
    """Mount something, at the last of the arguments.

    Raises:
        PermissionError: this process may not.
    """
    try:
        run("mount", *arguments)
    except subprocess.CalledProcessError as error:
        raise PermissionError from error
    try:
        yield
    finally:
        run("umount", "-l", arguments[-1])  # as the server may still have a file open there


def run(*command: object) -> None:
    subprocess.run([str(word) for word in command], check=True, capture_output=True)


@click.command()
@click.option("--seconds", type=float, default=10.0, show_default=True, help="Time that each outage lasts.")
@click.option("--only", multiple=True, type=click.Choice(list(OUTAGES)), default=list(OUTAGES))
def main(seconds: float, only: tuple[str, ...]) -> None:
    """Let files, the disk, the clock and Redis fail under a server. Exit with 1 if anything acknowledged is lost."""
    root = Path(tempfile.mkdtemp(prefix="posterity-outages-"))
    data = build_world(root)
    failed = False
    for name in only:
        outcome = go_through_all(data, root, seconds, [name])[name]
        if isinstance(outcome, str):
            click.echo(f"{name}: {outcome}")
            continue
        failed |= bool(outcome.failures)
        click.echo("\n".join([outcome.line(name), *(f"FAILED: {failure}" for failure in outcome.failures)]))
    if failed:
        click.echo(f"The data and logs are in {root}")
        sys.exit(1)
    shutil.rmtree(root)


if __name__ == "__main__":
    main()
