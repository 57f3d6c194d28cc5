from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse


Interleave = Callable[[object, str, Callable[[], object]], None]


@pytest.fixture
def interleave(monkeypatch: pytest.MonkeyPatch) -> Interleave:
    """Pause the next request at a seam, a function that it calls, and run a rival there."""

    def pause_at(owner: object, name: str, rival: Callable[[], object]) -> None:
        real, waiting = getattr(owner, name), [rival]

        @functools.wraps(real)
        def paused(*arguments: Any, **options: Any) -> Any:
            if waiting:
                waiting.pop()()
            return real(*arguments, **options)

        monkeypatch.setattr(owner, name, paused)

    return pause_at


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def assert_problem(response: TestResponse, status: int, *words: str) -> dict[str, Any]:
    """Assert that a response is a problem (RFC 9457) with a status and some words; return it. Tests check errors so."""
    assert response.status_code == status
    assert response.mimetype == "application/problem+json"
    problem = response.get_json(force=True)
    assert set(problem) == {"type", "title", "status", "detail", "instance"}
    assert problem["status"] == status
    assert problem["instance"] == response.request.path
    for word in words:
        assert word in problem["detail"]
    return dict(problem)
