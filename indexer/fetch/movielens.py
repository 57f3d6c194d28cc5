"""Editions of MovieLens, from GroupLens, a mirror or a local copy to a folder as GroupLens unzips it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from index.core.errors import InvalidInput
from index.core.files import sync
from index.core.progress import Count, uncounted
from indexer.datasets.sources import movielens_folder
from indexer.fetch.archive import unzip
from indexer.fetch.download import ZIP, check_space, discard, download, unfinished
from indexer.fetch.web import Web, is_address

SITE = "https://files.grouplens.org/datasets/movielens/"
# Of editions that never change, as GroupLens publishes it in <zip>.md5; the others' are asked for.
MD5 = {
    "latest-small": None,
    "latest": None,
    "25m": "6b51fb2759a8657d3bfcbfc42b592ada",
    "32m": "d472be332d4daa821edc399621853b57",
    "1m": "c4d9eecfca2ab87c1945afe126590906",
    "100k": "0e33842e24a9c977be4e0107933c0723",
}

_SUM = re.compile(r"\b[0-9a-fA-F]{32}\b")  # in "MD5 (ml-25m.zip) = …" and "…  ml-25m.zip"
_SUM_FILE = 4096  # bytes at most

Say = Callable[[str], None]


def fetch_movielens(
    edition: str,
    data: Path,
    web: Web,
    *,
    source: str | None = None,
    again: bool = False,
    count: Count = uncounted,
    say: Say,
) -> Path:
    """The folder of the edition, after it was fetched unless it is there.

    Args:
        source: the address of a zip or of a folder of zips; a zip; a folder that is the edition or holds it or its zip.
        again: fetch it even so.

    Raises:
        SourceUnavailable, Busy: it is not to be had.
        InvalidInput: it is not what it should be.
        PosterityError: the disk is too small, or another process fetches the same.
    """
    name = f"ml-{edition}"
    target = movielens_folder(data) / name
    if target.is_dir() and not again:
        say(f"MovieLens {edition} is in {target} already (--again fetches it anew)")
        return target
    with unfinished(data, "movielens") as folder:
        fresh, aside = folder / "unpacked", folder / f"{name}.replaced"
        shutil.rmtree(fresh, ignore_errors=True)  # left by a call that was killed
        if aside.exists() and not target.exists():
            aside.rename(target)
        fresh.mkdir()
        found = _find(source or SITE, name)
        if isinstance(found, Path):
            _copy(found, fresh / name)
        else:
            md5 = MD5[edition] or _published(web, found)
            part = download(web, found, folder, f"{name}.zip", ZIP, md5=md5, count=count)
            try:
                _unzip(part, fresh, name)
            except InvalidInput:
                discard(part)
                raise
            checked = "by its MD5 sum" if md5 else "by its size and own checksums: no MD5 sum is published beside it"
            say(f"{name}.zip is checked {checked}")
        _put(fresh / name, target, aside)
        fresh.rmdir()
        discard(folder / f"{name}.zip.part")
    readme = next(iter(sorted(target.glob("README*"))), None)
    say(f"MovieLens {edition} is in {target}")
    say(f"{_citation()}{'' if readme is None else f' Its terms in full: {readme}'}")
    return target


def _find(source: str, name: str) -> str | Path:
    """The address or path of a zip file, or (a Path) the folder of the edition itself."""
    if is_address(source):
        return source if source.lower().endswith(".zip") else f"{source.rstrip('/')}/{name}.zip"
    path = Path(source)
    if path.is_file():
        return source
    if (path / f"{name}.zip").is_file():
        return str(path / f"{name}.zip")
    for folder in (path / name, path):
        if _holds_dataset(folder):
            return folder
    raise InvalidInput(f"{source} is neither {name}.zip, nor a folder with it or with what it unzips to")


def _unzip(part: Path, fresh: Path, name: str) -> None:
    unzip(part, fresh, name)
    if not _holds_dataset(fresh / name):
        raise InvalidInput(f"{name}.zip has no ratings in it, and was not kept")


def _holds_dataset(folder: Path) -> bool:
    from indexer.datasets.movielens import holds_dataset

    return folder.is_dir() and holds_dataset(folder)


def _citation() -> str:
    from indexer.datasets.movielens import CITATION

    return CITATION


def _published(web: Web, zip_file: str) -> str | None:
    """The MD5 sum that lies beside a zip file; None where none does."""
    if is_address(zip_file):
        answer = web.get(f"{zip_file}.md5", most=2**20)
        text = answer.content[:_SUM_FILE] if answer.status == 200 and not answer.is_page else b""
    else:
        beside = Path(f"{zip_file}.md5")
        text = beside.read_bytes()[:_SUM_FILE] if beside.is_file() else b""
    found = _SUM.search(text.decode("latin-1"))
    return found and found.group().lower()


def _copy(source: Path, target: Path) -> None:
    """Copies the plain files of a folder."""
    files = [file for file in source.rglob("*") if file.is_file() and not file.is_symlink()]
    target.mkdir()
    check_space(target, sum(file.stat().st_size for file in files))
    for file in files:
        copy = target / file.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
        sync(copy)


def _put(fresh: Path, target: Path, aside: Path) -> None:
    """Puts a folder in place; what is there goes aside first."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(aside, ignore_errors=True)
    if target.exists():
        target.rename(aside)
    fresh.rename(target)
    sync(target.parent)
    shutil.rmtree(aside, ignore_errors=True)
