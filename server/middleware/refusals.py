"""Requests that never reach the application: their responses are logged and counted like all others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from flask import Flask

from server.config import ServerConfig
from server.middleware.logs import log_request
from server.middleware.request_context import UNMATCHED

if TYPE_CHECKING:  # the server imports this module before prometheus_client may be
    from server.middleware.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that a worker answered by itself: it came too late, or is none."""

    request_id: str
    method: str  # ``-`` if it is not known
    path: str  # likewise
    status: int
    seconds: float  # since its first byte
    size: int  # bytes of the response
    client: str  # address, of a proxy if there is one


def record(app: Flask, refused: Refused) -> None:
    """Log and count a response, as the settings of the application say."""
    metrics: Metrics = app.extensions["metrics"]
    metrics.count(refused.method, UNMATCHED, refused.status, refused.seconds)
    config: ServerConfig = app.extensions["config"]
    if config.access_log:
        log_request(
            {
                "request_id": refused.request_id,
                "method": refused.method,
                "path": quote(refused.path),
                "route": UNMATCHED,
                "status": refused.status,
                "ms": round(1000 * refused.seconds, 1),
                "bytes": refused.size,
                "client": refused.client,
                "key_id": None,
            }
        )
