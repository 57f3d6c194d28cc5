"""What kinds of settings the server has, and what each may be."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Any

import click


class WholeNumber(click.ParamType[int]):
    """A whole number within limits."""

    name = "number"

    def __init__(self, low: int, high: int) -> None:
        self._low, self._high = low, high

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number; anything else is a usage error."""
        number = int(value) if str(value).isdecimal() else -1
        if not self._low <= number <= self._high:
            self.fail(f"{value!r} is no whole number from {self._low} to {self._high}", param, ctx)
        return number


class Switch(click.types.BoolParamType):
    """On or off."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bool:
        """Which of the two; anything else is a usage error."""
        switched = self.str_to_bool(value)
        if switched is None:
            self.fail(f"{value!r} is neither on nor off: write 1 or 0, true or false, on or off", param, ctx)
        return switched


class RateLimit(click.ParamType[str]):
    """How often a client may ask: ``100/minute``, or several with ``;`` between them. Empty: as often as it likes."""

    name = "limit"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The limits as they were written; anything else is a usage error."""
        from limits import parse_many

        written = str(value).strip()
        try:
            usable = not written or all(limit.amount > 0 for limit in parse_many(written))
        except ValueError:
            usable = False
        if not usable:
            self.fail(f"{value!r} is no limit: write 100/minute or 5/second;100/hour, or nothing for none", param, ctx)
        return written


class RateStorage(click.ParamType[str]):
    """Where requests are counted."""

    name = "address"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The address as it was written; one that cannot be used is a usage error."""
        scheme, separator, _ = str(value).partition("://")
        if not separator or scheme not in {"memory", "redis", "rediss"}:
            self.fail(f"{value!r} is no storage: write memory://, redis://host:6379 or rediss://host:6379", param, ctx)
        if scheme != "memory" and find_spec("redis") is None:
            self.fail(f"{value!r} needs the Python package redis: install it, or write memory://", param, ctx)
        return str(value)


class EmptyCounts(click.Option):
    """An option whose variable is set even where it is empty."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:  # noqa: ARG002
        """What the variable says; None where there is none."""
        return os.environ.get(str(self.envvar))


class OneLineErrors(click.Command):
    """A command that says in one line what is wrong with how it was called, as logs are read by the line."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """What is left of the arguments."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = None  # whose usage would be printed
            raise
