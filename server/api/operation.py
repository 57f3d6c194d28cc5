"""One route of the API: what is asked is checked, what is answered is written out, by the types of its function.

A route's function is annotated with what it takes (``query``, ``body``) and what it answers. The wrapper and the
OpenAPI document read the same annotations, so neither can say what the other does not do.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Literal, get_type_hints

from flask import Response, current_app, g, request
from pydantic import BaseModel
from pydantic_core import to_json
from werkzeug.exceptions import PreconditionFailed

from server.api.parsing import parse, parse_body
from server.api.requests import Nothing
from server.middleware.access import authorise
from server.state.current_snapshot import movie_index
from server.state.response_cache import ResponseCache

Kind = Literal["read", "upload", "write"]
View = Callable[..., Any]

_VERSION = version("posterity")


@dataclass(frozen=True)
class Operation:
    """What a route takes and answers, and how it is treated."""

    view: View
    kind: Kind  # which key and which rate limit it needs
    status: int  # of an answer that is no error
    ratings: bool  # whether the answer depends on ratings that come in online
    media: str  # of the answer
    picture: bool  # whether the request carries a picture
    idempotency_key: bool  # whether it takes an Idempotency-Key

    @functools.cached_property
    def cached(self) -> bool:
        """Whether its answers are kept: those to who asks by address alone, and that movies alone decide."""
        asks = self.kind == "read" and self.body is None and not self.ratings
        return asks and self.answer is not Response

    @functools.cached_property
    def hints(self) -> Mapping[str, Any]:
        """The function's annotations, resolved."""
        return get_type_hints(self.view)

    @property
    def query(self) -> type[BaseModel]:
        """What the parameters are checked by."""
        found: type[BaseModel] = self.hints.get("query", Nothing)
        return found

    @property
    def body(self) -> type[BaseModel] | None:
        """What the body is checked by; None where there is none, or a picture alone."""
        return self.hints.get("body")

    @property
    def answer(self) -> Any:
        """What it answers with: a TypedDict; Response where it is no JSON, None where it is nothing."""
        return self.hints["return"]


def operation(
    *,
    kind: Kind = "read",
    status: int = 200,
    ratings: bool = False,
    media: str = "application/json",
    picture: bool = False,
    idempotency_key: bool = False,
) -> Callable[[View], View]:
    """Makes a function a route: see ``Operation`` for what is said of it."""

    def decorate(view: View) -> View:
        made = Operation(view, kind, status, ratings, media, picture, idempotency_key)

        @functools.wraps(view)
        def wrapper(**parts: Any) -> Response:
            authorise(kind)
            cache: ResponseCache | None = current_app.extensions["response_cache"] if made.cached else None
            if cache is not None:
                g.cache_key = _cache_key(request.environ)
                content = cache.get(g.cache_key)
                if content is not None:
                    return _dated(made, Response(content, made.status, mimetype=made.media))
            query = parse(made.query)
            if "query" in made.hints:
                parts["query"] = query
            if made.body is not None:
                parts["body"] = parse_body(made.body)
            response = _respond(made, view(**parts))
            if cache is not None:
                cache.set(g.cache_key, response.get_data())
            return _dated(made, response)

        wrapper.operation = made  # type: ignore[attr-defined]
        return wrapper

    return decorate


def operation_of(view: Any) -> Operation | None:
    """What was said of a route's function; None of one that is no operation."""
    found: Operation | None = getattr(view, "operation", None)
    return found


def _cache_key(environ: Mapping[str, Any]) -> str:
    """Return the state of the snapshot with the raw path and query; werkzeug's parsed ones take five times as long."""
    return f"{movie_index().version(ratings=False)} {environ['PATH_INFO']}?{environ['QUERY_STRING']}"


def _respond(made: Operation, answer: Any) -> Response:
    if answer is None:
        return Response(status=204)
    return answer if isinstance(answer, Response) else Response(to_json(answer), made.status, mimetype=made.media)


def _dated(made: Operation, response: Response) -> Response:
    """The response with an ETag that says what state it is of, where it was read; or what is said instead of it."""
    asked: Mapping[str, Any] = request.environ  # what werkzeug makes of it costs more than all the rest here
    if asked["REQUEST_METHOD"] in {"GET", "HEAD"} and "ETag" not in response.headers:
        tag = f"{_VERSION}.{movie_index().version(ratings=made.ratings)}"
        response.headers["ETag"] = f'"{tag}"'
        response.headers["Cache-Control"] = "no-cache"  # keep it, but ask whether it still holds
        if "HTTP_IF_MATCH" in asked and tag not in request.if_match:
            raise PreconditionFailed("what is served has changed since: begin the list again")
        if "HTTP_IF_NONE_MATCH" in asked and request.if_none_match.contains_weak(tag):
            response.status_code = 304
            response.set_data(b"")
    return response
