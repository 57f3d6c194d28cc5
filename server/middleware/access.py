"""Access control: API keys with scopes, and rate limits per key or address."""

from __future__ import annotations

from typing import Any

from flask import Flask, current_app, g, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

from index.core.errors import Forbidden, Unauthorised
from index.library.api_keys import Key, Keys
from server.config import ServerConfig


def authorise(kind: str) -> None:
    """Refuse a request without the API key that it needs.

    Args:
        kind: of the operation: read, upload or write.

    Raises:
        Unauthorised: the key is missing, unknown or revoked.
        Forbidden: the key's scope is read-only, or writes are switched off.
    """
    config: ServerConfig = current_app.extensions["config"]
    writes = kind == "write"
    if writes and not config.writes:
        raise Forbidden("writes are switched off on this server: start it with --writes")
    if not (writes or config.read_keys):
        return
    key = present_key()
    if key is None:
        given = "the API key is unknown or revoked" if "Authorization" in request.headers else "an API key is required"
        raise Unauthorised(f"{given}: create one by posterity keys create, and send it as Authorization: Bearer pst_…")
    if writes and key.scope != "write":
        raise Forbidden(f"the key {key.name!r} may only read: create another by posterity keys create")


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
        return of_health or request.endpoint is None or not limits[kind()]

    limiter = Limiter(
        who,
        app=app,
        application_limits=[lambda: limits[kind()]],
        storage_uri=config.rate_storage,
        headers_enabled=True,
    )
    limiter.request_filter(uncounted)
