"""Scans of media servers: films and posters by HTTP, and what their users rated, marked and played."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from index.core.errors import BadImage, InvalidInput, SourceUnavailable, Unauthorised
from index.core.files import remove_temporaries, write_durably
from index.core.progress import Track, silent
from index.posters.formats import suffix_of
from indexer.fetch.web import THREADS, HttpClient
from indexer.shelf import jellyfin, plex
from indexer.shelf.film import MAX_FILMS, Film, Found, Line, Outcome, Watched, titled
from indexer.shelf.media_server import Item, Kind, Server

_KINDS: Mapping[str, Kind] = {"jellyfin": jellyfin, "plex": plex}
_MAX_FAILURES = 25  # posters in a row
_UNAVAILABLE = re.compile(r"(https?://[^/\s]+)[^\s:]*")


def is_server(source: str) -> bool:
    """Return True for the address of a media server, not a path."""
    scheme, colon, _ = source.partition("://")
    return bool(colon) and scheme.lower().removesuffix("s") in _KINDS


def scan_server(
    source: str,
    pictures: Path,
    environment: Mapping[str, str],
    *,
    users: bool,
    client: HttpClient | None = None,
    track: Track = silent,
) -> Found:
    """Return the films of a media server, and what its users rated, marked and played if ``users``.

    Args:
        source: jellyfin://host:port/path or plex://…; with jellyfins or plexs by HTTPS.
        pictures: folder of downloaded posters; each is requested once.
        environment: has the key in POSTERITY_JELLYFIN_KEY or POSTERITY_PLEX_TOKEN.
        users: read ratings, favourites and plays.
        client: for requests; None for one with the usual timeouts.
        track: reports progress.

    Raises:
        InvalidInput: the address is invalid, or the server has more than ``MAX_FILMS`` films.
        Unauthorised: the key is missing or refused.
        SourceUnavailable: the server does not answer, or not as such a server does.
        Busy: the server asks to come back much later.
    """
    kind, address = _address(source)
    key = environment.get(kind.VARIABLE, "").strip()
    if not key:
        raise Unauthorised(f"{address} needs a key: set {kind.VARIABLE} to {kind.KEY}")
    if not re.fullmatch(r"[\w.~+/=-]+", key, re.ASCII):
        raise Unauthorised(f"{kind.VARIABLE} contains characters that no key has: copy the key again")
    server = Server(client or HttpClient(), address, kind.headers(key), kind.VARIABLE)
    items: dict[str, Item] = {}
    lines: list[Line] = []
    for item in track(kind.films(server), f"Reading {address}", None):
        if any(map(str.isalnum, item.facts.title)):
            items.setdefault(item.item_id, item)
        else:
            lines.append(Line(f"{address}/{item.item_id}", Outcome.SKIPPED, reason="it has no title"))
        if len(items) > MAX_FILMS:
            raise InvalidInput(f"{address} has more than {MAX_FILMS:,} films")
    found = {name: f"{address}/{name}" for name in items}
    watched = [replace(each, file=found[each.file]) for each in _watched(kind, server, users) if each.file in found]
    files, problems = _download(server, list(items.values()), pictures, track)
    films = [Film(item.facts, found[name], files.get(name), item.version) for name, item in items.items()]
    lines += [Line(film.file, Outcome.FILM, titled(film.facts)) for film in films]
    lines += [Line(found[name], Outcome.NOTE, reason=f"no poster: {why}") for name, why in problems.items()]
    return Found(tuple(films), tuple(lines), tuple(watched))


def _watched(kind: Kind, server: Server, users: bool) -> Iterable[Watched]:
    return kind.watched(server) if users else ()


def _address(source: str) -> tuple[Kind, str]:
    """Return the kind of a server and its address by HTTP."""
    scheme, _, rest = source.partition("://")
    secure = scheme.lower() not in _KINDS
    kind = _KINDS[scheme.lower().removesuffix("s") if secure else scheme.lower()]
    try:
        parts = urlsplit(f"{'https' if secure else 'http'}://{rest}")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise InvalidInput(f"{scheme}:// is followed by no address: {error}; write {scheme}://host:port") from None
    if parts.username is not None or parts.query or parts.fragment:  # perhaps a key, so nothing of it is shown
        raise InvalidInput(
            f"the address of {scheme}:// has more than host, port and path: set {kind.VARIABLE} for the key"
        )
    if not host:
        raise InvalidInput(f"{source} names no host: write {scheme}://host:port")
    name = f"[{host}]" if ":" in host else host
    return kind, f"{parts.scheme}://{name}{'' if port is None else f':{port}'}{parts.path.rstrip('/')}"


def _download(server: Server, items: list[Item], folder: Path, track: Track) -> tuple[dict[str, Path], dict[str, str]]:
    """Download the posters that are not there yet; return item -> file, and item -> reason of those that failed."""
    folder.mkdir(parents=True, exist_ok=True)
    remove_temporaries(folder)
    existing = {file.stem: file for file in folder.iterdir()}
    stems = {item.item_id: _stem(server, item) for item in items if item.picture}
    files = {name: existing[stem] for name, stem in stems.items() if stem in existing}
    due = [item for item in items if item.picture and item.item_id not in files]
    problems: dict[str, str] = {}
    failures = 0

    def download(item: Item) -> Path | str:
        try:
            content = server.picture(item.picture)
        except (BadImage, SourceUnavailable) as error:
            return _UNAVAILABLE.sub(r"\1", str(error))  # without the path, so that reasons can be counted
        file = folder / f"{stems[item.item_id]}{suffix_of(content)}"
        write_durably(file, content)
        return file

    executor = ThreadPoolExecutor(THREADS)
    try:
        outcomes = zip(due, executor.map(download, due), strict=True)
        for item, outcome in track(outcomes, f"Fetching posters of {server.address}", len(due)):
            if isinstance(outcome, Path):
                files[item.item_id], failures = outcome, 0
                continue
            problems[item.item_id] = outcome
            failures += 1
            if failures == _MAX_FAILURES:
                raise SourceUnavailable(f"{failures} posters in a row failed, the last with: {outcome}")
    finally:
        executor.shutdown(cancel_futures=True)
    return files, problems


def _stem(server: Server, item: Item) -> str:
    return hashlib.sha256(f"{server.address}\0{item.item_id}\0{item.version}".encode()).hexdigest()[:32]
