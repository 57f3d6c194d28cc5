"""Builds killed at random moments, while the library has changes to merge."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from index.catalogue.catalogue import Movie
from index.core.errors import PosterityError
from index.core.progress import Track, silent
from index.library.entries import Poster
from index.library.movies import Library
from index.library.rating_log import RatingLog
from index.movie_index import MovieIndex
from index.snapshot.store import SnapshotStore
from tests import conftest
from tests.serving import ROOT
from tests.soak.tally import Tally

_PUBLISHING = 0.1  # seconds, approximate time of the last step


@dataclass(frozen=True, slots=True)
class Builds:
    """Builds of one data directory, as processes."""

    ratings: Path
    posters: Path
    data: Path
    log: Path

    def start(self) -> subprocess.Popen[bytes]:
        """Start a build in a new process group."""
        command = [sys.executable, "-m", "posterity", "build", "--weights", "untrained", "--iterations", "30"]
        places = ["--ratings", str(self.ratings), "--posters", str(self.posters), "--data", str(self.data)]
        with self.log.open("ab") as log:
            return subprocess.Popen(command + places, stdout=log, stderr=log, cwd=ROOT, process_group=0)

    def whole(self) -> float:
        """Run a complete build and return its seconds.

        Raises:
            CalledProcessError: the build failed; see the log.
        """
        begun = time.monotonic()
        with self.start() as process:
            if process.wait() != 0:
                raise subprocess.CalledProcessError(process.returncode, process.args)
        return time.monotonic() - begun


def kill_builds(
    builds: Builds, kills: int, rng: np.random.Generator, *, seconds: float | None = None, track: Track = silent
) -> Tally:
    """Kill builds, check the data directory after each kill, and check that a complete build recovers everything.

    Args:
        builds: the data directory and its inputs.
        kills: number of builds to kill.
        rng: for the moments.
        seconds: time of a build; None to measure it.
        track: reports progress.
    """
    tally, store, library = Tally(), SnapshotStore(builds.data), Library.open(builds.data)
    films, ratings = dict[int, str](), dict[int, float]()
    seconds = builds.whole() if seconds is None else seconds
    for number in track(range(kills), "killing builds", kills):
        _change(library, films, ratings, number)
        before = set(store.ids()), store.current_id()
        # Kill every second build after its files are written, the most delicate moment.
        late = number % 2 == 0
        _kill(builds, rng.uniform(0, _PUBLISHING if late else seconds), late=late, tally=tally)
        _check_snapshots(store, *before, library.version(), tally)
        _check_served(builds.data, films, ratings, tally)
    _count_leftovers(builds.data, tally)
    builds.whole()
    manifest = store.verify()
    tally.check(manifest.dataset["library"] == library.version(), f"the last build merged {manifest.dataset}")
    _check_served(builds.data, films, ratings, tally)
    unfinished = list((builds.data / "snapshots").glob(".*"))
    tally.check(not unfinished, f"the last build left {unfinished}")
    return tally


def _change(library: Library, films: dict[int, str], ratings: dict[int, float], number: int) -> None:
    """Add a movie, remove one every third time, and rate one."""
    stream = io.BytesIO()
    conftest.poster(number % 30).resize((121 + number, 180)).save(stream, "PNG")
    title = f"Reel {number}"
    films[library.add(Movie(0, title, 2000, ("Drama",)), Poster(stream.getvalue()), above=0)] = title
    if number % 3 == 2:
        removed = min(films)
        library.remove(removed)
        del films[removed]
    movie_id = conftest.SPACE[number % len(conftest.SPACE)]
    ratings[movie_id] = 2 + number % 6 / 2
    RatingLog(library.database).put(7, movie_id, ratings[movie_id])


def _kill(builds: Builds, after: float, *, late: bool, tally: Tally) -> None:
    """Kill a build ``after`` seconds from its start or, if ``late``, from the appearance of its manifest."""
    with builds.start() as process:
        while late and process.poll() is None and not list(builds.data.glob("snapshots/.unfinished-*/manifest.json")):
            time.sleep(0.001)
        with suppress(subprocess.TimeoutExpired):
            process.wait(after)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        ended = process.wait()
    tally.check(ended in {0, -signal.SIGKILL}, f"a build ended with {ended}")
    tally.counts["builds killed" if ended else "builds that ended before the kill"] += 1


def _check_snapshots(
    store: SnapshotStore, before: set[str], current_before: str | None, version: int, tally: Tally
) -> None:
    """Check that snapshots verify, and that the current one is the old or the new one."""
    new = set(store.ids()) - before
    tally.check(len(new) <= 1, f"one build published {new}")
    current = store.current_id()
    tally.check(current == current_before or current in new, f"{current} is current, not {current_before} or {new}")
    for snapshot_id in {current, *new}:
        try:
            manifest = store.verify(snapshot_id)
        except PosterityError as error:
            tally.check(False, str(error))
            continue
        merged = manifest.dataset["library"]
        tally.check(snapshot_id not in new or merged == version, f"{snapshot_id} merged {merged}, not {version}")
    tally.counts["builds killed before publication"] += not new
    tally.counts["builds killed after publication, before the switch"] += current not in new and bool(new)
    tally.counts["builds killed after the switch"] += current in new


def _check_served(data: Path, films: dict[int, str], ratings: dict[int, float], tally: Tally) -> None:
    """Check that the index has all changes of the library, merged or not."""
    try:
        index = MovieIndex.open(data)
    except PosterityError as error:
        tally.check(False, str(error))
        return
    added = {movie.movie_id: movie.title for movie in index.catalogue.movies if movie.movie_id >= 10**9}
    tally.check(added == films, f"the index has {added}, not {films}")
    rated = index.users.rated(7)
    complete = all(rated.get(movie_id) == rating for movie_id, rating in ratings.items())
    tally.check(complete, f"user 7 rated {rated}, not {ratings}")
    for movie_id in films:
        tally.check(index.poster(movie_id).is_file(), f"{movie_id} has no poster")


def _count_leftovers(data: Path, tally: Tally) -> None:
    hidden = [file for file in data.rglob(".*") if file.name != ".build.lock"]
    tally.counts["leftovers before the last build: .unfinished folders"] = sum(".unfinished-" in f.name for f in hidden)
    tally.counts["leftovers before the last build: other hidden files"] = sum(
        ".unfinished-" not in f.name for f in hidden
    )
