"""Requests to a Posterity server over HTTP: retries, and every failure as one of the documented errors."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from http.client import HTTPException
from typing import Any

import urllib3
from typing_extensions import override
from urllib3.exceptions import DecodeError, HTTPError, InvalidHeader, LocationParseError
from urllib3.util import Retry, Timeout, parse_url

from index.core.errors import InvalidInput
from posterity.errors import BadResponse, Closed, Unreachable
from posterity.statuses import refusal

__all__ = ["Reply", "Transport"]

Reply = urllib3.BaseHTTPResponse

_API = "/api/v1/"
_RETRIED = (429, 502, 503, 504)
_BACKOFF = 0.25  # seconds before the second retry, doubled before each further one
_LONGEST_WAIT = 60.0  # seconds; a server may ask for more by Retry-After
_CONNECTIONS = 8  # kept open, for as many threads


class Transport:
    """Connections to one server. Threads may share it.

    Network errors, 429, 502, 503 and 504 are retried with exponential back-off; redirects are refused.

    Args:
        url: address of the server, such as ``http://localhost:8000``.
        api_key: sent with every request.
        retries: number of retries of a request.
        timeout: seconds to wait for a connection and for each part of a response.

    Raises:
        InvalidInput: one of the arguments cannot be used.
    """

    def __init__(self, url: str, api_key: str | None, retries: int, timeout: float) -> None:
        self.url = _checked_url(url)
        self._headers = {} if api_key is None else {"Authorization": f"Bearer {_checked_key(api_key)}"}
        if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
            raise InvalidInput(f"retries: give 0 or a larger whole number, not {retries!r}")
        try:
            limit = Timeout(timeout)
        except ValueError as error:
            raise InvalidInput(f"timeout: give a number of seconds above 0, not {timeout!r}") from error
        self._pool = urllib3.PoolManager(retries=_BoundedRetry.of(retries), timeout=limit, maxsize=_CONNECTIONS)
        self._closed = False

    def send(
        self,
        method: str,
        path: str,
        *,
        json: Mapping[str, Any] | None = None,
        content: bytes | None = None,
        form: Collection[tuple[str, Any]] | None = None,
        headers: Mapping[str, str] | None = None,
        write: bool = False,
        expected: Collection[int] = (),
    ) -> Reply:
        """Return the response to a request.

        Args:
            method: GET, POST, PUT, PATCH or DELETE.
            path: of the API, with the query.
            json: body as JSON.
            content: body as it is.
            form: body as a form.
            headers: in addition to the API key.
            write: True if the request changes something.
            expected: statuses that are no errors, besides 2xx.

        Raises:
            ApiError: the server refused the request.
            BadResponse: the response is damaged.
            Closed: ``close`` was called.
            Unreachable: there was no response.
        """
        if self._closed:
            raise Closed(f"this client of {self.url} is closed: make another")
        sent: dict[str, Any] = {"headers": self._headers | dict(headers or {})}
        if form is not None:
            sent["fields"] = form
        elif content is not None:
            sent |= {"body": content, "headers": sent["headers"] | {"Content-Type": "application/octet-stream"}}
        elif json is not None:
            sent["json"] = json
        try:
            reply = self._pool.request(method, f"{self.url}{_API}{path}", redirect=False, **sent)
        except DecodeError as error:
            raise BadResponse(f"{self.url} sent a response that cannot be decompressed: {error}") from error
        except (HTTPError, HTTPException, OSError, ValueError) as error:
            # urllib3 lets a few errors of sockets, http.client and encodings pass as they are.
            raise Unreachable(f"{self.url} does not answer: {getattr(error, 'reason', None) or error}") from error
        if 200 <= reply.status < 300 or reply.status in expected:
            return reply
        raise refusal(reply.status, _detail(reply), write=write)

    def close(self) -> None:
        """Close the connections."""
        self._closed = True
        self._pool.clear()


class _BoundedRetry(Retry):
    """Retries that respect Retry-After up to a limit, and ignore it if it is no time."""

    @classmethod
    def of(cls, retries: int) -> _BoundedRetry:
        """Return the policy for a number of retries."""
        return cls(
            retries,
            backoff_factor=_BACKOFF,
            status_forcelist=_RETRIED,
            allowed_methods=None,  # all: a repeated request changes nothing more
            raise_on_status=False,
        )

    @override
    def get_retry_after(self, response: Reply) -> float | None:
        try:
            wait = super().get_retry_after(response)
        except InvalidHeader:
            return None
        return None if wait is None else min(wait, _LONGEST_WAIT)


def _checked_url(url: str) -> str:
    try:
        parts = parse_url(url)
    except (LocationParseError, AttributeError, TypeError, ValueError) as error:
        raise InvalidInput(f"url: {url!r} cannot be parsed: write http://localhost:8000") from error
    if parts.scheme not in {"http", "https"} or not parts.host or parts.query or parts.fragment:
        raise InvalidInput(f"url: {url!r} is no address of a server: write http://localhost:8000")
    if parts.auth is not None:  # not shown: it may be a password
        raise InvalidInput("url: it has a user name, which is never sent: leave it out, and give api_key")
    return parts.url.rstrip("/")


def _checked_key(api_key: str) -> str:
    if not isinstance(api_key, str) or not re.fullmatch("[!-~]+", api_key):  # not shown: it is a secret
        raise InvalidInput("api_key: it is empty or has other characters than keys have: give one like pst_…")
    return api_key


def _detail(reply: Reply) -> str:
    """Return the explanation in a problem document, or the beginning of any other response."""
    if 300 <= reply.status < 400:
        return f"the server redirects to {reply.headers.get('Location', 'nowhere')}: give the address of the API itself"
    try:
        return str(reply.json()["detail"])
    except (ValueError, KeyError, TypeError, RecursionError):  # not a problem document
        return reply.data[:200].decode(errors="replace")
