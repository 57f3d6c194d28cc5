"""Slashes in addresses: encoded in an id, as in ``/movies/a%2Fb`` of the movie ``a/b``; superfluous ones redirect.

WSGI decodes paths before they are routed, so that a movie ``a/similar`` would be the neighbours of ``a``. A slash that
was sent encoded is therefore kept as a character that no id has, which the converter of routes reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote_to_bytes

from flask import Flask, Response, redirect, request
from flask.globals import request_ctx
from typing_extensions import override
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import UnicodeConverter

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_SLASH = "\ufdd0"  # a noncharacter, for internal use: https://www.unicode.org/faq/private_use.html
_QUOTED = quote(_SLASH)


class PartConverter(UnicodeConverter):
    """A part of a path, in which an encoded slash is a character like others."""

    @override
    def to_python(self, value: str) -> str:
        return value.replace(_SLASH, "/")

    @override
    def to_url(self, value: Any) -> str:
        return super().to_url(value).replace("/", "%2F")


def register_encoded_slashes(app: Flask) -> None:
    """Keep encoded slashes apart from those between the parts of a path."""
    application: WSGIApplication = app.wsgi_app

    def kept(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        sent = environ.get("REQUEST_URI", "").partition("?")[0]  # waitress' name for the address as it was sent
        if "%2f" in sent.lower() and _decoded(sent) == environ["PATH_INFO"]:
            environ["PATH_INFO"] = _decoded(re.sub("%2f", _QUOTED, sent, flags=re.IGNORECASE))
        return application(environ, start_response)

    app.wsgi_app = kept  # type: ignore[method-assign]


def decoded_path(path: str) -> str:
    """Return the path of a request as WSGI has it."""
    return path.replace(_SLASH, "/")


def encoded_path(path: str) -> str:
    """Return the path of a request as it is sent."""
    return quote(path).replace(_QUOTED, "%2F")


def encoded_address() -> str:
    """Return the whole address of the current request as it is sent."""
    return request.url.replace(_SLASH, "%2F")


def register_slashes(app: Flask) -> None:
    """Redirect a request whose path has superfluous slashes, and would have a view without them."""

    @app.before_request
    def without_them() -> Response | None:
        if request.routing_exception is None:
            return None
        path = re.sub("/+", "/", request.path).rstrip("/") or "/"
        if path == request.path or not _is_there(path):
            return None
        asked = quote(request.query_string, safe="!$&'()*+,;=:@/?%")  # as it is, if it is one
        place = f"{request.root_path.rstrip('/')}{encoded_path(path)}{'?' if asked else ''}{asked}"
        return redirect(place, 308)  # type: ignore[return-value]


def _decoded(path: str) -> str:
    return unquote_to_bytes(path).decode("latin-1")


def _is_there(path: str) -> bool:
    adapter = request_ctx.url_adapter
    if adapter is None:
        return False
    try:
        adapter.match(path)
    except MethodNotAllowed:
        return True
    except HTTPException:
        return False
    return True
