"""Cached responses sent before Flask, whose work for a request takes longer than all else of a cached one.

The worker asks for them in its event loop, before it hands a request to a thread.

Only requests whose response depends on nothing but the address, the encoding and the movies are answered here, and only
with what Flask has answered before. So this changes no response but its request id.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

from cachetools import LRUCache
from flask import Flask

from server.config import ServerConfig
from server.middleware.access import ReadLimits
from server.middleware.compression import accepted_encoding
from server.middleware.metrics import Metrics
from server.middleware.request_context import HEADER, given_or_new_id
from server.state.current_snapshot import SnapshotWatcher
from server.state.response_cache import KEY, ONLY_READY, ROUTE, ResponseCache, encoded_key, key_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_ENTRIES = 10_000  # of some 2 KB
_OTHER_RESPONSE = {
    "HTTP_AUTHORIZATION",
    "HTTP_CONTENT_ENCODING",
    "HTTP_IF_MATCH",
    "HTTP_IF_NONE_MATCH",
    "HTTP_ORIGIN",
}
_OWN = {HEADER.lower(), "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"}  # of each response


@dataclass(frozen=True, slots=True)
class Head:
    """Status, headers and route of a response."""

    status: str
    headers: tuple[tuple[str, str], ...]  # that all such responses have
    body_key: str  # in the response cache
    route: str


def register_ready_responses(app: Flask, config: ServerConfig) -> None:
    """Answer requests before Flask where it has cached the response, within the limits for reads.

    Not with an access log, API keys for reads, or counts of requests in a store elsewhere: these are Flask's.
    """
    if not config.ready_responses:
        return
    application: WSGIApplication = app.wsgi_app
    bodies: ResponseCache = app.extensions["response_cache"]
    watcher: SnapshotWatcher = app.extensions["snapshot_watcher"]
    metrics: Metrics = app.extensions["metrics"]
    limits: ReadLimits | None = app.extensions.get("read_limits")
    heads: LRUCache[str, Head] = LRUCache(_ENTRIES)
    lock = threading.Lock()

    def ready(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        began = perf_counter()
        only_ready = environ.get(ONLY_READY, False)
        version = None
        if environ["REQUEST_METHOD"] == "GET" and _OTHER_RESPONSE.isdisjoint(environ):
            with suppress(Exception):  # Flask meets it too, and says what is wrong
                index = watcher.fresh() if only_ready else watcher.index()
                version = None if index is None else index.version(ratings=False)
        if version is None:
            return () if only_ready else application(environ, start_response)
        accepted = accepted_encoding(environ)
        with lock:
            head = heads.get(encoded_key(accepted, key_of(version, environ)))
        body = None if head is None else bodies.get(head.body_key)
        told = {} if limits is None or head is None or body is None else limits.count(environ)
        if head is not None and body is not None and told is not None:
            start_response(head.status, [*head.headers, *told.items(), (HEADER, given_or_new_id(environ))])
            metrics.count("GET", head.route, int(head.status[:3]), perf_counter() - began)
            return (body,)
        if only_ready:
            return ()

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            key = environ.get(KEY)  # of the response's own version: the movies may have changed since
            if key is not None and status.startswith("200"):
                encoding = next((value for name, value in headers if name == "Content-Encoding"), None)
                kept = tuple(pair for pair in headers if pair[0].lower() not in _OWN)
                with lock:
                    heads[encoded_key(accepted, key)] = Head(status, kept, encoded_key(encoding, key), environ[ROUTE])
            return start_response(status, headers, exc_info)

        return application(environ, start)

    app.wsgi_app = ready  # type: ignore[method-assign]
