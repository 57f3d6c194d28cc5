"""HTTP client: rate limit, retries with back-off, and error messages without secrets."""

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

Auth = Callable[[requests.PreparedRequest], requests.PreparedRequest]  # adds credentials to a request

_TRANSIENT = {408, 425, 429, 500, 502, 503, 504}  # statuses that are retried
_CHUNK = 2**16
_PORTAL = "is there a portal to sign in to, or a proxy to name in HTTPS_PROXY?"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Timeouts and back-off, in seconds."""

    timeout: float = 30.0  # without a byte
    attempts: int = 6  # without progress, in a row
    backoff: float = 0.5  # after the first failure; doubled after each, plus up to half of it as jitter
    max_wait: float = 600.0  # largest Retry-After that is obeyed


@dataclass(frozen=True, slots=True)
class Response:
    """A complete response."""

    url: str  # redacted
    status: int
    content: bytes
    is_html: bool


class TransientError(Exception):
    """A failed request that may succeed if retried.

    Args:
        reason: for the message of the final error.
        retry_after: seconds, from the server's Retry-After header.
    """

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


class RateLimiter:
    """Rate limit shared by all threads.

    Args:
        rate: requests a second; None for no limit.
        clock: monotonic seconds.
        sleep: waits for seconds.
    """

    def __init__(
        self,
        rate: float | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._interval = 0.0 if rate is None else 1 / rate
        self._clock = clock
        self._sleep = sleep
        self._next = clock()
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Wait until the caller may send a request."""
        with self._lock:
            slot = max(self._next, self._clock())
            self._next = slot + self._interval
        self._sleep(max(0.0, slot - self._clock()))

    def pause(self, seconds: float) -> None:
        """Delay all requests that have no slot yet."""
        with self._lock:
            self._next = max(self._next, self._clock() + seconds)


class HttpClient:
    """Client for GET requests. Threads may share it.

    Args:
        retry: timeouts and back-off.
        rate: requests a second over all threads; None for no limit.
    """

    def __init__(self, retry: RetryPolicy = RetryPolicy(), rate: float | None = None) -> None:
        # urllib3's warnings contain whole URLs, and so the API keys in them.
        logging.getLogger("urllib3").setLevel(logging.ERROR)
        self.retry = retry
        self.limiter = RateLimiter(rate)
        self._session = requests.Session()
        self._session.headers["User-Agent"] = f"posterity/{version('posterity')}"
        self._session.headers["Accept-Encoding"] = "identity"  # so that ranges and sizes are those of the file
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_connections=THREADS, pool_maxsize=THREADS))

    def get(
        self,
        url: str,
        *,
        max_bytes: int,
        params: dict[str, str] | None = None,
        auth: Auth | None = None,
        redirects: bool = True,
    ) -> Response:
        """Return the complete response of any status that is not transient; transient failures are retried.

        Args:
            url: the address.
            max_bytes: of the response.
            params: added to the query.
            auth: adds credentials.
            redirects: follow them, with all headers but Authorization.

        Raises:
            SourceUnavailable: all attempts failed, or the response is larger than ``max_bytes``.
            Busy: the server's Retry-After exceeds the policy's maximum.
        """
        retries = Retries(self, url)
        while True:
            try:
                return self._get(url, max_bytes, params, auth, redirects)
            except TransientError as error:
                retries.wait(error)

    def stream(
        self,
        url: str,
        *,
        params: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        auth: Auth | None = None,
        redirects: bool = True,
    ) -> requests.Response:
        """Send one request and return the response, its body unread. The caller closes it.

        Raises:
            TransientError: the connection failed, or the status is transient.
            SourceUnavailable: a retry cannot succeed.
        """
        self.limiter.wait()
        try:
            response = self._session.get(
                url,
                params=params,
                headers=headers,
                auth=auth,
                stream=True,
                timeout=self.retry.timeout,
                allow_redirects=redirects,
            )
        except (requests.RequestException, HTTPError, OSError) as error:
            _raise_redacted(error, url)
        if response.status_code in _TRANSIENT:
            response.close()
            raise TransientError(f"status {response.status_code}", _retry_after(response.headers.get("Retry-After")))
        return response

    def chunks(self, response: requests.Response, *, decode: bool = False) -> Iterator[bytes]:
        """Yield the body as it arrives.

        Raises:
            TransientError: the connection broke.
        """
        while True:
            try:
                chunk = response.raw.read1(_CHUNK, decode_content=decode)
            except (requests.RequestException, HTTPError, OSError) as error:
                _raise_redacted(error, response.url)
            if not chunk:
                return
            yield chunk

    def _get(
        self, url: str, max_bytes: int, params: dict[str, str] | None, auth: Auth | None, redirects: bool
    ) -> Response:
        content = bytearray()
        deadline = time.monotonic() + 4 * self.retry.timeout
        with closing(self.stream(url, params=params, auth=auth, redirects=redirects)) as response:
            for chunk in self.chunks(response, decode=True):
                content += chunk
                if len(content) > max_bytes:
                    raise SourceUnavailable(f"{redacted(url)} sends more than {max_bytes:,} bytes")
                if time.monotonic() > deadline:
                    raise TransientError("the response is too slow")
            return Response(redacted(url), response.status_code, bytes(content), is_html(response, content))


class Retries:
    """Consecutive failed attempts at one URL."""

    def __init__(self, client: HttpClient, url: str) -> None:
        self._client = client
        self._url = url
        self._failures = 0

    def wait(self, error: TransientError, *, progressed: bool = False) -> None:
        """Wait before the next attempt: for Retry-After, or else with exponential back-off.

        Args:
            error: of the failed attempt.
            progressed: the attempt received new bytes, so the count of failures starts again.

        Raises:
            SourceUnavailable: too many consecutive attempts failed.
            Busy: Retry-After exceeds the policy's maximum.
        """
        policy = self._client.retry
        self._failures = 1 if progressed else self._failures + 1
        if error.retry_after is not None and error.retry_after > policy.max_wait:
            raise Busy(
                f"{redacted(self._url)} asks to wait {error.retry_after:,.0f} seconds: run the command again then"
            )
        if self._failures >= policy.attempts:
            raise SourceUnavailable(
                f"{redacted(self._url)} is unavailable: {error.reason} ({policy.attempts} attempts). Run the command"
                " again to continue the download, or name a mirror or a local copy"
            )
        if error.retry_after is not None:
            self._client.limiter.pause(error.retry_after)
        else:
            wait = policy.backoff * 2 ** (self._failures - 1)
            time.sleep(wait * (1 + random.random() / 2))  # noqa: S311  jitter


def is_url(source: str) -> bool:
    """Return True if a source is an HTTP URL, not a path."""
    return source.lower().startswith(("http://", "https://"))


def redacted(url: str) -> str:
    """Return a URL without user, password, query and fragment, which may be secret."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "the address"
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def is_html(response: requests.Response, start: bytes | bytearray = b"") -> bool:
    """Return True if a response is a web page, such as portals and proxies send instead of the file."""
    opening = bytes(start[:100]).lstrip().lower()
    return "html" in response.headers.get("Content-Type", "").lower() or opening.startswith((b"<!doctype", b"<html"))


def html_error(url: str, expected: str) -> SourceUnavailable:
    """Return the error for a web page in place of ``expected``."""
    return SourceUnavailable(f"{redacted(url)} gave a web page instead of {expected}: {_PORTAL}")


def _raise_redacted(error: Exception, url: str) -> NoReturn:
    """Raise our own error for one of requests, whose message contains the whole URL."""
    if isinstance(error, requests.exceptions.SSLError):
        raise SourceUnavailable(
            f"the certificate of {redacted(url)} is not trusted: name the network's own in REQUESTS_CA_BUNDLE"
        ) from None
    if isinstance(error, requests.TooManyRedirects):
        raise SourceUnavailable(f"{redacted(url)} redirects without end: name a mirror or a local copy") from None
    if isinstance(error, (ValueError, requests.exceptions.InvalidHeader)):  # all invalid URLs
        raise SourceUnavailable(f"{redacted(url)} is not a valid URL") from None
    if isinstance(error, requests.exceptions.ProxyError):
        raise TransientError("the proxy cannot be reached") from None
    if isinstance(error, (requests.Timeout, TimeoutError)) or "timed out" in str(error):
        raise TransientError("timed out") from None
    raise TransientError(f"the connection failed ({_system_message(error)})") from None


def _system_message(error: BaseException | None) -> str:
    """Return the operating system's message in a chain of errors, which contains no URL."""
    while error is not None:
        if isinstance(error, OSError) and error.strerror and not isinstance(error, requests.RequestException):
            return error.strerror.lower()
        error = error.__cause__ or error.__context__
    return "it broke off"


def _retry_after(value: str | None) -> float | None:
    """Return the seconds of a Retry-After header; None if it is missing or invalid."""
    try:
        return None if value is None else float(Retry().parse_retry_after(value))
    except InvalidHeader:
        return None
