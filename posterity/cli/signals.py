"""How a command that fetches ends before its time: with a line, an exit code, and nothing lost."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from index.core.errors import PosterityError


class _Stopped(BaseException):
    """SIGINT or SIGTERM came."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def stoppable() -> Iterator[None]:
    """Ends at SIGINT or SIGTERM with a line, and the exit code that shells expect. Of the main thread alone.

    Raises:
        PosterityError: the disk is full, or may not be written to.
    """

    def stop(number: int, _: object) -> None:
        for each in before:
            signal.signal(each, signal.SIG_IGN)  # one is enough
        raise _Stopped(number)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, stop)
    try:
        yield
    except _Stopped as stopped:
        click.echo("Stopped. The same command goes on from here", err=True)
        sys.exit(128 + stopped.number)
    except OSError as error:  # a full disk, or a folder that may not be written to
        raise PosterityError(f"{error.filename or 'the disk'}: {error.strerror}") from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
