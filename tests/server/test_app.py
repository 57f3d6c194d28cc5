from __future__ import annotations

from typing import Any

import pytest
from flask import jsonify, request

from server.app import create_app
from server.config import ServerConfig
from tests.conftest import World


@pytest.mark.parametrize(
    ("proxies", "client", "scheme", "host"),
    [
        (0, "10.0.0.9", "http", "localhost"),
        (1, "10.0.0.2", "https", "second.example"),
        (2, "10.0.0.1", "http", "first.example"),
        (3, "10.0.0.9", "http", "localhost"),
    ],
)
def test_as_many_proxies_are_believed_as_there_are(
    world: World, proxies: int, client: str, scheme: str, host: str
) -> None:
    app = create_app(ServerConfig(world.data, proxies=proxies))

    @app.get("/seen")
    def seen() -> Any:
        return jsonify(client=request.remote_addr, scheme=request.scheme, host=request.host)

    headers = {
        "X-Forwarded-For": "10.0.0.1, 10.0.0.2",
        "X-Forwarded-Proto": "http, https",
        "X-Forwarded-Host": "first.example, second.example",
    }
    reply = app.test_client().get("/seen", headers=headers, environ_base={"REMOTE_ADDR": "10.0.0.9"})
    assert reply.get_json() == {"client": client, "scheme": scheme, "host": host}
