"""Logs on stderr, as text or as a JSON object a line; each with the id of its request."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from flask import Flask, Response, g, request
from pythonjsonlogger.json import JsonFormatter

from server.middleware.request_context import request_id, route, seconds

log = logging.getLogger("server.access")

# What comes from outside must not begin a line of its own, nor colour a terminal.
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))} | {0x2028: " ", 0x2029: " "}


def log_settings(log_format: str) -> dict[str, Any]:
    """What ``logging.config.dictConfig`` takes, gunicorn's own logs included.

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
        },
    }


class RequestId(logging.Filter):
    """Gives every record the id of the request that it is about."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always true."""
        record.request_id = request_id()
        return True


class TextLines(logging.Formatter):
    """A line for people; only a traceback takes more."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802
        """When it was, in UTC."""
        return _when(record)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """The line, whatever stands in it."""
        return super().formatMessage(record).translate(_CONTROLS)


class JsonLines(JsonFormatter):
    """An object for programs."""

    def __init__(self) -> None:
        names = {"asctime": "time", "levelname": "level", "name": "logger"}
        super().__init__("%(asctime)s %(levelname)s %(name)s %(request_id)s %(message)s", rename_fields=names)

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802
        """When it was, in UTC."""
        return _when(record)


def register_access_log(app: Flask) -> None:
    """Every reply of ``app`` is a line: what was asked, never by which key nor with which parameters."""

    @app.after_request
    def tell(response: Response) -> Response:
        size = response.content_length
        facts = {
            "method": request.method,
            "path": quote(request.path),
            "route": route(),
            "status": response.status_code,
            "ms": round(1000 * seconds(), 1),
            "bytes": response.calculate_content_length() if size is None else size,
            "client": request.remote_addr,
            "key_id": g.get("key_id"),
        }
        line = "%(method)s %(path)s %(status)s %(ms)s ms %(bytes)s bytes to %(client)s"
        if facts["key_id"] is not None:
            line += " by key %(key_id)s"
        log.info(line, facts, extra=facts)
        return response


def _when(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
