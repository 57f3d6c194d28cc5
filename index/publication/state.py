"""State of following a storage, which the process that follows writes and a server's health check shows."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from index.core.errors import InvalidInput
from index.core.files import write_durably

OWN_FOLDER = ".follow"  # of a data directory that follows
_FILE = "state.json"


@dataclass(frozen=True, slots=True)
class State:
    """State of following."""

    status: Literal["ok", "degraded"]
    reason: str | None  # public: without paths of this machine


def check_not_following(data: Path) -> None:
    """Raise InvalidInput if a data directory follows a storage: snapshots and changes are made elsewhere."""
    if (data / OWN_FOLDER).is_dir():
        raise InvalidInput(
            f"{data} follows a storage: build, change the library, and choose a snapshot (posterity publish --snapshot"
            f" ID) where it is published; to stop following, delete {data / OWN_FOLDER}"
        )


def write_state(data: Path, state: State) -> None:
    """Write the state of a data directory that follows."""
    write_durably(data / OWN_FOLDER / _FILE, json.dumps(asdict(state)).encode())


def read_state(data: Path) -> State:
    """Return the state that was written last."""
    try:
        document = json.loads((data / OWN_FOLDER / _FILE).read_bytes())
        return State(document["status"], document["reason"])
    except (OSError, ValueError, KeyError, TypeError):
        return State("degraded", "the storage was not read yet")
