"""Download of MovieLens editions from GroupLens, a mirror or a local copy."""

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
from indexer.fetch.download import ZIP, check_space, discard, download, download_folder
from indexer.fetch.web import HttpClient, is_url

SITE = "https://files.grouplens.org/datasets/movielens/"
# Source: <zip>.md5 at SITE. Editions with None change, so their MD5 is downloaded.
MD5 = {
    "latest-small": None,
    "latest": None,
    "25m": "6b51fb2759a8657d3bfcbfc42b592ada",
    "32m": "d472be332d4daa821edc399621853b57",
    "1m": "c4d9eecfca2ab87c1945afe126590906",
    "100k": "0e33842e24a9c977be4e0107933c0723",
}

_MD5 = re.compile(r"\b[0-9a-fA-F]{32}\b")  # in "MD5 (ml-25m.zip) = …" and "…  ml-25m.zip"
_MAX_MD5_FILE = 4096  # bytes


def fetch_movielens(
    edition: str,
    data: Path,
    client: HttpClient,
    *,
    source: str | None = None,
    again: bool = False,
    count: Count = uncounted,
    notify: Callable[[str], None],
) -> Path:
    """Return the folder of an edition; fetch it if it is missing.

    Args:
        edition: a key of ``MD5``.
        data: the data directory.
        client: for downloads.
        source: URL of a zip or of a folder of zips; path of a zip, of the edition, or of a folder with either.
        again: fetch it even if it exists.
        count: reports downloaded bytes.
        notify: receives messages for the user, a line each.

    Raises:
        SourceUnavailable: the download failed.
        Busy: the server asks to come back much later.
        InvalidInput: the source is not this edition.
        PosterityError: the disk is too small, or another process is fetching MovieLens.
    """
    name = f"ml-{edition}"
    target = movielens_folder(data) / name
    if target.is_dir() and not again:
        notify(f"MovieLens {edition} is already in {target} (--again fetches it again)")
        return target
    with download_folder(data, "movielens") as folder:
        fresh, replaced = folder / "unpacked", folder / f"{name}.replaced"
        shutil.rmtree(fresh, ignore_errors=True)  # of a killed process
        if replaced.exists() and not target.exists():  # killed between the two renames
            replaced.rename(target)
        fresh.mkdir()
        resolved = _resolve(source or SITE, name)
        if isinstance(resolved, Path):
            _copy(resolved, fresh / name)
        else:
            md5 = MD5[edition] or _published_md5(client, resolved)
            part = download(client, resolved, folder, f"{name}.zip", ZIP, md5=md5, count=count)
            try:
                _unzip(part, fresh, name)
            except InvalidInput:
                discard(part)
                raise
            checked = "by its MD5" if md5 else "by its size and CRCs only: no MD5 is published beside it"
            notify(f"{name}.zip is verified {checked}")
        _replace_folder(fresh / name, target, replaced)
        fresh.rmdir()
        discard(folder / f"{name}.zip.part")
    readme = next(iter(sorted(target.glob("README*"))), None)
    notify(f"MovieLens {edition} is in {target}")
    notify(f"{_citation()}{'' if readme is None else f' Its terms in full: {readme}'}")
    return target


def _resolve(source: str, name: str) -> str | Path:
    """Return the URL or path of a zip file as a string, or the folder of the edition as a Path."""
    if is_url(source):
        return source if source.lower().endswith(".zip") else f"{source.rstrip('/')}/{name}.zip"
    path = Path(source)
    if path.is_file():
        return source
    if (path / f"{name}.zip").is_file():
        return str(path / f"{name}.zip")
    for folder in (path / name, path):
        if _holds_dataset(folder):
            return folder
    raise InvalidInput(f"{source} is neither {name}.zip nor a folder with it or its content: give one of these")


def _unzip(part: Path, fresh: Path, name: str) -> None:
    unzip(part, fresh, name)
    if not _holds_dataset(fresh / name):
        raise InvalidInput(f"{name}.zip contains no ratings and was deleted: name another source with --from")


def _holds_dataset(folder: Path) -> bool:
    from indexer.datasets.movielens import holds_dataset

    return folder.is_dir() and holds_dataset(folder)


def _citation() -> str:
    from indexer.datasets.movielens import CITATION

    return CITATION


def _published_md5(client: HttpClient, zip_file: str) -> str | None:
    """Return the MD5 in ``<zip file>.md5``; None if there is none."""
    if is_url(zip_file):
        response = client.get(f"{zip_file}.md5", max_bytes=2**20)
        text = response.content[:_MAX_MD5_FILE] if response.status == 200 and not response.is_html else b""
    else:
        md5_file = Path(f"{zip_file}.md5")
        text = md5_file.read_bytes()[:_MAX_MD5_FILE] if md5_file.is_file() else b""
    match = _MD5.search(text.decode("latin-1"))
    return match and match.group().lower()


def _copy(source: Path, target: Path) -> None:
    """Copy the regular files of a folder."""
    files = [file for file in source.rglob("*") if file.is_file() and not file.is_symlink()]
    target.mkdir()
    check_space(target, sum(file.stat().st_size for file in files))
    for file in files:
        copy = target / file.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
        sync(copy)


def _replace_folder(fresh: Path, target: Path, replaced: Path) -> None:
    """Move a folder to ``target``; an existing one is moved to ``replaced`` first and then deleted."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(replaced, ignore_errors=True)
    if target.exists():
        target.rename(replaced)
    fresh.rename(target)
    sync(target.parent)
    shutil.rmtree(replaced, ignore_errors=True)
