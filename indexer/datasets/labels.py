"""Further facts of movies from a table of any columns: directors, actors, keywords, certificates, …

Each column is a kind of label; a field has one label, or several separated by bars or in a list of JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from indexer.datasets.movies import Movies
from indexer.datasets.tables.columns import MOVIE_COLUMNS, layout, normalised
from indexer.datasets.tables.skipped import Skipped
from indexer.datasets.tables.values import is_missing, listed, source_id

# Kind -> spellings of its column, as ``normalised``; any other column is a kind by its own name.
KINDS: Mapping[str, frozenset[str]] = {
    "directors": frozenset({"director", "directors", "directedby"}),
    "actors": frozenset({"actor", "actors", "cast", "stars", "starring"}),
    "writers": frozenset({"writer", "writers", "writtenby"}),
    "composers": frozenset({"composer", "composers", "music"}),
    "cinematographers": frozenset({"cinematographer", "cinematographers", "directorofphotography"}),
    "keywords": frozenset({"keyword", "keywords", "plotkeyword", "plotkeywords"}),
    "certificates": frozenset({"certificate", "certificates", "contentrating", "mpaa"}),
    "countries": frozenset({"country", "countries"}),
    "languages": frozenset({"language", "languages"}),
    "collections": frozenset({"collection", "collections", "belongstocollection", "franchise", "set"}),
    "studios": frozenset({"studio", "studios", "productioncompany", "productioncompanies"}),
}
_KNOWN_ELSEWHERE = frozenset({"title", "year", "genres", "genre", "imdbid", "tmdbid"})
_PROSE = frozenset({"overview", "plot", "description", "synopsis", "tagline"})  # no two movies share it


def read_labels(file: Path, movies: Movies, skipped: Skipped) -> dict[str, dict[str, tuple[str, ...]]]:
    """Return kind -> movie -> labels, in lower case and each once; the labels of several rows of a movie are joined.

    Columns of titles, years, genres and ids of other sites are ignored: they are read from the file of movies. So are
    those of prose, such as an overview, which no two movies share.

    Raises:
        InvalidInput: the file cannot be read, or has no column of movies.
    """
    found = layout(file, {"movie": MOVIE_COLUMNS["movie"]}, "movie")
    found.table.note_encoding(skipped)
    columns = {
        at: kind_of(name)
        for at, name in enumerate(found.table.columns)
        if at != found.roles["movie"] and normalised(name) not in _KNOWN_ELSEWHERE | _PROSE
    }
    labels: dict[str, dict[str, tuple[str, ...]]] = {kind: {} for kind in columns.values()}
    for line, fields in found.table.rows(skipped, lambda fields: source_id(found.field(fields, "movie")) is not None):
        movie = source_id(found.field(fields, "movie"))
        if movie is None or movie not in movies:
            given = found.field(fields, "movie")[:80]
            skipped.add(file, "skipped facts of unknown movies", f"line {line}, movie {given}")
            continue
        for at, kind in columns.items():
            usable = labels_in(fields[at])
            if usable:
                labels[kind][movie] = tuple(dict.fromkeys((*labels[kind].get(movie, ()), *usable)))
    return {kind: of_movies for kind, of_movies in labels.items() if of_movies}


def labels_in(text: str) -> list[str]:
    """Return the labels in a field, in lower case: separated by bars, or in a list of JSON or Python."""
    names = listed(text) if text.lstrip()[:1] in {"[", "{"} else None
    labels = (" ".join(label.split()).casefold() for label in (text.split("|") if names is None else names))
    return [label for label in labels if not is_missing(label)]


def kind_of(column: str) -> str:
    """Return the kind of label in a column of this name."""
    name = normalised(column)
    return next((kind for kind, spellings in KINDS.items() if name in spellings), name)
