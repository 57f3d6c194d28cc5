"""Health checks: liveness and readiness."""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, current_app, jsonify

from index.core.errors import PosterityError, SearchUnavailable
from index.publication.state import read_state
from index.snapshot.collections import check_collections, in_milvus, missing_aliases
from server.config import ServerConfig
from server.media.uploads import UploadQueue
from server.middleware.errors import NOT_READY
from server.middleware.rate_counts import Counts
from server.state.current_snapshot import SnapshotWatcher

_PATIENCE = 1.5  # seconds for Milvus, as probes wait for a few

health = Blueprint("health", __name__)

log = logging.getLogger(__name__)


@health.get("/livez")
def live() -> Response:
    """Return that the process is alive."""
    return jsonify(status="alive")


@health.get("/readyz")
def ready() -> Response:
    """Return the state of every part; 503 if requests about movies cannot be answered."""
    watcher: SnapshotWatcher = current_app.extensions["snapshot_watcher"]
    parts = {
        "snapshot": _snapshot(watcher),
        "library": _library(watcher),
        "uploads": _uploads(watcher),
        "rate_limits": _rate_limits(),
        "storage": _storage(),
        "search": _search(watcher),
    }
    if parts["library"]["status"] == "ok":
        degraded = any(part["status"] == "degraded" for part in parts.values())
        return jsonify(status="degraded" if degraded else "ready", parts=parts)
    reply = jsonify(status="not ready", parts=parts)
    reply.status_code = NOT_READY
    return reply


def _snapshot(watcher: SnapshotWatcher) -> dict[str, Any]:
    refused = watcher.refused()
    if refused is None:
        return {"status": "ok", "id": watcher.manifest().id, "refused": None}
    return {"status": "degraded", "id": watcher.manifest().id, "refused": asdict(refused)}


def _library(watcher: SnapshotWatcher) -> dict[str, Any]:
    try:
        watcher.index()
    except PosterityError as error:
        log.warning("not ready: %s", error)
        return {"status": "failed"}
    return {"status": "ok"}


def _rate_limits() -> dict[str, Any]:
    counts: Counts | None = current_app.extensions.get("rate_counts")
    if counts is None:
        return {"status": "off"}
    return {"status": "ok" if counts.check() else "degraded"}


def _storage() -> dict[str, Any]:
    config: ServerConfig = current_app.extensions["config"]
    return asdict(read_state(config.data)) if config.follow else {"status": "off"}


def _search(watcher: SnapshotWatcher) -> dict[str, Any]:
    config: ServerConfig = current_app.extensions["config"]
    manifest = watcher.manifest()
    if not in_milvus(manifest):
        return {"status": "off"}
    try:
        check_collections(manifest, config.search, patience=_PATIENCE)
        missing = missing_aliases(manifest, config.search, patience=_PATIENCE)
    except SearchUnavailable as error:
        log.warning("degraded: %s", error)
        return {"status": "degraded", "reason": "Milvus does not answer, or lacks a collection: the log says why"}
    if missing:
        return {"status": "degraded", "reason": f"Milvus lacks the alias {missing[0]}: posterity snapshots rollback"}
    return {"status": "ok", "reason": None}


def _uploads(watcher: SnapshotWatcher) -> dict[str, Any]:
    queue: UploadQueue = current_app.extensions["upload_queue"]
    waiting = queue.taken()
    status = "full" if waiting == queue.size else "ok"
    if "poster" not in watcher.latest().spaces:
        status = "off"
    return {"status": status, "waiting": waiting, "size": queue.size}
