"""Routes of the API: requests are validated and responses serialised by the types of their view functions.

A view is annotated with what it takes (``query``, ``body``) and returns. The wrapper and the OpenAPI document read the
same annotations, so they always agree.
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
from server.api.requests import RequestModel
from server.middleware.access import authorise
from server.middleware.request_context import route
from server.state.current_snapshot import movie_index
from server.state.response_cache import KEY, ROUTE, ResponseCache, key_of

Kind = Literal["read", "upload", "write"]
View = Callable[..., Any]

_VERSION = version("posterity")
_REVALIDATE = "no-cache"  # cache it, but revalidate


@dataclass(frozen=True)
class Operation:
    """The declaration of a route."""

    view: View
    kind: Kind  # decides the API key's scope and the rate limit
    status: int  # of a response that is no error
    ratings: bool  # True if the response depends on added ratings
    personal: bool  # True if the response tells about one user, named in the path
    media: str  # MIME type of the response
    picture: bool  # True if the request has a picture
    export: bool  # True if the request has an export
    idempotency_key: bool  # True if it accepts an Idempotency-Key
    if_match: bool  # True if it accepts If-Match for a write

    @functools.cached_property
    def cached(self) -> bool:
        """Return True if responses are cached: JSON that depends on the URL and the movies alone."""
        by_url = self.kind == "read" and self.body is None and not self.export and not self.ratings
        return by_url and self.returns is not Response

    @functools.cached_property
    def hints(self) -> Mapping[str, Any]:
        """Return the resolved annotations of the view."""
        return get_type_hints(self.view)

    @property
    def query(self) -> type[BaseModel]:
        """Return the model of the parameters."""
        found: type[BaseModel] = self.hints.get("query", RequestModel)
        return found

    @property
    def body(self) -> type[BaseModel] | None:
        """Return the model of the body; None without a body or if it is a file."""
        return self.hints.get("body")

    @property
    def filters_form(self) -> bool:
        """Return True if the parameters may be members of the form with the picture, too."""
        return self.picture and bool(self.query.model_fields)

    @property
    def returns(self) -> Any:
        """Return the type that the view returns: a TypedDict; Response if it is not JSON; None if it is empty."""
        return self.hints["return"]


def operation(
    *,
    kind: Kind = "read",
    status: int = 200,
    ratings: bool = False,
    personal: bool = False,
    media: str = "application/json",
    picture: bool = False,
    export: bool = False,
    idempotency_key: bool = False,
    if_match: bool = False,
) -> Callable[[View], View]:
    """Return a decorator that validates requests to a view and serialises its responses; see ``Operation``."""

    def decorate(view: View) -> View:
        declared = Operation(view, kind, status, ratings, personal, media, picture, export, idempotency_key, if_match)

        @functools.wraps(view)
        def wrapper(**parts: Any) -> Response:
            authorise(kind, personal=personal)
            if "user_id" in parts:
                parts["user_id"] = movie_index().users.identify(parts["user_id"], new=kind == "write")
            cache: ResponseCache | None = current_app.extensions["response_cache"] if declared.cached else None
            if cache is not None:
                version, environ = movie_index().version(ratings=False), request.environ
                environ[KEY] = key = key_of(version, environ)
                environ[ROUTE] = route()
                content = cache.get(key)
                if content is not None:
                    return _from_cache(declared, content, f"{_VERSION}.{version}", environ)
            query = parse(declared.query, form=declared.filters_form)
            if "query" in declared.hints:
                parts["query"] = query
            if declared.body is not None:
                parts["body"] = parse_body(declared.body)
            # Before the view reads: its response may be newer than the tag, never older.
            tag = None if kind == "write" else _etag(declared)
            response = _respond(declared, view(**parts))
            if cache is not None:
                cache.set(key, response.get_data())
            if tag is None:
                return _with_state(response)
            return _with_etag(response, tag)

        wrapper.operation = declared  # type: ignore[attr-defined]
        return wrapper

    return decorate


def operation_of(view: Any) -> Operation | None:
    """Return the declaration of a view; None if it is no operation."""
    found: Operation | None = getattr(view, "operation", None)
    return found


def _respond(declared: Operation, returned: Any) -> Response:
    if returned is None:
        return Response(status=204)
    if isinstance(returned, Response):
        return returned
    return Response(to_json(returned), declared.status, mimetype=declared.media)


def _etag(declared: Operation) -> str:
    return f"{_VERSION}.{movie_index().version(ratings=declared.ratings)}"


def version_in(tag: str) -> str:
    """Return the version of the index in an ETag of this version of Posterity; empty if it is none."""
    return tag.removeprefix(f"{_VERSION}.") if tag.startswith(f"{_VERSION}.") else ""


def _with_state(response: Response) -> Response:
    """Add to the response of a write the ETag that GET has in the same state, for the next conditional write."""
    if response.status_code != 204:
        version = g.get("version") or movie_index().version(ratings=False)
        response.set_etag(f"{_VERSION}.{version}")
    return response


def _from_cache(declared: Operation, content: bytes, tag: str, environ: Mapping[str, Any]) -> Response:
    """Return a cached response to GET: the same as ``_with_etag`` gives, at a third of its time."""
    if "HTTP_IF_MATCH" in environ or "HTTP_IF_NONE_MATCH" in environ:
        return _with_etag(Response(content, declared.status, mimetype=declared.media), tag)
    headers = [("Content-Type", declared.media), ("ETag", f'"{tag}"'), ("Cache-Control", _REVALIDATE)]
    return Response(content, declared.status, headers)


def _with_etag(response: Response, tag: str) -> Response:
    """Add an ETag to a response to GET, and return it or the 304 in its place.

    Raises:
        PreconditionFailed: If-Match names another ETag.
    """
    environ: Mapping[str, Any] = request.environ  # werkzeug's parsed headers cost more than all the rest here
    if environ["REQUEST_METHOD"] in {"GET", "HEAD"} and "ETag" not in response.headers:
        response.headers["ETag"] = f'"{tag}"'
        response.headers["Cache-Control"] = _REVALIDATE
        if "HTTP_IF_MATCH" in environ and tag not in request.if_match:
            raise PreconditionFailed("the data has changed since: start the list again from its first page")
        if "HTTP_IF_NONE_MATCH" in environ and request.if_none_match.contains_weak(tag):
            response.status_code = 304
            response.set_data(b"")
    return response
