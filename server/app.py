"""The application: wires the parts together and nothing else."""

from __future__ import annotations

from pathlib import Path

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from index.keys import Keys
from index.library import Library
from server.access import limit_requests
from server.answers import Answers
from server.api import register_api
from server.config import ServerConfig
from server.errors import register_errors
from server.headers import register_headers
from server.health import health
from server.logs import register_access_log
from server.metrics import Metrics, register_metrics
from server.pages import pages
from server.served import Served
from server.this_request import register_request_ids
from server.thumbnails import Thumbnails
from server.uploads import MAX_CONTENT_LENGTH, UploadQueue


def create_app(config: ServerConfig, *, counts: Path | None = None, checked: str | None = None) -> Flask:
    """The application, once the current snapshot is open.

    Args:
        counts: the folder in which all processes of the server count; None where this process is alone.
        checked: id of a snapshot whose files were checked by the process that started this one.

    Raises:
        UnknownSnapshot, BadSnapshot: there is none that can be served.
    """
    app = Flask("server")
    app.config["MAX_CONTENT_LENGTH"] = MAX_CONTENT_LENGTH
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the order that people read in
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.extensions["config"] = config
    app.extensions["answers"] = Answers()
    app.extensions["library"] = library = Library.open(config.data)
    app.extensions["keys"] = Keys(library.database)
    app.extensions["served"] = Served(config.data, checked=checked)
    app.extensions["thumbnails"] = Thumbnails(config.data / "thumbnails")
    app.extensions["metrics"] = metrics = Metrics(counts)
    app.extensions["upload_queue"] = UploadQueue(config.upload_queue, metrics.uploads.track_inprogress)
    # What is registered first sees the reply last, as it leaves.
    if config.access_log:
        register_access_log(app)
    register_metrics(app)
    register_request_ids(app)
    register_headers(app)
    app.register_blueprint(health)
    register_api(app)
    app.register_blueprint(pages)
    register_errors(app)
    limit_requests(app, config)
    if config.proxies:
        n = config.proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=n, x_proto=n, x_host=n)  # type: ignore[method-assign]
    return app
