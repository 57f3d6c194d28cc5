from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from index.catalogue.catalogue import Movie
from index.library.backup import export_library, import_library
from index.library.movies import Library
from index.snapshot.store import SnapshotStore
from indexer.inputs import file_states
from indexer.schedule import BuildIteration, InterruptibleRunner, run_periodically
from tests.conftest import World


class Clock:
    """A clock that only advances when told to; its n-th sleep returns False."""

    def __init__(self, sleeps: int) -> None:
        self.now = 100.0
        self.slept: list[float] = []
        self._sleeps = sleeps

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> bool:
        self.now += seconds
        self.slept.append(seconds)
        return len(self.slept) < self._sleeps


@pytest.mark.parametrize(
    ("takes", "starts"),
    [
        ([0, 0, 0], [100, 160, 220]),
        ([10, 59, 5], [100, 160, 220]),
        ([60, 61, 200, 1], [100, 160, 221, 421]),  # longer than the period: the next starts at once
    ],
)
def test_turns_begin_a_period_apart_or_at_once_after_a_long_one(takes: list[float], starts: list[float]) -> None:
    clock = Clock(len(takes))
    began = []

    def iteration() -> None:
        began.append(clock.now)
        clock.now += takes[len(began) - 1]

    run_periodically(iteration, 60, clock=clock, sleep=clock.sleep)
    assert began == starts
    assert min(clock.slept) >= 0


class Builds:
    """Fake builds that publish a tiny snapshot at once, or end with a given exit code."""

    def __init__(self, data: Path, ratings: Path) -> None:
        self.store = SnapshotStore(data)
        self.data = data
        self.ratings = ratings
        self.codes: list[int | None] = []  # exit codes of the next builds; 0 by default
        self.done = 0
        self.said: list[str] = []
        self.meanwhile: Callable[[], object] = lambda: None
        self.iteration = BuildIteration(data, [ratings], self.build, keep=2, say=self.said.append)

    def build(self) -> int | None:
        self.done += 1
        code = self.codes.pop(0) if self.codes else 0
        if code == 0:
            library = Library.open(self.data)
            seen = {"library": library.version(), "library_id": library.identity()}
            with self.store.writing() as folder:
                (folder / "some.txt").write_text(str(self.done))
                nothing: dict[str, object] = {"spaces": {}, "blend": {}, "ratings": {}, "posters": {}, "warnings": ()}
                self.store.publish(folder, version="0", dataset=seen, **nothing)
            self.meanwhile()
        return code


@pytest.fixture
def ratings(tmp_path: Path) -> Path:
    (tmp_path / "ratings").mkdir()
    (tmp_path / "ratings" / "ratings.csv").write_text("user,item,rating\n1,1,4\n")
    return tmp_path / "ratings"


@pytest.fixture
def builds(ratings: Path, tmp_path: Path) -> Builds:
    return Builds(tmp_path / "data", ratings)


def test_a_turn_without_changes_builds_nothing_and_says_so(builds: Builds) -> None:
    builds.iteration()
    builds.iteration()
    assert builds.done == 1
    assert builds.said == [f"No input changed since snapshot {builds.store.ids()[0]}: nothing to build"]


def test_whatever_was_built_before_the_first_turn_builds(builds: Builds) -> None:
    builds.iteration()
    again = BuildIteration(builds.data, [builds.ratings], builds.build, keep=2, say=builds.said.append)
    again()
    assert builds.done == 2


def touch(builds: Builds) -> None:
    os.utime(builds.ratings / "ratings.csv", ns=(0, 10**18))


def lengthen(builds: Builds) -> None:
    (builds.ratings / "ratings.csv").write_text("user,item,rating\n1,1,4\n1,2,4\n")


def join(builds: Builds) -> None:
    (builds.ratings / "more.csv").write_text("")


def leave(builds: Builds) -> None:
    (builds.ratings / "ratings.csv").unlink()


def add(builds: Builds) -> None:
    Library.open(builds.data).put(Movie(6, "Heat"))


def exchange(builds: Builds) -> None:
    """Replace the library by another one with as many changes."""
    export_library(builds.data, builds.data / "library.tar")
    (builds.data / "library.db").unlink()
    import_library(builds.data / "library.tar", builds.data)


def lose(builds: Builds) -> None:
    (builds.store.path() / "manifest.json").unlink()


@pytest.mark.parametrize("change", [touch, lengthen, join, leave, add, exchange, lose])
def test_every_kind_of_change_is_built(builds: Builds, change: Callable[[Builds], None]) -> None:
    Library.open(builds.data).put(Movie(7, "Sabrina"))
    builds.iteration()
    change(builds)
    builds.iteration()
    assert builds.done == 2
    builds.iteration()
    assert builds.done == 2


@pytest.mark.parametrize("change", [lengthen, add])
def test_a_change_during_a_build_is_for_the_next(builds: Builds, change: Callable[[Builds], None]) -> None:
    builds.meanwhile = lambda: change(builds)
    builds.iteration()
    builds.meanwhile = lambda: None
    builds.iteration()
    builds.iteration()
    assert builds.done == 2


def test_who_rolls_back_keeps_what_they_rolled_back_to(builds: Builds) -> None:
    builds.iteration()
    lengthen(builds)
    builds.iteration()
    first, _ = builds.store.ids()
    builds.store.rollback()
    builds.iteration()
    assert builds.done == 2
    assert builds.store.current_id() == first


def test_the_newest_snapshots_are_kept(builds: Builds) -> None:
    for number in range(4):
        (builds.ratings / f"{number}.csv").write_text("")
        builds.iteration()
    assert len(builds.store.ids()) == 2
    assert len([line for line in builds.said if line.startswith("Deleted 2")]) == 2


@pytest.mark.parametrize(("code", "how"), [(1, "exit code 1"), (-9, "SIGKILL")])
def test_a_build_that_fails_is_one_line_and_tried_again(builds: Builds, code: int, how: str) -> None:
    builds.codes = [code]
    builds.iteration()
    assert builds.said == [f"The build failed ({how}); it will be retried in the next period"]
    builds.iteration()
    assert (builds.done, len(builds.store.ids())) == (2, 1)
    assert len(builds.said) == 1


def test_a_build_that_cannot_begin_or_be_pruned_is_one_line(builds: Builds) -> None:
    def build() -> int:
        raise OSError(12, "Cannot allocate memory")

    BuildIteration(builds.data, [builds.ratings], build, keep=2, say=builds.said.append)()
    (line,) = builds.said
    assert "Cannot allocate memory" in line


def test_a_build_that_was_told_to_stop_has_not_failed(builds: Builds) -> None:
    builds.codes = [None]
    builds.iteration()
    assert builds.said == []


def test_what_is_not_there_has_no_state(tmp_path: Path) -> None:
    assert file_states([tmp_path / "nowhere"]) == frozenset()
    (tmp_path / "file").write_text("x")
    (tmp_path / "broken").symlink_to("nowhere")
    assert [Path(name).name for name, *_ in file_states([tmp_path])] == ["file"]
    assert file_states([tmp_path / "file"]) == file_states([tmp_path])


def test_a_process_ends_with_its_code_and_sleep_with_its_time() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with InterruptibleRunner() as runner:
        assert runner.run([sys.executable, "-c", "raise SystemExit(3)"]) == 3
        assert runner.sleep(0)
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_sleep_and_everything_after(number: signal.Signals) -> None:
    with InterruptibleRunner() as runner:
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)
        assert not runner.sleep(10_000)
        assert not runner.sleep(10_000)
        assert runner.run([sys.executable, "-c", "print('not run')"]) is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_terminates_the_process(number: signal.Signals) -> None:
    code = f"import os, signal; os.kill(os.getppid(), {int(number)}); signal.pause()"
    with InterruptibleRunner() as runner:
        assert runner.run([sys.executable, "-c", code]) is None
        assert not runner.sleep(10_000)


def looping(world: World, data: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "posterity", "build", "--ratings", str(world.ratings), "--data", str(data)]
    arguments = ["--iterations", "30", "--memory", "1GB", "--every", "1d", "--keep", "1"]
    return subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.long  # test_package.py has it in a folder of strangers
def test_the_command_builds_in_a_process_of_its_own_and_ends_cleanly_between_builds(
    world: World, tmp_path: Path
) -> None:
    with looping(world, tmp_path) as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        published = next(line for line in lines if "is published" in line)
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert rest == ""
    store = SnapshotStore(tmp_path)
    assert published == f"Snapshot {store.current_id()} is published\n"
    assert store.verify().ratings["iterations"] == 30


@pytest.mark.system
def test_the_command_ends_cleanly_during_a_build_and_the_build_with_it(world: World, tmp_path: Path) -> None:
    with looping(world, tmp_path) as process:
        deadline = time.monotonic() + 120
        while not list(tmp_path.glob("snapshots/.unfinished-*")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.002)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "failed" not in errors
    store = SnapshotStore(tmp_path)
    assert store.ids() == []
    with store.writing():
        pass  # the lock is free


def test_a_stray_file_among_the_snapshots_ends_nothing(builds: Builds) -> None:
    builds.iteration()
    (builds.data / "snapshots" / "zzz.txt").write_text("mine")
    builds.iteration()
    touch(builds)
    builds.iteration()
    assert builds.done == 2
    assert builds.said == [f"No input changed since snapshot {builds.store.ids()[0]}: nothing to build"]
