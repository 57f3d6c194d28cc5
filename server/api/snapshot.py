"""The route of the current snapshot's manifest."""

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
    """Return the manifest of the current snapshot: inputs, settings, evaluation and recall of its search."""
    index = movie_index()
    manifest: dict[str, Any] = index.manifest.to_json()
    del manifest["files"]
    return cast(SnapshotReply, manifest | provenance(index))
