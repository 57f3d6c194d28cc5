"""Builds that are killed anywhere, with changes in the library that they have to merge."""

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

_LAST_STEP = 0.1  # seconds; publishing takes about that long


@dataclass(frozen=True, slots=True)
class Builds:
    """How one data directory is built."""

    ratings: Path
    posters: Path
    data: Path
    log: Path

    def start(self) -> subprocess.Popen[bytes]:
        """A build in a process group of its own."""
        command = [sys.executable, "-m", "posterity", "build", "--weights", "untrained", "--iterations", "30"]
        places = ["--ratings", str(self.ratings), "--posters", str(self.posters), "--data", str(self.data)]
        with self.log.open("ab") as log:
            return subprocess.Popen(command + places, stdout=log, stderr=log, cwd=ROOT, process_group=0)

    def whole(self) -> float:
        """Seconds that one took.

        Raises:
            CalledProcessError: it failed; the log says why.
        """
        begun = time.monotonic()
        with self.start() as process:
            if process.wait() != 0:
                raise subprocess.CalledProcessError(process.returncode, process.args)
        return time.monotonic() - begun


def kill_builds(
    builds: Builds, kills: int, rng: np.random.Generator, *, seconds: float | None = None, track: Track = silent
) -> Tally:
    """What was found after each of so many kills, and after a whole build at the end.

    Args:
        seconds: that a build takes; measured where it is None.
    """
    tally, store, library = Tally(), SnapshotStore(builds.data), Library.open(builds.data)
    films, ratings = dict[int, str](), dict[int, float]()
    seconds = builds.whole() if seconds is None else seconds
    for number in track(range(kills), "killing builds", kills):
        _change(library, films, ratings, number)
        before = set(store.ids()), store.current_id()
        # Every second one once all its files are written: most of what can go wrong does then.
        late = number % 2 == 0
        _kill(builds, rng.uniform(0, _LAST_STEP if late else seconds), late=late, tally=tally)
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
    """Adds a movie, at times removes one, and rates one."""
    stream = io.BytesIO()
    conftest.poster(number % 30).resize((121 + number, 180)).save(stream, "PNG")
    title = f"Reel {number}"
    films[library.add(Movie(0, title, 2000, ("Drama",)), Poster(stream.getvalue()), above=0).movie_id] = title
    if number % 3 == 2:
        removed = min(films)
        library.remove(removed)
        del films[removed]
    movie_id = conftest.SPACE[number % len(conftest.SPACE)]
    ratings[movie_id] = 2 + number % 6 / 2
    RatingLog(library.database).put(7, movie_id, ratings[movie_id])


def _kill(builds: Builds, after: float, *, late: bool, tally: Tally) -> None:
    """Kills a build so many seconds after its start, or after its manifest appeared."""
    with builds.start() as process:
        while late and process.poll() is None and not list(builds.data.glob("snapshots/.unfinished-*/manifest.json")):
            time.sleep(0.001)
        with suppress(subprocess.TimeoutExpired):
            process.wait(after)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        ended = process.wait()
    tally.check(ended in {0, -signal.SIGKILL}, f"a build ended with {ended}")
    tally.counts["builds killed" if ended else "builds that had ended when they were to be killed"] += 1


def _check_snapshots(
    store: SnapshotStore, before: set[str], current_before: str | None, version: int, tally: Tally
) -> None:
    """Every snapshot is whole, and the one that is served is the one from before or the new one."""
    new = set(store.ids()) - before
    tally.check(len(new) <= 1, f"one build made {new}")
    current = store.current_id()
    tally.check(current == current_before or current in new, f"{current} is served, not {current_before} or {new}")
    for snapshot_id in {current, *new}:
        try:
            manifest = store.verify(snapshot_id)
        except PosterityError as error:
            tally.check(False, str(error))
            continue
        merged = manifest.dataset["library"]
        tally.check(snapshot_id not in new or merged == version, f"{snapshot_id} merged {merged}, not {version}")
    tally.counts["builds killed before anything was published"] += not new
    tally.counts["builds killed between the new snapshot's name and its being served"] += current not in new and bool(
        new
    )
    tally.counts["builds killed once the new snapshot was served"] += current in new


def _check_served(data: Path, films: dict[int, str], ratings: dict[int, float], tally: Tally) -> None:
    """What is served has all that came in, merged or not."""
    try:
        index = MovieIndex.open(data)
    except PosterityError as error:
        tally.check(False, str(error))
        return
    added = {movie.movie_id: movie.title for movie in index.catalogue.movies if movie.movie_id >= 10**9}
    tally.check(added == films, f"{added} are there, not {films}")
    rated = index.users.rated(7)
    right = all(rated.get(movie_id) == rating for movie_id, rating in ratings.items())
    tally.check(right, f"user 7 rated {rated}, not {ratings}")
    for movie_id in films:
        tally.check(index.poster(movie_id).is_file(), f"{movie_id} has no poster")


def _count_leftovers(data: Path, tally: Tally) -> None:
    hidden = [file for file in data.rglob(".*") if file.name != ".build.lock"]
    tally.counts["left before the last build: .unfinished folders"] = sum(".unfinished-" in f.name for f in hidden)
    tally.counts["left before the last build: other hidden files"] = sum(".unfinished-" not in f.name for f in hidden)
