"""Local stand-ins of Jellyfin and Plex, as their published APIs describe them, with the faults of ``standins``."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from tests.indexer.fetch.standins import Seen, StandIns
from tests.indexer.fetch.standins import _Handler as Handler
from tests.indexer.shelf.libraries import JPEG, Made, film

JELLYFIN_KEY = "9f3c2a7be1d84c06a5b7d2e8f1c04a63"
PLEX_TOKEN = "xHk3-Qz7_tR9vLmN2pWs"  # noqa: S105  invented


class _Handler(Handler):
    server: MediaServer

    def _answer(self, seen: Seen) -> None:
        query = {name: values[0] for name, values in seen.query.items()}
        if seen.path.startswith("/Items/") and seen.path.endswith("/Images/Primary"):
            self._picture(self.server.pictures.get(seen.path.split("/")[2]))  # Jellyfin sends pictures to anybody
        elif seen.path.startswith(("/Items", "/Users")):
            self._jellyfin(seen.path, query)
        elif self.headers.get("X-Plex-Token") != PLEX_TOKEN:
            self.plain(401, b"<html><head><title>Unauthorized</title></head></html>", "text/html")
        elif "/thumb/" in seen.path:
            self._picture(self.server.pictures.get(seen.path.split("/")[3]))
        elif self.headers.get("Accept") != "application/json":
            self.plain(200, b'<?xml version="1.0"?><MediaContainer size="0"/>', "application/xml")
        else:
            self._plex(seen.path)

    def _jellyfin(self, path: str, query: dict[str, str]) -> None:
        if f'Token="{JELLYFIN_KEY}"' not in self.headers.get("Authorization", ""):
            self.plain(401, b"", "text/plain")
        elif path == "/Users":
            self.json(200, [{"Id": f"u-{name}", "Name": name} for name in self.server.users])
        elif path == "/Items" and query.get("includeItemTypes") == "Movie" and query.get("recursive") == "true":
            start, limit = int(query.get("startIndex", 0)), int(query.get("limit", 1000))
            user = query.get("userId", "").removeprefix("u-")
            items = [self._item(each, user, query) for each in self.server.films]
            self.json(200, {"Items": items[start : start + limit], "TotalRecordCount": len(items), "StartIndex": start})
        else:
            self.json(404, {})

    def _item(self, made: Made, user: str, query: dict[str, str]) -> dict[str, Any]:
        item_id = f"j{made.number}"
        item: dict[str, Any] = {"Id": item_id, "Name": made.title, "Type": "Movie", "ProductionYear": made.year}
        if item_id in self.server.pictures:
            item["ImageTags"] = {"Primary": f"tag-{made.number}"}
        if "ProviderIds" in query.get("fields", ""):
            item |= {
                "ProviderIds": {"Imdb": made.imdb_id, "Tmdb": str(made.tmdb_id)},
                "Genres": ["Crime", "Science Fiction"],
                "People": [{"Name": "Ann", "Type": "Director"}, {"Name": "Bob", "Type": "Actor"}],
                "Studios": [{"Name": "Studio", "Id": "1"}],
                "Overview": "A plot.",
            }
        if user:
            item["UserData"] = self.server.users[user].get(made.number, {"PlayCount": 0, "IsFavorite": False})
        return item

    def _plex(self, path: str) -> None:
        if path == "/library/sections":
            sections = [{"key": "1", "type": "movie", "title": "Films"}, {"key": "2", "type": "show", "title": "TV"}]
            self.json(200, {"MediaContainer": {"size": 2, "Directory": sections}})
        elif path == "/library/sections/1/all":
            start = int(self.headers.get("X-Plex-Container-Start", 0))
            size = int(self.headers.get("X-Plex-Container-Size", 1000))
            found = [self._metadata(made) for made in self.server.films][start : start + size]
            total = len(self.server.films)
            self.json(
                200, {"MediaContainer": {"size": len(found), "totalSize": total, "offset": start, "Metadata": found}}
            )
        else:
            self.json(404, {})

    def _metadata(self, made: Made) -> dict[str, Any]:
        key = f"{made.number}"
        item: dict[str, Any] = {
            "ratingKey": key,
            "guid": f"plex://movie/{made.number}",
            "title": made.title,
            "year": made.year,
            "summary": "A plot.",
            "Genre": [{"tag": "Crime"}],
            "Director": [{"tag": "Ann"}],
            "Guid": [{"id": f"imdb://{made.imdb_id}"}, {"id": f"tmdb://{made.tmdb_id}"}, {"id": "tvdb://1"}],
            **self.server.users.get("owner", {}).get(made.number, {}),
        }
        if key in self.server.pictures:
            item["thumb"] = f"/library/metadata/{key}/thumb/1700000000"
        return item

    def _picture(self, content: bytes | None) -> None:
        if content is None:
            self.json(404, {})
        else:
            self.plain(200, content, "image/jpeg")


class MediaServer(StandIns):
    """A server with some films; both kinds at one address. A test sets its pictures and users."""

    def __init__(self, films: int) -> None:
        super().__init__()
        self.RequestHandlerClass = _Handler
        self.films = [film(number) for number in range(1, films + 1)]
        self.pictures = {f"{prefix}{made.number}": JPEG for made in self.films for prefix in ("j", "")}
        self.users: dict[str, dict[int, dict[str, Any]]] = {}  # name -> number of film -> what the server knows

    def source(self, scheme: str) -> str:
        return f"{scheme}://{urlsplit(self.address).netloc}"
