from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from index.library.api_keys import Keys
from index.library.database import Database

Interleave = Callable[[object, str, Callable[[], object]], None]


@contextmanager
def interleaved(owner: object, name: str, rival: Callable[[], object]) -> Iterator[Callable[[], bool]]:
    """Pause the next request at a seam, a function that it calls, and run a rival there; yield if it has run."""
    real, waiting = getattr(owner, name), [rival]

    @functools.wraps(real)
    def paused(*arguments: Any, **options: Any) -> Any:
        if waiting:
            with ThreadPoolExecutor(1) as another:  # in one thread the requests would share their context
                another.submit(waiting.pop()).result()
        return real(*arguments, **options)

    with patch.object(owner, name, paused):
        yield lambda: not waiting


@pytest.fixture
def interleave() -> Iterator[Interleave]:
    """Return a function that pauses a later request of the test, as ``interleaved`` does."""
    with ExitStack() as stack:
        yield lambda owner, name, rival: (stack.enter_context(interleaved(owner, name, rival)), None)[1]


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def writer(app: Flask, data: Path) -> FlaskClient:
    """Return a client that sends an API key."""
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {Keys(Database(data)).create('tests')[1]}"
    return client


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
