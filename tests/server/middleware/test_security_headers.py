from __future__ import annotations

import re

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient

from server.middleware.security_headers import HEADERS, register_headers
from tests.paths import ROOT

PACKAGE = ROOT / "server"


@pytest.mark.parametrize("path", ["/", "/static/page.js", "/api/v1/movies/1", "/api/v1/nothing", "/livez", "/metrics"])
def test_every_reply_is_protected(client: FlaskClient, path: str) -> None:
    with client.get(path) as reply:
        assert {name: reply.headers[name] for name in HEADERS} == HEADERS
    policy = HEADERS["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "*" not in policy


def test_a_view_may_say_otherwise() -> None:
    app = Flask(__name__)
    register_headers(app)
    app.add_url_rule("/", view_func=lambda: Response("", headers={"X-Frame-Options": "SAMEORIGIN"}))
    headers = app.test_client().get("/").headers
    assert headers.getlist("X-Frame-Options") == ["SAMEORIGIN"]
    assert headers["Referrer-Policy"] == "same-origin"


def test_pages_need_nothing_that_is_forbidden() -> None:
    for file in (PACKAGE / "templates").glob("*.html"):
        text = file.read_text().replace(
            "<style>{% include 'embed.css' %}</style>", ""
        )  # named by the policy of its page
        assert not re.search(
            r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon[a-z]+=\"|javascript:|<base|(?<!<a href=\")https?://", text
        ), file
