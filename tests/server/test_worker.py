"""Worker processes against clients of all kinds: a real gunicorn with a small application, on real sockets."""

from __future__ import annotations

import errno
import hashlib
import http.client
import json
import select
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from functools import partial

import pytest
from waitress.adjustments import Adjustments

from server.incoming import Request
from server.worker import RESERVED
from tests.paths import ROOT
from tests.serving import free_port

THREADS = 2
LARGEST = 2_000_000

# Reserved paths release the requests to /hold; /ready has a response at once, unless it is asked for "never".
SERVER = """
import hashlib, sys, threading
from gunicorn.app.base import BaseApplication
from server.worker import worker_class

class Server(BaseApplication):
    def load_config(self):
        worker = worker_class(1, lambda _: int(sys.argv[3]), lambda refused: None, asks_first=True)
        worker.connections = 64
        for name, value in {"bind": f"127.0.0.1:{sys.argv[1]}", "worker_class": worker, "threads": int(sys.argv[2]),
                            "keepalive": 75, "loglevel": "warning", "when_ready": lambda _: print("ready", flush=True),
                            }.items():
            self.cfg.set(name, value)

    def load(self):
        release = threading.Semaphore(0)
        held = threading.Semaphore(0)

        def app(environ, start_response):
            path, status, body = environ["PATH_INFO"], "200 OK", b"ok"
            if environ.pop("posterity.only_ready", False):
                if environ["QUERY_STRING"] == "fails":
                    raise ValueError
                if path != "/ready" or environ["QUERY_STRING"] == "never":
                    return ()
                body = f"ready {threading.current_thread().name}".encode()
            elif path == "/hold":
                held.release()
                release.acquire()
            elif path == "/livez" and environ["QUERY_STRING"] == "held":
                held.acquire()
            elif path == "/livez" and environ["QUERY_STRING"] == "release":
                release.release()
            elif path == "/big":
                body = bytes(8_000_000)
            elif path == "/same":
                start_response("304 Not Modified", [("ETag", '"x"')])
                return []
            elif int(environ.get("CONTENT_LENGTH") or 0) > int(sys.argv[3]):
                status, body = "413 Content Too Large", b"too large"
            else:
                body = hashlib.sha256(environ["wsgi.input"].read()).hexdigest().encode()
            start_response(status, [("Content-Length", str(len(body)))])
            return [body]

        return app

Server().run()
"""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    number = free_port()
    command = [sys.executable, "-c", SERVER, str(number), str(THREADS), str(LARGEST)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield number
        process.terminate()
    assert process.returncode == 0


def connected(port: int, *sent: bytes) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=60)
    for each in sent:
        client.sendall(each)
    return client


def get(port: int, path: str) -> tuple[int, bytes]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("GET", path)
        reply = connection.getresponse()
        return reply.status, reply.read()


def answered(client: socket.socket) -> tuple[http.client.HTTPResponse, bytes]:
    """The next response on a connection, with its body."""
    with closing(http.client.HTTPResponse(client)) as found:
        found.begin()
        return found, found.read()


def answered_in_turn(client: socket.socket, count: int) -> list[bytes]:
    """The bodies of the next responses to requests that were sent together."""
    bodies = []
    with client.makefile("rb") as stream:
        for _ in range(count):
            length = 0
            while line := stream.readline().strip():
                if line.startswith(b"Content-Length: "):
                    length = int(line[16:])
            bodies.append(stream.read(length))
    return bodies


HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"


@pytest.mark.parametrize("begun", [b"GET / HT", HEAD + b"a"], ids=["header", "body"])
def test_unfinished_requests_silence_nobody_and_are_answered_408(port: int, begun: bytes) -> None:
    with ExitStack() as stack:
        slow = [stack.enter_context(connected(port, begun)) for _ in range(10 * THREADS)]
        assert get(port, "/livez")[0] == 200
        assert get(port, "/")[0] == 200
        for client in slow:
            reply, body = answered(client)
            assert reply.status == 408
            assert reply.headers["Content-Type"] == "application/problem+json"
            assert reply.headers["Connection"] == "close"
            assert json.loads(body)["title"] == "Request Timeout"
            assert client.recv(1) == b""


def test_clients_that_do_not_read_hold_no_thread_and_are_cut_off(port: int) -> None:
    with ExitStack() as stack:
        slow = []
        for _ in range(4 * THREADS):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.settimeout(60)
            client.connect(("127.0.0.1", port))
            client.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(15) == b"HTTP/1.1 200 OK"
            slow.append(client)
        assert get(port, "/")[0] == 200
        for client in slow:
            ended = select.poll()
            ended.register(client, 0)
            assert ended.poll(60_000)
            with pytest.raises(ConnectionResetError):
                list(iter(partial(client.recv, 2**16), b""))
        assert get(port, "/big")[1] == bytes(8_000_000)


def test_health_answers_while_every_thread_is_at_work(port: int) -> None:
    with ExitStack() as stack:
        held = [
            stack.enter_context(connected(port, b"GET /hold HTTP/1.1\r\nHost: x\r\n\r\n")) for _ in range(2 * THREADS)
        ]
        for _ in range(THREADS):
            get(port, "/livez?held")
        for path in RESERVED:
            assert get(port, path)[0] == 200
        for _ in held:
            get(port, "/livez?release")
        for client in held:
            assert answered(client)[1] == b"ok"
        for _ in range(THREADS):
            get(port, "/livez?held")  # those that waited for a thread


def test_a_ready_response_waits_for_no_thread(port: int) -> None:
    with ExitStack() as stack:
        held = [stack.enter_context(connected(port, b"GET /hold HTTP/1.1\r\nHost: x\r\n\r\n")) for _ in range(THREADS)]
        for _ in held:
            get(port, "/livez?held")
        assert get(port, "/ready") == (200, b"ready MainThread")
        for _ in held:
            get(port, "/livez?release")
        assert [answered(client)[1] for client in held] == [b"ok"] * THREADS


@pytest.mark.parametrize("query", ["never", "fails"])
def test_without_a_ready_response_a_thread_answers(port: int, query: str) -> None:
    assert get(port, f"/ready?{query}") == (200, hashlib.sha256().hexdigest().encode())


def test_ready_and_other_responses_come_in_the_order_of_their_requests(port: int) -> None:
    ready = b"GET /ready HTTP/1.1\r\nHost: x\r\n\r\n"
    others = [b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n%d" % digit for digit in range(6)]
    expected = [hashlib.sha256(b"%d" % digit).hexdigest().encode() for digit in range(6)]
    with connected(port, ready + b"".join(others)) as client:
        assert answered_in_turn(client, 7) == [b"ready MainThread", *expected]
        client.sendall(b"".join(others) + ready)  # sent ahead of their turn, all are a thread's
        assert answered_in_turn(client, 7) == [*expected, hashlib.sha256().hexdigest().encode()]
        client.sendall(ready)
        assert answered_in_turn(client, 1) == [b"ready MainThread"]


def test_health_answers_beside_more_connections_than_there_may_be(port: int) -> None:
    with ExitStack() as stack:
        first = stack.enter_context(connected(port))
        for _ in range(100):
            stack.enter_context(connected(port))
            assert get(port, "/livez")[0] == 200
        assert first.recv(1) == b""


@pytest.mark.parametrize("framing", ["Content-Length: 100000000", "Transfer-Encoding: chunked"])
def test_too_large_a_body_is_refused_while_the_client_still_sends(port: int, framing: str) -> None:
    piece = bytes(2**16)
    if "chunked" in framing:
        piece = b"%x\r\n%s\r\n" % (len(piece), piece)
    with connected(port, f"POST / HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n".encode()) as client:
        for _ in range(100):  # without a reset
            client.sendall(piece)
        reply, body = answered(client)
        assert (reply.status, body) == (413, b"too large")
        assert reply.headers["Connection"] == "close"


def test_bodies_arrive_whole(port: int) -> None:
    body = bytes(range(256)) * 7000
    digest = hashlib.sha256(body).hexdigest().encode()
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        for headers in ({}, {"Content-Length": str(len(body))}):  # chunked, and whole
            connection.request("POST", "/", iter([body[:5], body[5:]]), headers, encode_chunked=not headers)
            assert connection.getresponse().read() == digest


def test_a_request_that_expects_100_is_answered_with_and_without_a_body(port: int) -> None:
    expecting = b" / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
    with connected(port, b"GET" + expecting + b"\r\n") as client:
        assert answered(client)[0].status == 200
        client.sendall(b"POST" + expecting + b"Content-Length: 1\r\n\r\n")
        assert client.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"a")
        assert answered(client)[1] == hashlib.sha256(b"a").hexdigest().encode()
        client.sendall(b"POST" + expecting + b"Content-Length: 100000000\r\n\r\n")
        assert answered(client)[0].status == 413  # instead of 100


def test_connections_stay_open_after_responses_without_a_body(port: int) -> None:
    with connected(port, b"GET /same HTTP/1.1\r\nHost: x\r\n\r\n") as client:
        reply, _ = answered(client)
        assert (reply.status, reply.headers["Connection"]) == (304, None)
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert answered(client)[0].status == 200
        assert client.recv(1) == b""


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 40000 + b"\r\n\r\n", 431),
        (b"nonsense\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"GET http://[::1/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", 400),
        # Proxies disagree about where these end, or for whom they are.
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
    ],
)
def test_bytes_that_are_no_request_are_answered_by_a_problem(port: int, sent: bytes, status: int) -> None:
    with connected(port, sent) as client:
        reply, body = answered(client)
    assert reply.status == status
    document = json.loads(body)
    assert document.keys() == {"type", "title", "status", "detail", "instance"}
    assert document["status"] == status


def test_a_client_that_lists_close_among_other_options_sees_the_end(port: int) -> None:
    with connected(port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: TE, close\r\n\r\n") as client:
        assert answered(client)[0].headers["Connection"] == "close"
        assert client.recv(1) == b""


@pytest.mark.parametrize(
    "piece",
    [b"1\r\na\r\n", b"1;" + b"a" * 2000 + b"\r\na\r\n", b"0" * 2**16, b"0\r\n" + b"X: y\r\n" * 2**14],
    ids=["tiny", "extensions", "endless length", "endless trailer"],
)
def test_a_body_of_chunks_with_hardly_any_content_is_refused_before_it_takes_long(piece: bytes) -> None:
    adjustments = Adjustments()
    adjustments.largest_body = lambda _: 10**8
    request = Request(adjustments)
    request.received(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    sent = piece * (2**20 // len(piece))
    read = 0
    while not request.completed and read < len(sent):
        taken = request.received(sent[read : read + 2**16])
        assert request.completed or taken <= 2**12  # so that little is copied for each chunk
        read += taken
    assert request.error.code == 400
    assert "too small" in request.error.body
    assert read < 2**18


def test_chunks_of_usual_size_are_no_reason_to_refuse(port: int) -> None:
    pieces = [bytes([at % 256]) * 100 for at in range(5000)]
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("POST", "/", iter(pieces), encode_chunked=True)
        assert connection.getresponse().read() == hashlib.sha256(b"".join(pieces)).hexdigest().encode()


def test_a_body_that_cannot_be_buffered_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(mode: str) -> None:  # noqa: ARG001
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    adjustments = Adjustments(inbuf_overflow=20_000)
    adjustments.largest_body = lambda _: 10**6
    request = Request(adjustments)
    request.received(HEAD.replace(b"100", b"100000"))
    for _ in range(2):
        assert not request.completed
        request.received(bytes(15_000))
    assert request.completed
    assert request.error.code == 507
