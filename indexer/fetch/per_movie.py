"""Downloads of one file per movie from a source: due movies, threads, and the outcome of each."""

from __future__ import annotations

import queue
import re
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from index.core.errors import BadImage, InvalidInput, SourceUnavailable
from index.core.files import remove_temporaries, write_durably
from index.core.progress import Track, silent
from indexer.datasets.dataset import Dataset
from indexer.fetch.ledger import Ledger, Row
from indexer.fetch.web import THREADS

REFRESH = 180 * 86400.0  # seconds; TMDB's terms limit the storage of its content to six months

_MAX_CONSECUTIVE_FAILURES = 25

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class LinkedMovie:
    """A movie and its ids at poster sources."""

    movie_id: int
    tmdb_id: int | None = None
    imdb_id: str | None = None
    url: str | None = None  # of the file itself


@dataclass(frozen=True, slots=True)
class Absent:
    """The absence of a movie's file at its source."""

    reason: str


Source = Callable[[LinkedMovie], bytes | Absent]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of files."""

    noun: str  # plural
    suffixes: Collection[str]
    kept: Callable[[bytes], tuple[bytes, str]]  # returns a file of the source as it is kept, and its suffix


@dataclass(slots=True)
class Summary:
    """Counts of the outcomes of a download."""

    noun: str
    found: int = 0  # by this call
    kept: int = 0  # by earlier calls
    missing: Counter[str] = field(default_factory=Counter)  # reason -> movies
    failed: Counter[str] = field(default_factory=Counter)  # reason -> movies
    examples: dict[str, int] = field(default_factory=dict)  # reason -> id of a movie

    def lines(self) -> list[str]:
        """Return the summary as lines of text."""
        new = f" ({self.found:,} of them new)" if self.kept else ""
        counts = (
            f"{self.found + self.kept:,} found{new}, {self.missing.total():,} missing, {self.failed.total():,} failed"
        )
        reasons = [
            f"  {name}: {n:,}, {reason} (such as movie {self.examples[reason]})"
            for name, counter in (("missing", self.missing), ("failed", self.failed))
            for reason, n in counter.most_common()
        ]
        return [f"{self.noun.capitalize()}: {counts}", *reasons]


def linked_movies(dataset: Dataset) -> list[LinkedMovie]:
    """Return the movies with a TMDB or IMDb id, most ratings first, so that a partial download has the popular ones.

    Raises:
        InvalidInput: the data set has no such movie.
    """
    linked = [m for m in dataset.movies if m.tmdb_id is not None or m.imdb_id is not None]
    if not linked:
        raise InvalidInput(
            f"{dataset.name} has no links to TMDB or IMDb (links.csv), by which posters and facts are found: use an"
            " edition with links (latest-small, latest, 25m, 32m), or give a build a folder of posters with --posters"
        )
    ids, counts = np.unique(dataset.ratings.movie_ids, return_counts=True)
    rated = dict(zip(ids.tolist(), counts.tolist(), strict=True))
    linked.sort(key=lambda movie: (-rated.get(movie.movie_id, 0), movie.movie_id))
    return [LinkedMovie(movie.movie_id, movie.tmdb_id, movie.imdb_id) for movie in linked]


def fetch_each(
    kind: Kind,
    movies: Sequence[LinkedMovie],
    folder: Path,
    ledger: Ledger,
    open_source: Callable[[], Source],
    *,
    form: str | None,
    missing_for: float,
    now: Callable[[], float],
    track: Track = silent,
) -> Summary:
    """Download the files that are due, record every outcome in the ledger, and return a summary.

    Errors of the source other than SourceUnavailable and BadImage end the download.

    Args:
        kind: of the files.
        movies: in order of download.
        folder: of the files, ``<movie id>.<suffix>``.
        ledger: outcomes of earlier calls.
        open_source: returns the source, which several threads call; not called if no file is due.
        form: of the files, such as the size of posters; those of another form are fetched again. None for a folder of
            the user's own, which is always read again.
        missing_for: seconds before a missing file is requested again.
        now: seconds since 1970.
        track: reports progress.

    Raises:
        SourceUnavailable: many consecutive movies failed, or all of them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    remove_temporaries(folder)
    existing = {file.stem for file in folder.iterdir()}
    rows = ledger.rows()
    due, summary = [], Summary(kind.noun)
    for movie in movies:
        row = rows.get(movie.movie_id)
        if row is None or _is_due(row, movie, form, now(), missing_for, str(movie.movie_id) in existing):
            due.append(movie)
        elif row.outcome == "found":
            summary.kept += 1
        else:
            _add(summary, row)

    if not due:
        return summary
    source = open_source()

    def fetch(movie: LinkedMovie) -> Row:
        return _fetch(kind, movie, folder, source, form, now())

    failures = 0
    for row in track(map_in_threads(fetch, due, THREADS), f"Fetching {kind.noun}", total=len(due)):
        ledger.record(row)
        _add(summary, row)
        failures = failures + 1 if row.outcome == "failed" else 0
        if failures == _MAX_CONSECUTIVE_FAILURES:
            raise SourceUnavailable(
                f"{failures} movies in a row failed, the last with: {row.reason}. {summary.found:,} {kind.noun} were"
                " found before; run the command again to continue"
            )
    if summary.failed and not summary.found and not summary.kept:
        raise SourceUnavailable(f"no {kind.noun} could be fetched: {summary.failed.most_common(1)[0][0]}")
    return summary


def found_ids(movies: Sequence[LinkedMovie], ledger: Ledger) -> set[int]:
    """Return the ids of the movies whose file is there; not those of another movie that had the id in a data set."""
    rows = ledger.rows()
    known = [(movie, rows[movie.movie_id]) for movie in movies if movie.movie_id in rows]
    return {movie.movie_id for movie, row in known if row.outcome == "found" and row.link == _link(movie)}


def map_in_threads(function: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """Yield the function's results in order of completion.

    Closing the iterator does not wait: each thread ends after its current item, or with the process.
    """
    pending = iter(items)
    lock = threading.Lock()
    stopped = threading.Event()
    results: queue.Queue[tuple[Result] | BaseException | None] = queue.Queue()

    def run() -> None:
        while not stopped.is_set():
            with lock:
                item = next(pending, stopped)
            if item is stopped:
                break
            try:
                results.put((function(item),))  # type: ignore[arg-type]
            except BaseException as error:  # noqa: BLE001  raised in the caller's thread
                results.put(error)
        results.put(None)

    for _ in range(threads):
        threading.Thread(target=run, daemon=True).start()
    running = threads
    try:
        while running:
            result = results.get()
            if result is None:
                running -= 1
            elif isinstance(result, BaseException):
                raise result
            else:
                yield result[0]
    finally:
        stopped.set()


def _is_due(row: Row, movie: LinkedMovie, form: str | None, now: float, missing_for: float, exists: bool) -> bool:
    if form is None or row.outcome == "failed":
        return True
    if row.outcome == "found" and row.form is None:
        return not exists  # keep a file from the user's folder
    if row.link != _link(movie) or row.form != form:
        return True
    return now - row.at >= missing_for if row.outcome == "missing" else not exists or now - row.at >= REFRESH


def _fetch(kind: Kind, movie: LinkedMovie, folder: Path, source: Source, form: str | None, now: float) -> Row:
    """Write the file of a movie, or delete the old one if the source has none; return the outcome."""
    try:
        found = source(movie)
        if isinstance(found, Absent):
            _remove(kind, folder, movie.movie_id)
            return Row(movie.movie_id, "missing", found.reason, _link(movie), form, now)
        content, suffix = kind.kept(found)
    except (SourceUnavailable, BadImage) as error:
        reason = re.sub(
            r"(https?://[^/\s]+)[^\s:]*", r"\1", str(error)
        )  # without paths, so that reasons can be counted
        return Row(movie.movie_id, "failed", reason, _link(movie), form, now)
    write_durably(folder / f"{movie.movie_id}{suffix}", content)
    _remove(kind, folder, movie.movie_id, keep=suffix)
    return Row(movie.movie_id, "found", "", _link(movie), form, now)


def _remove(kind: Kind, folder: Path, movie_id: int, keep: str = "") -> None:
    for suffix in kind.suffixes:
        if suffix != keep:
            (folder / f"{movie_id}{suffix}").unlink(missing_ok=True)


def _link(movie: LinkedMovie) -> str:
    return movie.url or f"tmdb:{movie.tmdb_id} imdb:{movie.imdb_id}"


def _add(summary: Summary, row: Row) -> None:
    if row.outcome == "found":
        summary.found += 1
        return
    (summary.missing if row.outcome == "missing" else summary.failed)[row.reason] += 1
    summary.examples.setdefault(row.reason, row.movie_id)
