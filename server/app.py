"""The application factory: it wires the parts together and does nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from index.library.api_keys import Keys
from index.library.movies import Library
from index.snapshot.store import Checked
from server.api import imports, library, maps, movies, snapshot, users  # noqa: F401  importing adds their routes
from server.api.blueprint import api
from server.config import ServerConfig
from server.media.body_sizes import SizedRequest
from server.media.thumbnails import Thumbnails
from server.media.uploads import UploadQueue
from server.middleware.access import limit_requests
from server.middleware.compression import register_compression
from server.middleware.cors import register_cors
from server.middleware.encoded_bodies import register_encoded_bodies
from server.middleware.errors import register_errors
from server.middleware.health import health
from server.middleware.logs import register_access_log
from server.middleware.metrics import Metrics, register_metrics
from server.middleware.prefix import register_prefix
from server.middleware.ready_responses import register_ready_responses
from server.middleware.request_context import register_request_ids
from server.middleware.security_headers import register_headers
from server.middleware.slashes import PartConverter, register_encoded_slashes, register_slashes
from server.pages.home import pages
from server.reference import docs  # noqa: F401  likewise
from server.state.current_snapshot import SnapshotWatcher
from server.state.response_cache import ResponseCache


class Application(Flask):
    """Flask without coroutines, for which it would look at every function that it calls, in every request."""

    request_class = SizedRequest

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function as it is."""
        return func


def create_app(config: ServerConfig, *, counts: Path | None = None, checked: Checked | None = None) -> Flask:
    """Return the application, with the current snapshot open.

    Args:
        config: the settings.
        counts: folder of the metrics that all workers share; None for a single process.
        checked: a snapshot that the parent process has verified.

    Raises:
        UnknownSnapshot, BadSnapshot: no snapshot can be served.
    """
    app = Application("server")
    app.json.sort_keys = False  # type: ignore[attr-defined]  # members stay in the declared order
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.url_map.converters["default"] = PartConverter
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.extensions["config"] = config
    app.extensions["response_cache"] = ResponseCache()
    app.extensions["library"] = stored = Library.open(config.data)
    app.extensions["keys"] = Keys(stored.database)
    app.extensions["snapshot_watcher"] = SnapshotWatcher(
        config.data, checked=checked, embed_path=config.embed_path, search=config.search
    )
    app.extensions["thumbnails"] = Thumbnails(config.data / "thumbnails")
    app.extensions["metrics"] = metrics = Metrics(counts)
    app.extensions["upload_queue"] = UploadQueue(config.upload_queue, metrics.uploads.track_inprogress)
    app.extensions["long_queue"] = UploadQueue(config.upload_queue, noun="long requests")
    # Flask runs after_request functions in reverse order: the first one registered sees the final response.
    if config.access_log:
        register_access_log(app)
    register_metrics(app)
    register_cors(app, config.cors_origins)
    register_compression(app)
    register_request_ids(app)
    register_headers(app, config.cors_origins)
    app.register_blueprint(health)
    app.register_blueprint(api)
    app.register_blueprint(pages)
    register_errors(app)
    register_slashes(app)
    limit_requests(app, config)
    register_encoded_bodies(app)
    register_ready_responses(app, config)  # of requests as Flask sees them
    register_prefix(app, config.prefix, forwarded=config.proxies > 0)
    register_encoded_slashes(app)
    if config.proxies:
        n = config.proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=n, x_proto=n, x_host=n)  # type: ignore[method-assign]
    return app
