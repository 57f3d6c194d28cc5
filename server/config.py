"""Server settings. The options of ``serve`` read and validate them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """Server settings with their defaults."""

    data: Path = Path("data")
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1  # processes
    threads: int = 8  # per process
    request_timeout: int = 20  # seconds for a header; a body or response must then go on at 16 KiB a second
    upload_queue: int = 4  # image jobs running or queued per process; further requests get 503
    writes: bool = True  # False refuses every write request
    writer: str = ""  # address of the server that takes writes, named where they are refused; empty for none
    follow: str = ""  # storage whose snapshots are served, such as s3://bucket/prefix; empty for those built here
    follow_keep: int = 2  # followed snapshots to keep
    search: str = ""  # address of the Milvus that has the vectors, such as milvus://host:19530; empty for none
    read_keys: bool = False  # reads need an API key too
    user_keys: bool = False  # reads about users need an API key: ratings, predictions, recommendations
    read_limit: str = "6000/minute"  # per client; empty for no limit
    write_limit: str = "600/minute"
    upload_limit: str = "120/minute"
    rate_storage: str = "memory://"  # store of the request counts; each process counts while it does not answer
    proxies: int = 0  # number of trusted reverse proxies, whose X-Forwarded-* headers are used
    prefix: str = ""  # path that every address begins with, such as /films; empty for none
    cors_origins: str = ""  # origins whose pages may use the API and embed films, by commas; * for all, empty for none
    log_format: str = "text"  # or json
    access_log: bool = False  # log a line per request
    embed_path: str = "auto"  # VGG16's arithmetic for uploads: auto, float32 or bfloat16

    @property
    def takes_writes(self) -> bool:
        """Return True if writes are allowed: never on a server that follows, whose library no build would merge."""
        return self.writes and not self.follow

    @property
    def ready_responses(self) -> bool:
        """Return True if cached responses are sent before Flask, which asks for keys and other stores, and logs."""
        counts_elsewhere = self.read_limit and self.rate_storage != "memory://"
        return not (self.access_log or self.read_keys or counts_elsewhere)
