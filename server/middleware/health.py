"""Health checks: liveness and readiness."""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, current_app, jsonify

from index.core.errors import PosterityError
from server.media.uploads import UploadQueue
from server.middleware.errors import NOT_READY
from server.state.current_snapshot import SnapshotWatcher

health = Blueprint("health", __name__)

log = logging.getLogger(__name__)


@health.get("/livez")
def live() -> Response:
    """Return that the process is alive."""
    return jsonify(status="alive")


@health.get("/readyz")
def ready() -> Response:
    """Return the state of every part; 503 if movies cannot be answered."""
    served: SnapshotWatcher = current_app.extensions["snapshot_watcher"]
    parts = {"snapshot": _snapshot(served), "library": _library(served), "uploads": _uploads(served)}
    if parts["library"]["status"] == "ok":
        return jsonify(status="ready", parts=parts)
    reply = jsonify(status="not ready", parts=parts)
    reply.status_code = NOT_READY
    return reply


def _snapshot(served: SnapshotWatcher) -> dict[str, Any]:
    refused = served.refused()
    return {"status": "ok", "id": served.manifest().id, "refused": None if refused is None else asdict(refused)}


def _library(served: SnapshotWatcher) -> dict[str, Any]:
    try:
        served.index()
    except PosterityError as error:
        log.warning("not ready: %s", error)
        return {"status": "failed"}
    return {"status": "ok"}


def _uploads(served: SnapshotWatcher) -> dict[str, Any]:
    queue: UploadQueue = current_app.extensions["upload_queue"]
    waiting = queue.taken()
    status = "full" if waiting == queue.size else "ok"
    if "poster" not in served.latest().spaces:
        status = "off"
    return {"status": status, "waiting": waiting, "size": queue.size}
