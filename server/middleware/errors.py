"""Errors as RFC 9457 problem details; the only module that knows HTTP statuses."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, json, render_template, request
from werkzeug.exceptions import HTTPException, InternalServerError, RequestEntityTooLarge, TooManyRequests

from index.core import errors
from index.posters.images import MAX_BYTES
from server.middleware.request_context import request_id

log = logging.getLogger(__name__)

# The first matching class counts.
STATUSES: tuple[tuple[type[errors.PosterityError], int], ...] = (
    (errors.ImageTooLarge, 413),
    (errors.BodyTooLarge, 413),
    (errors.InvalidCombination, 422),
    (errors.ReusedRequest, 422),
    (errors.BadImage, 422),
    (errors.BadWeights, 503),
    (errors.InvalidInput, 400),
    (errors.NotComparable, 409),
    (errors.NotFound, 404),
    (errors.AmbiguousTitle, 409),
    (errors.Changed, 412),
    (errors.Conflict, 409),
    (errors.Unauthorised, 401),
    (errors.Forbidden, 403),
    (errors.Busy, 503),
    (errors.PosterityError, 500),
)

# Public messages for 5xx errors; the real message may hold paths and is only logged.
_PUBLIC_MESSAGES: tuple[tuple[type[errors.PosterityError], str], ...] = (
    (errors.BadWeights, "pictures cannot be compared"),
    (errors.WeightsUnavailable, "pictures cannot be compared"),
    (errors.BadLibrary, "the library of added movies cannot be read"),
    (errors.PosterityError, "this cannot be answered"),
)

NOT_READY = 503  # status of a failed readiness check

_DRAINED = 64 * 2**20  # bytes; the connection of a client that sends more is closed
_RETRY_AFTER = 2  # seconds; an embedding takes less


def register_errors(app: Flask) -> None:
    """Answer every error with a problem document, or with a page to a browser."""

    @app.errorhandler(errors.PosterityError)
    def ours(error: errors.PosterityError) -> Response:
        status = next(status for kind, status in STATUSES if isinstance(error, kind))
        if status >= 500 and not isinstance(error, errors.Busy):
            log.error("%s %s: %s", request.method, request.path, error)
            what = next(words for kind, words in _PUBLIC_MESSAGES if isinstance(error, kind))
            return _answer(status, f"{what} at the moment; the log of the server says why")
        return _answer(status, str(error))

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        if isinstance(error, InternalServerError):
            return _answer(500, "Something went wrong here; it was logged.")
        if isinstance(error, RequestEntityTooLarge):
            return _answer(413, f"the upload is too large; at most {MAX_BYTES // 2**20} MiB are allowed")
        detail = error.description or ""
        if isinstance(error, TooManyRequests):
            detail = f"too many requests: at most {detail} are answered; wait and ask again"
        response = _answer(error.code or 500, detail)
        for name, value in error.get_headers():
            if name.lower() not in {"content-type", "content-length"}:
                response.headers[name] = value  # Allow, of a 405
        return response


def problem(status: int, detail: str) -> dict[str, Any]:
    """Return a problem of type about:blank, whose title is the status' own phrase (RFC 9457, section 4.2.1)."""
    title = HTTPStatus(status).phrase
    return {"type": "about:blank", "title": title, "status": status, "detail": detail, "instance": request.path}


def _answer(status: int, detail: str) -> Response:
    _drain()
    document = problem(status, detail)
    if _wants_page():
        # "Unprocessable Entity" tells a visitor nothing.
        heading = "That does not work" if status in {400, 422} else document["title"]
        page = render_template("error.html", heading=heading, problem=document, request_id=request_id())
        response = Response(page, status, mimetype="text/html")
    else:
        response = Response(json.dumps(document), status, mimetype="application/problem+json")
    if status == 503:
        response.headers["Retry-After"] = str(_RETRY_AFTER)
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="posterity"'
    return response


def _drain() -> None:
    """Read the rest of a refused request: most clients read the response only after sending everything."""
    left = min(request.content_length or 0, _DRAINED)
    while left > 0:
        try:
            read = len(request.environ["wsgi.input"].read(min(left, 2**16)))
        except OSError:  # the client is gone
            break
        if not read:
            break
        left -= read


def _wants_page() -> bool:
    return not request.path.startswith("/api/") and "text/html" in request.accept_mimetypes.values()
