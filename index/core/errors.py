"""Every error that Posterity raises on purpose.

PosterityError
├── InvalidInput            a data set, file, setting or request that cannot be used as given
│   ├── BodyTooLarge        a request with more bytes than are read
│   ├── BadImage            bytes that are not a usable picture
│   │   └── ImageTooLarge
│   ├── BadWeights          a weights file that does not fit VGG16
│   ├── InvalidCombination  values that are each valid, but not together
│   └── ReusedRequest       an idempotency key that was used before, for another request
├── BadSnapshot             a snapshot that is missing, damaged or of another format version
├── BadLibrary              a library that is damaged or of a newer version
├── NotFound                something asked for by name that does not exist
│   ├── UnknownKey
│   ├── UnknownMap          a snapshot that was built without this map
│   ├── UnknownMovie
│   │   └── NotComparable   a movie without the poster, ratings or facts that the query compares
│   ├── UnknownSheet        no such sprite sheet of a map
│   ├── UnknownSpace
│   ├── UnknownUser
│   └── UnknownSnapshot
├── AmbiguousTitle          a title that fits several movies
├── Conflict                a movie that exists already under another id
├── Unauthorised            a missing, unknown or revoked API key
├── Forbidden               an API key without the scope, or an endpoint that is switched off
├── WeightsUnavailable      VGG16 weights that could not be downloaded; says how to give a file
├── SourceUnavailable       a download that failed for good
└── Busy                    a full queue, or a source that asks for patience; the same request may succeed later

A message names the offending value and the remedy: it is shown to people as it is.
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
    "Conflict",
    "Forbidden",
    "ImageTooLarge",
    "InvalidCombination",
    "InvalidInput",
    "NotComparable",
    "NotFound",
    "PosterityError",
    "ReusedRequest",
    "SourceUnavailable",
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
    """The root: catch this to catch everything below."""


class InvalidInput(PosterityError):
    """A data set, file or setting that cannot be used as given."""


class BodyTooLarge(InvalidInput):
    """A request with more bytes than are read."""


class BadImage(InvalidInput):
    """Bytes that are not a usable picture."""


class ImageTooLarge(BadImage):
    """A picture with more bytes or pixels than are allowed."""


class BadWeights(InvalidInput):
    """A weights file that does not fit VGG16."""


class InvalidCombination(InvalidInput):
    """Values that are each fine, but not together."""


class ReusedRequest(InvalidInput):
    """A request that was made before, with other content."""


class BadSnapshot(PosterityError):
    """A snapshot that is missing, damaged or of another format version."""


class BadLibrary(PosterityError):
    """A library of added movies that is damaged or of a newer version."""


class NotFound(PosterityError):
    """Something asked for by name that is not there."""


class UnknownKey(NotFound):
    """No such API key."""


class UnknownMap(NotFound):
    """No such map of posters: the snapshot was built without it, or before there were any."""


class UnknownSheet(NotFound):
    """No such sheet of small posters."""


class UnknownMovie(NotFound):
    """No such movie, or none in the space that was asked."""


class NotComparable(UnknownMovie):
    """A movie that is there, without the poster, ratings or facts that were asked for."""


class UnknownSpace(NotFound):
    """No such space in this snapshot: it was built without posters, say."""


class UnknownUser(NotFound):
    """No such user in the ratings that the snapshot was built from."""


class UnknownSnapshot(NotFound):
    """No such snapshot."""


class AmbiguousTitle(PosterityError):
    """A title that fits several movies; ``candidates`` are (movie_id, title) pairs."""

    def __init__(self, message: str, candidates: Sequence[tuple[int, str]]) -> None:
        super().__init__(message)
        self.candidates = tuple(candidates)


class Conflict(PosterityError):
    """Something that is there under another id."""


class Unauthorised(PosterityError):
    """No key, or one that is of no use."""


class Forbidden(PosterityError):
    """A key that may not do this, or nobody may."""


class WeightsUnavailable(PosterityError):
    """Weights that could not be had; the message says how to give a file."""


class SourceUnavailable(PosterityError):
    """What should be fetched, and cannot be had from where it was asked for."""


class Busy(PosterityError):
    """A queue is full, or a source asks for patience; the same request may succeed later."""
