"""Request bodies compressed by gzip: decompressed before a view sees them, up to the size of a plain body."""

from __future__ import annotations

import io
import zlib

from flask import Flask, request
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType
from werkzeug.wsgi import get_input_stream

from index.core.errors import InvalidInput
from server.media.body_sizes import largest_body

_GZIP = zlib.MAX_WBITS | 16  # zlib's number for the format


def register_encoded_bodies(app: Flask) -> None:
    """Decompress request bodies with ``Content-Encoding: gzip``; refuse other encodings."""

    @app.before_request
    def decode() -> None:
        environ = request.environ
        if "HTTP_CONTENT_ENCODING" not in environ:
            return
        encoding = environ.pop("HTTP_CONTENT_ENCODING").strip().lower()
        if encoding in {"", "identity"}:
            return
        if encoding not in {"gzip", "x-gzip"}:
            raise UnsupportedMediaType(
                f"Content-Encoding: {encoding[:100]!r} is not read: send the body as it is, or compressed by gzip, once"
            )
        largest = largest_body(request.path)
        content = gunzipped(get_input_stream(environ, max_content_length=largest).read(), largest)
        environ["wsgi.input"], environ["CONTENT_LENGTH"] = io.BytesIO(content), str(len(content))


def gunzipped(content: bytes, largest: int) -> bytes:
    """Return the content of a gzip file of one member: a million empty ones would take long, and have no size.

    Raises:
        InvalidInput: it is none, is cut off, or has more than one member.
        RequestEntityTooLarge: its content has more than ``largest`` bytes.
    """
    if not content:
        return content
    member = zlib.decompressobj(_GZIP)
    try:
        found = member.decompress(content, largest + 1)
    except zlib.error as error:
        raise InvalidInput(f"the body is not gzip, as Content-Encoding says ({error}): send it as it is") from error
    if len(found) > largest:
        raise RequestEntityTooLarge
    if not member.eof:
        raise InvalidInput("the gzip body is cut off: send all of it")
    if member.unused_data:
        raise InvalidInput("the gzip body goes on after its end: compress it at once, as a single member")
    return found
