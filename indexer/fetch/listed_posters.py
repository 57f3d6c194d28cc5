"""Posters that a catalogue lists: files beside it or in a folder, and addresses to download them from."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from index.core.errors import Busy, SourceUnavailable
from index.core.progress import Track, silent
from index.posters.images import MAX_BYTES
from indexer.datasets.sources import listed_posters_folder
from indexer.fetch.ledger import Ledger
from indexer.fetch.per_movie import Absent, LinkedMovie, Source, fetch_each, found_ids
from indexer.fetch.posters import POSTERS
from indexer.fetch.web import HttpClient, html_error, is_url

RATE = 20.0  # requests a second

_MISSING_FOR = 7 * 86400.0  # seconds before a missing poster is requested again
_AS_LISTED = "as listed"  # form of the posters
_ABSENT = {401, 403, 404, 410}  # statuses of an address without a poster


def listed_posters(
    listed: Mapping[int, str],
    folders: Sequence[Path],
    data: Path,
    *,
    client: HttpClient | None = None,
    track: Track = silent,
) -> tuple[dict[int, Path], list[str]]:
    """Return movie id -> poster file, and warnings about those that there are not.

    A download that was interrupted is resumed by the next call.

    Args:
        listed: movie id -> path or URL.
        folders: that paths may be relative to, in order of precedence.
        data: the data directory, for downloads.
        client: None for one of ``RATE``.
        track: reports progress.
    """
    found: dict[int, Path] = {}
    absent: list[str] = []
    linked = []
    for movie_id, text in listed.items():
        if is_url(text):
            linked.append(LinkedMovie(movie_id, url=text))
            continue
        file = next((folder / text for folder in folders if is_file(folder / text)), None)
        if file is None:
            absent.append(f"movie {movie_id}: {text[:100]!r}")
        else:
            found[movie_id] = file
    warnings = []
    if absent:
        where = " nor ".join(map(str, folders))
        warnings.append(f"posters that are no file in {where}: {len(absent):,} (such as {absent[0]})")
    if linked:
        fetched, told = _fetched(linked, listed_posters_folder(data), client or HttpClient(rate=RATE), track)
        found |= fetched
        warnings += told
    return dict(sorted(found.items())), warnings


def url_source(client: HttpClient) -> Source:
    """Return the source that downloads the poster of a movie from its own address."""

    def source(movie: LinkedMovie) -> bytes | Absent:
        return download_poster(client, movie.url or "")

    return source


def download_poster(client: HttpClient, url: str) -> bytes | Absent:
    """Return the poster at an address.

    Raises:
        SourceUnavailable: the address does not answer, or with something else than a picture.
        Busy: it asks to come back much later.
    """
    response = client.get(url, max_bytes=MAX_BYTES)
    if response.status in _ABSENT:
        return Absent(f"its address answers {response.status}")
    if response.is_html:
        raise html_error(url, "a picture")
    if response.status != 200:
        raise SourceUnavailable(f"{response.url} answers {response.status}")
    return response.content


def is_file(path: Path) -> bool:
    """Return True if a path is that of a file; False for one that no file can have."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _fetched(
    linked: Sequence[LinkedMovie], folder: Path, client: HttpClient, track: Track
) -> tuple[dict[int, Path], list[str]]:
    told: list[str] = []
    with Ledger(folder.with_suffix(".db")) as ledger:
        try:
            summary = fetch_each(POSTERS, linked, folder, ledger, lambda: url_source(client), form=_AS_LISTED,
                                 missing_for=_MISSING_FOR, now=time.time, track=track)  # fmt: skip
            if summary.missing or summary.failed:
                told = [" ".join(line.strip() for line in summary.lines())]
        except (SourceUnavailable, Busy) as error:  # the build goes on with the posters so far
            told = [f"posters that are addresses: {error}"]
    with Ledger(folder.with_suffix(".db")) as ledger:
        found = found_ids(linked, ledger)
    files = {file.stem: file for file in folder.iterdir()}
    return {movie_id: files[str(movie_id)] for movie_id in found if str(movie_id) in files}, told
