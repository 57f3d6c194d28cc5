"""The application: wires the parts together and nothing else."""

from __future__ import annotations

from flask import Flask, Response, jsonify

from index.keys import Keys
from index.library import Library
from server.access import limit_requests
from server.api import register_api
from server.config import ServerConfig
from server.errors import register_errors
from server.pages import pages
from server.served import Served
from server.uploads import MAX_CONTENT_LENGTH, UploadQueue


def create_app(config: ServerConfig) -> Flask:
    """The application, once the current snapshot is open.

    Raises:
        UnknownSnapshot, BadSnapshot: there is none that can be served.
    """
    app = Flask("server")
    app.config["MAX_CONTENT_LENGTH"] = MAX_CONTENT_LENGTH
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the order that people read in
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.extensions["config"] = config
    app.extensions["library"] = library = Library.open(config.data)
    app.extensions["keys"] = Keys(library.database)
    app.extensions["served"] = Served(config.data)
    app.extensions["upload_queue"] = UploadQueue(config.upload_queue)
    register_api(app)
    app.register_blueprint(pages)
    register_errors(app)
    limit_requests(app, config)

    @app.get("/livez")
    def live() -> Response:
        """The process answers."""
        return jsonify(status="alive")

    @app.get("/readyz")
    def ready() -> Response:
        """A snapshot is open, so requests can be answered."""
        return jsonify(status="ready", snapshot=app.extensions["served"].index().manifest.id)

    @app.after_request
    def protect(response: Response) -> Response:
        # Titles come from files and posters from anywhere: no script but our own ever runs.
        response.headers.setdefault("Content-Security-Policy", "default-src 'self'; img-src 'self' data:")
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        return response

    return app
