"""HTTP statuses as errors: each class is an ``ApiError`` and the error that an index raises for the same mistake."""

from __future__ import annotations

from posterity import errors

__all__ = ["refusal"]


class InvalidInput(errors.ApiError, errors.InvalidInput):
    """400, 413, 414 or 422."""


class Unauthorised(errors.ApiError, errors.Unauthorised):
    """401."""


class Forbidden(errors.ApiError, errors.Forbidden):
    """403."""


class NotFound(errors.ApiError, errors.NotFound):
    """404."""


class NotComparable(errors.ApiError, errors.NotComparable):
    """409 of a query."""


class Conflict(errors.ApiError, errors.Conflict):
    """409 of a write."""


class CannotStore(errors.ApiError, errors.CannotStore):
    """507."""


class Busy(errors.ApiError, errors.Busy):
    """429 or 503."""


_CLASSES: dict[int, type[errors.ApiError]] = {
    400: InvalidInput,
    401: Unauthorised,
    403: Forbidden,
    404: NotFound,
    413: InvalidInput,
    414: InvalidInput,
    422: InvalidInput,
    429: Busy,
    503: Busy,
    507: CannotStore,
}


def refusal(status: int, detail: str, *, write: bool = False) -> errors.ApiError:
    """Return the error of a status.

    Args:
        status: the HTTP status code.
        detail: the server's explanation.
        write: True if the request was to change something: 409 then means that an id is taken.
    """
    if status == 409:
        return Conflict(status, detail) if write else NotComparable(status, detail)
    return _CLASSES.get(status, errors.ApiError)(status, detail)
