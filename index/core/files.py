"""Files that outlast a kill or a power cut."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write_durably(file: Path, content: bytes) -> None:
    """Puts ``content`` on the disk as ``file``: whoever looks sees the whole of it or what was there before."""
    fresh = fresh_name(file)
    try:
        with fresh.open("xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        fresh.replace(file)
    finally:
        fresh.unlink(missing_ok=True)
    sync(file.parent)


def fresh_name(file: Path) -> Path:
    """A hidden name beside ``file`` that nobody else uses."""
    return file.with_name(f".{secrets.token_hex(8)}-{file.name}")


def sync(path: Path) -> None:
    """Puts a file's content, or a folder's names, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
