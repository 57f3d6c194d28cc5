"""Logs on stderr, as text or as one JSON object per line, with the request id."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flask import Flask, Response, g, request
from pythonjsonlogger.json import JsonFormatter

from server.middleware.request_context import request_id, route, seconds
from server.middleware.slashes import encoded_path

log = logging.getLogger("server.access")

# Text from outside must not start a new line, nor send escape sequences to a terminal.
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))} | {0x2028: " ", 0x2029: " "}


def log_settings(log_format: str) -> dict[str, Any]:
    """Return settings for ``logging.config.dictConfig``, which cover gunicorn's logs, too.

    Args:
        log_format: ``text`` or ``json``.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"request_id": {"()": RequestId}},
        "formatters": {"text": {"()": TextLines}, "json": {"()": JsonLines}},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": log_format, "filters": ["request_id"]},
        },
        "root": {"level": "WARNING", "handlers": ["stderr"]},
        "loggers": {
            "server": {"level": "INFO"},
            "index": {"level": "INFO"},
            "gunicorn.error": {"level": "WARNING", "handlers": [], "propagate": True},
            "waitress.queue": {"level": "ERROR"},  # it would warn of every request that waits for a thread
        },
    }


class RequestId(logging.Filter):
    """A filter that adds the request id to every record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the request id; return True."""
        record.request_id = getattr(record, "request_id", None) or request_id()
        return True


class TextLines(logging.Formatter):
    """Text lines; only a traceback takes several."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802
        """Return the time in UTC, ISO 8601 with milliseconds."""
        return _when(record)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """Return the line, with control characters escaped."""
        return super().formatMessage(record).translate(_CONTROLS)


class JsonLines(JsonFormatter):
    """JSON objects, one per line."""

    def __init__(self) -> None:
        names = {"asctime": "time", "levelname": "level", "name": "logger"}
        super().__init__("%(asctime)s %(levelname)s %(name)s %(request_id)s %(message)s", rename_fields=names)

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802
        """Return the time in UTC, ISO 8601 with milliseconds."""
        return _when(record)


def register_access_log(app: Flask) -> None:
    """Log a line for every response; never an API key or a query string."""

    @app.after_request
    def tell(response: Response) -> Response:
        size = response.content_length
        log_request(
            {
                "method": request.method,
                "path": encoded_path(request.path),
                "route": route(),
                "status": response.status_code,
                "ms": round(1000 * seconds(), 1),
                "bytes": response.calculate_content_length() if size is None else size,
                "client": request.remote_addr,
                "key_id": g.get("key_id"),
            }
        )
        return response


def log_request(facts: Mapping[str, Any]) -> None:
    """Log a line about one request and its response."""
    line = "%(method)s %(path)s %(status)s %(ms)s ms %(bytes)s bytes to %(client)s"
    if facts["key_id"] is not None:
        line += " by key %(key_id)s"
    log.info(line, facts, extra=dict(facts))


def _when(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
