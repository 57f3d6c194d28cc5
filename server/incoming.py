"""Requests while they arrive: bytes from a connection become a header and a body, or an error."""

from __future__ import annotations

import logging
from copy import copy
from time import monotonic
from typing import Any

from waitress.adjustments import Adjustments
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.utilities import BadRequest, RequestEntityTooLarge

from server.middleware import errors

log = logging.getLogger(__name__)

_LINE = 4094  # bytes of a request line
_SLICE = 2**12  # bytes of a chunked body that are parsed at a time: waitress copies all the rest for each chunk
_FRAMING = 2**16  # bytes of a chunked body that are none of its content; beyond, an eighth of the content


class Request(HTTPRequestParser):  # type: ignore[misc]
    """A request while it arrives. The body of one that is too large is not kept: the application refuses it."""

    error: Any
    adj: Any
    body_rcv: Any
    ready: tuple[str, list[tuple[str, str]], bytes] | None = None  # status, headers and body of its response

    def __init__(self, adj: Adjustments) -> None:
        super().__init__(adj)
        self.began = monotonic()

    def parse_header(self, header_plus: bytes) -> None:
        """Parse the header; set the largest body by its path.

        Raises:
            ParsingError: it is none, or proxies may read it otherwise: where a request ends, and for whom it is.
        """
        try:
            super().parse_header(header_plus)
        except ValueError as error:  # of an address, or of a length of thousands of digits
            raise ParsingError(f"the header cannot be read: {str(error)[:100]}") from error
        if "TRANSFER_ENCODING" in self.headers:  # waitress removes it from what is HTTP/1.1
            raise ParsingError(f"Transfer-Encoding is none of HTTP/{self.version}: send Content-Length")
        if self.chunked and "CONTENT_LENGTH" in self.headers:
            raise ParsingError("the body has a Content-Length and a Transfer-Encoding: send one of them")
        if self.version == "1.1" and "HOST" not in self.headers:
            raise ParsingError("the request has no Host header: send one")
        if "," in self.headers.get("HOST", ""):  # waitress joins headers of one name
            raise ParsingError("the request has several Host headers: send one")
        if "close" in [option.strip().lower() for option in self.headers.get("CONNECTION", "").split(",")]:
            self.headers["CONNECTION"] = "close"
        self.adj = copy(self.adj)
        self.adj.max_request_body_size = self.adj.largest_body(self.path) + 1

    def received(self, data: bytes) -> int:
        """Take bytes from the connection; return how many belong to this request."""
        arrived = len(data)
        if self.chunked:
            data = data[:_SLICE]
        if not self.headers_finished:
            begin = (self.header_plus[:_LINE] + data[:_LINE])[:_LINE]
            if len(begin) == _LINE and b"\r\n" not in begin:
                self.error, self.completed = errors.UriTooLong(), True
                return arrived
        try:
            consumed: int = super().received(data)
        except OSError as error:  # of the temporary file of a long body
            log.error("a request cannot be buffered: %s", error)  # noqa: TRY400  its traceback says nothing more
            self.error, self.completed = errors.NoRoom(), True
            return arrived
        if self.chunked and self.body_bytes_received - len(self.body_rcv) > _FRAMING + len(self.body_rcv) // 8:
            self.error, self.completed = BadRequest("the chunks of the body are too small: send larger ones"), True
            return arrived
        if isinstance(self.error, RequestEntityTooLarge):
            self.close()
            self.error = self.body_rcv = None
            self.headers["CONTENT_LENGTH"] = str(max(self.content_length, self.body_bytes_received))
            self.headers["CONNECTION"] = "close"  # instead of the rest of the body
            consumed = arrived
        if self.completed:
            self.expect_continue = False  # nothing is left to continue with
        return consumed
