"""Option types of the server's settings, and errors in one line."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

import click
from typing_extensions import override

from index.core.errors import InvalidInput


class RateLimit(click.ParamType[str]):
    """A rate limit such as ``100/minute``, or several separated by ``;``; empty for none."""

    name = "limit"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text if it is a rate limit; fail otherwise."""
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
    """The address of a storage that counts requests."""

    name = "address"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the address if it can be used; fail otherwise."""
        scheme, separator, _ = str(value).partition("://")
        if not separator or scheme not in {"memory", "redis", "rediss"}:
            self.fail(f"{value!r} is no storage: write memory://, redis://host:6379 or rediss://host:6379", param, ctx)
        if scheme != "memory" and find_spec("redis") is None:
            self.fail(f"{value!r} needs the Python package redis: install it, or write memory://", param, ctx)
        return str(value)


class Prefix(click.ParamType[str]):
    """A path such as ``/films``; empty for none."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the path without its last slash; fail if it cannot be one."""
        from server.middleware.prefix import usable_prefix

        found = usable_prefix(str(value).strip())
        if found is None:
            self.fail(f"{value!r} is no path: write /films, of letters, digits, . _ ~ - and /", param, ctx)
        return found


class Origins(click.ParamType[str]):
    """Origins separated by commas; ``*`` for all, empty for none."""

    name = "origins"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the origins as browsers send them; fail if one cannot be used."""
        from server.middleware.cors import ANY, usable_origin

        found = []
        for each in filter(None, map(str.strip, str(value).split(","))):
            origin = each if each == ANY else usable_origin(each)
            if origin is None:
                self.fail(f"{each!r} is no origin: write https://films.example or http://localhost:3000", param, ctx)
            found.append(origin)
        return ",".join(found)


class _ServiceAddress(click.ParamType[str]):
    """The address of a service; empty for none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the address without its last slash; fail if no such service can have it."""
        try:
            return self.checked(str(value)) if str(value).strip() else ""
        except InvalidInput as error:
            self.fail(str(error), param, ctx)

    def checked(self, address: str) -> str:
        """Return the address without its last slash, or raise InvalidInput."""
        raise NotImplementedError


class StorageAddress(_ServiceAddress):
    """The address of a storage of published snapshots; empty for none."""

    name = "storage"

    @override
    def checked(self, address: str) -> str:
        from index.publication.storage import check_address

        return check_address(address)


class SearchAddress(_ServiceAddress):
    """The address of a Milvus; empty for none."""

    name = "address"

    @override
    def checked(self, address: str) -> str:
        from index.milvus.service import check_address

        return check_address(address)


class HttpAddress(click.ParamType[str]):
    """The address of a server, such as ``https://films.example``; empty for none."""

    name = "address"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the address without its last slash; fail if no server can have it."""
        written = str(value).strip().rstrip("/")
        found = urlsplit(written)
        plain = not found.query and not found.fragment and "@" not in found.netloc
        if written and not (found.scheme in {"http", "https"} and found.hostname and plain):
            self.fail(f"{value!r} is no address of a server: write https://films.example", param, ctx)
        return written


class EmptyCounts(click.Option):
    """An option whose variable counts as set if it is empty."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:  # noqa: ARG002
        """Return the value of the variable; None if it is not set."""
        return os.environ.get(str(self.envvar))


class OneLineErrors(click.Command):
    """A command that reports usage errors in one line without its usage, since logs are read by the line."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments, and return the rest."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = None  # click would print its usage
            raise
