"""HTTP API of a media server, as far as Jellyfin's and Plex's are alike."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import requests

from index.core.errors import SourceUnavailable, Unauthorised
from index.posters.images import MAX_BYTES, decode_image, shown
from indexer.fetch.web import HttpClient, html_error
from indexer.shelf.film import Facts, Watched

PAGE = 200  # films in a response

_MAX_JSON = 64 * 2**20  # bytes of a response


@dataclass(frozen=True, slots=True)
class Credentials:
    """Key of a media server. Never printed, and never sent to another address."""

    headers: Mapping[str, str] = field(repr=False)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the key to a request."""
        request.headers.update(self.headers)
        return request


@dataclass(frozen=True, slots=True)
class Item:
    """A film of a media server."""

    item_id: str
    facts: Facts
    picture: str = ""  # path of its poster, with a query; empty without one
    version: str = ""  # changes with the poster


class Kind(Protocol):
    """A kind of media server: a module."""

    VARIABLE: str  # environment variable of the key
    KEY: str  # kind of the key, for messages

    def headers(self, key: str) -> dict[str, str]:
        """Return the headers of every request."""

    def films(self, server: Server) -> Iterator[Item]:
        """Yield the films, page by page; one that is added meanwhile may be yielded twice."""

    def watched(self, server: Server) -> Iterator[Watched]:
        """Yield what users rated, marked and played; ``file`` is the id of the item."""


class Server:
    """A media server. Threads may share it.

    Args:
        client: for requests.
        address: http(s)://host:port/path.
        credentials: of a user or an administrator.
        variable: environment variable of the key, for messages.
    """

    def __init__(self, client: HttpClient, address: str, credentials: Mapping[str, str], variable: str) -> None:
        self._client = client
        self.address = address
        self._headers = credentials
        self._variable = variable

    def json(self, path: str, params: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None) -> Any:
        """Return the JSON value at a path.

        Raises:
            Unauthorised: the key is refused.
            SourceUnavailable: the server does not answer, or with something else.
            Busy: the server asks to come back much later.
        """
        content = self._get(path, params, {"Accept": "application/json", **(headers or {})}, _MAX_JSON, "JSON")
        try:
            return json.loads(content)
        except ValueError:
            raise SourceUnavailable(f"{self.address}{path} gave no JSON: is this the address of the server?") from None

    def picture(self, path: str) -> bytes:
        """Return the image file at a path with a query.

        Raises:
            BadImage: it is no picture.
            Unauthorised: the key is refused.
            SourceUnavailable: the server does not answer, or has no such file.
            Busy: the server asks to come back much later.
        """
        content = self._get(path, None, {}, MAX_BYTES, "an image")
        decode_image(content)  # for its errors
        return shown(content)

    def _get(
        self, path: str, params: Mapping[str, str] | None, headers: Mapping[str, str], max_bytes: int, expected: str
    ) -> bytes:
        response = self._client.get(
            f"{self.address}{path}",
            params=dict(params or {}),
            auth=Credentials({**self._headers, **headers}),
            max_bytes=max_bytes,
            redirects=False,  # the key is for this address
        )
        if response.status in {401, 403}:
            raise Unauthorised(
                f"{self.address} refuses the key (status {response.status}): set {self._variable} to a valid one"
            )
        if 300 <= response.status < 400:
            raise SourceUnavailable(
                f"{response.url} redirects: give the address it redirects to, or https (jellyfins://, plexs://)"
            )
        if response.status != 200:
            raise SourceUnavailable(f"{response.url} answers {response.status}: is this the address of the server?")
        if response.is_html:
            raise html_error(response.url, expected)
        return response.content


def dicts(value: Any) -> list[dict[str, Any]]:
    """Return the objects in a list of a response; none if it is no list."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def text(value: Any) -> str:
    """Return a text of a response in one line; empty if it is none."""
    return " ".join(value.split()) if isinstance(value, str) else ""


def names(values: Iterable[Any], member: str) -> list[str]:
    """Return a member of each object in a list of a response."""
    return [name for each in dicts(list(values)) if (name := text(each.get(member)))]
