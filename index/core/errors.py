"""The exception tree.

PosterityError
├── InvalidInput            invalid data set, file, setting or request
│   ├── BodyTooLarge        request body over the size limit
│   ├── BadImage            not an image, or not a usable one
│   │   └── ImageTooLarge   image over the byte or pixel limit
│   ├── BadWeights          weights file does not fit VGG16
│   ├── InvalidCombination  values valid each, but not together
│   └── ReusedRequest       idempotency key used before, for another request
├── BadSnapshot             snapshot missing, damaged or of another format version
├── BadLibrary              library damaged or of a newer version
│   └── CannotStore         disk full or read-only; nothing was changed
├── NotFound                no such object
│   ├── NoPredictions       predicted ratings of a data set without ratings
│   ├── UnknownKey          API key
│   ├── UnknownMap          poster map
│   ├── UnknownMovie        movie
│   │   └── NotComparable   movie without the poster, ratings or facts that the query needs
│   ├── UnknownSheet        sprite sheet of a map
│   ├── UnknownSpace        space
│   ├── UnknownUser         user
│   └── UnknownSnapshot     snapshot
├── AmbiguousTitle          title matches several movies
├── Changed                 movie or rating changed since the state that a conditional write expects
├── Conflict                movie exists under another id
├── Unauthorised            API key missing, unknown or revoked
├── Forbidden               API key lacks the scope, or the endpoint is disabled
├── WeightsUnavailable      VGG16 weights cannot be downloaded
├── SourceUnavailable       download failed permanently
├── StorageUnavailable      storage of published snapshots does not answer; a retry may succeed
└── Busy                    queue full, or source rate-limited; a retry may succeed
    └── SearchUnavailable   Milvus does not answer, or lacks a collection

Every message names the offending value and the remedy. Users see it verbatim.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "AmbiguousTitle",
    "BadImage",
    "BadLibrary",
    "BadSnapshot",
    "BadWeights",
    "BodyTooLarge",
    "Busy",
    "CannotStore",
    "Changed",
    "Conflict",
    "Forbidden",
    "ImageTooLarge",
    "InvalidCombination",
    "InvalidInput",
    "NoPredictions",
    "NotComparable",
    "NotFound",
    "PosterityError",
    "ReusedRequest",
    "SearchUnavailable",
    "SourceUnavailable",
    "StorageUnavailable",
    "Unauthorised",
    "UnknownKey",
    "UnknownMap",
    "UnknownMovie",
    "UnknownSheet",
    "UnknownSnapshot",
    "UnknownSpace",
    "UnknownUser",
    "WeightsUnavailable",
]


class PosterityError(Exception):
    """Root of the exception tree."""


class InvalidInput(PosterityError):
    """Invalid data set, file, setting or request."""


class BodyTooLarge(InvalidInput):
    """Request body over the size limit."""


class BadImage(InvalidInput):
    """Bytes that are not an image, or not a usable one."""


class ImageTooLarge(BadImage):
    """Image over the byte or pixel limit."""


class BadWeights(InvalidInput):
    """Weights file that does not fit VGG16."""


class InvalidCombination(InvalidInput):
    """Values that are valid each, but not together."""


class ReusedRequest(InvalidInput):
    """Idempotency key that was used before, for another request."""


class BadSnapshot(PosterityError):
    """Snapshot missing, damaged or of another format version."""


class BadLibrary(PosterityError):
    """Library damaged or of a newer version."""


class CannotStore(BadLibrary):
    """Library on a disk that is full or read-only; nothing was changed."""


class NotFound(PosterityError):
    """Base of the errors about unknown ids and names."""


class NoPredictions(NotFound):
    """Predicted ratings of a data set that has no ratings, only who watched what."""


class UnknownKey(NotFound):
    """Unknown API key."""


class UnknownMap(NotFound):
    """Unknown poster map: the snapshot was built without it, or before maps existed."""


class UnknownSheet(NotFound):
    """Unknown sprite sheet of a map."""


class UnknownMovie(NotFound):
    """Unknown movie, in the catalogue or in one space."""


class NotComparable(UnknownMovie):
    """Movie without the poster, ratings or facts that the query needs."""


class UnknownSpace(NotFound):
    """Unknown space, or one that this snapshot was built without."""


class UnknownUser(NotFound):
    """Unknown user: no ratings in the snapshot or the library."""


class UnknownSnapshot(NotFound):
    """Unknown snapshot."""


class AmbiguousTitle(PosterityError):
    """Title that matches several movies; ``candidates`` are (movie_id, title) pairs."""

    def __init__(self, message: str, candidates: Sequence[tuple[int, str]]) -> None:
        super().__init__(message)
        self.candidates = tuple(candidates)


class Changed(PosterityError):
    """Movie or rating that changed since the state that a conditional write expects."""


class Conflict(PosterityError):
    """Movie that exists under another id."""


class Unauthorised(PosterityError):
    """API key missing, unknown or revoked."""


class Forbidden(PosterityError):
    """API key without the scope, or an endpoint that is disabled."""


class WeightsUnavailable(PosterityError):
    """VGG16 weights that cannot be downloaded; the message names the option for a local file."""


class SourceUnavailable(PosterityError):
    """Download that failed permanently."""


class StorageUnavailable(PosterityError):
    """Storage of published snapshots that cannot be read or written now; a retry may succeed."""


class Busy(PosterityError):
    """Full queue, or rate-limited source; a retry may succeed."""


class SearchUnavailable(Busy):
    """Vectors in Milvus that cannot be searched now."""
