"""The current request: its id, its route, its time so far."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from time import perf_counter
from typing import Any

from flask import Flask, Response, g, has_request_context, request

HEADER = "X-Request-Id"
UNMATCHED = "unmatched"  # in place of a route

_USABLE = re.compile(r"[A-Za-z0-9._-]{1,64}")


def register_request_ids(app: Flask) -> None:
    """Give every request an id, the client's own if it is valid, and every response its header."""
    # Before any other function that may refuse the request.
    app.before_request_funcs.setdefault(None, []).insert(0, _begin)

    @app.after_request
    def name(response: Response) -> Response:
        response.headers.add(HEADER, g.request_id)  # assignment would look for an earlier one
        return response


def request_id() -> str:
    """Return the id of the current request; ``-`` outside a request."""
    return str(g.get("request_id", "-")) if has_request_context() else "-"


def route() -> str:
    """Return the URL rule of the current request, such as ``/movies/<movie>``."""
    rule = request.url_rule
    return UNMATCHED if rule is None else rule.rule


def seconds() -> float:
    """Return the seconds since the current request began."""
    began: float = g.began
    return perf_counter() - began


def _begin() -> None:
    g.began = perf_counter()
    g.request_id = given_or_new_id(request.environ)


def given_or_new_id(environ: Mapping[str, Any]) -> str:
    """Return the id that the client gave the request, if it is valid; otherwise a new one."""
    given: str = environ.get("HTTP_X_REQUEST_ID", "")
    return given if _USABLE.fullmatch(given) else new_request_id()


def new_request_id() -> str:
    """Return an id. It is no secret; and os.urandom would release the GIL to another thread."""
    return f"{random.getrandbits(64):016x}"
