"""Files of a data set in a folder, under the names that editions, Kaggle and exports give them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from index.core.errors import InvalidInput
from indexer.datasets import netflix
from indexer.datasets.tables.parquet import is_folder_of_parts
from indexer.datasets.tables.text import COMPRESSED

TABLES = (".csv", ".tsv", ".txt", ".dat", ".data", ".base", ".inter", ".item", ".parquet")

_RATINGS = ("ratings", "rating", "u.data", "ua.base", "u1.base")  # in order of precedence
_TITLES = ("movies", "movie", "u.item", "films", "items")
_METADATA = ("movies_metadata",)
_LINKS = ("links", "link")
_TAGS = ("tags", "tag")
_FACTS = ("facts",)
_EXPECTED = (
    "expected ratings.csv and movies.csv, ratings.dat (ml-1m), u.data (ml-100k), the files of the Netflix Prize, or one"
    " file of user, item, rating"
)


@dataclass(frozen=True, slots=True)
class Files:
    """Files of a data set; None for those that it does not have."""

    ratings: Path | None  # None for the Netflix Prize
    titles: Path | None = None
    metadata: Path | None = None  # TMDB's
    links: Path | None = None
    tags: Path | None = None
    facts: Path | None = None  # of any columns
    netflix: Sequence[Path] = ()


def files_of(folder: Path) -> Files | None:
    """Return the files of the data set in this folder itself, not in one below; None without one."""
    prize = netflix.rating_files(folder)
    if prize:
        return Files(None, netflix.title_file(folder), netflix=prize)
    ratings = _named(folder, _RATINGS) or _only(folder)
    return None if ratings is None else with_ratings(ratings)


def with_ratings(ratings: Path) -> Files:
    """Return the files of the data set that a file of ratings belongs to, by its name: titles, links and tags."""
    folder, stem = ratings.parent, _stem(ratings)
    if ratings.name.lower().endswith(".inter"):  # RecBole's
        items = folder / f"{ratings.name[: -len('.inter')]}.item"
        return Files(ratings, items if items.is_file() else None)
    if not (stem.startswith("rating") or stem.endswith((".base", ".data", ".test"))):
        return Files(ratings)
    titles, metadata, links, tags = (
        _named(folder, names) or _similar(folder, names) for names in (_TITLES, _METADATA, _LINKS, _TAGS)
    )
    return Files(ratings, titles, metadata, links, tags, _named(folder, _FACTS))


def dataset_folder(path: Path) -> tuple[Path, Files]:
    """Return ``path``, or its only subfolder that holds a data set, and the files there.

    Raises:
        InvalidInput: there is none, or several.
    """
    files = files_of(path)
    if files is not None:
        return path, files
    inner = [(folder, found) for folder in sorted(path.iterdir()) if folder.is_dir() and (found := files_of(folder))]
    if len(inner) == 1:
        return inner[0]
    if inner:
        raise InvalidInput(f"{path} holds several data sets; give one: {', '.join(str(folder) for folder, _ in inner)}")
    tables = sorted(file.name for file in _tables(path))
    several = f"{', '.join(tables[:10])} could all be it: give one; otherwise " if len(tables) > 1 else ""
    raise InvalidInput(f"{path} holds no ratings: {several}{_EXPECTED}")


def _named(folder: Path, names: Sequence[str]) -> Path | None:
    by_stem: dict[str, Path] = {}
    for file in _tables(folder):
        by_stem.setdefault(_stem(file), file)
    return next((by_stem[name] for name in names if name in by_stem), None)


def _similar(folder: Path, names: Sequence[str]) -> Path | None:
    """Return the only file whose name begins with one of the names and ``_``, such as links_small.csv."""
    found = [file for file in _tables(folder) if _stem(file).startswith(tuple(f"{name}_" for name in names))]
    found = [file for file in found if not _stem(file).startswith(_METADATA)] if names is _TITLES else found
    return found[0] if len(found) == 1 else None


def _only(folder: Path) -> Path | None:
    tables = list(_tables(folder))
    for named in ([file for file in tables if _stem(file).startswith("rating")],
                  [file for file in tables if file.name.lower().endswith(".inter")],
                  [file for file in tables if _suffix(file) == ".csv"], tables):  # fmt: skip
        if len(named) == 1:
            return named[0]
    return None


def _tables(folder: Path) -> Iterator[Path]:
    """Yield the files that may be tables, plain ones before compressed ones."""
    files = [
        file
        for file in sorted(folder.iterdir())
        if _suffix(file) in TABLES
        and (file.is_file() or is_folder_of_parts(file))
        and not file.name.lower().startswith(("readme", "license", "."))
    ]
    return iter(sorted(files, key=lambda file: file.suffix.lower() in COMPRESSED))


def _suffix(file: Path) -> str:
    return Path(_plain_name(file)).suffix


def _stem(file: Path) -> str:
    """Return a file's name in lower case without what tells its kind: ``ratings`` of Ratings.csv.gz; u.item stays."""
    name = _plain_name(file)
    suffix = Path(name).suffix
    return name if suffix in {".data", ".base", ".test", ".item"} else name.removesuffix(suffix)


def _plain_name(file: Path) -> str:
    name = file.name.lower()
    return name.removesuffix(Path(name).suffix) if Path(name).suffix in COMPRESSED else name
