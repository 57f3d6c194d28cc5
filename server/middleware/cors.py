"""Cross-origin requests: pages of listed origins may use the API and embed films. Cookies are never asked for."""

from __future__ import annotations

import re

from flask import Flask, Response, request

ANY = "*"
EMBEDDED = "/embed/"  # beginning of the paths of pages for other sites

_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
_REQUEST_HEADERS = (
    "Authorization, Content-Encoding, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Request-Id"
)
_RESPONSE_HEADERS = (
    "Content-Encoding, ETag, Location, Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset,"
    " X-Request-Id"
)
_PREFLIGHT_AGE = 7200  # seconds; browsers keep preflights no longer

_ORIGIN = re.compile(r"(https?)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?", re.ASCII)
_DEFAULT_PORTS = {"http": 80, "https": 443}


def usable_origin(text: str) -> str | None:
    """Return an origin as browsers send it, in lower case and without a default port; None if it is none."""
    found = _ORIGIN.fullmatch(text.strip().lower())
    if found is None or (found[3] is not None and not 0 < int(found[3]) < 2**16):
        return None
    port = "" if found[3] is None or int(found[3]) == _DEFAULT_PORTS[found[1]] else f":{int(found[3])}"
    return f"{found[1]}://{found[2]}{port}"


def listed_origins(origins: str) -> list[str]:
    """Return the origins in a text that separates them by commas."""
    return [each for each in origins.split(",") if each]


def register_cors(app: Flask, origins: str) -> None:
    """Let pages of the origins use the API and embed films.

    Args:
        app: with the API under ``/api/``, and pages for other sites under ``/embed/``.
        origins: separated by commas; ``*`` for all, empty for none.
    """
    allowed = set(listed_origins(origins))
    if not allowed:
        return

    @app.after_request
    def share(response: Response) -> Response:
        if not request.path.startswith(("/api/", EMBEDDED)):
            return response
        if ANY not in allowed:
            response.vary.add("Origin")  # also without it: a cache must not mix the two
        origin = request.headers.get("Origin", "")
        if ANY in allowed or origin.lower() in allowed:
            response.headers["Access-Control-Allow-Origin"] = ANY if ANY in allowed else origin
            if request.method == "OPTIONS":
                response.headers["Access-Control-Allow-Methods"] = _METHODS
                response.headers["Access-Control-Allow-Headers"] = _REQUEST_HEADERS
                response.headers["Access-Control-Max-Age"] = str(_PREFLIGHT_AGE)
            else:
                response.headers["Access-Control-Expose-Headers"] = _RESPONSE_HEADERS
        return response
