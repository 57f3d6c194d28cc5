"""Requests to other people's servers: paced, tried again where that may help, and put into words where it does not."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from typing import NoReturn
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, InvalidHeader
from urllib3.util.retry import Retry

from index.core.errors import Busy, SourceUnavailable

THREADS = 8

Auth = Callable[[requests.PreparedRequest], requests.PreparedRequest]  # puts a key into a request

_AGAIN = {408, 425, 429, 500, 502, 503, 504}
_CHUNK = 2**16
_PORTAL = "is there a portal to sign in to, or a proxy to name in HTTPS_PROXY?"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for others, in seconds."""

    timeout: float = 30.0  # without a byte
    tries: int = 6  # in a row that bring nothing
    backoff: float = 0.5  # after the first of them; then twice as long each time, and up to half as long again
    longest: float = 600.0  # that a server may ask for


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole reply."""

    url: str  # as it may be shown
    status: int
    content: bytes
    is_page: bool


class Trouble(Exception):
    """What went wrong with one request, and may go well with the next; ``wait`` is what the server asks for."""

    def __init__(self, why: str, wait: float | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.wait = wait


class Pace:
    """Turns for requests, so many a second over all threads."""

    def __init__(
        self,
        rate: float | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._gap = 0.0 if rate is None else 1 / rate
        self._clock = clock
        self._sleep = sleep
        self._next = clock()
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Returns when it is the caller's turn."""
        with self._lock:
            turn = max(self._next, self._clock())
            self._next = turn + self._gap
        self._sleep(max(0.0, turn - self._clock()))

    def hold(self, seconds: float) -> None:
        """Gives nobody a turn for so long."""
        with self._lock:
            self._next = max(self._next, self._clock() + seconds)


class Web:
    """GET requests. Threads may share it.

    Args:
        rate: requests a second in all; None for no limit.
    """

    def __init__(self, patience: Patience = Patience(), rate: float | None = None) -> None:
        # What urllib3 logs below errors are whole addresses, with the keys in them.
        logging.getLogger("urllib3").setLevel(logging.ERROR)
        self.patience = patience
        self.pace = Pace(rate)
        self._session = requests.Session()
        self._session.headers["User-Agent"] = f"posterity/{version('posterity')}"
        self._session.headers["Accept-Encoding"] = "identity"  # ranges and sizes are those of the file itself
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_connections=THREADS, pool_maxsize=THREADS))

    def get(self, url: str, *, most: int, params: dict[str, str] | None = None, auth: Auth | None = None) -> Answer:
        """The whole reply, whatever its status, of at most so many bytes; what may go well later is tried again.

        Raises:
            SourceUnavailable: there is none after all tries, or it is larger.
            Busy: the server asks to come back much later.
        """
        attempts = Attempts(self, url)
        while True:
            try:
                return self._get(url, most, params, auth)
            except Trouble as trouble:
                attempts.failed(trouble)

    def ask(
        self,
        url: str,
        *,
        params: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        auth: Auth | None = None,
    ) -> requests.Response:
        """A reply whose body is still to be read, by ``chunks``. Close it.

        Raises:
            Trouble: there is none, or one that asks for patience.
            SourceUnavailable: there will be none.
        """
        self.pace.wait()
        try:
            response = self._session.get(
                url, params=params, headers=headers, auth=auth, stream=True, timeout=self.patience.timeout
            )
        except (requests.RequestException, HTTPError, OSError) as error:
            _tell(error, url)
        if response.status_code in _AGAIN:
            response.close()
            raise Trouble(f"status {response.status_code}", _retry_after(response.headers.get("Retry-After")))
        return response

    def chunks(self, response: requests.Response, *, decode: bool = False) -> Iterator[bytes]:
        """The body as it comes.

        Raises:
            Trouble: it broke off.
        """
        while True:
            try:
                chunk = response.raw.read1(_CHUNK, decode_content=decode)
            except (requests.RequestException, HTTPError, OSError) as error:
                _tell(error, response.url)
            if not chunk:
                return
            yield chunk

    def _get(self, url: str, most: int, params: dict[str, str] | None, auth: Auth | None) -> Answer:
        content = bytearray()
        latest = time.monotonic() + 4 * self.patience.timeout
        with closing(self.ask(url, params=params, auth=auth)) as response:
            for chunk in self.chunks(response, decode=True):
                content += chunk
                if len(content) > most:
                    raise SourceUnavailable(f"{shown(url)} sends more than {most:,} bytes")
                if time.monotonic() > latest:
                    raise Trouble("it is too slow")
            return Answer(shown(url), response.status_code, bytes(content), is_page(response, content))


class Attempts:
    """A row of tries at one address."""

    def __init__(self, web: Web, url: str) -> None:
        self._web = web
        self._url = url
        self._failures = 0

    def failed(self, trouble: Trouble, *, advanced: bool = False) -> None:
        """Waits before the next try: as long as the server asks for, or longer each time.

        Args:
            advanced: whether the try that failed brought something.

        Raises:
            SourceUnavailable: that were too many in a row.
            Busy: the server asks for more than anybody should wait for.
        """
        patience = self._web.patience
        self._failures = 1 if advanced else self._failures + 1
        if trouble.wait is not None and trouble.wait > patience.longest:
            raise Busy(f"{shown(self._url)} asks to wait {trouble.wait:,.0f} seconds: give the command again then")
        if self._failures >= patience.tries:
            raise SourceUnavailable(
                f"{shown(self._url)} cannot be had: {trouble.why} ({patience.tries} tries). Give the command"
                " again, which goes on from here, or name a mirror or a local copy"
            )
        if trouble.wait is not None:
            self._web.pace.hold(trouble.wait)
        else:
            wait = patience.backoff * 2 ** (self._failures - 1)
            time.sleep(wait * (1 + random.random() / 2))  # noqa: S311  nobody need be surprised


def is_address(source: str) -> bool:
    """Whether a source is on the web, and not a path."""
    return source.lower().startswith(("http://", "https://"))


def shown(url: str) -> str:
    """An address as it may be shown: without what may be secret in it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "the address"
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def is_page(response: requests.Response, start: bytes | bytearray = b"") -> bool:
    """Whether a reply is a page for people, as portals and proxies send it in place of what was asked for."""
    opening = bytes(start[:100]).lstrip().lower()
    return "html" in response.headers.get("Content-Type", "").lower() or opening.startswith((b"<!doctype", b"<html"))


def no_page(url: str, wanted: str) -> SourceUnavailable:
    """The error for a page in place of something else."""
    return SourceUnavailable(f"{shown(url)} gave a web page instead of {wanted}: {_PORTAL}")


def _tell(error: Exception, url: str) -> NoReturn:
    """Raises an error of requests in words of our own: its text holds the whole address."""
    if isinstance(error, requests.exceptions.SSLError):
        raise SourceUnavailable(
            f"the certificate of {shown(url)} is not trusted: name the network's own in REQUESTS_CA_BUNDLE"
        ) from None
    if isinstance(error, requests.TooManyRedirects):
        raise SourceUnavailable(f"{shown(url)} leads from address to address without end") from None
    if isinstance(error, (ValueError, requests.exceptions.InvalidHeader)):  # every kind of address that is none
        raise SourceUnavailable(f"{shown(url)} is no usable address") from None
    if isinstance(error, requests.exceptions.ProxyError):
        raise Trouble("the proxy cannot be reached") from None
    if isinstance(error, (requests.Timeout, TimeoutError)) or "timed out" in str(error):
        raise Trouble("no answer in time") from None
    raise Trouble(f"the connection failed ({_system_words(error)})") from None


def _system_words(error: BaseException | None) -> str:
    """What the operating system says was wrong, which names no address."""
    while error is not None:
        if isinstance(error, OSError) and error.strerror and not isinstance(error, requests.RequestException):
            return error.strerror.lower()
        error = error.__cause__ or error.__context__
    return "it broke off"


def _retry_after(value: str | None) -> float | None:
    """Seconds that a server asks to wait; None where it says nothing that can be read."""
    try:
        return None if value is None else float(Retry().parse_retry_after(value))
    except InvalidHeader:
        return None
