"""Scans: folders and media servers become the data set of a shelf, which builds read."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from index.core.errors import InvalidInput
from index.core.files import locked
from index.core.progress import Track, silent
from indexer.datasets.dataset import Dataset
from indexer.datasets.movielens import read_dataset
from indexer.datasets.sources import CATALOGUE, fetched_posters, fetched_ratings, shelf_folder
from indexer.fetch.web import HttpClient
from indexer.inputs import file_states
from indexer.shelf.film import Film, Found, Line, Outcome
from indexer.shelf.folder import Walk
from indexer.shelf.join import ShelfMovie, own_movies, with_labels, with_others, with_posters
from indexer.shelf.memory import Memory
from indexer.shelf.servers import is_server, scan_server
from indexer.shelf.write import write_movies, write_notice, write_ratings, write_report

_EXAMPLES = 3
_VERSION = 2  # of what is written, so that a later version writes it again


@dataclass(slots=True)
class Summary:
    """Counts of a scan."""

    films: int = 0
    posters: int = 0  # films with a poster
    files: int = 0  # videos, or items of media servers, that films are made of
    read: int = 0  # NFO files that were read; others had not changed
    joined: dict[str, int] = field(default_factory=dict)  # by what -> films found in the data set
    dataset: str = ""  # name of the data set; empty without one
    others: int = 0  # films of the data set that are not on the shelf, but in the catalogue
    ratings: int = 0
    skipped: dict[str, int] = field(default_factory=dict)  # reason -> files, or folders of series
    notes: dict[str, int] = field(default_factory=dict)  # problem of a file that is used -> files
    examples: dict[str, list[str]] = field(default_factory=dict)  # reason or problem -> some of the files
    report: str = ""  # path of the report on every file
    changed: bool = True  # False if nothing differs from the last scan

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """Yield the summary as lines of text."""
        yield (
            f"{self.films:,} films in {self.files:,} files, {self.posters:,} of them with a poster; NFO files that were"
            f" new or changed: {self.read:,}"
        )
        if self.dataset:
            found = ", ".join(f"{n:,} by {how}" for how, n in self.joined.items()) or "none"
            missing = self.films - sum(self.joined.values())
            yield f"In {self.dataset}: {found}; {missing:,} are not there. {self.ratings:,} ratings"
            if self.others:
                yield f"Its {self.others:,} other films are in the catalogue, too, and yours are marked as owned"
        else:
            yield f"No data set to join (posterity fetch movielens, or --ratings). {self.ratings:,} ratings"
        for title, counts in (("Skipped", self.skipped), ("Noted", self.notes)):
            for reason, n in sorted(counts.items(), key=lambda each: -each[1]):
                yield f"{title} {n:,}: {reason} (such as {', '.join(self.examples[reason])})"
        yield f"The report on every file is {self.report}"


def scan(
    sources: Sequence[str],
    data: Path,
    *,
    ratings: Path | None,
    everything: bool = False,
    users: bool = False,
    environment: Mapping[str, str],
    client: HttpClient | None = None,
    track: Track = silent,
) -> Summary:
    """Make the shelf of a data directory that of some folders and media servers, and return a summary.

    Films that a former scan found and this one does not are no longer part of it. Nothing is written to the folders
    and servers.

    Args:
        sources: folders, and addresses of media servers.
        data: the data directory.
        ratings: data set to join; None for the fetched one, if there is one.
        everything: keep all movies of the data set in the catalogue, and mark those of the shelf as owned.
        users: take ratings, favourites and plays of the servers' users, too.
        environment: has the keys of media servers.
        client: for requests to them; None for one with the usual timeouts.
        track: reports progress.

    Raises:
        InvalidInput: a folder cannot be read or holds the data directory, or there is no film at all; or there is no
            data set of everything.
        Unauthorised: a server's key is missing or refused.
        SourceUnavailable: a server does not answer, or not as such a server does.
        PosterityError: another scan is running on the data directory.
    """
    folder = shelf_folder(data)
    for source in sources:
        if not is_server(source) and data.resolve().is_relative_to(Path(source).resolve()):
            raise InvalidInput(f"the data directory {data} is inside {source}, which is only read: give another --data")
    ratings = ratings or fetched_ratings(data)
    if everything and ratings is None:
        raise InvalidInput(f"there is no data set in {data} to mark your films in: posterity fetch movielens, or give"
                           " --ratings")  # fmt: skip
    posters = None if ratings is None else fetched_posters(data, ratings)
    (folder / "scan").mkdir(parents=True, exist_ok=True)
    with locked(folder / "scan" / "lock", f"another scan is running on {data}: wait for it to end"):
        file, pictures = folder / "scan" / "memory.json", folder / "scan" / "pictures"
        before = Memory.load(file)
        walks = [Walk(Path(source), before.folders) for source in sources if not is_server(source)]
        for walk in walks:
            walk.run(track)
        others = [
            scan_server(source, pictures, environment, users=users, client=client, track=track)
            for source in sources
            if is_server(source)
        ]
        others += [Found((), tuple(walk.lines)) for walk in walks]
        after = Memory({path: each for walk in walks for path, each in walk.folders.items()})
        fetched = [] if posters is None else sorted(file.name for file in posters.iterdir())
        after.inputs = _fingerprint(sources, others, ratings, everything, fetched)
        changed = (
            any(walk.changed for walk in walks)
            or after.folders.keys() != before.folders.keys()
            or after.inputs != before.inputs
            or not (folder / CATALOGUE).is_file()
        )
        if changed:
            inside = [Found(tuple(each.made_films()), tuple(each.made_lines())) for each in after.folders.values()]
            found = _joined_up([*inside, *others])
            if not found.films:
                raise InvalidInput(
                    f"there is no film in {', '.join(sources)} ({len(found.lines):,} files skipped): is the disk"
                    " mounted? The shelf was left as it is"
                )
            dataset = None if ratings is None else read_dataset(ratings)
            after.summary = asdict(_write(folder, found, dataset, posters, everything=everything))
            after.save(file)
            _remove_unused(pictures, found.films)
        summary = Summary(**(after if changed else before).summary)
        summary.changed, summary.read = changed, sum(walk.read for walk in walks)
    return summary


def _joined_up(parts: Sequence[Found]) -> Found:
    return Found(*(tuple(each for part in parts for each in getattr(part, name)) for name in Found.__slots__))


def _write(folder: Path, found: Found, dataset: Dataset | None, posters: Path | None, *, everything: bool) -> Summary:
    movies = own_movies(found.films, dataset)
    if dataset is not None and everything:
        movies = with_others(movies, dataset)
    if posters is not None:
        movies = with_posters(movies, posters)
    if dataset is not None:
        movies = with_labels(movies, dataset.labels)
    lines = list(_joined_lines(found.lines, movies, dataset))
    report = folder / "scan" / "report.csv"
    write_report(report, lines)
    write_movies(folder, movies, dataset)
    write_notice(folder, dataset)
    shelf = [each for each in movies if each.files]
    summary = Summary(len(shelf), sum(each.poster is not None for each in shelf), others=len(movies) - len(shelf))
    summary.ratings = write_ratings(folder, movies, dataset, found.watched)
    summary.dataset = "" if dataset is None else dataset.name
    summary.joined = dict(Counter(each.how for each in movies if each.how).most_common())
    summary.report = str(report)
    _count(summary, lines)
    return summary


def _joined_lines(lines: Iterable[Line], movies: Sequence[ShelfMovie], dataset: Dataset | None) -> Iterator[Line]:
    """Yield the report with what was found in the data set, and with films in several folders as versions of one."""
    by_file = {name: each for each in movies for name in each.files}
    for line in lines:
        owned = by_file.get(line.file)
        if line.outcome is not Outcome.FILM or owned is None:
            yield line
            continue
        reasons = [line.reason] if line.reason else []
        outcome = Outcome.FILM if line.file == owned.files[0] else Outcome.VERSION
        if outcome is Outcome.VERSION:
            reasons.append(f"the same film as {owned.files[0]}")
        elif dataset is not None:
            reasons.append(f"found in {dataset.name} by {owned.how}" if owned.how else f"not in {dataset.name}")
            reasons += [owned.note] if owned.note else []
        yield replace(line, outcome=outcome, reason="; ".join(reasons))


def _count(summary: Summary, lines: Iterable[Line]) -> None:
    for line in lines:
        if line.outcome in {Outcome.SKIPPED, Outcome.NOTE}:
            reason = line.reason.partition("; ")[0].partition(" (")[0]
            counts = summary.skipped if line.outcome is Outcome.SKIPPED else summary.notes
            counts[reason] = counts.get(reason, 0) + 1
            examples = summary.examples.setdefault(reason, [])
            if len(examples) < _EXAMPLES:
                examples.append(line.file)
        else:
            summary.files += 1


def _fingerprint(sources: Sequence[str], others: Sequence[Found], ratings: Path | None, *more: object) -> str:
    """Return the SHA-256 of all that a shelf is made of but the films in folders."""
    states = [] if ratings is None else sorted(file_states([ratings]))
    return hashlib.sha256(repr((_VERSION, sources, others, ratings, states, more)).encode()).hexdigest()


def _remove_unused(pictures: Path, films: Iterable[Film]) -> None:
    """Delete downloaded posters that no film has any more."""
    used = {film.poster for film in films}
    for file in list(pictures.iterdir()) if pictures.is_dir() else []:
        if file not in used:
            file.unlink()
