"""Redirects from addresses with superfluous slashes: ``/movies/6/`` is ``/movies/6``."""

from __future__ import annotations

import re
from urllib.parse import quote

from flask import Flask, Response, redirect, request
from flask.globals import request_ctx
from werkzeug.exceptions import HTTPException, MethodNotAllowed


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
        place = f"{request.root_path.rstrip('/')}{quote(path)}{'?' if asked else ''}{asked}"
        return redirect(place, 308)  # type: ignore[return-value]


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
