"""Facts of a data set's movies from TMDB: keywords, cast, crew, collection, certificates, overview; their table."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from index.catalogue.movie import Movie
from index.core.errors import InvalidInput, SourceUnavailable
from index.core.files import write_durably
from indexer.datasets.folders import dataset_folder, with_ratings
from indexer.fetch.per_movie import Absent, Kind, LinkedMovie
from indexer.fetch.tmdb import UNKNOWN, Api

# Columns of the table, after the movie's id; all but the last are kinds of labels.
COLUMNS = (
    "director",
    "writers",
    "composer",
    "cinematographer",
    "actors",
    "keywords",
    "collection",
    "certificate",
    "language",
    "country",
    "overview",
)
FACTS = Kind("facts", (".json",), lambda content: (content, ".json"))
FORM = "keywords,credits,release_dates"  # of the request, and so of the files
NAME = "facts.csv"

_HEADER = ("movieId", *COLUMNS)
_ACTORS = 10  # of the cast, in order of billing
_MOST = 100  # labels of one kind
_LONGEST = 200  # characters of a label
_LONGEST_OVERVIEW = 4000  # characters
_THEATRICAL = 3  # TMDB's type of a release in all cinemas


class Facts:
    """Source of facts from TMDB, in one request a movie. Threads may share it."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def __call__(self, movie: LinkedMovie) -> bytes | Absent:
        """Return the movie's facts as JSON: column -> label, labels or, of certificates, country -> label.

        Raises:
            Unauthorised: the key is refused.
            SourceUnavailable: the API does not answer, or not as TMDB's does.
            Busy: the API asks to come back much later.
        """
        entry = None if movie.tmdb_id is None else self._entry(movie.tmdb_id)
        if entry is None and movie.imdb_id is not None:  # TMDB ids change when entries are merged; IMDb ids rarely do
            results = self._api.find(movie.imdb_id)
            found = [each.get("id") for each in _dicts(results.get("movie_results"))]
            if found and isinstance(found[0], int):
                entry = self._entry(found[0])
            elif results.get("tv_results"):
                return Absent("TMDB lists it as a series")
        if entry is None:
            return UNKNOWN
        return json.dumps(facts_of(entry), ensure_ascii=False).encode()

    def _entry(self, tmdb_id: int) -> dict[str, Any] | None:
        entry = self._api.json(f"movie/{tmdb_id}", append_to_response=FORM)
        if entry is not None and not isinstance(entry.get("id"), int):
            raise SourceUnavailable("TMDB gave no entry of a movie")
        return entry


def facts_of(entry: dict[str, Any]) -> dict[str, Any]:
    """Return the facts in TMDB's entry of a movie, by column; empty ones where the entry has none or something else."""
    cast, crew = (_dicts(_dict(entry.get("credits")).get(name)) for name in ("cast", "crew"))
    billed = sorted(cast, key=lambda each: each["order"] if isinstance(each.get("order"), int) else len(cast))

    def by_job(*jobs: str) -> list[str]:
        return _names(each for each in crew if each.get("job") in jobs)

    return {
        "director": by_job("Director"),
        "writers": by_job("Writer", "Screenplay", "Story", "Author"),
        "composer": by_job("Original Music Composer"),
        "cinematographer": by_job("Director of Photography"),
        "actors": _names(billed)[:_ACTORS],
        "keywords": _names(_dicts(_dict(entry.get("keywords")).get("keywords"))),
        "collection": _names([_dict(entry.get("belongs_to_collection"))]),
        "certificate": dict(_certificates(entry)),
        "language": _labels([entry.get("original_language")]),
        "country": _names(_dicts(entry.get("production_countries"))),
        "overview": " ".join(str(entry.get("overview") or "").split())[:_LONGEST_OVERVIEW],
    }


def table_of(ratings: Path, out: Path | None) -> Path:
    """Return the path of the table of facts of a data set: ``out``, or beside its movies.

    Raises:
        InvalidInput: another table is there, or the path holds no data set.
    """
    folder = dataset_folder(ratings)[0] if ratings.is_dir() else ratings.parent
    table = out or folder / NAME
    with suppress(FileNotFoundError), table.open(encoding="utf-8", errors="replace") as text:
        if text.readline().rstrip("\r\n") != ",".join(_HEADER):
            raise InvalidInput(
                f"{table} exists and is not of this command: move it away, or name another file with --out"
            )
    return table


def is_found(table: Path, ratings: Path) -> bool:
    """Return True if a build from these ratings finds the table without a flag."""
    facts = dataset_folder(ratings)[1].facts if ratings.is_dir() else with_ratings(ratings).facts
    return facts is not None and facts.resolve() == table.resolve()


def write_table(movies: Sequence[Movie], folder: Path, table: Path, country: str) -> int:
    """Write the facts in a folder of ``<movie id>.json`` as a table, if there are any; return their number.

    Args:
        movies: of the rows, which are by ascending id; those whose file was deleted are left out.
        folder: of the files.
        table: CSV with the columns ``movieId`` and ``COLUMNS``; several labels of a field are separated by bars.
        country: ISO 3166-1 code of the country whose certificates are taken.

    Raises:
        InvalidInput: a file is damaged.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_HEADER)
    rows = 0
    for movie in sorted(movies, key=lambda movie: movie.movie_id):
        file = folder / f"{movie.movie_id}.json"
        try:
            facts = json.loads(file.read_bytes())
            facts["certificate"] = facts["certificate"].get(country, "")
            fields = [facts[column] for column in COLUMNS]
        except FileNotFoundError:
            continue
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InvalidInput(f"{file} is damaged: delete it, and run the command again") from error
        name = movie.source_id or str(movie.movie_id)
        writer.writerow([name, *("|".join(each) if isinstance(each, list) else each for each in fields)])
        rows += 1
    if rows:
        write_durably(table, text.getvalue().encode())
    return rows


def _certificates(entry: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield country and certificate; that of the release in all cinemas, where a country has several."""
    for each in _dicts(_dict(entry.get("release_dates")).get("results")):
        dated = sorted(_dicts(each.get("release_dates")), key=lambda release: release.get("type") != _THEATRICAL)
        labels = _labels(release.get("certification") for release in dated)
        country = each.get("iso_3166_1")
        if labels and isinstance(country, str):
            yield country, labels[0]


def _names(entries: Iterable[dict[str, Any]]) -> list[str]:
    return _labels(each.get("name") for each in entries)


def _labels(texts: Iterable[object]) -> list[str]:
    """Return labels, each once, in one line and without bars, which separate labels in the table."""
    lines = (" ".join(text.replace("|", "/").split())[:_LONGEST] for text in texts if isinstance(text, str))
    return list(dict.fromkeys(line for line in lines if line))[:_MOST]


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: object) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
