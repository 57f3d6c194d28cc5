"""Films of a Plex Media Server.

Source: https://developer.plex.tv/pms, sections of a library and their items.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Any

from index.core.errors import SourceUnavailable
from indexer.datasets.tables.values import year
from indexer.shelf.film import Facts, Watched
from indexer.shelf.media_server import PAGE, Item, Server, dicts, names, text
from indexer.shelf.nfo import imdb_id, labels, tmdb_id

VARIABLE = "POSTERITY_PLEX_TOKEN"
KEY = "a token of the server's owner (support.plex.tv: finding an authentication token)"
USER = "plex"  # the owner of the token: the only one whose ratings and plays a server tells

_MOVIE = "1"  # type of items
# Of the agents before 2020: com.plexapp.agents.imdb://tt0113277?lang=en
_OLD_GUID = re.compile(r"com\.plexapp\.agents\.(imdb|themoviedb)://([^?]+)")


def headers(key: str) -> dict[str, str]:
    """Return the headers of every request."""
    return {
        "X-Plex-Token": key,
        "X-Plex-Client-Identifier": "posterity",
        "X-Plex-Product": "Posterity",
        "X-Plex-Version": version("posterity"),
    }


def films(server: Server) -> Iterator[Item]:
    """Yield the films of all libraries of films."""
    for item in _items(server):
        picture = text(item.get("thumb"))
        usable = picture.startswith("/") and not picture.startswith("//")
        yield Item(item["ratingKey"], _facts(item), picture if usable else "", picture)


def watched(server: Server) -> Iterator[Watched]:
    """Yield what the owner of the token rated and played; ``file`` is the id of the item."""
    for item in _items(server):
        rating, plays, time = item.get("userRating"), item.get("viewCount"), item.get("lastViewedAt")
        rated = float(rating) if isinstance(rating, (int, float)) and 0 <= rating <= 10 else None
        plays = plays if isinstance(plays, int) else 0
        if rated is not None or plays:
            yield Watched(USER, item["ratingKey"], rated, plays=plays, time=time if isinstance(time, int) else None)


def _items(server: Server) -> Iterator[dict[str, Any]]:
    sections = dicts(_container(server, "/library/sections").get("Directory"))
    for section in sections:
        if section.get("type") == "movie":
            yield from _section(server, text(section.get("key")))


def _section(server: Server, key: str) -> Iterator[dict[str, Any]]:
    """Yield the films of a library, page by page."""
    start, seen = 0, set[str]()
    while True:
        paged = {"X-Plex-Container-Start": str(start), "X-Plex-Container-Size": str(PAGE)}
        path = f"/library/sections/{key}/all"
        page = _container(server, path, {"type": _MOVIE, "includeGuids": "1"}, paged)
        items = [each for each in dicts(page.get("Metadata")) if text(each.get("ratingKey"))]
        total = page.get("totalSize", page.get("size"))
        new = [each for each in items if each["ratingKey"] not in seen]
        seen |= {each["ratingKey"] for each in new}
        yield from new
        start += len(items)
        if not items or not isinstance(total, int) or start >= total:
            return
        if not new:
            raise SourceUnavailable(f"{server.address}{path} repeats its first {len(seen):,} of {total:,} films")


def _container(
    server: Server, path: str, params: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
) -> dict[str, Any]:
    found = server.json(path, params, headers)
    container = found.get("MediaContainer") if isinstance(found, dict) else None
    if not isinstance(container, dict):
        raise SourceUnavailable(f"{server.address}{path} gave no MediaContainer: is this the address of Plex?")
    return container


def _facts(item: Mapping[str, Any]) -> Facts:
    ids = dict(guid.split("://", 1) for guid in names(item.get("Guid") or (), "id") if "://" in guid)
    old = _OLD_GUID.match(text(item.get("guid")))
    if old is not None:
        ids.setdefault("tmdb" if old[1] == "themoviedb" else "imdb", old[2])

    def tags(member: str) -> list[str]:
        return names(item.get(member) or (), "tag")

    return Facts(
        text(item.get("title")),
        text(item.get("originalTitle")),
        year(str(item.get("year"))) or year(text(item.get("originallyAvailableAt"))),
        imdb_id(ids.get("imdb", "")),
        tmdb_id(ids.get("tmdb", "")),
        labels(tags("Genre"), separators="/|,"),
        {
            "director": labels(tags("Director"), separators="|"),
            "writers": labels(tags("Writer"), separators="|"),
            "actors": labels(tags("Role"), separators="|"),
            "collection": labels(tags("Collection"), separators="|"),
            "certificate": labels([text(item.get("contentRating"))], separators="|"),
            "country": labels(tags("Country"), separators="|"),
            "studio": labels([text(item.get("studio"))], separators="|"),
        },
        text(item.get("summary")),
    )
