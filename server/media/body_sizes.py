"""The largest request body of each route."""

from __future__ import annotations

from flask import Request

from index.imports.read import MAX_BYTES as MAX_EXPORT
from index.posters.images import MAX_BYTES as MAX_PICTURE

_FORM = 2**16  # boundaries and headers of a form's parts
MAX_CONTENT_LENGTH = MAX_PICTURE + _FORM

_EXPORTS = ("/api/v1/imports", "/for-you")  # paths that take an export


def largest_body(path: str) -> int:
    """Return the bytes of the largest body for a path, with or without the path of the server before it."""
    return MAX_EXPORT + _FORM if path.endswith(_EXPORTS) else MAX_CONTENT_LENGTH


class SizedRequest(Request):
    """A request whose body is limited by its path."""

    @property
    def max_content_length(self) -> int | None:
        """Bytes of the largest body."""
        return largest_body(self.path)

    @max_content_length.setter
    def max_content_length(self, value: int | None) -> None:
        raise AttributeError(f"{value} bytes: the path of a request decides")
