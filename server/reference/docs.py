"""Documentation of the API: the OpenAPI document, and a page to read and try it, by Swagger UI from this server."""

from __future__ import annotations

from pathlib import Path

import flask_swagger_ui
from flask import Flask, Response, current_app, render_template, request, send_from_directory
from pydantic_core import to_json

from server.api.blueprint import api
from server.api.long_requests import queued
from server.api.operation import operation
from server.reference.openapi import openapi
from server.state.current_snapshot import movie_index

_ASSETS = Path(flask_swagger_ui.__file__).parent / "dist"
_ASSET_AGE = 24 * 3600  # seconds

# Swagger UI sets styles on elements. Scripts are allowed from files alone, as on every page.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " connect-src 'self'; font-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


@api.get("/openapi.json")
@operation()
def openapi_json() -> Response:
    """Return this API as an OpenAPI 3.1 document."""
    index, documents = movie_index(), current_app.extensions.setdefault("openapi", {})
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001
    prefix = request.root_path
    state = f"{index.version(ratings=False)} {prefix}"

    def made() -> bytes:
        if state not in documents:  # nor did a request make it that was in the queue before
            content = to_json(openapi(app, index, prefix=prefix))
            documents.clear()
            documents[state] = content
        found: bytes = documents[state]
        return found

    # In the queue, as it takes half a second in a process that has never made one: pydantic reads our sources.
    content = documents.get(state) or queued(made)
    return Response(content, mimetype="application/json")


@api.get("/docs")
def docs() -> Response:
    """Return the page to read and try the API, by Swagger UI."""
    page = Response(render_template("docs.html"), mimetype="text/html")
    page.headers["Content-Security-Policy"] = _POLICY
    return page


@api.get("/docs/<any('swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png'):name>")
def docs_asset(name: str) -> Response:
    """Return a file of Swagger UI."""
    return send_from_directory(_ASSETS, name, max_age=_ASSET_AGE)
