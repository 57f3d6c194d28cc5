"""SIGINT and SIGTERM in commands that fetch: one line, and the exit code that shells expect."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from index.core.errors import PosterityError


class _Stopped(BaseException):
    """SIGINT or SIGTERM."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def stoppable() -> Iterator[None]:
    """Exit at SIGINT or SIGTERM with one line and the exit code that shells expect. Main thread only.

    Raises:
        PosterityError: the disk is full, or a folder is read-only.
    """

    def stop(number: int, _: object) -> None:
        for each in before:
            signal.signal(each, signal.SIG_IGN)  # ignore further ones
        raise _Stopped(number)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, stop)
    try:
        yield
    except _Stopped as stopped:
        click.echo("Stopped. The same command resumes from here", err=True)
        sys.exit(128 + stopped.number)
    except OSError as error:  # full disk or read-only folder
        raise PosterityError(f"{error.filename or 'the disk'}: {error.strerror}") from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
