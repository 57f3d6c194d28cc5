"""Columns of tables by their many spellings: which one is the user, the movie, the rating, the title, …"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from index.core.errors import InvalidInput
from indexer.datasets.tables.delimited import Table, sniff
from indexer.datasets.tables.json_lines import is_json_lines, sniff_json_lines
from indexer.datasets.tables.parquet import sniff_parquet
from indexer.datasets.tables.values import real

# Role -> spellings in lower case without spaces and signs; earlier sets take precedence.
RATING_COLUMNS: Mapping[str, Sequence[Collection[str]]] = {
    "user": (
        {"user", "userid"},
        {"uid", "username", "reviewer", "reviewerid", "customer", "customerid", "profileid", "memberid", "viewerid"},
    ),
    "movie": (
        {"item", "itemid", "movie", "movieid"},
        {"film", "filmid", "iid", "mid", "asin", "product", "productid", "animeid", "showid", "titleid", "isbn"},
        {"parentasin", "const", "tconst", "sku", "ean", "upc", "barcode", "slug", "uuid", "guid"},
        {"imdbid"},
        {"tmdbid"},
    ),
    "rating": (
        {"rating", "score"},
        {"ratings", "stars", "overall", "yourrating", "yourated", "userrating", "moviescore", "grade", "rate", "value"},
    ),
    "timestamp": (
        {"timestamp", "time"},
        {"unixreviewtime", "ts", "datetime", "date", "ratedat", "daterated", "createdat", "created", "eventtime"},
    ),
}
MOVIE_COLUMNS: Mapping[str, Sequence[Collection[str]]] = {
    "movie": (*RATING_COLUMNS["movie"][:3], {"id"}, {"imdbid"}, {"tmdbid"}),
    "title": (
        {"title", "movietitle"},
        {"name", "moviename", "filmname", "titlename"},
        {"originaltitle", "primarytitle"},
    ),
    "genres": ({"genres"}, {"genre", "class", "category", "categories"}),
    "year": ({"year", "releaseyear", "startyear"}, {"releasedate", "release"}),
    "imdb": ({"imdbid"}, {"imdb"}),
    "tmdb": ({"tmdbid"}, {"tmdb", "themoviedbid"}),
}
CATALOGUE_COLUMNS: Mapping[str, Sequence[Collection[str]]] = {
    **MOVIE_COLUMNS,
    "movie": ({"id"}, *RATING_COLUMNS["movie"][:3]),
    "poster": ({"poster"}, {"posterpath", "posterurl", "posterfile"}, {"image", "imageurl", "cover", "coverurl"}),
    "owned": ({"owned"},),
}
LINK_COLUMNS = {name: MOVIE_COLUMNS[name] for name in ("movie", "imdb", "tmdb")}
TAG_COLUMNS: Mapping[str, Sequence[Collection[str]]] = {
    "movie": RATING_COLUMNS["movie"],
    "tag": ({"tag"}, {"tags", "keyword", "keywords"}),
}
# Columns of one person's export: of Letterboxd, IMDb, and Trakt.
_EXPORTS = ({"letterboxduri"}, {"const", "yourrating"}, {"const", "yourated"}, {"ratedat", "traktid"})


@dataclass(frozen=True, slots=True)
class Layout:
    """A table, and the positions of the columns that are used."""

    table: Table
    roles: Mapping[str, int]
    header: bool = True  # columns are named
    one_user: bool = False  # an export of one person's ratings

    def __contains__(self, role: str) -> bool:
        """Return True if there is a column of this role."""
        return role in self.roles

    def field(self, fields: Sequence[str], role: str) -> str:
        """Return the field of a row in a role; empty without such a column."""
        at = self.roles.get(role)
        return "" if at is None else fields[at]

    @property
    def width(self) -> int:
        """Return the number of fields that a row must have."""
        return 1 + max(self.roles.values())


def rating_layout(file: Path) -> Layout:
    """Return the layout of a file of ratings; with a title but without an id, the title is the id.

    Raises:
        InvalidInput: the file is missing or empty, or a needed column is.
    """
    table, second = _sniff(file)
    if _is_row(table.columns):
        return _headerless(table)
    names = [normalised(name) for name in table.columns]
    roles = _roles(table, RATING_COLUMNS)
    one_user = "user" not in roles and any(columns <= set(names) for columns in _EXPORTS)
    if len(table.columns) == 1 and second:
        raise InvalidInput(f"{file}, line 1: no columns can be told apart in {table.columns[0][:80]!r}; separate"
                           " them by commas, tabs or semicolons")  # fmt: skip
    facts = _roles(table, {name: MOVIE_COLUMNS[name] for name in ("title", "genres", "year")}, refuse=False)
    if "movie" not in roles and one_user and "title" in facts:
        roles["movie"] = facts["title"]
    for name in ("user", "movie"):
        if name not in roles and not (name == "user" and one_user):
            known = sorted({spelling for spellings in RATING_COLUMNS[name][:2] for spelling in spellings})
            raise InvalidInput(
                f"{file}, line 1: no {name} column among {', '.join(table.columns)}; expected one of"
                f" {', '.join(known)}, in any letter case, with or without underscores"
            )
    roles |= {name: at for name, at in facts.items() if at not in {roles.get("user"), roles.get("rating")}}
    return Layout(table, roles, one_user=one_user)


def layout(file: Path, spellings: Mapping[str, Sequence[Collection[str]]], *needed: str) -> Layout:
    """Return the layout of a file of movies, links or tags.

    Raises:
        InvalidInput: the file is missing or empty, or a needed column is.
    """
    table, _ = _sniff(file)
    roles = _roles(table, spellings, refuse=False)
    for name in needed:
        if name not in roles:
            accepted = sorted({spelling for each in spellings[name] for spelling in each})
            raise InvalidInput(f"{file}, line 1: no {name} column among {', '.join(table.columns)}; expected one of"
                               f" {', '.join(accepted)}")  # fmt: skip
    return Layout(table, roles)


def normalised(name: str) -> str:
    """Return a column's name as compared: ``User_ID`` is ``userid``, RecBole's ``user_id:token`` too."""
    return re.sub(r"[\W_]", "", re.sub(r":(token|float)(_seq)?$", "", name.strip().casefold()))


def _sniff(file: Path) -> tuple[Table, Sequence[str]]:
    if file.suffix.lower() == ".parquet":
        return sniff_parquet(file)
    return sniff_json_lines(file) if is_json_lines(file) else sniff(file)


def _roles(table: Table, spellings: Mapping[str, Sequence[Collection[str]]], *, refuse: bool = True) -> dict[str, int]:
    names = [normalised(name) for name in table.columns]
    roles: dict[str, int] = {}
    for role, choices in spellings.items():
        for accepted in choices:
            found = [at for at, name in enumerate(names) if name in accepted]
            if len(found) > 1 and refuse:
                both = " and ".join(table.columns[at] for at in found)
                raise InvalidInput(f"{table.file}, line 1: {both} could both be the {role} column: remove one")
            if found:
                roles[role] = found[0]
                break
    return roles


def _is_row(fields: Sequence[str]) -> bool:
    """Return True if the first line of a file is a row of user, item[, rating[, timestamp]], not column names."""
    known = {spelling for choices in RATING_COLUMNS.values() for each in choices for spelling in each}
    if not 2 <= len(fields) <= 4 or any(normalised(name) in known for name in fields):
        return False
    numeric = fields if len(fields) == 2 else fields[2:3]
    return all(real(text) is not None for text in numeric)


def _headerless(table: Table) -> Layout:
    names = ["user", "movie", "rating", "timestamp"][: len(table.columns)]
    # Amazon's files of 2018 have the product first, those of 2014 the reviewer.
    if re.fullmatch(r"B[0-9A-Z]{9}|[0-9]{9}[0-9X]", table.columns[0]) and re.fullmatch(
        r"A[0-9A-Z]{9,20}", table.columns[1]
    ):
        names[:2] = ["movie", "user"]
    table = replace(table, columns=tuple(names), skip=table.skip - 1)
    return Layout(table, {name: at for at, name in enumerate(names)}, header=False)
