"""Settings of the server, as they are passed on. The options of ``serve`` read and check them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """What the server can be told, and what holds where it is told nothing."""

    data: Path = Path("data")
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1  # processes
    threads: int = 8  # of each process
    upload_queue: int = 4  # uploads and drawings in work or waiting in a process, beyond which: 503
    writes: bool = True  # movies may be added, replaced and removed
    read_keys: bool = False  # reads need an API key too
    read_limit: str = "6000/minute"  # of one client; empty for none
    write_limit: str = "600/minute"
    upload_limit: str = "120/minute"
    rate_storage: str = "memory://"  # where requests are counted
    proxies: int = 0  # trusted reverse proxies in front, whose X-Forwarded-* headers are believed
    log_format: str = "text"  # or json
    access_log: bool = False  # a line a request
    embed_path: str = "auto"  # how VGG16 runs for uploads: auto, float32 or bfloat16
