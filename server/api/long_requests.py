"""Requests that may take long: they are worked on one at a time, in a bounded queue, like uploads."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from flask import current_app

from server.media.uploads import UploadQueue

Answer = TypeVar("Answer")

AT_ONCE = 5  # parts of a request that are worked on at once: each takes up to 45 ms among 87,585 movies


def bounded(parts: int, work: Callable[[], Answer]) -> Answer:
    """Run ``work``, in the queue of long requests if it has many parts; return its result or raise its error.

    Args:
        parts: number of searches, users or explanations in the work.
        work: is called once, in the context of the request.

    Raises:
        Busy: the queue is full.
    """
    return work() if parts <= AT_ONCE else queued(work)


def queued(work: Callable[[], Answer]) -> Answer:
    """Run ``work`` in the queue of long requests; return its result or raise its error.

    Raises:
        Busy: the queue is full.
    """
    queue: UploadQueue = current_app.extensions["long_queue"]
    return queue.run(work)
