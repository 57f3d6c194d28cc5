"""The path under which the server is reached, such as ``/films``: of a trusted proxy's header, or of a setting.

It becomes WSGI's ``SCRIPT_NAME``, with which ``url_for`` begins every address.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_USABLE = re.compile(r"(/(?!\.+(/|$))[A-Za-z0-9._~-]+)*/?")  # no part is empty, as //host would be another server


def usable_prefix(text: str) -> str | None:
    """Return a path without its last slash; None if it cannot be one."""
    return text.rstrip("/") if len(text) <= 200 and _USABLE.fullmatch(text) else None


def register_prefix(app: Flask, prefix: str, *, forwarded: bool) -> None:
    """Serve the application under a path. Requests may come with it or, where a proxy removes it, without.

    A prefix that begins like a path of the application itself (``/map``) is never removed here.

    Args:
        app: with all its routes.
        prefix: of every address; empty for none.
        forwarded: True if the header X-Forwarded-Prefix is believed, before the setting.
    """
    application: WSGIApplication = app.wsgi_app
    own = {rule.rule.split("/")[1] for rule in app.url_map.iter_rules()}

    def prefixed(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        given = environ.get("HTTP_X_FORWARDED_PREFIX", "") if forwarded else ""
        before = usable_prefix(given.rpartition(",")[2].strip()) or prefix
        if before:
            environ["SCRIPT_NAME"] = before
            path = environ["PATH_INFO"]
            if f"{path}/".startswith(f"{before}/") and before.split("/")[1] not in own:
                environ["PATH_INFO"] = path[len(before) :] or "/"
        return application(environ, start_response)

    app.wsgi_app = prefixed  # type: ignore[method-assign]
