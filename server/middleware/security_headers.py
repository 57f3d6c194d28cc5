"""Security headers: titles and posters come from strangers, so browsers run no script but ours."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from flask import Flask

from server.middleware.cors import EMBEDDED, listed_origins

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HEADERS = {
    "Content-Security-Policy": "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data: blob:",
            "connect-src 'self'",
            "font-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        ]
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def embedded_headers(style: str, origins: str) -> dict[str, str]:
    """Return the headers of pages for other sites, which may be in frames of their own origin and of those listed.

    Args:
        style: the inline style of the pages, the only one that browsers use there.
        origins: separated by commas; ``*`` for all, empty for none.
    """
    known = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = {
        "default-src": "'none'",
        "style-src": f"'sha256-{known}'",
        "img-src": "'self'",
        "form-action": "'none'",
        "base-uri": "'none'",
        "frame-ancestors": " ".join(["'self'", *listed_origins(origins)]),
    }
    return HEADERS | {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "X-Frame-Options": "SAMEORIGIN",  # for browsers that know no frame-ancestors, which others go by
    }


def register_headers(app: Flask, origins: str = "") -> None:
    """Add the headers to every response, unless its view has set others.

    Args:
        app: with the style of embedded pages among its templates, if it has such pages.
        origins: whose pages may have embedded pages in frames: separated by commas; ``*`` for all, empty for none.
    """
    named = _named(HEADERS)
    embedded = named
    if "embed.css" in app.jinja_env.list_templates():
        embedded = _named(embedded_headers(app.jinja_env.get_template("embed.css").render(), origins))
    # Around the application, not in it: a tenth of the time, and it covers errors that Flask never sees.
    application: WSGIApplication = app.wsgi_app

    def protected(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            given = {name.lower() for name, _ in headers}
            own = embedded if environ["PATH_INFO"].startswith(EMBEDDED) else named
            headers.extend([pair for name, pair in own if name not in given])
            return start_response(status, headers, exc_info)

        return application(environ, start)

    app.wsgi_app = protected  # type: ignore[method-assign]


def _named(headers: Mapping[str, str]) -> list[tuple[str, tuple[str, str]]]:
    return [(name.lower(), (name, value)) for name, value in headers.items()]
