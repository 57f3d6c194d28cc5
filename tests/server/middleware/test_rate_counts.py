"""Counts of requests in Redis that comes and goes: a stand-in that speaks as much of its protocol as counting needs."""

from __future__ import annotations

import socketserver
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from server.app import create_app
from server.config import ServerConfig
from server.middleware.rate_counts import Counts, MemoryCounts
from tests.server.state.test_current_snapshot import Clock
from tests.serving import free_port


class Conversation(socketserver.StreamRequestHandler):
    counts: Counter[bytes]

    def handle(self) -> None:
        while head := self.rfile.readline():
            words = []
            for _ in range(int(head[1:])):
                length = int(self.rfile.readline()[1:])
                words.append(self.rfile.read(length + 2)[:-2])
            self.wfile.write(self.reply(*words))

    def reply(self, command: bytes, *words: bytes) -> bytes:
        match command.upper():
            case b"HELLO":
                return b"%1\r\n$5\r\nproto\r\n:3\r\n"
            case b"EVALSHA":  # of the script that counts: its hash, 1, key, expiry, amount
                self.counts[words[2]] += int(words[4])
                return b":%d\r\n" % self.counts[words[2]]
            case b"GET":
                text = b"%d" % self.counts[words[0]]
                return b"$%d\r\n%s\r\n" % (len(text), text)
            case b"TTL":
                return b":60\r\n"
            case _:
                return b"+OK\r\n"


class Redis(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def shutdown_request(self, request: object) -> None:  # a conversation that ended
        super().shutdown_request(request)  # type: ignore[arg-type]


@contextmanager
def redis(port: int, counts: Counter[bytes]) -> Iterator[None]:
    pytest.importorskip("redis")
    kind = type("Counting", (Conversation,), {"counts": counts, "timeout": 0.5})
    with Redis(("127.0.0.1", port), kind) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def test_counts_are_shared_while_redis_answers_and_kept_in_memory_while_it_does_not() -> None:
    pytest.importorskip("redis")
    port, shared, clock = free_port(), Counter[bytes](), Clock()
    counts = Counts(address=f"redis://127.0.0.1:{port}", clock=clock)
    assert [counts.incr("a", 60) for _ in range(3)] == [1, 2, 3]
    assert (counts.get("a"), counts.check()) == (3, False)
    with redis(port, shared):
        assert not counts.check()  # not before the pause is over
        clock.now += 10
        assert counts.check()
        assert [counts.incr("a", 60) for _ in range(2)] == [1, 2]
        assert counts.get("a") == 2
        assert shared == {b"LIMITS:a": 2}
    clock.now += 1
    assert counts.incr("a", 60) in {3, 4}  # the stand-in may still answer the connection that it had


def test_a_server_whose_storage_is_down_counts_by_itself_and_says_so(data: Path) -> None:
    pytest.importorskip("redis")
    config = ServerConfig(data, rate_storage=f"redis://127.0.0.1:{free_port()}", read_limit="2/minute")
    client = create_app(config).test_client()
    replies = [client.get("/api/v1/movies/1").status_code for _ in range(3)]
    assert replies == [200, 200, 429]
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert ready.get_json()["status"] == "degraded"
    assert ready.get_json()["parts"]["rate_limits"] == {"status": "degraded"}


def test_windows_in_memory_end_by_a_clock_that_nobody_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    counts = MemoryCounts(clock)
    monkeypatch.setattr("time.time", lambda: 1_000_000.0)
    assert [counts.incr("a", 60) for _ in range(2)] == [1, 2]
    monkeypatch.setattr("time.time", lambda: 1_000_000.0 - 86400)
    assert counts.get_expiry("a") == 1_000_000 - 86400 + 60
    clock.now += 60
    assert counts.get("a") == 0
    assert counts.incr("a", 60) == 1
    for number in range(100):
        counts.incr(f"client {number}", 1)
    clock.now += 120
    counts.incr("b", 60)
    assert len(counts._windows) == 1  # noqa: SLF001  past windows take no memory
