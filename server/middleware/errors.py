"""Errors as RFC 9457 problem details; the only module that knows HTTP statuses."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, json, render_template, request
from pydantic_core import to_json
from waitress.utilities import Error as WireError
from werkzeug.exceptions import (
    HTTPException,
    InternalServerError,
    NotFound,
    RequestEntityTooLarge,
    TooManyRequests,
    UnsupportedMediaType,
)

from index.core import errors
from index.core.files import NO_ROOM
from server.media.body_sizes import largest_body
from server.middleware.cors import EMBEDDED
from server.middleware.request_context import request_id
from server.middleware.slashes import decoded_path

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
    (errors.CannotStore, 507),
    (errors.PosterityError, 500),
)

# Public messages for 5xx errors; the real message may hold paths and is only logged.
_PUBLIC_MESSAGES: tuple[tuple[type[errors.PosterityError], str], ...] = (
    (errors.BadWeights, "pictures cannot be compared"),
    (errors.WeightsUnavailable, "pictures cannot be compared"),
    (errors.SearchUnavailable, "the service that has the vectors does not answer, so this cannot be searched"),
    (errors.CannotStore, "the disk of the server is full or read-only, so this cannot be done"),
    (errors.BadLibrary, "the library of added movies cannot be read"),
    (errors.PosterityError, "this cannot be answered"),
)

NOT_READY = 503  # status of a failed readiness check

_MEDIA = "application/problem+json"
_RETRY_AFTER = 2  # seconds; an embedding takes less


def register_errors(app: Flask) -> None:
    """Answer every error with a problem document, or with a page to a browser."""

    @app.errorhandler(errors.PosterityError)
    def ours(error: errors.PosterityError) -> Response:
        status = next(status for kind, status in STATUSES if isinstance(error, kind))
        if status >= 500 and (not isinstance(error, errors.Busy) or isinstance(error, errors.SearchUnavailable)):
            log.error("%s %s: %s", request.method, decoded_path(request.path), error)
            what = next(words for kind, words in _PUBLIC_MESSAGES if isinstance(error, kind))
            return _answer(status, f"{what} at the moment; the log of the server says why")
        return _answer(status, str(error))

    @app.errorhandler(OSError)
    def system(error: OSError) -> Response:
        if error.errno not in NO_ROOM:
            raise error
        return ours(errors.CannotStore(str(error)))  # of an upload's temporary file, say

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        if isinstance(error, InternalServerError):
            return _answer(500, "Something went wrong here; it was logged.")
        if isinstance(error, RequestEntityTooLarge):
            parts = f"{request.max_form_parts} parts: write lists as a,b"
            mebibytes = largest_body(request.path) // 2**20
            return _answer(413, f"the upload is too large; at most {mebibytes} MiB are allowed, and {parts}")
        detail = error.description or ""
        if error is request.routing_exception and isinstance(error, NotFound):
            detail = "there is nothing at this address; in an id, write a slash as %2F"
        if isinstance(error, TooManyRequests):
            detail = f"too many requests: at most {detail} are answered; wait and ask again"
        response = _answer(error.code or 500, detail)
        for name, value in error.get_headers():
            if name.lower() not in {"content-type", "content-length"}:
                response.headers[name] = value  # Allow, of a 405
        if isinstance(error, UnsupportedMediaType):
            response.headers["Accept-Encoding"] = "gzip"
        return response


def problem(status: int, detail: str, instance: str | None = None) -> dict[str, Any]:
    """Return a problem of type about:blank, whose title is the status' own phrase (RFC 9457, section 4.2.1).

    Args:
        status: the HTTP status.
        detail: says what is wrong, and the remedy.
        instance: path of the request, decoded; None for the current one.
    """
    if instance is None:
        instance = request.root_path.rstrip("/") + decoded_path(request.path)
    title = HTTPStatus(status).phrase
    return {"type": "about:blank", "title": title, "status": status, "detail": detail, "instance": instance}


class RequestTimeout(WireError):  # type: ignore[misc]
    """A request that did not arrive in time."""

    code = 408

    def __init__(self) -> None:
        super().__init__("the request did not arrive in time: send it faster")


class NoRoom(WireError):  # type: ignore[misc]
    """A request that cannot be buffered."""

    code = 507

    def __init__(self) -> None:
        super().__init__("the server has no room for the request at the moment; nothing was changed")


class UriTooLong(WireError):  # type: ignore[misc]
    """A request line without an end."""

    code = 414

    def __init__(self) -> None:
        super().__init__("the address is too long: send long lists of ids in a body")


def refusal(error: WireError, path: str) -> tuple[str, str, bytes]:
    """Return the status line, media type and body that answer bytes which are no request."""
    document = problem(error.code, str(error.body), path)
    return f"{error.code} {document['title']}", _MEDIA, to_json(document)


def _answer(status: int, detail: str) -> Response:
    document = problem(status, detail)
    if _wants_page():
        # "Unprocessable Entity" tells a visitor nothing.
        heading = "That does not work" if status in {400, 422} else document["title"]
        template = "embed.html" if request.path.startswith(EMBEDDED) else "error.html"
        page = render_template(template, heading=heading, problem=document, request_id=request_id())
        response = Response(page, status, mimetype="text/html")
    else:
        response = Response(json.dumps(document), status, mimetype=_MEDIA)
    if status == 503:
        response.headers["Retry-After"] = str(_RETRY_AFTER)
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="posterity"'
    return response


def _wants_page() -> bool:
    return not request.path.startswith("/api/") and "text/html" in request.accept_mimetypes.values()
