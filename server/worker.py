"""gunicorn's worker with waitress' connections: no thread waits for a client.

One event loop receives whole requests and sends whole responses, buffered in memory or in a temporary file. Threads see
complete requests only. Clients have limited time for each, and health and metrics have threads of their own. The loop
itself sends what the application has ready: to hand a request to a thread takes longer than such a response.
"""

from __future__ import annotations

import logging
import os
import resource
import select
import selectors
import socket
import struct
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import get_ident
from time import monotonic, sleep
from typing import Any, TypeAlias

from gunicorn.workers.base import Worker
from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask, ThreadedTaskDispatcher, WSGITask
from waitress.utilities import build_http_date

from index.core.back_off import back_off
from index.core.errors import BadSnapshot, PosterityError, UnknownSnapshot
from server.incoming import Request
from server.middleware import errors
from server.middleware.refusals import Refused
from server.middleware.request_context import HEADER, new_request_id
from server.state.response_cache import ONLY_READY

Record: TypeAlias = Callable[[Refused], None]

log = logging.getLogger(__name__)

RESERVED = ("/livez", "/readyz", "/metrics")  # paths with a thread each, so that they answer under any load

_SLOWEST = 2**14  # bytes a second of a body or response; slower clients are cut off once their patience is used up
_STOPPING = 2  # seconds of keep-alive while the server stops: a client may be sending its next request already
_HEADER = 2**15  # bytes of a header with its request line
_BUFFER = 2**16  # bytes of a request or response in memory; more goes to a temporary file
_FLAGS = {
    selectors.EVENT_READ: select.POLLIN,
    selectors.EVENT_WRITE: select.POLLOUT,
    selectors.EVENT_READ | selectors.EVENT_WRITE: select.POLLIN | select.POLLOUT,
}
_FILES = 512  # file descriptors kept for everything but connections


class Sockets(dict[int, Any]):
    """All open sockets by file descriptor, watched by epoll.

    waitress' own loop asks every connection before each wait; a thousand idle ones would delay every response by
    milliseconds. Here only those are asked that had an event, or that a thread works for.
    """

    def __init__(self) -> None:
        super().__init__()
        self.busy: set[Any] = set()  # connections in the hands of threads
        self.arrived: deque[Any] = deque()  # connections with a request that nobody has in hand
        self._changed: set[int] = set()
        self._selector = selectors.DefaultSelector()

    def __setitem__(self, fd: int, dispatcher: Any) -> None:
        """Add a socket."""
        super().__setitem__(fd, dispatcher)
        self._changed.add(fd)

    def __delitem__(self, fd: int) -> None:
        """Remove a socket that is about to be closed."""
        self._watch(fd, 0)
        super().__delitem__(fd)

    def turn(self, timeout: float) -> None:
        """Wait for events and handle them."""
        for each in [each for each in self.busy if each.total_outbufs_len or not each.requests]:
            self._changed.add(each.fd)
            if not each.requests:
                self.busy.discard(each)
        for fd in self._changed & self.keys():
            self.review(fd)
        self._changed.clear()
        for key, events in self._selector.select(timeout):
            dispatcher = self.get(key.fd)
            if dispatcher is not None:  # not closed by an earlier event
                self._changed.add(key.fd)
                wasyncore.readwrite(dispatcher, _FLAGS[events])
        while self.arrived:
            connection = self.arrived.popleft()
            connection.server.begin(connection)

    def review(self, fd: int) -> None:
        """Watch a socket for the events that it waits for."""
        dispatcher = self[fd]
        reads = selectors.EVENT_READ if dispatcher.readable() else 0
        writes = selectors.EVENT_WRITE if dispatcher.writable() and not dispatcher.accepting else 0
        self._watch(fd, reads | writes)

    def _watch(self, fd: int, events: int) -> None:
        watched = self._selector.get_map().get(fd)
        if watched is None:
            if events:
                self._selector.register(fd, events)
        elif not events:
            self._selector.unregister(fd)
        elif events != watched.events:
            self._selector.modify(fd, events)


class Response(WSGITask):  # type: ignore[misc]
    """A response of the application."""

    def execute(self) -> None:
        """Call the application and write its response."""
        if self.channel.server.stopping:
            self.request.headers["CONNECTION"] = "close"
        if self.request.ready is None:
            super().execute()
            return
        self.status, self.response_headers, body = self.request.ready
        self.complete, self.content_length = True, len(body)
        self.write(body)

    def build_response_header(self) -> bytes:
        """Return the status line and the headers; the usual ones without waitress' sorting and renaming of each."""
        usual = self.version == "1.1" and self.has_body and self.content_length is not None
        if not usual or self.request.headers.get("CONNECTION", "").lower() == "close" or self.close_on_finish:
            return bytes(super().build_response_header())
        lines = [f"HTTP/1.1 {self.status}", *map(": ".join, self.response_headers)]
        if not any(name.lower() == "content-length" for name, _ in self.response_headers):
            lines.append(f"Content-Length: {self.content_length}")
        return "\r\n".join([*lines, f"Date: {build_http_date(self.start_time)}", "", ""]).encode("latin-1")

    def set_close_on_finish(self) -> None:
        """Close the connection afterwards, except, unlike waitress, for want of the length of a 204 or 304."""
        if self.has_body or self.request.headers.get("CONNECTION", "").lower() == "close" or self.version == "1.0":
            super().set_close_on_finish()

    def finish(self) -> None:
        """Send in one piece what fits into the socket's buffer; the event loop sends the rest."""
        super().finish()
        channel = self.channel
        with channel.outbuf_lock:
            channel._flush_exception(channel._flush_some, do_close=False)  # noqa: SLF001  as waitress' own tasks do


class Refusal(ErrorTask):  # type: ignore[misc]
    """The response to bytes that are no request, as a problem document."""

    def execute(self) -> None:
        """Record the response, and write it."""
        request = self.request
        path = getattr(request, "path", "")
        self.status, media, body = errors.refusal(request.error, path or "/")
        request_id = new_request_id()
        self.response_headers += [("Content-Type", media), (HEADER, request_id)]
        self.set_close_on_finish()
        self.content_length = len(body)
        method, client = getattr(request, "command", "") or "-", self.channel.addr[0]
        taken = monotonic() - request.began
        self.channel.server.record(
            Refused(request_id, method, path or "-", request.error.code, taken, len(body), client)
        )
        self.write(body)


class Connection(HTTPChannel):  # type: ignore[misc]
    """A client's connection, with a time limit for each of its states."""

    task_class = Response
    error_task_class = Refusal
    parser_class = Request

    request: Any  # that is arriving
    will_close: bool

    def __init__(self, server: Listener, sock: socket.socket, *args: Any, **options: Any) -> None:
        self.fd = sock.fileno()
        self.touched = monotonic()  # when bytes were last exchanged
        self.sent = 0  # bytes
        self.sending: tuple[float, int] | None = None  # since when a response waits for the client, and self.sent then
        self.left: float | None = None  # since when only the client's end is open
        super().__init__(server, sock, *args, **options)

    def handle_read(self) -> None:
        """Read what has arrived."""
        self.touched = monotonic()
        super().handle_read()

    def received(self, data: bytes) -> bool:
        """Take bytes from the client; discard them after the last response."""
        return self.left is None and bool(super().received(data))

    def send(self, data: bytes, do_close: bool = True) -> int:
        """Send bytes to the client; return how many were taken."""
        count: int = super().send(data, do_close=do_close)
        self.touched = monotonic()
        self.sent += count
        return count

    def handle_close(self) -> None:
        """Close the connection; after a last response only our end of it, until the client has closed its own.

        A client that is still sending would otherwise lose the response to the reset of its connection.
        """
        if self.will_close and self.left is None and self.connected:
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_WR)
                self.left, self.will_close = monotonic(), False
                return
        super().handle_close()

    @property
    def idle(self) -> bool:
        """Return True if nothing is in work."""
        return not (self.total_outbufs_len or self.requests or self.request)

    def enforce(self, now: float, patience: float, keepalive: float) -> None:
        """Answer 408 or close, if the client has used up its time. Runs in the event loop."""
        if self.left is not None:
            if now - self.left > patience:
                super().handle_close()
        elif self.total_outbufs_len:
            # By windows, as the system takes megabytes at once that the client has not read.
            began, before = self.sending = self.sending or (now, self.sent)
            if now - began > patience and self.sent - before >= patience * _SLOWEST:
                self.sending = (now, self.sent)
            elif now - began > patience:
                # By a reset: the system would go on holding megabytes that nobody reads.
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                super().handle_close()
        elif self.requests:
            self.sending = None
            if self.request is not None:  # sent ahead, and not read on until these are answered
                self.request.began = now
        elif self.request is not None:
            self.sending = None
            if now - self.request.began > patience + self.request.body_bytes_received / _SLOWEST:
                self.request.error = errors.RequestTimeout()
                with self.requests_lock:
                    self.requests.append(self.request)
                    self.request = None
                self.service()  # no thread, which may be busy: it only writes
        else:
            self.sending = None
            if now - self.touched > keepalive:
                self.will_close = True


class Listener(TcpWSGIServer):  # type: ignore[misc]
    """A listening socket, with the threads that answer."""

    channel_class = Connection

    application: Any

    def __init__(self, *args: Any, connections: int, record: Record, asks_first: bool, **options: Any) -> None:
        self.stopping = False
        self.record = record
        self.connections = connections
        self.asks_first = asks_first
        self._loop = get_ident()
        self.reserved = {path: _threads(1) for path in RESERVED}
        super().__init__(*args, **options)

    def add_task(self, task: Connection) -> None:
        """Begin with a connection's next request: in the event loop if it has just arrived, else on a thread."""
        if get_ident() == self._loop:
            self._map.arrived.append(task)
        else:
            self._hand_over(task)

    def begin(self, connection: Connection) -> None:
        """Answer a connection's next request if its response is ready and fits; else hand it to a thread."""
        request = connection.requests[0]
        if self.asks_first and request.error is None and not connection.total_outbufs_len:
            request.ready = self._ready(connection, request)
        if request.ready is None:
            self._hand_over(connection)
        else:
            connection.service()

    def pull_trigger(self) -> None:
        """Wake the event loop, unless this is it."""
        if get_ident() != self._loop:
            super().pull_trigger()

    def _ready(self, connection: Connection, request: Request) -> tuple[str, list[tuple[str, str]], bytes] | None:
        environ = Response(connection, request).get_environment()
        environ[ONLY_READY] = True
        heads: list[tuple[str, list[tuple[str, str]]]] = []
        with suppress(Exception):  # a thread meets it too, and the application says what is wrong
            body = b"".join(self.application(environ, lambda status, headers: heads.append((status, headers))))
            for status, headers in heads:
                return status, headers, body
        return None

    def _hand_over(self, connection: Connection) -> None:
        self._map.busy.add(connection)
        dispatcher: Any = self.reserved.get(getattr(connection.requests[0], "path", ""), self.task_dispatcher)
        dispatcher.add_task(connection)

    def handle_accept(self) -> None:
        """Accept a connection; close the one that has waited longest if there are too many."""
        super().handle_accept()
        if len(self.active_channels) > self.connections:
            waiting = [each for each in self.active_channels.values() if not each.requests]
            oldest = min(waiting, key=lambda each: each.request.began if each.request else each.touched, default=None)
            if oldest is not None:
                HTTPChannel.handle_close(oldest)

    def stop_accepting(self) -> None:
        """Close the listening socket, so that clients turn elsewhere at once."""
        self.stopping = True
        wasyncore.dispatcher.close(self)


class BufferingWorker(Worker):  # type: ignore[misc]
    """A worker process: an event loop with threads behind it."""

    patience: float
    largest_body: Callable[[str], int]
    record: Record
    asks_first: bool
    connections = 2048  # beyond it, the one that has waited longest is closed for each new one

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Stop once running requests are answered."""
        super().handle_exit(sig, frame)
        for listener in getattr(self, "listeners", ()):
            listener.pull_trigger()

    def run(self) -> None:
        """Serve until the process is stopped."""
        self._map = Sockets()
        self._swept = 0.0
        self.listeners = self._listen()
        while self.alive and self.ppid == os.getppid():
            self._turn()
        for listener in self.listeners:
            listener.stop_accepting()
        end = monotonic() + self.cfg.graceful_timeout
        keepalive_end = monotonic() + _STOPPING
        while (now := monotonic()) < end and any(
            each.left is None and (not each.idle or now < keepalive_end) for each in self._channels()
        ):
            self._turn(timeout=0.1)

    def load_wsgi(self) -> None:
        """Open the application; as long as an error may pass, try again: gunicorn would stop the whole server."""
        pauses = back_off()
        while self.alive:
            try:
                super().load_wsgi()
            except (BadSnapshot, UnknownSnapshot):
                raise
            except (PosterityError, OSError, RuntimeError, MemoryError):
                log.exception("a worker cannot start; it tries again")
                self.notify()
                sleep(next(pauses))
            else:
                return
        sys.exit(0)

    def _listen(self) -> list[Listener]:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = 2 * self.connections + _FILES  # each may hold a temporary file
        if soft != resource.RLIM_INFINITY and soft < wanted:
            soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        connections = (
            self.connections if soft == resource.RLIM_INFINITY else min(self.connections, (soft - _FILES) // 2)
        )
        adjustments = Adjustments(
            ident=None,
            recv_bytes=_BUFFER,
            send_bytes=_BUFFER,
            inbuf_overflow=_BUFFER,
            outbuf_overflow=_BUFFER,
            max_request_header_size=_HEADER,
            connection_limit=2**31,  # see Listener.handle_accept
            cleanup_interval=2**31,  # see Connection.enforce
            clear_untrusted_proxy_headers=False,  # trusted proxies have one setting: --proxies
        )
        adjustments.largest_body = self.largest_body
        dispatcher = _threads(self.cfg.threads)
        return [
            Listener(
                self.wsgi,
                self._map,
                True,
                gunicorn_socket.sock,
                dispatcher=dispatcher,
                adj=adjustments,
                sockinfo=(gunicorn_socket.sock.family, socket.SOCK_STREAM, 0, None),
                bind_socket=False,
                connections=connections,
                record=type(self).record,
                asks_first=self.asks_first,
            )
            for gunicorn_socket in self.sockets
        ]

    def _channels(self) -> list[Connection]:
        return [each for listener in self.listeners for each in listener.active_channels.values()]

    def _turn(self, timeout: float = 1.0) -> None:
        """Wait for events and handle them; about once a second, enforce the time limits."""
        self._map.turn(timeout)
        now = monotonic()
        if now - self._swept > min(1.0, self.patience / 4):
            self._swept = now
            self.notify()
            keepalive = self.cfg.keepalive if self.alive else _STOPPING
            for channel in self._channels():
                channel.enforce(now, self.patience, keepalive)
            for fd in list(self._map):
                self._map.review(fd)


def worker_class(
    patience: float, largest_body: Callable[[str], int], record: Record, *, asks_first: bool = False
) -> type[BufferingWorker]:
    """Return gunicorn's class of workers.

    Args:
        patience: seconds for a header; a body and a response must then go on at 16 KiB a second.
        largest_body: returns the bytes of the largest body that is kept for the application, for a path.
        record: is called before each response that is not the application's; no error may pass.
        asks_first: the application looks at ``response_cache.ONLY_READY``; it is asked in the event loop first.
    """
    given = {"largest_body": staticmethod(largest_body), "record": staticmethod(record)}
    return type("Worker", (BufferingWorker,), {"patience": patience, "asks_first": asks_first, **given})


def _threads(count: int) -> ThreadedTaskDispatcher:
    dispatcher = ThreadedTaskDispatcher()
    dispatcher.set_thread_count(count)
    return dispatcher
