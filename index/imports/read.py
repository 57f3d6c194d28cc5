"""Reading of exports, by content: Letterboxd, IMDb, Trakt, MovieLens, TMDB, Simkl, and tables of titles or ids.

Nothing is written to disk, and nothing of a file is kept.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from index.core.encodings import encoding_of
from index.core.errors import InvalidInput
from index.core.quoted import LooksLikeRow, quoted_rows
from index.core.source_ids import as_written
from index.imports.export import Entry, Export, Kind, Scale, Skipped, each_once
from index.imports.values import imdb_id_in, rating_of, scale_of, time_in, tmdb_id_in, year_in

MAX_BYTES = 50 * 2**20  # of a file, and of all files in an archive
MAX_ROWS = 100_000
MAX_TEXT = 1000  # characters of a title or an id; a longer one takes long to compare with others

_HEAD = 2**12  # bytes that tell the encoding
_TITLE_WITH_YEAR = re.compile(r"^(.+?)\s*\(([0-9]{4})\)$")
_NO_FILM = re.compile(r"\b(tv ?(mini ?)?series|tv ?(mini ?)?episode|tv ?pilot|(tv ?)?show|episode|season|anime ?series"
                      r"|video ?game|music ?video|podcast.*|tv)\b", re.IGNORECASE)  # fmt: skip
_THUMBS = {"👍": 1, "up": 1, "thumbs up": 1, "like": 1, "liked": 1, "love": 1, "loved": 1,
           "👎": 0, "down": 0, "thumbs down": 0, "dislike": 0, "disliked": 0}  # fmt: skip
_LIKED, _DISLIKED = 4.0, 2.0  # stars of five
# Files of an archive that tell nothing about what was seen: of Letterboxd, then of Trakt, then of a Mac.
_IGNORED_FILES = re.compile(
    r"(^|/)(profile|comments|reviews|deleted|orphaned|lists)(/|\.csv$)"
    r"|(^|/)(collection|comments|hidden|likes|lists-(?!watchlist|favorites)|notes|user)[^/]*\.json$"
    r"|(^|/)(__MACOSX|\.)"
)
# The table of films in a list of Letterboxd comes after a line of this name and the list's own table.
_LIST_OF_LETTERBOXD = re.compile(r"^Letterboxd list export.*?^(?=Position,Name,)", re.DOTALL | re.MULTILINE)

# Columns by spelling: letters and digits of the header, in lower case. The first that a file has counts.
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "title": ("title", "name", "movie", "film", "movietitle", "filmtitle", "primarytitle", "originaltitle", "itemname"),
    "year": ("year", "releaseyear", "movieyear", "filmyear", "released", "releasedate"),
    "rating": (
        "yourrating",
        "yourated",
        *(f"{name}{highest}" for highest in ("", 5, 10, 100) for name in ("yourrating", "userrating", "myrating")),
        *(f"{name}{highest}" for highest in (10, 100, 5, "") for name in ("rating", "score")),
        "ratings",
        "stars",
        "thumb",
    ),
    "imdb_id": ("const", "imdbid", "imdb", "tconst", "imdburl", "guid", "guids", "url"),
    "tmdb_id": ("tmdbid", "tmdb"),
    "own_id": ("movieid", "itemid", "filmid", "id"),
    "type": ("titletype", "type", "mediatype", "itemtype"),
    "date": (
        "daterated",
        "watcheddate",
        "ratedat",
        "watchedat",
        "lastwatchedat",
        "date",
        "created",
        "datecreated",
        "timestamp",
    ),
    "list": ("watchlist", "status", "list"),
    "plays": ("viewcount", "playcount", "plays", "timeswatched", "played"),
}
_HALF_STARS = Scale(0.5, 5, "")
_TENS = Scale(1, 10, "")
# Services by the columns that only they have, with their scale.
_SERVICES: tuple[tuple[str, frozenset[str], Scale | None], ...] = (
    ("Letterboxd", frozenset({"letterboxduri"}), _HALF_STARS),
    ("IMDb", frozenset({"const", "titletype"}), _TENS),
    ("IMDb", frozenset({"const", "yourrating"}), _TENS),
    ("IMDb", frozenset({"const", "yourated"}), _TENS),
    ("Simkl", frozenset({"simklid"}), _TENS),
    ("TMDB", frozenset({"tmdbid", "yourrating"}), _TENS),
    ("Trakt", frozenset({"traktid"}), _TENS),
    ("MovieLens", frozenset({"movieid", "averagerating"}), _HALF_STARS),
)
_WATCHLIST = re.compile(r"(watch|wish) ?list|plan ?to ?watch", re.IGNORECASE)
_OF_IMDB = frozenset({"imdbid", "imdb"})
_SEPARATOR = re.compile(r"\s*\"?sep=(.)\"?\s*", re.IGNORECASE)
_NEVER = frozenset({"0", "no", "false", "never"})  # times played
_TMDB_GUID = re.compile(r"tmdb://([0-9]{1,9})|themoviedb\.org/movie/([0-9]{1,9})", re.ASCII)
_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")  # with files, empty, in parts
_GZIP = b"\x1f\x8b"
_OLD_WORKBOOK = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_WORKBOOK_PARTS = frozenset({"xl/workbook.xml", "xl/workbook.bin", "content.xml"})  # of Excel, then of LibreOffice
_NOT_WATCHED = frozenset({"hold", "dropped", "notinteresting"})


@dataclass
class _Read:
    """The state of reading an export."""

    formats: list[str] = field(default_factory=list)
    scales: list[Scale] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    rows: int = 0

    def add(self, entry: Entry) -> None:
        self.entries.append(entry)

    def skip(self, place: str, text: object, reason: str) -> None:
        self.skipped.append(Skipped(place, str(text)[:200], reason))

    def count(self, place: str) -> None:
        self.rows += 1
        if self.rows > MAX_ROWS:
            raise InvalidInput(f"{place}: more than {MAX_ROWS:,} rows: split the file")


def read_export(content: bytes, name: str = "the file") -> Export:
    """Read an export.

    Args:
        content: the file: CSV, JSON, or a zip archive of them; or one of them compressed by gzip.
        name: of the file. It decides one thing only: whether Letterboxd's list of films is a watchlist.

    Raises:
        InvalidInput: it is no export, too large, or damaged.
    """
    name = name[-100:] or "the file"
    if len(content) > MAX_BYTES:
        raise InvalidInput(f"{name} has {len(content):,} bytes: at most {MAX_BYTES:,} are read")
    read = _Read()
    if content.startswith(_GZIP):
        content = _unpacked(content, name)
    if content.startswith(_OLD_WORKBOOK):
        raise _workbook(name)
    if content.startswith(_ZIP):
        _read_archive(content, name, read)
    else:
        _read_file(content, name, read)
    if not read.formats:
        raise InvalidInput(f"{name} holds no ratings, watched films or watchlist: give an export of Letterboxd, IMDb,"
                           " Trakt, MovieLens, TMDB or Simkl, or a CSV of titles or ids and ratings")  # fmt: skip
    entries, earlier = each_once(read.entries)
    rated = [entry.rating for entry in entries if entry.rating is not None]
    scale = max(read.scales, key=lambda each: each.high, default=None) if rated else None
    return Export(read.formats[0], scale, entries, (*read.skipped, *earlier))


def _unpacked(content: bytes, name: str) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
            unpacked = stream.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InvalidInput(f"{name} is damaged ({error}): export it again") from error
    if len(unpacked) > MAX_BYTES:
        raise InvalidInput(f"{name} unpacks to more than {MAX_BYTES:,} bytes: split the file")
    return unpacked


def _workbook(name: str) -> InvalidInput:
    return InvalidInput(f"{name} is a workbook of a spreadsheet program: save it there as CSV, and give that")


def _read_archive(content: bytes, name: str, read: _Read) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [each for each in archive.infolist() if not each.is_dir()]
            if any(each.filename in _WORKBOOK_PARTS for each in members):
                raise _workbook(name)
            if sum(each.file_size for each in members) > MAX_BYTES:
                raise InvalidInput(
                    f"{name} unzips to more than {MAX_BYTES:,} bytes: give the file with the ratings alone"
                )
            for member in members:
                readable = PurePosixPath(member.filename).suffix.lower() in {".csv", ".json", ".tsv", ".txt"}
                if not readable or _IGNORED_FILES.search(member.filename):
                    continue
                with archive.open(member) as stream:
                    part = stream.read(MAX_BYTES + 1)
                _read_file(part, member.filename, read, in_archive=True)
    except (
        zipfile.BadZipFile,
        zlib.error,
        UnicodeDecodeError,
        EOFError,
        RuntimeError,
        NotImplementedError,
        OSError,
    ) as error:
        raise InvalidInput(f"{name} is a damaged or encrypted archive ({error}): export it again") from error


def _read_file(content: bytes, name: str, read: _Read, *, in_archive: bool = False) -> None:
    text = _decoded(content).strip("\ufeff \t\r\n\0")
    if not text:
        if not in_archive:
            raise InvalidInput(f"{name} is empty")
        return
    if text[0] in "[{":
        _read_json(text, name, read, in_archive=in_archive)
    else:
        _read_table(text, name, read, in_archive=in_archive)


def _decoded(content: bytes) -> str:
    try:
        return content.decode(encoding_of(content[:_HEAD]))
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


# Tables


def _read_table(text: str, name: str, read: _Read, *, in_archive: bool) -> None:
    before = _LIST_OF_LETTERBOXD.match(text)
    if before is not None:
        text = text[before.end() :]
    lines = io.StringIO(text, newline="")
    head, start = lines.readline(), 1 + (before[0].count("\n") if before else 0)
    told = _SEPARATOR.fullmatch(head)
    if told:  # Excel's own notation
        head, start = lines.readline(), start + 1
    delimiter = told[1] if told else max(",;\t|", key=head.count)
    csv.field_size_limit(MAX_BYTES)
    try:
        spelled = [_spelling(title) for title in next(csv.reader([head], delimiter=delimiter), [])]
        columns = {role: at for role, names in _COLUMNS.items() if (at := _first_of(names, spelled)) is not None}
        named = bool({"title", "imdb_id", "tmdb_id", "own_id"} & columns.keys())
        telling = (
            bool({"rating", "date", "list", "plays", "imdb_id", "tmdb_id"} & columns.keys())
            or "letterboxduri" in spelled
            or len(spelled) <= 3
        )
        if not named or not telling:
            if in_archive:
                return
            raise InvalidInput(f"{name} has no column of titles or ids in its first line ({head.strip()[:100]!r}): name"
                               " them title, year, rating, imdb_id or tmdb_id")  # fmt: skip
        is_row = _row_test(columns)
        rows = list(_rows(quoted_rows(lines, delimiter, start, len(spelled), is_row), name, read, len(spelled), is_row))
        _check_one_person(name, spelled, rows)
    except csv.Error as error:
        raise InvalidInput(f"{name} is no table ({error}): save it as CSV") from error
    service, scale = ("Letterboxd", None) if before else _service(set(spelled), spelled, columns, rows)
    read.formats.append(service)
    if scale is not None and "rating" in columns:
        read.scales.append(scale)
    # IMDb's and TMDB's lists have the columns of their ratings.
    listed = before is not None or bool(_WATCHLIST.search(PurePosixPath(name).stem))
    listed |= service == "IMDb" and "position" in spelled
    listed |= service == "TMDB" and "favorite" not in name.lower()
    for place, row in rows:
        values = {role: row[at].strip() for role, at in columns.items() if at < len(row)}
        if "imdb_id" in values and values["imdb_id"].isdecimal() and spelled[columns["imdb_id"]] not in _OF_IMDB:
            del values["imdb_id"]  # a number that Plex, say, calls a GUID
        _add_row(place, values, read, scale, watchlist=listed)


def _check_one_person(name: str, spelled: Sequence[str], rows: Sequence[tuple[str, list[str]]]) -> None:
    at = _first_of(("userid", "user", "username"), spelled)
    people = set() if at is None else {row[at].strip() for _, row in rows if at < len(row)}
    if len(people) > 1:
        raise InvalidInput(f"{name} has ratings of {len(people):,} people: give those of one")


def _first_of(names: Sequence[str], spelled: Sequence[str]) -> int | None:
    return next((spelled.index(each) for each in names if each in spelled), None)


def _spelling(title: str) -> str:
    """Return a column's name as it is compared: ``Rating (out of 10)`` is ``rating10``."""
    return re.sub("[^a-z0-9]", "", re.sub(r"\b(out )?of\b|\b(0|0[.,]5|1) ?[-–] ?(?=[0-9])", "", title.lower()))


def _row_test(columns: Mapping[str, int]) -> LooksLikeRow:
    """Return the test of a line that is a row by itself: its year, rating and ids are some, or empty, but not all."""
    tests = {"year": year_in, "rating": rating_of, "tmdb_id": tmdb_id_in, "imdb_id": imdb_id_in}
    telling = [(columns[role], test) for role, test in tests.items() if role in columns]

    def is_row(fields: list[str]) -> bool:
        given = [(fields[at].strip(), test) for at, test in telling]
        return any(text for text, _ in given) and all(not text or test(text) is not None for text, test in given)

    return is_row


def _rows(
    lines: Iterator[tuple[int, list[str]]], name: str, read: _Read, width: int, is_row: LooksLikeRow
) -> Iterator[tuple[str, list[str]]]:
    for at, row in lines:
        if not any(map(str.strip, row)):
            continue
        place = f"{name}, row {at}"
        read.count(place)
        if any(map(str.strip, row[width:])) and not is_row(row):
            read.skip(place, ",".join(row), f"it has {len(row)} fields, not {width}: quote texts with commas")
        else:
            yield place, row


def _service(
    names: set[str], spelled: Sequence[str], columns: Mapping[str, int], rows: Sequence[tuple[str, list[str]]]
) -> tuple[str, Scale | None]:
    for service, own, scale in _SERVICES:
        if own <= names and scale is not None:
            return service, Scale(scale.low, scale.high, f"{service} rates from {scale.low:g} to {scale.high:g}")
    if "rating" not in columns:
        return "table", None
    at = columns["rating"]
    highest = re.search("(5|10|100)$", spelled[at])
    return "table", scale_of((row[at] for _, row in rows if at < len(row)), int(highest[1]) if highest else None)


def _add_row(place: str, values: Mapping[str, str], read: _Read, scale: Scale | None, *, watchlist: bool) -> None:
    title, year = " ".join(values.get("title", "").split()), year_in(values.get("year", ""))
    within = _TITLE_WITH_YEAR.match(title)
    if within is not None and year in {None, int(within[2])}:
        title, year = within[1], int(within[2])
    imdb = imdb_id_in(values.get("imdb_id", ""))
    guid = _TMDB_GUID.search(values.get("imdb_id", ""))
    tmdb = tmdb_id_in(values.get("tmdb_id", "") or (guid[1] or guid[2] if guid else ""))
    own = as_written(values.get("own_id", ""))
    if len(title) > MAX_TEXT or len(own) > MAX_TEXT:
        read.skip(place, title or own, f"its title or id has more than {MAX_TEXT:,} characters")
        return
    if not values.get("rating") and values.get("list", "").lower().replace(" ", "") in _NOT_WATCHED:
        read.skip(place, title or own, f"it is on the list {values['list']!r}")
        return
    if _NO_FILM.fullmatch(values.get("type", "").strip()):
        read.skip(place, title or own, f"a {values['type']} is no film")
        return
    if not (title or imdb or tmdb or own):
        read.skip(place, ",".join(values.values()), "it has neither a title nor an id")
        return
    if values.get("plays", "1").lower() in _NEVER and values.get("rating", "") in {"", "0"}:
        read.skip(place, title or own, f"it was never played ({values['plays']})")
        return
    kind, rating, wrong = _kind_and_rating(values.get("rating", ""), scale)
    if wrong:
        read.skip(place, f"{title or own} {values['rating']}", wrong)
        return
    if kind != "rated" and (watchlist or _WATCHLIST.search(values.get("list", ""))):
        kind = "watchlist"
    date = time_in(values.get("date", ""))
    read.add(Entry(place, kind, title, year, rating, imdb, tmdb, own or None, date, None if rating is None else scale))


def _kind_and_rating(text: str, scale: Scale | None) -> tuple[Kind, float | None, str]:
    """Return kind and rating by the text of a rating, and what is wrong with it; empty for nothing."""
    if not text or scale is None:
        return "watched", None, ""
    thumb = _THUMBS.get(text.lower())
    if thumb is not None:
        return "rated", (_LIKED if thumb else _DISLIKED) / 5 * scale.high, ""
    found = rating_of(text)
    if found is None:
        return "watched", None, f"the rating {text[:50]!r} is no number"
    rating, highest = found
    rating = rating if highest is None else rating / highest * scale.high
    if rating == 0:
        return "watched", None, ""  # several services write 0 for none
    if not 0 < rating <= scale.high:
        return "watched", None, f"the rating {text[:50]} is not between {scale.low:g} and {scale.high:g}"
    return "rated", rating, ""


# JSON of Trakt and Simkl, and lists of objects


def _read_json(text: str, name: str, read: _Read, *, in_archive: bool) -> None:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{name} is no JSON ({str(error)[:100]}): export it again") from error
    groups = {
        group: items
        for group, items in (data if isinstance(data, dict) else {"movies": data}).items()
        if isinstance(items, list) and any(map(_is_of_film, items))
    }
    guessed = scale_of(str(_first(item, _RATINGS)) for items in groups.values() for item in items if _is_of_film(item))
    for group, items in groups.items():
        for at, item in enumerate(items, 1):
            place = f"{name}, {group} {at}"
            read.count(place)
            if _is_of_film(item):
                _add_object(place, group, item, name, read, guessed)
            else:
                read.skip(place, json.dumps(item), "it is no film")
    if not groups and not in_archive:
        raise InvalidInput(f"{name} holds no list of films: give an export of Trakt or Simkl")


def _is_of_film(item: object) -> bool:
    """Return True if an item of a list is of a film, or of a series: other lists are of people, say."""
    named = {"title", "name", "imdb_id", "tmdb_id", "show", "episode", "season"}
    return isinstance(item, dict) and (isinstance(item.get("movie"), dict) or bool(named & item.keys()))


def _add_object(place: str, group: str, item: Mapping[str, Any], name: str, read: _Read, guessed: Scale) -> None:
    """Add one object of a list of Trakt or Simkl, or of any list of films."""
    movie, show = item.get("movie"), item.get("show")
    if isinstance(show, dict) and item.get("anime_type") == "movie":  # of Simkl
        movie = show
    nested = isinstance(movie, dict)
    film: Mapping[str, Any] = movie if isinstance(movie, dict) else show if isinstance(show, dict) else item
    ids = film.get("ids")
    known: Mapping[str, Any] = ids if isinstance(ids, dict) else film
    service = "Simkl" if "simkl" in known else "Trakt" if film is not item else "JSON"
    if service not in read.formats:
        read.formats.append(service)
    title = _text(film.get("title") or film.get("name"))
    if not nested and ({"show", "episode", "season"} & item.keys() or group in {"shows", "anime"}):
        read.skip(place, title, "a series or an episode is no film")
        return
    rating = _first(item, _RATINGS)
    scale = Scale(1, 10, f"{service} rates from 1 to 10") if nested or service == "Simkl" else guessed
    if rating is not None:
        read.scales.append(scale)
    values = {
        "title": title,
        "year": _text(film.get("year") or film.get("release_date")),
        "imdb_id": _text(known.get("imdb") or known.get("imdb_id")),
        "tmdb_id": _text(known.get("tmdb") or known.get("tmdb_id")),
        "rating": "" if rating is None else str(rating),
        "date": _text(next((item[each] for each in _DATES if item.get(each)), "")),
        "list": _text(item.get("status")),
    }
    listed = "listed_at" in item or bool(_WATCHLIST.search(f"{PurePosixPath(name).stem} {group}"))
    listed &= "favorites" not in name and group != "favorites"  # they were watched
    _add_row(place, values, read, scale, watchlist=listed)


def _text(value: object) -> str:
    """Return a text or a number as text; empty for null, and for what is neither."""
    return str(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else ""


def _first(item: Mapping[str, Any], names: Sequence[str]) -> Any:
    """Return the first of some members that is not null; None without one."""
    return next((item[each] for each in names if item.get(each) is not None), None)


_RATINGS = ("user_rating", "my_rating", "rating", "score")
_DATES = ("rated_at", "user_rated_at", "last_watched_at", "watched_at", "listed_at")
