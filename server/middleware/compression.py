"""Response compression by Flask-Compress: Zstandard, Brotli or gzip, as the client accepts.

A compressed response has an ETag of its own, ``"x:gzip"`` for ``"x"``. Views never see it: the suffix is removed from
conditional requests, and restored in a 304.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from flask import Flask, Response, g, request
from flask_compress import Compress
from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header

from server.state.response_cache import KEY, ResponseCache, encoded_key

_ENCODINGS = ("zstd", "br", "gzip")  # by preference, for clients that accept several equally
_MIN_SIZE = 1024  # bytes; a smaller response fits into one packet anyway
_CONDITIONS = ("HTTP_IF_NONE_MATCH", "HTTP_IF_MATCH")
_SUFFIX = re.compile(f':(?:{"|".join(_ENCODINGS)})(?=")')


def register_compression(app: Flask) -> None:
    """Compress text responses of 1 KiB and more, once each if they are cached; leave images and errors alone."""
    app.config |= {
        "COMPRESS_ALGORITHM": _ENCODINGS,
        "COMPRESS_EVALUATE_CONDITIONAL_REQUEST": False,
        "COMPRESS_MIN_SIZE": _MIN_SIZE,
        "COMPRESS_REGISTER": False,
    }
    compress = Compress(app)
    cache: ResponseCache = app.extensions["response_cache"]

    @app.before_request
    def remove_suffixes() -> None:
        environ = request.environ
        for name in _CONDITIONS:
            if name in environ:
                g.condition = environ[name]
                environ[name] = _SUFFIX.sub("", g.condition)

    @app.after_request
    def encode(response: Response) -> Response:
        if _media(response.headers.get("Content-Type", "")) not in compress.compress_mimetypes_set:
            return response
        response.headers.add("Vary", "Accept-Encoding")
        encoding = accepted_encoding(request.environ)
        if response.status_code == 304:
            _restore_suffix(response)
        elif response.status_code == 200 and encoding is not None:
            key = encoded_key(encoding, request.environ[KEY]) if KEY in request.environ else None
            compressed = None if key is None else cache.get(key)
            if compressed is not None:
                _substitute(response, encoding, compressed)
                return response
            request.environ["HTTP_ACCEPT_ENCODING"] = encoding  # Flask-Compress takes q=0 for consent
            response.direct_passthrough = False
            response.make_sequence()  # a whole file: its length is known
            compress.after_request(response)
            if "Content-Encoding" in response.headers:
                response.headers.pop("Accept-Ranges", None)  # ranges are of the plain file
                if encoding == "gzip":  # without its time, which differs between workers: one ETag, the same bytes
                    content = response.get_data()
                    response.set_data(content[:4] + bytes(4) + content[8:])
                if key is not None:
                    cache.set(key, response.get_data())
        return response


def _media(content_type: str) -> str:
    """Return the media type without its parameters; werkzeug parses those as well."""
    return content_type.partition(";")[0].strip().lower()


def accepted_encoding(environ: Mapping[str, Any]) -> str | None:
    """Return the encoding that a request asks for; None for none."""
    header = environ.get("HTTP_ACCEPT_ENCODING")
    return None if header is None else _accepted(header)


@lru_cache(maxsize=128)
def _accepted(header: str) -> str | None:
    """Return the encoding that an Accept-Encoding header asks for; None for none."""
    found = parse_accept_header(header, Accept).best_match((*_ENCODINGS, "identity"))
    return None if found == "identity" else found


def _restore_suffix(response: Response) -> None:
    """Give a 304 the ETag that the client sent."""
    tag, weak = response.get_etag()
    sent = re.search(f'"({re.escape(tag or "")}{_SUFFIX.pattern})', g.get("condition", ""))
    if sent is not None:
        response.set_etag(sent[1], bool(weak))


def _substitute(response: Response, encoding: str, compressed: bytes) -> None:
    """Give a cached response its cached compressed body. Flask-Compress would take three times as long."""
    response.headers["Content-Encoding"] = encoding
    response.headers["ETag"] = f'{response.headers["ETag"][:-1]}:{encoding}"'
    response.set_data(compressed)
