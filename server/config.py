"""Settings of the server, read once from the environment or the command line and passed on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from index.errors import BadData


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """What the server can be told."""

    data: Path = Path("data")  # POSTERITY_DATA
    upload_queue: int = 4  # POSTERITY_UPLOAD_QUEUE: uploads and drawings in work or waiting, beyond which: 503

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> ServerConfig:
        """The settings in the environment, defaults where it says nothing.

        Raises:
            BadData: a value that cannot be used.
        """
        default = cls()
        queue = environ.get("POSTERITY_UPLOAD_QUEUE", str(default.upload_queue))
        if not queue.isdecimal() or int(queue) < 1:
            raise BadData(f"POSTERITY_UPLOAD_QUEUE is {queue!r}: give a whole number from 1")
        return cls(Path(environ.get("POSTERITY_DATA", str(default.data))), int(queue))
