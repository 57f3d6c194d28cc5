"""Every error that the public package raises. All are subclasses of ``PosterityError``.

An index (``posterity.open``) and a client (``posterity.Client``) raise the same classes for the same mistakes:

InvalidInput         a value that cannot be used: a limit of 0, a genre of no movie, a file that is no image
NotFound             no such movie, user or space
└── NotComparable    the movie exists, but lacks the poster or the ratings that the query needs
Conflict             another movie has this IMDb or TMDB id
Busy                 too many requests or writers, or vectors in Milvus that cannot be searched now; the same call may
                     succeed later
CannotStore          a write on a full or read-only disk; nothing was changed
Closed               a call after ``close()``

If a server refuses a request, the error is one of these and an ``ApiError`` with ``status`` and ``detail``, so that
either name catches it. Raised by a client alone:

Unauthorised         the API key is missing, unknown or revoked
Forbidden            the API key lacks the scope, or the endpoint is disabled
ApiError             any other status, such as 500
BadResponse          a response not from a Posterity server, such as a proxy's page
Unreachable          no response, after all retries

Raised by an index alone, about its files: ``BadSnapshot``, ``BadLibrary``, ``BadWeights``, ``UnknownSnapshot``.
``index.core.errors`` has the whole tree.
"""

from __future__ import annotations

from http import HTTPStatus

from index.core import errors as _errors
from index.core.errors import *  # noqa: F403  every error of the packages below
from index.core.errors import PosterityError

__all__ = [*_errors.__all__, "ApiError", "BadResponse", "Closed", "Unreachable"]


class ApiError(PosterityError):
    """Status of a server that refused a request.

    Args:
        status: the HTTP status code.
        detail: the server's explanation, as its problem document has it.
    """

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"{status} {_phrase(status)}: {detail}")
        self.status = status
        self.detail = detail

    def __reduce__(self) -> tuple[type[ApiError], tuple[int, str]]:
        """Return the arguments to unpickle with: the message is not one of them."""
        return type(self), (self.status, self.detail)


class BadResponse(PosterityError):
    """Response not from a Posterity server."""


class Closed(PosterityError):
    """Call of an index or a client after ``close()``."""


class Unreachable(PosterityError):
    """No response from the server, after all retries."""


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:  # 520 to 530 of Cloudflare, say
        return "Unknown Status"
