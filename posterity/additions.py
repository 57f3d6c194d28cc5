"""Add the movies of a catalogue to a running service or a data directory, in steps that may be repeated."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from index.core.errors import Busy, InvalidInput, SourceUnavailable
from index.core.progress import Track, silent
from index.posters.images import read_image
from index.snapshot.poster_files import SHOWN
from indexer.datasets.own_catalogue import CatalogueRow, OwnCatalogue, Refusal
from indexer.fetch.listed_posters import RATE, download_poster, is_file
from indexer.fetch.per_movie import Absent
from indexer.fetch.web import HttpClient, is_url
from posterity.interface import MovieService, NewMovie

_AT_ONCE = 100  # rows of a transaction: the next reader waits for all of them, half a millisecond each


@dataclass(slots=True)
class Additions:
    """Outcomes of the rows of a catalogue."""

    outcomes: Counter[str] = field(default_factory=Counter)  # created, exists, updated or refused -> rows
    posters: int = 0  # stored
    refused: list[Refusal] = field(default_factory=list)  # rows, and posters of rows that were added


def add_catalogue(
    service: MovieService,
    catalogue: OwnCatalogue,
    *,
    update: bool = False,
    folders: Sequence[Path] = (),
    track: Track = silent,
) -> Additions:
    """Add the rows of a catalogue that are not here yet, then the posters of those without one.

    If it is interrupted, what was added stays, and the next call goes on: a row that is here is not added again.

    Args:
        service: a client, or an index of a data directory.
        catalogue: the rows.
        update: replace the metadata of movies that are here, and posters that differ.
        folders: that paths of posters may be relative to, in order of precedence.
        track: reports progress.

    Raises:
        PosterityError: the service failed; a row that it refused is no failure.
    """
    done = Additions(Counter({"refused": len(catalogue.refused)}), refused=list(catalogue.refused))
    movie_ids: dict[int, int] = {}  # line -> id
    steps = [catalogue.rows[at : at + _AT_ONCE] for at in range(0, len(catalogue.rows), _AT_ONCE)]
    for rows in track(steps, "Adding movies", len(steps)):
        for row, each in zip(rows, service.add_movies(map(_movie, rows), update=update), strict=True):
            done.outcomes[each["outcome"]] += 1
            if each["movie_id"] is None:
                done.refused.append(Refusal(row.line, "", str(row.movie), each["reason"] or ""))
            else:
                movie_ids[row.line] = each["movie_id"]
    pictured = [row for row in catalogue.rows if row.poster and row.line in movie_ids]
    client = HttpClient(rate=RATE)
    for row in track(pictured, "Adding posters", len(pictured)):
        problem = _add_poster(service, movie_ids[row.line], row, client, folders, update=update)
        if problem is None:
            done.posters += 1
        elif problem:
            done.refused.append(Refusal(row.line, "poster", row.poster[:200], problem))
    done.refused.sort(key=lambda each: each.line)
    return done


def _movie(row: CatalogueRow) -> NewMovie:
    movie = row.movie
    given: NewMovie = {"title": movie.title, "year": movie.year, "genres": list(movie.genres)}
    given |= {"imdb_id": movie.imdb_id, "tmdb_id": movie.tmdb_id}
    return given | {"id": row.own_id} if row.own_id else given


def _add_poster(
    service: MovieService,
    movie_id: int,
    row: CatalogueRow,
    client: HttpClient,
    folders: Sequence[Path],
    *,
    update: bool,
) -> str | None:
    """Store the poster of a movie; return the problem, empty if there is nothing to do, and None if it was stored."""
    here = service.movie(movie_id)
    if here["has_poster"] and not update:
        return ""
    try:
        content = _content(row.poster, client, folders)
    except (InvalidInput, SourceUnavailable, Busy) as error:
        return str(error)
    if here["poster_content"] == hashlib.sha256(content).hexdigest()[:SHOWN]:
        return ""
    try:
        service.replace_poster(movie_id, content)
    except InvalidInput as error:
        return str(error)
    return None


def _content(poster: str, client: HttpClient, folders: Sequence[Path]) -> bytes:
    if is_url(poster):
        found = download_poster(client, poster)
        if isinstance(found, Absent):
            raise InvalidInput(found.reason)
        return found
    file = next((folder / poster for folder in folders if is_file(folder / poster)), None)
    if file is None:
        raise InvalidInput(f"there is no such file in {' nor '.join(map(str, folders))}")
    return read_image(file)
