"""What is known of the request that is being answered: its id, its route, how long it has taken."""

from __future__ import annotations

import random
import re
from time import perf_counter

from flask import Flask, Response, g, has_request_context, request

HEADER = "X-Request-Id"

_USABLE = re.compile(r"[A-Za-z0-9._-]{1,64}")


def register_request_ids(app: Flask) -> None:
    """Every reply of ``app`` names its request's id: the client's own, where it sent one that can be used."""
    # Before whatever else may answer or refuse.
    app.before_request_funcs.setdefault(None, []).insert(0, _begin)

    @app.after_request
    def name(response: Response) -> Response:
        response.headers[HEADER] = request_id()
        return response


def request_id() -> str:
    """The id of the present request; ``-`` where there is none."""
    return str(g.get("request_id", "-")) if has_request_context() else "-"


def route() -> str:
    """The rule that the present request's path fits, such as ``/movies/<movie>``: there are few of them."""
    return "unmatched" if request.url_rule is None else request.url_rule.rule


def seconds() -> float:
    """How long the present request has taken by now."""
    began: float = g.began
    return perf_counter() - began


def _begin() -> None:
    g.began = perf_counter()
    given = request.environ.get("HTTP_X_REQUEST_ID", "")
    # It need be no secret, and the system's randomness would let another thread go first.
    g.request_id = given if _USABLE.fullmatch(given) else f"{random.getrandbits(64):016x}"
