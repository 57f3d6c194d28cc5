"""The route of the manifest of the snapshot that is served."""

from __future__ import annotations

from typing import Any, cast

from index.answers.serialize import provenance
from server.api.blueprint import api
from server.api.operation import operation
from server.api.responses import SnapshotReply
from server.state.current_snapshot import movie_index


@api.get("/snapshot")
@operation()
def snapshot() -> SnapshotReply:
    """The manifest of the snapshot that is served: how it was made, and how good its search is."""
    index = movie_index()
    manifest: dict[str, Any] = index.manifest.to_json()
    del manifest["files"]
    return cast(SnapshotReply, manifest | provenance(index))
