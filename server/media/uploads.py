"""Uploaded images: read from the request, embedded one at a time, never stored."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import copy_context
from typing import TypeVar

from flask import request
from werkzeug.datastructures import FileStorage

from index.core.errors import BadImage, Busy, InvalidInput

Answer = TypeVar("Answer")

FIELD = "poster"  # name of the file in a form
EXPORT_FIELD = "file"

_NICENESS = 5  # a third of the processor time of other threads, while these are busy


class UploadQueue:
    """A bounded queue with one worker thread, which decodes and embeds one image at a time.

    One embedding uses all processors; and memory that a thread has freed is reused by that thread, not by others. The
    thread, and those that TensorFlow starts for it, yield to threads that answer other requests.

    Args:
        size: images running or queued, at most.
        watch: context manager that is entered while an image runs or waits.
        noun: name of what waits, for the error of a full queue.
    """

    def __init__(
        self,
        size: int,
        watch: Callable[[], AbstractContextManager[object]] = nullcontext,
        *,
        noun: str = "pictures",
    ) -> None:
        self.size = size
        self._noun = noun
        self._taken = 0
        self._lock = threading.Lock()  # guards self._taken
        self._watch = watch
        self._worker = ThreadPoolExecutor(1, "uploads", initializer=_yield_to_others)

    def taken(self) -> int:
        """Return the number of images running or queued."""
        return self._taken

    def run(self, work: Callable[[], Answer]) -> Answer:
        """Run ``work`` on the worker thread; return its result or raise its error.

        Raises:
            Busy: the queue is full.
        """
        with self.place():
            # In the request's own context, so that log lines carry its id.
            return self._worker.submit(copy_context().run, work).result()

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place in the queue.

        Raises:
            Busy: the queue is full.
        """
        with self._lock:
            if self._taken == self.size:
                raise Busy(f"too many {self._noun} are waiting: try again in a moment")
            self._taken += 1
        try:
            with self._watch():
                yield
        finally:
            with self._lock:
                self._taken -= 1


def sent_files() -> list[tuple[str, FileStorage]]:
    """Return the files of the current request's form with their names; an input that was left empty has none."""
    return [(name, file) for name, file in request.files.items(multi=True) if file.filename or _has_content(file)]


def uploaded_picture(members: Collection[str] = ()) -> bytes:
    """Return the image of the current request: a form's ``poster`` file, or the body.

    Args:
        members: names of other members that the form may have.

    Raises:
        InvalidInput: the form has no ``poster`` file, several, or an unknown member.
        BadImage: the image is empty.
    """
    if request.mimetype == "multipart/form-data":
        sent = sent_files()
        for name in (*dict(sent), *request.form):
            if name != FIELD and name not in members:
                raise InvalidInput(f"{name}: the form has no such member; its file is {FIELD}")
        files = [file for name, file in sent if name == FIELD]
        if len(files) != 1:
            raise InvalidInput(f"the form has {len(files)} files called {FIELD!r}: send one, as -F {FIELD}=@poster.jpg")
        content: bytes = files[0].read()
    else:
        content = request.get_data(cache=False)
    if not content:
        raise BadImage(f"the request has no picture: send it as the body, or in a form with -F {FIELD}=@poster.jpg")
    return content


def uploaded_export(members: Collection[str] = ()) -> tuple[bytes, str]:
    """Return the export of the current request, a form's ``file`` or the body, and its name; empty without one.

    Args:
        members: names of other members that the form may have.

    Raises:
        InvalidInput: the form has no ``file``, several, or an unknown member; or there is no export.
    """
    name = ""
    if request.mimetype == "multipart/form-data":
        sent = sent_files()
        for member in (*dict(sent), *request.form):
            if member != EXPORT_FIELD and member not in members:
                raise InvalidInput(f"{member}: the form has no such member; its file is {EXPORT_FIELD}")
        files = [file for member, file in sent if member == EXPORT_FIELD]
        if len(files) != 1:
            raise InvalidInput(
                f"the form has {len(files)} files called {EXPORT_FIELD!r}: send one, as -F {EXPORT_FIELD}=@ratings.csv"
            )
        content, name = files[0].read(), files[0].filename or ""
    else:
        content = request.get_data(cache=False)
    if not content:
        raise InvalidInput(
            f"the request has no export: send it as the body, or in a form with -F {EXPORT_FIELD}=@ratings.csv"
        )
    return content, name


def _yield_to_others() -> None:
    """Lower the priority of this thread, where threads have one of their own; new threads inherit it."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


def _has_content(file: FileStorage) -> bool:
    begin = file.stream.read(1)
    file.stream.seek(0)
    return bool(begin)
