"""Data set readers: any MovieLens edition, the Netflix Prize, exports, or any table of user, item[, rating]."""

from __future__ import annotations

import re
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from index.catalogue.catalogue import Movie
from index.core.arrays import BoolArray
from index.core.errors import InvalidInput
from index.core.ids import Ids
from index.core.source_ids import FIRST_NAMED, numbers_for
from index.library.entries import IMDB_ID
from indexer.datasets.dataset import Dataset, Events, Ratings, Scale
from indexer.datasets.events import EventTable, read_events, summed
from indexer.datasets.folders import TABLES, Files, dataset_folder, files_of, with_ratings
from indexer.datasets.labels import read_labels
from indexer.datasets.movies import Movies, add_links, described, join_by_tmdb_id, read_movies, read_tags, unlisted
from indexer.datasets.netflix import read_netflix_ratings, read_netflix_titles
from indexer.datasets.own_catalogue import OwnCatalogue, read_catalogue
from indexer.datasets.ratings import RatingTable, read_ratings, refuse_empty
from indexer.datasets.sources import SAMPLE
from indexer.datasets.tables.columns import rating_layout
from indexer.datasets.tables.parquet import is_folder_of_parts
from indexer.datasets.tables.skipped import Skipped
from indexer.datasets.tables.text import COMPRESSED

CITATION = (
    "Ratings: MovieLens (F. Maxwell Harper and Joseph A. Konstan. 2015. The MovieLens Datasets: History and Context."
    " ACM Transactions on Interactive Intelligent Systems 5, 4: 19:1–19:19). Not for commercial use without"
    " permission of GroupLens; redistribution only under the same terms."
)
SAMPLE_NOTICE = "Invented films, generated posters and simulated ratings, made by Posterity; free to use."

_README_SAMPLE = "Posterity sample"
_OTHER_KINDS = (".xlsx", ".xls", ".ods", ".db", ".sqlite", ".rar", ".7z", ".tar", ".tgz")
_MAX_UNZIPPED = 100 * 10**9  # bytes
DEFAULT_SCALE = (0.5, 5.0)  # of ratings to come, where there are none yet
_NOT_RATED = -1  # of MyAnimeList and others


@dataclass(frozen=True, slots=True)
class Own:
    """Files of one's own beside the ratings, or instead of them."""

    catalogue: Path | None = None  # table of movies, in place of those of the data set
    events: Path | None = None
    weights: Mapping[str, float] = field(default_factory=dict)  # kind of event -> weight; defaults for others


def read_dataset(
    path: Path | None, *, scale: Scale | None = None, facts: Path | None = None, own: Own | None = None
) -> Dataset:
    """Read the data set in a folder, a table or a zip file, and files of one's own.

    Skip rows that cannot be used and count them in ``warnings``: ratings of unknown movies, all but the latest rating
    of a movie by the same user, rows without a rating, rows that cannot be read. A file with more than a tenth of the
    last kind is refused.

    Args:
        path: folder or file; None for a catalogue, events or both without ratings.
        scale: lowest and highest rating; None for those present. Ratings off it are skipped.
        facts: table of further facts of the movies; None for the one beside the movies, if there is one.
        own: catalogue and events.

    Raises:
        InvalidInput: the path holds no data set, or a file is invalid; the message names file, line and value.
    """
    own = own or Own()
    if path is None:
        file = own.catalogue or own.events
        if file is None:
            raise InvalidInput("there is nothing to read: give ratings, a catalogue or events")
        return replace(_read(Files(None), scale, facts, own), name=_stem(file))
    if path.is_file() and path.suffix.lower() == ".zip":
        with _unzipped(path) as folder:
            dataset = _in_folder(folder, scale, facts, own)
        within = str(folder)
        told = tuple(warning.replace(within, str(path)) for warning in dataset.warnings)
        name = path.stem if dataset.name == folder.name else dataset.name
        return replace(dataset, name=name, warnings=told)
    if path.is_file() or is_folder_of_parts(path):
        if path.suffix.lower() in _OTHER_KINDS:
            raise InvalidInput(f"{path} is no table of text: save it as CSV, with the columns user, item, rating")
        files = with_ratings(path)
        if files.titles is None and files.metadata is None:
            return replace(_read(files, scale, facts, own), name=_stem(path))
        return _with_name_and_notice(_read(files, scale, facts, own), path.parent)
    if not path.is_dir():
        raise InvalidInput(f"there is no folder or file {path}: give a folder of MovieLens' kind or a CSV file")
    return _in_folder(path, scale, facts, own)


def holds_dataset(folder: Path) -> bool:
    """Return True if this folder itself, not a subfolder, holds the files of a data set."""
    return files_of(folder) is not None


def _in_folder(path: Path, scale: Scale | None, facts: Path | None, own: Own) -> Dataset:
    folder, files = dataset_folder(path)
    return _with_name_and_notice(_read(files, scale, facts, own), folder)


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


def _read(files: Files, scale: Scale | None, facts: Path | None, own: Own) -> Dataset:
    skipped = Skipped()
    listed = None if own.catalogue is None else read_catalogue(own.catalogue)
    if listed is None:
        movies = _listed_movies(files, skipped)
    else:
        movies = {row.key: row.movie for row in listed.rows}
        skipped.notes += [*_told(listed), *listed.notes]
        files = Files(files.ratings, netflix=files.netflix)
    events = None if own.events is None else read_events(own.events, own.weights, skipped)
    table = _rating_table(files, movies, skipped)
    if movies is None or (listed is None and files.titles is None):
        known = set() if table is None else table.movies.known()
        known |= set() if events is None else events.movies.known()
        described_ones = {} if table is None else table.facts
        of_tables = {each: described(each, *described_ones[each]) if each in described_ones else unlisted(each)
                     for each in known}  # fmt: skip
        movies = of_tables | (movies or {})
    if files.links is not None:
        add_links(movies, files.links, skipped)
    tags = {} if files.tags is None else read_tags(files.tags, movies, skipped)
    facts = facts or files.facts
    labels = {} if facts is None else read_labels(facts, movies, skipped)
    posters, owned = {}, None
    if listed is not None:
        posters = {row.key: row.poster for row in listed.rows if row.poster}
        if any(row.owned is not None for row in listed.rows):
            owned = {row.key for row in listed.rows if row.owned}
        for row in listed.rows:
            for kind, given in row.labels.items():
                labels.setdefault(kind, {}).setdefault(row.key, given)
    return _dataset(movies, table, events, tags, labels, posters, owned, scale, skipped)


def _told(listed: OwnCatalogue) -> list[str]:
    """Return the warning about the rows of a catalogue that were refused."""
    if not listed.refused:
        return []
    if not listed.rows:
        raise InvalidInput(f"{listed.file} holds no usable row: {listed.refused[0]}")
    return [f"{listed.file}: rows refused: {len(listed.refused):,} (such as {listed.refused[0]})"]


def _rating_table(files: Files, movies: Movies | None, skipped: Skipped) -> RatingTable | None:
    """Return the ratings; None without any file of them."""
    if files.netflix:
        table = read_netflix_ratings(list(files.netflix), skipped)
    elif files.ratings is not None:
        as_text = movies is not None and not _all_numbers(movies)
        table = read_ratings(rating_layout(files.ratings), skipped, as_text=as_text)
    else:
        return None
    refuse_empty(table, skipped)
    return table


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
    table: RatingTable | None,
    events: EventTable | None,
    tags: dict[str, tuple[str, ...]],
    labels: dict[str, dict[str, tuple[str, ...]]],
    posters: dict[str, str],
    owned: set[str] | None,
    scale: Scale | None,
    skipped: Skipped,
) -> Dataset:
    columns = [each for each in (table, events) if each is not None]
    numbers = numbers_for({*movies, *(text for each in columns for text in each.movies.texts or ())})
    user_numbers = numbers_for({text for each in columns for text in each.users.texts or ()})
    by_number: dict[int, Movie] = {}
    for text, movie in movies.items():
        number = numbers[text]
        named = text if number >= FIRST_NAMED else None
        if movie.imdb_id is None and re.fullmatch(IMDB_ID, text, re.ASCII):
            movie = replace(movie, imdb_id=text)
        by_number.setdefault(number, replace(movie, movie_id=number, source_id=named))
    user_names = {number: text for text, number in user_numbers.items() if number >= FIRST_NAMED}
    for file in [each.file for each in columns][:1]:
        _note_texts(file, "user", list(user_names.values()), skipped)
        _note_texts(file, "movie", [m.source_id for m in by_number.values() if m.source_id], skipped)
    ratings = _ratings(table, by_number, numbers, user_numbers, scale, skipped)
    found = None if events is None else _events(events, by_number, numbers, user_numbers, skipped)
    if found is not None and (table is None or ratings.implicit):
        ratings, found = _of_events(ratings, found), None
    ordered = tuple(by_number[movie_id] for movie_id in sorted(by_number))
    return Dataset(
        "",
        "",
        ordered,
        ratings,
        {numbers[text]: given for text, given in tags.items()},
        skipped.messages(),
        {kind: {numbers[text]: given for text, given in of_movies.items()} for kind, of_movies in labels.items()},
        user_names,
        found,
        {numbers[text]: given for text, given in posters.items()},
        None if owned is None else frozenset(numbers[text] for text in owned),
    )


def _ratings(
    table: RatingTable | None,
    by_number: dict[int, Movie],
    numbers: dict[str, int],
    user_numbers: dict[str, int],
    scale: Scale | None,
    skipped: Skipped,
) -> Ratings:
    """Return the usable ratings of a table; without one, none."""
    if table is None:
        none = np.empty(0, np.int64)
        return Ratings(none, none, np.empty(0, np.float32), None, scale or DEFAULT_SCALE)
    users, movie_ids = table.users.numbers(user_numbers), table.movies.numbers(numbers)
    values = np.ones(users.size, np.float32) if table.values is None else table.values
    ratings = Ratings(users, movie_ids, values, table.timestamps, scale, table.values is None)
    ratings, line_of = _taken(ratings, _rated(ratings, table, scale, skipped), table.line_of)
    ratings, line_of = _taken(ratings, _listed(ratings, by_number, table.file, line_of, skipped), line_of)
    latest = _latest(ratings, table.file, line_of, skipped)
    ratings, _ = _taken(ratings, latest, line_of)
    _note_values(ratings, table, scale, skipped)
    return ratings


def _events(
    table: EventTable,
    by_number: dict[int, Movie],
    numbers: dict[str, int],
    user_numbers: dict[str, int],
    skipped: Skipped,
) -> Events:
    """Return the events of listed movies, summed by user and movie."""
    users, movies = table.users.numbers(user_numbers), table.movies.numbers(numbers)
    listed = Ids(sorted(by_number)).find(movies) >= 0
    unknown = np.flatnonzero(~listed)
    if unknown.size:
        names = table.movies.texts or []
        example = f"line {table.lines[unknown[0]]}, movie {names[table.movies.values[unknown[0]]]}"
        skipped.add(table.file, "skipped events of unlisted movies", example, unknown.size)
    if not listed.any():
        raise InvalidInput(f"{table.file}: no event is of a listed movie: do the files belong together?")
    return summed(users[listed], movies[listed], table.weights[listed])


def _of_events(ratings: Ratings, events: Events) -> Ratings:
    """Return events as data without ratings, together with who watched what."""
    table = pd.DataFrame(
        {
            "user": np.concatenate([ratings.user_ids, events.user_ids]),
            "movie": np.concatenate([ratings.movie_ids, events.movie_ids]),
            "strength": np.concatenate([ratings.values, events.strengths]),
        }
    )
    strongest = table.groupby(["user", "movie"], sort=True, as_index=False)["strength"].max()
    strengths = strongest["strength"].to_numpy().astype(np.float32)
    users, movies = strongest["user"].to_numpy(), strongest["movie"].to_numpy()
    return Ratings(users, movies, np.ones(users.size, np.float32), None, None, implicit=True, strengths=strengths)


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
