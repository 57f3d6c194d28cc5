"""The HTTP API, version 1: routes are in ``movie_routes``, ``map_routes``, ``people_routes`` and ``library_routes``."""

from __future__ import annotations

from typing import Any, cast

from flask import Blueprint, Flask
from werkzeug.routing import IntegerConverter

from index.present import provenance
from server.operation import operation
from server.replies import SnapshotReply
from server.served import movie_index

api = Blueprint("api", __name__, url_prefix="/api/v1")


@api.get("/snapshot")
@operation()
def snapshot() -> SnapshotReply:
    """The manifest of the snapshot that is served: how it was made, and how good its search is."""
    index = movie_index()
    manifest: dict[str, Any] = index.manifest.to_json()
    del manifest["files"]
    return cast(SnapshotReply, manifest | provenance(index))


class UserIdConverter(IntegerConverter):
    """A user's id in a path, within what can be kept."""

    regex = "[0-9]{1,18}"


def register_api(app: Flask) -> None:
    """Every route of the API becomes one of ``app``."""
    app.url_map.converters["user"] = UserIdConverter
    from server import (  # noqa: F401  they add themselves
        docs_routes,
        library_routes,
        map_routes,
        movie_routes,
        people_routes,
    )

    app.register_blueprint(api)
