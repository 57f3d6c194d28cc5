"""Data set readers: any MovieLens edition, the Netflix Prize, exports, or any table of user, item[, rating]."""

from __future__ import annotations

import re
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from index.catalogue.catalogue import Movie
from index.core.arrays import BoolArray
from index.core.errors import InvalidInput
from index.core.ids import Ids
from index.core.source_ids import FIRST_NAMED, numbers_for
from index.library.entries import IMDB_ID
from indexer.datasets.dataset import Dataset, Ratings, Scale
from indexer.datasets.folders import TABLES, Files, dataset_folder, files_of, with_ratings
from indexer.datasets.labels import read_labels
from indexer.datasets.movies import Movies, add_links, described, join_by_tmdb_id, read_movies, read_tags, unlisted
from indexer.datasets.netflix import read_netflix_ratings, read_netflix_titles
from indexer.datasets.ratings import RatingTable, read_ratings, refuse_empty
from indexer.datasets.sources import SAMPLE
from indexer.datasets.tables.columns import rating_layout
from indexer.datasets.tables.skipped import Skipped
from indexer.datasets.tables.text import COMPRESSED

CITATION = (
    "Ratings: MovieLens (F. Maxwell Harper and Joseph A. Konstan. 2015. The MovieLens Datasets: History and Context."
    " ACM Transactions on Interactive Intelligent Systems 5, 4: 19:1–19:19). Not for commercial use without"
    " permission of GroupLens; redistribution only under the same terms."
)
SAMPLE_NOTICE = "Invented films, generated posters and simulated ratings, made by Posterity; free to use."

_README_SAMPLE = "Posterity sample"
_OTHER_KINDS = (".xlsx", ".xls", ".ods", ".json", ".jsonl", ".ndjson", ".db", ".sqlite", ".rar", ".7z", ".tar", ".tgz")
_MAX_UNZIPPED = 100 * 10**9  # bytes
_NOT_RATED = -1  # of MyAnimeList and others


def read_dataset(path: Path, *, scale: Scale | None = None, facts: Path | None = None) -> Dataset:
    """Read the data set in a folder, a table or a zip file.

    Skip rows that cannot be used and count them in ``warnings``: ratings of unknown movies, all but the latest rating
    of a movie by the same user, rows without a rating, rows that cannot be read. A file with more than a tenth of the
    last kind is refused.

    Args:
        path: folder or file.
        scale: lowest and highest rating; None for those present. Ratings off it are skipped.
        facts: table of further facts of the movies; None for the one beside the movies, if there is one.

    Raises:
        InvalidInput: the path holds no data set, or a file is invalid; the message names file, line and value.
    """
    if path.is_file() and path.suffix.lower() == ".zip":
        with _unzipped(path) as folder:
            dataset = _in_folder(folder, scale, facts)
        within = str(folder)
        told = tuple(warning.replace(within, str(path)) for warning in dataset.warnings)
        name = path.stem if dataset.name == folder.name else dataset.name
        return replace(dataset, name=name, warnings=told)
    if path.is_file():
        if path.suffix.lower() in _OTHER_KINDS:
            raise InvalidInput(f"{path} is no table of text: save it as CSV, with the columns user, item, rating")
        files = with_ratings(path)
        if files.titles is None and files.metadata is None:
            return replace(_read(files, scale, facts), name=_stem(path))
        return _with_name_and_notice(_read(files, scale, facts), path.parent)
    if not path.is_dir():
        raise InvalidInput(f"there is no folder or file {path}: give a folder of MovieLens' kind or a CSV file")
    return _in_folder(path, scale, facts)


def holds_dataset(folder: Path) -> bool:
    """Return True if this folder itself, not a subfolder, holds the files of a data set."""
    return files_of(folder) is not None


def _in_folder(path: Path, scale: Scale | None, facts: Path | None) -> Dataset:
    folder, files = dataset_folder(path)
    return _with_name_and_notice(_read(files, scale, facts), folder)


@contextmanager
def _unzipped(path: Path) -> Iterator[Path]:
    """Unzip the tables of a zip file into a temporary folder, named in errors by the zip file."""
    with tempfile.TemporaryDirectory(prefix="posterity-") as temporary:
        folder = Path(temporary) / path.stem
        try:
            with zipfile.ZipFile(path) as archive:
                members = [member for member in archive.infolist() if _is_table(member.filename)]
                if sum(member.file_size for member in members) > _MAX_UNZIPPED:
                    raise InvalidInput(f"{path} is larger than {_MAX_UNZIPPED / 1e9:g} GB: unzip it, give the folder")
                archive.extractall(folder, members)
                folder.mkdir(exist_ok=True)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
            raise InvalidInput(
                f"{path} cannot be unzipped ({error}): download it again, or unzip it and give the folder"
            ) from error
        try:
            yield folder
        except InvalidInput as error:
            raise InvalidInput(str(error).replace(str(folder), str(path))) from error


def _is_table(name: str) -> bool:
    lower = Path(name.lower())
    usual = lower.suffix in {*TABLES, *COMPRESSED} or lower.name.startswith("readme")
    return usual and not name.endswith("/") and "__macosx" not in lower.parts


def _read(files: Files, scale: Scale | None, facts: Path | None) -> Dataset:
    skipped = Skipped()
    movies = _listed_movies(files, skipped)
    if files.ratings is None:
        table = read_netflix_ratings(list(files.netflix), skipped)
    else:
        as_text = movies is not None and not _all_numbers(movies)
        table = read_ratings(rating_layout(files.ratings), skipped, as_text=as_text)
    refuse_empty(table, skipped)
    if movies is None or files.titles is None:
        known = table.movies.known()
        of_table = {each: described(each, *table.facts[each]) if each in table.facts else unlisted(each)
                    for each in known}  # fmt: skip
        movies = of_table | (movies or {})
    if files.links is not None:
        add_links(movies, files.links, skipped)
    tags = {} if files.tags is None else read_tags(files.tags, movies, skipped)
    facts = facts or files.facts
    labels = {} if facts is None else read_labels(facts, movies, skipped)
    return _dataset(movies, table, tags, labels, scale, skipped)


def _listed_movies(files: Files, skipped: Skipped) -> Movies | None:
    """Return the movies that a file lists; None without one."""
    if files.netflix:
        return None if files.titles is None else read_netflix_titles(files.titles, skipped)
    if files.titles is not None:
        return read_movies(files.titles, skipped)
    if files.metadata is None:
        return None
    by_tmdb_id = read_movies(files.metadata, skipped)
    return by_tmdb_id if files.links is None else join_by_tmdb_id(files.links, by_tmdb_id, skipped)


def _all_numbers(movies: Movies) -> bool:
    return all(number < FIRST_NAMED for number in numbers_for(movies).values())


def _dataset(
    movies: Movies,
    table: RatingTable,
    tags: dict[str, tuple[str, ...]],
    labels: dict[str, dict[str, tuple[str, ...]]],
    scale: Scale | None,
    skipped: Skipped,
) -> Dataset:
    numbers = numbers_for({*movies, *(table.movies.texts or ())})
    user_numbers = {} if table.users.texts is None else numbers_for(table.users.texts)
    by_number: dict[int, Movie] = {}
    for text, movie in movies.items():
        number = numbers[text]
        named = text if number >= FIRST_NAMED else None
        if movie.imdb_id is None and re.fullmatch(IMDB_ID, text, re.ASCII):
            movie = replace(movie, imdb_id=text)
        by_number.setdefault(number, replace(movie, movie_id=number, source_id=named))
    user_names = {number: text for text, number in user_numbers.items() if number >= FIRST_NAMED}
    _note_texts(table.file, "user", list(user_names.values()), skipped)
    _note_texts(table.file, "movie", [m.source_id for m in by_number.values() if m.source_id], skipped)
    users, movie_ids = table.users.numbers(user_numbers), table.movies.numbers(numbers)
    values = np.ones(users.size, np.float32) if table.values is None else table.values
    ratings = Ratings(users, movie_ids, values, table.timestamps, scale, table.values is None)
    ratings, line_of = _taken(ratings, _rated(ratings, table, scale, skipped), table.line_of)
    ratings, line_of = _taken(ratings, _listed(ratings, by_number, table.file, line_of, skipped), line_of)
    latest = _latest(ratings, table.file, line_of, skipped)
    ratings, _ = _taken(ratings, latest, line_of)
    _note_values(ratings, table, scale, skipped)
    ordered = tuple(by_number[movie_id] for movie_id in sorted(by_number))
    numbered = {numbers[text]: given for text, given in tags.items()}
    numbered_labels = {
        kind: {numbers[text]: given for text, given in of_movies.items()} for kind, of_movies in labels.items()
    }
    return Dataset("", "", ordered, ratings, numbered, skipped.messages(), numbered_labels, user_names)


def _taken(ratings: Ratings, kept: BoolArray, line_of: Callable[[int], int]) -> tuple[Ratings, Callable[[int], int]]:
    if kept.all():
        return ratings, line_of
    rows = np.flatnonzero(kept)
    return ratings.take(kept), lambda row: line_of(int(rows[row]))


def _note_texts(file: Path, name: str, texts: list[str], skipped: Skipped) -> None:
    if texts:
        skipped.note(f"{file}: {name} ids that are no whole numbers below 2^52, kept as they are: {len(texts):,}"
                     f" (such as {min(texts)})")  # fmt: skip


def _rated(ratings: Ratings, table: RatingTable, scale: Scale | None, skipped: Skipped) -> BoolArray:
    """Return the mask (n,) of ratings on the scale; without one, -1 means "not rated" beside ratings above 1."""
    values = ratings.values
    everything = np.ones(values.size, dtype=np.bool_)
    if ratings.implicit:
        return everything
    if scale is not None:
        kept = (values >= scale[0]) & (values <= scale[1])
        reason = f"skipped ratings off the scale {scale[0]:g}:{scale[1]:g}"
    elif values.min() == _NOT_RATED and values.max() > 1 and not ((values < 0) & (values != _NOT_RATED)).any():
        kept, reason = values >= 0, 'skipped ratings of -1, which are taken as "not rated"'
    else:
        return everything
    if not kept.all():
        first = int(np.flatnonzero(~kept)[0])
        skipped.add(table.file, reason, f"line {table.line_of(first)}: {values[first]:g}", int((~kept).sum()))
    if not kept.any():
        given = f"from {values.min():g} to {values.max():g}"
        remedy = "give another --scale" if scale is not None else "give ratings, or leave the column out"
        raise InvalidInput(f"{table.file}: no rating can be used, as all are {given}: {remedy}")
    return kept


def _listed(
    ratings: Ratings, movies: dict[int, Movie], file: Path, line_of: Callable[[int], int], skipped: Skipped
) -> BoolArray:
    """Return the mask (n,) of ratings of listed movies."""
    listed = Ids(sorted(movies)).find(ratings.movie_ids) >= 0
    unknown = np.flatnonzero(~listed)
    if unknown.size:
        first = int(unknown[0])
        example = f"line {line_of(first)}, movie {ratings.movie_ids[first]}"
        skipped.add(file, "skipped ratings of unlisted movies", example, unknown.size)
    if not listed.any():
        raise InvalidInput(f"{file}: no rating is of a listed movie: do the files belong together?")
    return listed


def _latest(ratings: Ratings, file: Path, line_of: Callable[[int], int], skipped: Skipped) -> BoolArray:
    """Return the mask (n,) of each user's latest rating per movie; of equal timestamps, the last in the file."""
    pairs = pd.DataFrame({"user": ratings.user_ids, "movie": ratings.movie_ids})
    repeated = pairs.duplicated().to_numpy()
    if not repeated.any():
        return ~repeated
    if ratings.timestamps is not None:
        pairs = pairs.iloc[np.argsort(ratings.timestamps, kind="stable")]
    latest = np.zeros(len(ratings), dtype=np.bool_)
    latest[pairs.index[~pairs.duplicated(keep="last")]] = True
    first = int(np.flatnonzero(repeated)[0])
    example = f"line {line_of(first)}, user {ratings.user_ids[first]}, movie {ratings.movie_ids[first]}"
    skipped.add(file, "repeated ratings of a movie by the same user, kept the latest", example, int(repeated.sum()))
    return latest


def _note_values(ratings: Ratings, table: RatingTable, scale: Scale | None, skipped: Skipped) -> None:
    """Note ratings that tell little or are perhaps none, and what one person's cannot give."""
    if ratings.implicit:
        skipped.note(f"{table.file}: no rating column among {', '.join(table.columns)}, so it says only who watched"
                     " what: recommendations and taste work, predicted ratings are off")  # fmt: skip
    else:
        low, high = float(ratings.values.min()), float(ratings.values.max())
        if low < 0 and scale is None:
            skipped.note(f"{table.file}: the lowest rating is {low:g}; if negative ratings are no ratings, give"
                         f" --scale, such as --scale 0:{high:g}")  # fmt: skip
        if low == high:
            skipped.note(f"{table.file}: every rating is {low:g}, so that predicted ratings tell nothing; give --scale"
                         " if others are possible, or delete the column if it only says what was watched")  # fmt: skip
    if table.one_user or np.unique(ratings.user_ids[:100_000]).size == 1:
        skipped.note(f"{table.file}: ratings of one person: similar movies by genres, years and posters work; taste,"
                     " recommendations and predictions need the ratings of many")  # fmt: skip


def _stem(path: Path) -> str:
    return Path(path.stem).stem if path.suffix.lower() in COMPRESSED else path.stem


def _with_name_and_notice(dataset: Dataset, folder: Path) -> Dataset:
    """Return the data set with the name and terms of its folder and README."""
    readme = next((file for file in sorted(folder.glob("README*")) if file.is_file()), None)
    text = "" if readme is None else readme.read_text(encoding="utf-8", errors="replace")[:100_000]
    if text.startswith(_README_SAMPLE):
        return replace(dataset, name=SAMPLE, notice=SAMPLE_NOTICE)
    is_movielens = "MovieLens" in text or folder.name.startswith("ml-")
    written = re.search(r"\bml-[\w-]*\w", text)
    name = written.group() if is_movielens and written and not folder.name.startswith("ml-") else folder.resolve().name
    return replace(dataset, name=name, notice=CITATION if is_movielens else "")
