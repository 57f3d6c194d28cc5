"""Pictures that come in: read, queued, compared, forgotten."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import copy_context
from typing import TypeVar

from flask import request

from index.core.errors import BadImage, Busy, InvalidInput
from index.posters.images import MAX_BYTES

Answer = TypeVar("Answer")

FIELD = "poster"  # of a form

# A form carries some lines around its file.
MAX_CONTENT_LENGTH = MAX_BYTES + 2**16


class UploadQueue:
    """A bounded queue in front of the one network: one thread decodes and embeds one picture at a time.

    One picture fills the processor; and memory that a thread has freed is used again by that thread, not by others.

    Args:
        size: how many may be in work or waiting.
        watch: entered for as long as a place is taken.
    """

    def __init__(self, size: int, watch: Callable[[], AbstractContextManager[object]] = nullcontext) -> None:
        self.size = size
        self._taken = 0
        self._lock = threading.Lock()  # over the number of places that are taken
        self._watch = watch
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="uploads")

    def taken(self) -> int:
        """How many are in work or waiting."""
        return self._taken

    def run(self, work: Callable[[], Answer]) -> Answer:
        """What ``work`` returns or raises, once its turn has come.

        Raises:
            Busy: the queue is full.
        """
        with self.place():
            # In the request's own context: what is logged there names its id.
            return self._worker.submit(copy_context().run, work).result()

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place in the queue.

        Raises:
            Busy: there is none left.
        """
        with self._lock:
            if self._taken == self.size:
                raise Busy("too many pictures are waiting: try again in a moment")
            self._taken += 1
        try:
            with self._watch():
                yield
        finally:
            with self._lock:
                self._taken -= 1


def uploaded_picture(members: Collection[str] = ()) -> bytes:
    """The bytes of the picture in the present request: a form's ``poster`` file, or the body itself.

    Args:
        members: what the form may have besides.

    Raises:
        InvalidInput: the form has no such file, or others.
        BadImage: it is empty.
    """
    if request.mimetype == "multipart/form-data":
        for name in (*request.files, *request.form):
            if name != FIELD and name not in members:
                raise InvalidInput(f"{name}: there is no such member of the form; there is {FIELD}, a file")
        files = request.files.getlist(FIELD)
        if len(files) != 1:
            raise InvalidInput(f"the form has {len(files)} files called {FIELD!r}: send one, as -F {FIELD}=@poster.jpg")
        content: bytes = files[0].read()
    else:
        content = request.get_data(cache=False)
    if not content:
        raise BadImage(f"no picture came: send a form with -F {FIELD}=@poster.jpg, or the picture as the body")
    return content
