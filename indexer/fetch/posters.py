"""Posters of a data set's movies, from whoever finds them to files that are whole pictures."""

from __future__ import annotations

import queue
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from index.core.errors import BadImage, InvalidInput, SourceUnavailable
from index.core.files import write_durably
from index.core.progress import Track, silent
from index.posters.images import decode_image, read_image, suffix_of
from indexer.datasets.dataset import Dataset
from indexer.fetch.ledger import Ledger, Row
from indexer.fetch.web import THREADS
from indexer.spaces.poster_files import SUFFIXES, find_posters

REFRESH = 180 * 86400.0  # seconds. TMDB's terms let nobody keep its content for more than six months

_IN_A_ROW = 25  # films that fail before nothing else is tried

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Film:
    """Whose poster is wanted."""

    movie_id: int
    tmdb_id: int | None = None
    imdb_id: str | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """A film that has no poster."""

    why: str


Find = Callable[[Film], bytes | Missing]


@dataclass(slots=True)
class Summary:
    """What became of the films."""

    found: int = 0  # now
    kept: int = 0  # found before
    missing: Counter[str] = field(default_factory=Counter)  # why -> films
    failed: Counter[str] = field(default_factory=Counter)
    examples: dict[str, int] = field(default_factory=dict)  # why -> a movie_id

    def lines(self) -> list[str]:
        """It as people read it."""
        new = f" ({self.found:,} of them new)" if self.kept else ""
        counts = (
            f"{self.found + self.kept:,} found{new}, {self.missing.total():,} missing, {self.failed.total():,} failed"
        )
        why = [
            f"  {name}: {n:,}, {why} (such as movie {self.examples[why]})"
            for name, reasons in (("missing", self.missing), ("failed", self.failed))
            for why, n in reasons.most_common()
        ]
        return [f"Posters: {counts}", *why]


def films_of(dataset: Dataset) -> list[Film]:
    """The films that have a link, the most rated first: whoever stops early has the best known.

    Raises:
        InvalidInput: none has.
    """
    linked = [m for m in dataset.movies if m.tmdb_id is not None or m.imdb_id is not None]
    if not linked:
        raise InvalidInput(
            f"{dataset.name} has no links to TMDB or IMDb (links.csv), so nobody knows which posters are its: take an"
            " edition that has (latest-small, latest, 25m, 32m), or give a build a folder of your own with --posters"
        )
    ids, counts = np.unique(dataset.ratings.movie_ids, return_counts=True)
    rated = dict(zip(ids.tolist(), counts.tolist(), strict=True))
    linked.sort(key=lambda movie: (-rated.get(movie.movie_id, 0), movie.movie_id))
    return [Film(movie.movie_id, movie.tmdb_id, movie.imdb_id) for movie in linked]


def in_folder(folder: Path) -> tuple[list[Film], Find]:
    """The films that have a poster in a folder of ``<movie id>.jpg``, and what finds it there.

    Raises:
        InvalidInput: the folder is missing or has no poster.
    """
    files, _ = find_posters(folder, None)
    return [Film(movie_id) for movie_id in files], lambda film: read_image(files[film.movie_id])


def fetch_posters(
    films: Sequence[Film],
    folder: Path,
    ledger: Ledger,
    opened: Callable[[], Find],
    *,
    size: str | None,
    missing_for: float,
    now: Callable[[], float],
    track: Track = silent,
) -> Summary:
    """What became of every film, after the posters that were due are in ``folder``.

    Args:
        opened: is called once, and only where a poster is due; what it gives, from several threads at once.
        size: as which posters are fetched; None where they come from a folder, and so belong to whoever gave them.
        missing_for: seconds for which a film without a poster is not asked for again.
        now: seconds since 1970.

    Raises:
        SourceUnavailable: many films in a row failed, or nothing at all could be had.
        Whatever else ``opened`` and what it gives raise, besides BadImage.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(".*"):  # half a file of a call that was killed
        left.unlink()
    there = {file.stem for file in folder.iterdir()}
    known = ledger.rows()
    due, summary = [], Summary()
    for film in films:
        row = known.get(film.movie_id)
        if row is None or _is_due(row, film, size, now(), missing_for, str(film.movie_id) in there):
            due.append(film)
        elif row.outcome == "found":
            summary.kept += 1
        else:
            _add(summary, row)

    if not due:
        return summary
    find = opened()

    def fetch(film: Film) -> Row:
        return _fetch(film, folder, find, size, now())

    in_a_row = 0
    for row in track(in_threads(fetch, due, THREADS), "Fetching posters", total=len(due)):
        ledger.put(row)
        _add(summary, row)
        in_a_row = in_a_row + 1 if row.outcome == "failed" else 0
        if in_a_row == _IN_A_ROW:
            raise SourceUnavailable(
                f"{_IN_A_ROW} films in a row failed, the last with: {row.why}. {summary.found:,} posters were found"
                " until then; give the command again to go on from there"
            )
    if summary.failed and not summary.found and not summary.kept:
        raise SourceUnavailable(f"not one poster could be had: {summary.failed.most_common(1)[0][0]}")
    return summary


def in_threads(work: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """What ``work`` makes of the items, in whatever order it comes.

    Whoever stops listening need not wait: the threads end after the item that they are at, or with the process.
    """
    todo = iter(items)
    lock = threading.Lock()
    stopped = threading.Event()
    results: queue.Queue[tuple[Result] | BaseException | None] = queue.Queue()

    def run() -> None:
        while not stopped.is_set():
            with lock:
                item = next(todo, stopped)
            if item is stopped:
                break
            try:
                results.put((work(item),))  # type: ignore[arg-type]
            except BaseException as error:  # noqa: BLE001  raised where somebody hears it
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


def _is_due(row: Row, film: Film, size: str | None, now: float, missing_for: float, is_there: bool) -> bool:
    if size is None or row.outcome == "failed":
        return True
    if row.outcome == "found" and row.size is None:
        return not is_there  # from a folder
    if row.link != _link(film) or row.size != size:
        return True
    return now - row.at >= missing_for if row.outcome == "missing" else not is_there or now - row.at >= REFRESH


def _fetch(film: Film, folder: Path, find: Find, size: str | None, now: float) -> Row:
    """What became of one film, after its poster is in the folder or, where it has none any more, out of it."""
    try:
        found = find(film)
        if isinstance(found, Missing):
            _remove(folder, film.movie_id)
            return Row(film.movie_id, "missing", found.why, _link(film), size, now)
        suffix = _suffix(found)
    except (SourceUnavailable, BadImage) as error:
        why = re.sub(r"(https?://[^/\s]+)[^\s:]*", r"\1", str(error))  # the same words for all films
        return Row(film.movie_id, "failed", why, _link(film), size, now)
    write_durably(folder / f"{film.movie_id}{suffix}", found)
    _remove(folder, film.movie_id, but=suffix)
    return Row(film.movie_id, "found", "", _link(film), size, now)


def _suffix(picture: bytes) -> str:
    """How the picture's file should be called; BadImage where it is no whole picture, or none that a build takes."""
    decode_image(picture)
    suffix = suffix_of(picture)
    if suffix not in SUFFIXES:
        raise BadImage(f"the picture is a {suffix[1:].upper()} file")
    return suffix


def _remove(folder: Path, movie_id: int, but: str = "") -> None:
    for suffix in SUFFIXES:
        if suffix != but:
            (folder / f"{movie_id}{suffix}").unlink(missing_ok=True)


def _link(film: Film) -> str:
    return f"tmdb:{film.tmdb_id} imdb:{film.imdb_id}"


def _add(summary: Summary, row: Row) -> None:
    if row.outcome == "found":
        summary.found += 1
        return
    (summary.missing if row.outcome == "missing" else summary.failed)[row.why] += 1
    summary.examples.setdefault(row.why, row.movie_id)
