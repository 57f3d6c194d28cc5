"""Films of a Jellyfin server, and of Emby, whose API is the older form of the same.

Source: https://api.jellyfin.org, GetItems, GetUsers and GetItemImage.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from index.core.errors import SourceUnavailable
from indexer.datasets.tables.values import year
from indexer.shelf.film import Facts, Watched
from indexer.shelf.media_server import PAGE, Item, Server, dicts, names, text
from indexer.shelf.nfo import imdb_id, labels, tmdb_id

VARIABLE = "POSTERITY_JELLYFIN_KEY"
KEY = "an API key of the server (Dashboard, API Keys)"

_FIELDS = "Genres,OriginalTitle,Overview,People,ProductionLocations,ProviderIds,Studios,Tags"
_WIDTH = 500  # pixels of posters, as those of posterity fetch posters


def headers(key: str) -> dict[str, str]:
    """Return the headers of every request: the current one, and that of Emby and of old versions."""
    return {"Authorization": f'MediaBrowser Token="{key}", Client="Posterity"', "X-Emby-Token": key}


def films(server: Server) -> Iterator[Item]:
    """Yield the films; one that is added meanwhile may be yielded twice."""
    for item in _items(server, {"fields": _FIELDS, "enableUserData": "false"}):
        tags = item.get("ImageTags")
        tag = text(tags.get("Primary")) if isinstance(tags, dict) else ""
        picture = f"/Items/{item['Id']}/Images/Primary?maxWidth={_WIDTH}&quality=90&tag={tag}" if tag else ""
        yield Item(item["Id"], _facts(item), picture, tag)


def watched(server: Server) -> Iterator[Watched]:
    """Yield what each user rated, marked as favourite and played; ``file`` is the id of the item."""
    for user in dicts(server.json("/Users")):
        name, user_id = text(user.get("Name")), text(user.get("Id"))
        if not name or not user_id:
            continue
        name = f"jellyfin-{name}" if name.isdecimal() else name  # a number is a user of a data set
        for item in _items(server, {"userId": user_id, "enableUserData": "true", "enableImages": "false"}):
            found = _watched(name, item)
            if found is not None:
                yield found


def _items(server: Server, params: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Yield all films, page by page."""
    start, seen = 0, set[str]()
    while True:
        paged = {"startIndex": str(start), "limit": str(PAGE)}
        fixed = {"includeItemTypes": "Movie", "recursive": "true", "sortBy": "SortName", "sortOrder": "Ascending"}
        page = server.json("/Items", {**fixed, **params, **paged})
        items = dicts(page.get("Items")) if isinstance(page, dict) else None
        total = page.get("TotalRecordCount") if isinstance(page, dict) else None
        if items is None or not isinstance(total, int) or any(not text(each.get("Id")) for each in items):
            raise SourceUnavailable(f"{server.address}/Items gave no list of films: is this the address of Jellyfin?")
        new = [each for each in items if each["Id"] not in seen]
        seen |= {each["Id"] for each in new}
        yield from new
        start += len(items)
        if start >= total or not items:
            return
        if not new:
            raise SourceUnavailable(f"{server.address}/Items repeats its first {len(seen):,} of {total:,} films")


def _facts(item: Mapping[str, Any]) -> Facts:
    ids = item.get("ProviderIds")
    ids = {str(name).lower(): text(value) for name, value in ids.items()} if isinstance(ids, dict) else {}
    people = dicts(item.get("People"))

    def of_kind(kind: str) -> tuple[str, ...]:
        return labels(names((each for each in people if each.get("Type") == kind), "Name"), separators="|")

    released = item.get("ProductionYear")
    return Facts(
        text(item.get("Name")),
        text(item.get("OriginalTitle")),
        year(str(released)) or year(text(item.get("PremiereDate"))),
        imdb_id(ids.get("imdb", "")),
        tmdb_id(ids.get("tmdb", "")),
        labels(map(text, item.get("Genres") or ()), separators="/|,"),
        {
            "director": of_kind("Director"),
            "writers": of_kind("Writer"),
            "actors": of_kind("Actor"),
            "keywords": labels(map(text, item.get("Tags") or ()), separators="|"),
            "certificate": labels([text(item.get("OfficialRating"))], separators="|"),
            "country": labels(map(text, item.get("ProductionLocations") or ()), separators="|"),
            "studio": labels(names(item.get("Studios") or (), "Name"), separators="|"),
        },
        text(item.get("Overview")),
    )


def _watched(user: str, item: Mapping[str, Any]) -> Watched | None:
    data = item.get("UserData")
    if not isinstance(data, dict):
        return None
    rating = data.get("Rating")
    rated = float(rating) if isinstance(rating, (int, float)) and 0 <= rating <= 10 else None
    plays = data.get("PlayCount")
    plays = max(plays if isinstance(plays, int) else 0, int(data.get("Played") is True))
    favourite = data.get("IsFavorite") is True or data.get("Likes") is True
    if rated is None and not plays and not favourite:
        return None
    return Watched(user, item["Id"], rated, favourite, plays, _seconds(text(data.get("LastPlayedDate"))))


def _seconds(date: str) -> int | None:
    """Return a date as seconds since 1970. Jellyfin writes seven digits of a second, which Python 3.11 reads."""
    try:
        found = datetime.fromisoformat(date)
    except ValueError:
        return None
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())
