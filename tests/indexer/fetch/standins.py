"""Local stand-ins of GroupLens, TMDB's API and images, and the host of Keras' weights, in one HTTP server.

They support ranges, validators and keys, serve invented data, and inject the faults of servers and networks. To run
them by themselves, until Ctrl-C:

    python -m tests.indexer.fetch.standins --port 8100 --folder standins
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import sys
import threading
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import h5py
import numpy as np

from index.posters.vgg16 import IMAGENET_FILE

KEY = "0123456789abcdef0123456789abcdef"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJub2JvZHkifQ.c2lnbmF0dXJl"  # noqa: S105  invented
ZIP = "/datasets/movielens/ml-latest-small.zip"
WEIGHTS = f"/keras/{IMAGENET_FILE}"
SIZES = ["w92", "w185", "w500", "original"]
PAGE = b"<!DOCTYPE html><html><body>Please sign in to the network</body></html>"

APPENDED: dict[str, dict[str, Any]] = {
    "keywords": {"keywords": []},
    "credits": {"cast": [], "crew": []},
    "release_dates": {"results": []},
}

_TICK = 0.01  # seconds between the chunks of a slow response


@dataclass(frozen=True)
class Seen:
    """A received request."""

    path: str
    query: dict[str, list[str]]
    headers: Message


class StandIns(ThreadingHTTPServer):
    """The server, with threads. A test sets its files, speed and faults."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__((host, port), _Handler)
        self.files: dict[str, bytes] = {}  # path -> content
        self.posters: dict[int, str | None] = {}  # TMDB id -> poster_path
        self.imdb: dict[str, int] = {}  # IMDb id -> TMDB id
        self.facts: dict[int, dict[str, Any]] = {}  # TMDB id -> members of its entry, such as credits
        self.seen: list[Seen] = []
        self.sent = 0  # bytes of bodies
        self.speed: float | None = None  # bytes a second of each response
        self.ranges = True
        self.validators = True
        self.stopping = threading.Event()
        self._faults: dict[str, list[Fault]] = defaultdict(list)
        self._lock = threading.Lock()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def fail(self, path: str, *faults: Fault, times: int = 1) -> None:
        """Apply these faults to the next requests for a path, one each."""
        self._faults[path] += [*faults] * times

    def asked(self, path: str) -> list[Seen]:
        return [seen for seen in self.seen if seen.path == path]

    def fault(self, seen: Seen) -> Fault | None:
        with self._lock:
            self.seen.append(seen)
            faults = self._faults[seen.path]
            return faults.pop(0) if faults else None

    def count(self, sent: int) -> None:
        with self._lock:
            self.sent += sent

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], OSError):  # the client closed the connection
            super().handle_error(request, client_address)

    def stop(self) -> None:
        self.stopping.set()
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: StandIns
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    cut: int | None = None  # bytes of the body before the connection breaks
    stall: int | None = None  # bytes of the body before the response stalls

    def do_GET(self) -> None:
        self.cut = self.stall = None
        parts = urlsplit(self.path)
        seen = Seen(parts.path, parse_qs(parts.query), self.headers)
        fault = self.server.fault(seen)
        if fault is None or fault(self):
            self._answer(seen)

    def _answer(self, seen: Seen) -> None:
        if seen.path.startswith("/3/"):
            self._api(seen)
        elif seen.path.startswith("/t/p/"):
            size, _, name = seen.path.removeprefix("/t/p/").partition("/")
            self._file(self.server.files.get(f"/posters/{name}") if size in SIZES else None, "image/jpeg")
        else:
            self._file(self.server.files.get(seen.path), "application/octet-stream")

    def _api(self, seen: Seen) -> None:
        token = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        if not token and seen.query.get("api_key") != [KEY]:
            self.json(401, {"success": False, "status_code": 7, "status_message": "Invalid API key"})
            return
        kind, _, name = seen.path.removeprefix("/3/").partition("/")
        if kind == "configuration":
            base = f"http://{self.headers['Host']}/t/p/"
            self.json(200, {"images": {"base_url": base, "secure_base_url": base, "poster_sizes": SIZES}})
        elif kind == "movie" and int(name) in self.server.posters:
            self.json(200, self._entry(int(name), seen.query.get("append_to_response", [""])[0].split(",")))
        elif kind == "find" and seen.query.get("external_source") == ["imdb_id"]:
            tmdb_id = self.server.imdb.get(name)
            found = [] if tmdb_id is None else [{"id": tmdb_id, "poster_path": self.server.posters[tmdb_id]}]
            self.json(200, {"movie_results": found, "tv_results": []})
        else:
            self.json(404, {"success": False, "status_code": 34, "status_message": "The resource could not be found."})

    def _entry(self, tmdb_id: int, appended: list[str]) -> dict[str, Any]:
        """Return TMDB's entry of a movie; keywords, credits and release dates only if they are asked for."""
        known = self.server.facts.get(tmdb_id, {})
        of_itself = {name: value for name, value in known.items() if name not in APPENDED}
        more = {name: known.get(name, APPENDED[name]) for name in appended if name in APPENDED}
        return {"id": tmdb_id, "poster_path": self.server.posters[tmdb_id], **of_itself, **more}

    def _file(self, content: bytes | None, kind: str) -> None:
        if content is None:
            self.plain(404, b"<html><title>404 Not Found</title></html>", "text/html")
            return
        etag = f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
        headers = {"ETag": etag, "Last-Modified": "Tue, 01 Oct 2024 00:00:00 GMT"} if self.server.validators else {}
        wanted = self.headers.get("Range") if self.server.ranges else None
        if wanted is None or self.headers.get("If-Range", etag) != etag:
            self.plain(200, content, kind, **headers)
            return
        start = int(wanted.removeprefix("bytes=").partition("-")[0])
        if start >= len(content):
            self.plain(416, b"", kind, **headers, **{"Content-Range": f"bytes */{len(content)}"})
        else:
            span = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.plain(206, content[start:], kind, **headers, **{"Content-Range": span})

    def json(self, status: int, value: object) -> None:
        self.plain(status, json.dumps(value).encode(), "application/json;charset=utf-8")

    def plain(self, status: int, content: bytes, kind: str = "text/plain", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self._body(content)

    def _body(self, content: bytes) -> None:
        end = next((each for each in (self.cut, self.stall) if each is not None), len(content))
        step = max(1, int(self.server.speed * _TICK)) if self.server.speed else max(1, len(content))
        for at in range(0, min(end, len(content)), step):
            chunk = content[at : min(at + step, end)]
            self.server.count(len(chunk))  # before a client has it and asks for the count
            self.wfile.write(chunk)
            if self.server.speed:
                self.server.stopping.wait(_TICK)
        if self.stall is not None:
            self.server.stopping.wait()
        if end < len(content):
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


Fault = Callable[
    [_Handler], bool
]  # responds and returns False; or returns True for the usual response, perhaps altered


def status(code: int, **headers: str) -> Fault:
    """Respond with another status; underscores in names of headers stand for hyphens."""

    def answer(handler: _Handler) -> bool:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        handler.plain(code, b"{}", "application/json", **named)
        return False

    return answer


def page(handler: _Handler) -> bool:
    """Respond with the page of a portal."""
    handler.plain(200, PAGE, "text/html")
    return False


def content(body: bytes, kind: str = "application/octet-stream") -> Fault:
    def answer(handler: _Handler) -> bool:
        handler.plain(200, body, kind)
        return False

    return answer


def breaks(after: int) -> Fault:
    """Break the connection after some bytes of the body."""

    def answer(handler: _Handler) -> bool:
        handler.cut = after
        return True

    return answer


def stalls(after: int) -> Fault:
    """Stall after some bytes of the body."""

    def answer(handler: _Handler) -> bool:
        handler.stall = after
        return True

    return answer


def hangs_up(handler: _Handler) -> bool:
    """Break the connection before the response."""
    handler.close_connection = True
    return False


@contextmanager
def running(server: StandIns) -> Iterator[StandIns]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join()


def load(server: StandIns, folder: Path) -> None:
    """Serve the files of a folder: ``ratings/`` as an edition, ``posters/<movie id>.*`` and ``weights.h5``."""
    ratings = {file.name: file.read_bytes() for file in sorted((folder / "ratings").iterdir())}
    publish(server, zipped({f"ml-latest-small/{name}": data for name, data in ratings.items()}))
    pictures = {file.stem: file for file in (folder / "posters").iterdir()}
    server.files |= {f"/posters/{file.name}": file.read_bytes() for file in pictures.values()}
    for line in ratings["links.csv"].decode().splitlines()[1:]:
        movie_id, imdb, tmdb = line.split(",")
        if tmdb:
            server.posters[int(tmdb)] = f"/{pictures[movie_id].name}" if movie_id in pictures else None
            server.imdb[f"tt{int(imdb):07d}"] = int(tmdb)
    if (folder / "weights.h5").exists():
        server.files[WEIGHTS] = (folder / "weights.h5").read_bytes()


def publish(server: StandIns, archive: bytes, path: str = ZIP) -> None:
    """Serve a zip and, as GroupLens does, its MD5 file."""
    server.files[path] = archive
    name = path.rpartition("/")[2]
    server.files[f"{path}.md5"] = f"MD5 ({name}) = {md5(archive)}\n".encode()


def zipped(members: dict[str, bytes]) -> bytes:
    """Return a zip file, deterministic to the byte."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, (2018, 9, 26, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def environment(server: StandIns) -> dict[str, str]:
    """Return the environment variables that point ``posterity fetch`` to the stand-ins."""
    found = {
        "TMDB_API_KEY": KEY,
        "POSTERITY_MOVIELENS_FROM": f"{server.address}{ZIP.rpartition('/')[0]}/",
        "POSTERITY_TMDB_API": server.address,
        "POSTERITY_WEIGHTS_FROM": f"{server.address}{WEIGHTS}",
        "NO_PROXY": "127.0.0.1",
    }
    if WEIGHTS in server.files:
        found["POSTERITY_WEIGHTS_MD5"] = md5(server.files[WEIGHTS])
    return found


def write_weights(file: Path) -> None:
    """Write random weights in the layout of Keras' file: names of layers, and of the arrays of each."""
    rng = np.random.default_rng(0)
    names = [f"block{block}_conv{n}" for block, layers in enumerate((2, 2, 3, 3, 3), 1) for n in range(1, layers + 1)]
    widths = [3, 64, 64, 128, 128, *[256] * 3, *[512] * 6]
    with h5py.File(file, "w") as stream:
        stream.attrs["layer_names"] = [name.encode() for name in names]
        for name, before, after in zip(names, widths, widths[1:], strict=False):
            kernel = rng.normal(0, np.sqrt(2 / (9 * before)), (3, 3, before, after)).astype(np.float32)
            group = stream.create_group(name)
            group.attrs["weight_names"] = [f"{name}_{kind}_1:0".encode() for kind in ("W", "b")]
            group.create_dataset(f"{name}_W_1:0", data=kernel)
            group.create_dataset(f"{name}_b_1:0", data=np.zeros(after, np.float32))


def main() -> None:
    parser = argparse.ArgumentParser(description="Stand-ins of GroupLens, TMDB and Keras' host, with invented films.")
    parser.add_argument("--port", type=int, default=8100)
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 for other machines and containers")
    parser.add_argument("--folder", type=Path, required=True, help="of the served files; generated if empty")
    parser.add_argument("--speed", type=float, help="bytes a second of each response")
    options = parser.parse_args()
    if not (options.folder / "weights.h5").exists():
        from indexer.sample import make_sample

        make_sample(options.folder)
        write_weights(options.folder / "weights.h5")
    server = StandIns(options.host, options.port)
    server.speed = options.speed
    load(server, options.folder)
    for name, value in environment(server).items():
        print(f"export {name}={value}", flush=True)  # noqa: T201
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


if __name__ == "__main__":
    main()
