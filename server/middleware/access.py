"""Access control: API keys with scopes, and rate limits per key or address."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from flask import Flask, Response, after_this_request, current_app, g, request
from flask_limiter import Limiter, RequestLimit
from flask_limiter.util import get_remote_address
from limits import RateLimitItem, parse_many
from werkzeug.exceptions import TooManyRequests

from index.core.errors import Forbidden, Unauthorised
from index.library.api_keys import Key, Keys
from server.config import ServerConfig
from server.middleware.rate_counts import SCHEME
from server.middleware.slashes import encoded_path


def authorise(kind: str, *, personal: bool = False) -> None:
    """Refuse a request without the API key that it needs.

    Args:
        kind: of the operation: read, upload or write.
        personal: True if the response tells about a user's ratings.

    Raises:
        Unauthorised: the key is missing, unknown or revoked.
        Forbidden: the key's scope is read-only, or writes are switched off.
    """
    config: ServerConfig = current_app.extensions["config"]
    writes = kind == "write"
    if writes and not config.takes_writes:
        raise Forbidden(_refused_write(config))
    if not (writes or config.read_keys or (personal and config.user_keys)):
        return
    key = present_key()
    if key is None:
        given = "the API key is unknown or revoked" if "Authorization" in request.headers else "an API key is required"
        raise Unauthorised(f"{given}: create one by posterity keys create, and send it as Authorization: Bearer pst_…")
    if writes and key.scope != "write":
        raise Forbidden(f"the key {key.name!r} may only read: create another by posterity keys create")


def _refused_write(config: ServerConfig) -> str:
    """Return the reason why writes are refused; link the response to the same address of the writer, if it is known."""
    if config.writer:
        query = f"?{quote(request.query_string, safe='=&%+,:')}" if request.query_string else ""
        address = f"{config.writer}{encoded_path(request.path)}{query}"

        @after_this_request
        def link(response: Response) -> Response:
            response.headers["Link"] = f'<{address}>; rel="edit"'
            return response

        return f"this server only reads: send the request to {address}"
    if config.follow:
        return "this server only reads: send the request to the server that publishes its snapshots"
    return "writes are switched off on this server: start it with --writes"


def users_are_open() -> bool:
    """Return True if anyone may read users' ratings and the predictions from them."""
    config: ServerConfig = current_app.extensions["config"]
    return not (config.read_keys or config.user_keys)


def present_key() -> Key | None:
    """Return the request's API key, looked up once; None without a valid one."""
    if "key" not in g:
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        keys: Keys = current_app.extensions["keys"]
        g.key = keys.authenticate(text.strip()) if scheme.lower() == "bearer" else None
        if g.key is not None:
            g.key_id = g.key.key_id
    found: Key | None = g.key
    return found


class ReadLimits:
    """The read limits of clients without an API key, for requests that do not reach Flask.

    Args:
        limiter: Flask-Limiter; both count in its storage, under the same keys.
        limits: as in the settings.
    """

    def __init__(self, limiter: Limiter, limits: str) -> None:
        self._limiter = limiter
        self._limits: list[RateLimitItem] = sorted(parse_many(limits))

    def count(self, environ: Mapping[str, Any]) -> dict[str, str] | None:
        """Count a request; return the headers that tell the limit, or None if it is to be refused.

        Args:
            environ: WSGI's, of a request without a key.
        """
        who = [f"read {environ.get('REMOTE_ADDR') or '127.0.0.1'}", "global"]
        for limit in self._limits:
            if not self._limiter.limiter.hit(limit, *who):
                return None
        return _told(RequestLimit(self._limiter, self._limits[0], who, breached=False, shared=True))


def limit_requests(app: Flask, config: ServerConfig) -> None:
    """Apply the rate limits: per kind of operation and per API key, or per address without a key."""
    limits = {"read": config.read_limit, "upload": config.upload_limit, "write": config.write_limit}
    if not any(limits.values()):
        return

    def kind() -> str:
        operation: Any = getattr(current_app.view_functions.get(request.endpoint or ""), "operation", None)
        if operation is not None:
            return str(operation.kind)
        return "upload" if request.endpoint == "pages.look" else "read"

    def who() -> str:
        key = present_key()
        return f"{kind()} {get_remote_address() if key is None else key.key_id}"

    def uncounted() -> bool:
        of_health = request.blueprint not in {"api", "pages"}
        # Browsers ask by OPTIONS, without a key, before each write of another origin's page.
        return of_health or request.endpoint is None or request.method == "OPTIONS" or not limits[kind()]

    limiter = Limiter(
        who,
        app=app,
        application_limits=[lambda: limits[kind()]],
        storage_uri=f"{SCHEME}://",
        storage_options={"address": config.rate_storage},
    )
    limiter.request_filter(uncounted)
    app.extensions["rate_counts"] = limiter.storage
    if config.read_limit:
        app.extensions["read_limits"] = ReadLimits(limiter, config.read_limit)

    @app.after_request
    def tell(response: Response) -> Response:
        # Not by Flask-Limiter, which sends Retry-After with every response.
        limit = limiter.current_limit
        if limit is not None:
            response.headers.update(_told(limit))
            if response.status_code == TooManyRequests.code:
                response.headers["Retry-After"] = str(max(1, int(limit.reset_at - time.time())))
        return response


def _told(limit: RequestLimit) -> dict[str, str]:
    """Return the headers that tell the state of a limit."""
    return {
        "X-RateLimit-Limit": str(limit.limit.amount),
        "X-RateLimit-Remaining": str(limit.remaining),
        "X-RateLimit-Reset": str(limit.reset_at),
    }
