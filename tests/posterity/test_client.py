"""The client, against servers that fail in the ways that networks, proxies and other people's servers do."""

from __future__ import annotations

import gzip
import json
import pickle
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posterity import Client, errors
from posterity.interface import MovieService

Way = Callable[[BaseHTTPRequestHandler], None]


class Flaky(HTTPServer):
    """Answers each request by the next of some ways."""

    def __init__(self, *ways: Way) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.ways = list(ways)
        self.asked: list[tuple[str, str, str | None]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> Flaky:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    def answer(self) -> None:
        assert isinstance(self.server, Flaky)
        self.server.asked.append((self.command, self.path, self.headers.get("Idempotency-Key")))
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.ways.pop(0)(self)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


def reply(status: int, body: object, **headers: str) -> Way:
    """Return a way to answer: bytes as they are, anything else as JSON."""

    def way(handler: BaseHTTPRequestHandler) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(content)

    return way


def raw(content: bytes) -> Way:
    """Return a way to answer with bytes that need not be HTTP, and to hang up."""

    def way(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(content)
        handler.close_connection = True

    return way


hang_up = raw(b"")

MOVIE = {"movie": {"movie_id": 1}}


def test_what_fails_on_the_way_is_tried_again_and_is_the_same_request() -> None:
    busy = reply(503, {"detail": "busy"}, Retry_After="0")
    with Flaky(hang_up, busy, reply(429, {}, Retry_After="0"), reply(201, MOVIE)) as server:
        assert Client(server.address).add_movie("Heat") == {"movie_id": 1}
        assert len(server.asked) == 4
        assert len(set(server.asked)) == 1
        assert server.asked[0][2] is not None


def test_what_the_server_refuses_is_not_tried_again() -> None:
    with Flaky(reply(400, {"detail": "no"}), reply(200, MOVIE)) as server:
        with pytest.raises(errors.ApiError, match="400 Bad Request: no"):
            Client(server.address).movie(1)
        assert len(server.asked) == 1


def test_an_end_of_patience_is_told() -> None:
    with Flaky(*[hang_up] * 3) as server, pytest.raises(errors.Unreachable, match="does not answer"):
        Client(server.address, retries=2).movie(1)
    with (
        Flaky(*[reply(503, {"detail": "busy"}, Retry_After="0")] * 3) as server,
        pytest.raises(errors.ApiError, match="busy"),
    ):
        Client(server.address, retries=2).movie(1)
    with Flaky(reply(502, "<html>")) as server, pytest.raises(errors.ApiError, match="502 Bad Gateway"):
        Client(server.address, retries=0).movie(1)


def test_a_list_goes_on_after_the_last_movie_of_a_page() -> None:
    pages = [{"results": [{"movie_id": 1}, {"movie_id": 7}], "next": 7}, {"results": [{"movie_id": 300}], "next": None}]
    with Flaky(*[reply(200, page) for page in pages]) as server:
        assert [movie["movie_id"] for movie in Client(server.address).all_movies()] == [1, 7, 300]
        assert [path for _, path, _ in server.asked] == [f"/api/v1/movies?limit=100{more}" for more in ("", "&after=7")]


CALLS: dict[str, Callable[[Client], Any]] = {
    "movies": lambda c: c.movies("heat"),
    "all_movies": lambda c: list(c.all_movies()),
    "movie": lambda c: c.movie(1),
    "poster": lambda c: c.poster(1),
    "similar": lambda c: c.similar(1, by="poster", explain=True),
    "similar excluding many": lambda c: c.similar(1, by="poster", exclude=range(1000), explain=True),
    "similar_to": lambda c: c.similar_to([1]),
    "similar_to_each": lambda c: c.similar_to_each([1]),
    "similar_to_poster": lambda c: c.similar_to_poster(b"image"),
    "explain": lambda c: c.explain(1, 2),
    "predict": lambda c: c.predict(1, [1]),
    "recommend": lambda c: c.recommend({1: 5}),
    "recommend to a user": lambda c: c.recommend(1),
    "import_ratings": lambda c: c.import_ratings(b"title,year,rating\nHeat,1995,5\n", name="mine.csv"),
    "rated": lambda c: c.rated(1),
    "snapshot": lambda c: c.snapshot(),
    "add_movie": lambda c: c.add_movie("Heat", poster=b"image"),
    "replace_movie": lambda c: c.replace_movie(1, "Heat"),
    "update_movie": lambda c: c.update_movie(1, title="Heat"),
    "replace_poster": lambda c: c.replace_poster(1, b"image"),
    "delete_movie": lambda c: c.delete_movie(1),
    "recommend_together": lambda c: c.recommend_together([1, {1: 5}]),
    "add_movies": lambda c: c.add_movies([{"title": "Heat"}]),
    "rate_all": lambda c: c.rate_all(1, {1: 5}),
    "delete_ratings": lambda c: c.delete_ratings(1),
    "rate": lambda c: c.rate(1, 1, 5),
    "delete_rating": lambda c: c.delete_rating(1, 1),
}
PAGE = b"<!doctype html><title>Please log in</title>"


def test_every_method_is_called_here() -> None:
    methods = {name for name in vars(MovieService) if not name.startswith("_")} - {"close"}
    assert {name.split()[0] for name in CALLS} == methods


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (200, PAGE, {"Content-Type": "text/html"}),
        (200, b"", {}),
        (200, [], {}),
        (200, {}, {}),
        (200, {"results": [1], "users": [], "ignored_users": [], "movie": 1, "snapshot": None}, {}),
        (200, b"[" * 100_000, {}),
        (200, b"\xff\xfe", {}),
        (200, PAGE, {"Content-Encoding": "gzip"}),
        (202, gzip.compress(PAGE), {"Content-Encoding": "gzip"}),
    ],
    ids=["page", "nothing", "list", "object", "wrong members", "deep", "bytes", "no gzip", "compressed page"],
)
def test_a_response_of_something_else_is_told(status: int, body: object, headers: dict[str, str]) -> None:
    with Flaky(*[reply(status, body, **headers)] * 100) as server, Client(server.address, retries=0) as client:
        for call in CALLS.values():
            with pytest.raises(errors.BadResponse, match=server.address):
                call(client)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.InvalidInput),
        (401, errors.Unauthorised),
        (403, errors.Forbidden),
        (404, errors.NotFound),
        (405, errors.ApiError),
        (409, errors.NotComparable),
        (412, errors.ApiError),
        (413, errors.InvalidInput),
        (414, errors.InvalidInput),
        (422, errors.InvalidInput),
        (429, errors.Busy),
        (500, errors.ApiError),
        (502, errors.ApiError),
        (503, errors.Busy),
        (520, errors.ApiError),
        (599, errors.ApiError),
        (999, errors.ApiError),
    ],
)
def test_every_status_is_an_error_with_its_detail(status: int, kind: type[errors.PosterityError]) -> None:
    movies = {"add_movie", "add_movies", "replace_movie", "update_movie", "replace_poster", "delete_movie"}
    writes = movies | {"rate", "rate_all", "delete_rating", "delete_ratings"}
    for body, detail in (({"detail": "so it is"}, "so it is"), (b"a proxy's words", "a proxy's words"), ([1], "[1]")):
        with Flaky(*[reply(status, body)] * len(CALLS)) as server, Client(server.address, retries=0) as client:
            for name, call in CALLS.items():
                expected = errors.Conflict if status == 409 and name in writes else kind
                with pytest.raises(expected, match=str(status)) as caught:
                    call(client)
                assert isinstance(caught.value, errors.ApiError)
                assert (caught.value.status, caught.value.detail) == (status, detail)
                again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301
                assert (type(again), str(again)) == (type(caught.value), str(caught.value))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed_but_told(status: int) -> None:
    moved = reply(status, b"", Location="https://elsewhere.example/login")
    with Flaky(*[moved] * len(CALLS)) as server, Client(server.address) as client:
        for call in CALLS.values():
            with pytest.raises(errors.ApiError, match=r"redirects to https://elsewhere\.example/login: give"):
                call(client)
        assert len(server.asked) == len(CALLS)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nlots\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 -1 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 " + b"O" * 100_000 + b"\r\n\r\n",
    ],
)
def test_a_broken_response_is_no_response(content: bytes) -> None:
    with Flaky(*[raw(content)] * len(CALLS)) as server, Client(server.address, retries=0) as client:
        for call in CALLS.values():
            with pytest.raises((errors.Unreachable, errors.BadResponse), match=server.address):
                call(client)


def test_a_silent_server_is_not_waited_for_longer_than_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with Client(url, retries=0, timeout=0.05) as client, pytest.raises(errors.Unreachable, match="timed out"):
            client.movie(1)
    with Client(url, retries=0) as client, pytest.raises(errors.Unreachable, match="does not answer"):
        client.movie(1)  # nobody listens any more


@pytest.mark.parametrize("url", ["http://no-such-host.invalid", f"http://{'a' * 64}.example", "http://[fe80::1%25x]:1"])
def test_a_host_that_nobody_has_is_unreachable(url: str) -> None:
    with Client(url, retries=0, timeout=1) as client, pytest.raises(errors.Unreachable, match="does not answer"):
        client.movie(1)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost",
        "localhost:8000",
        "//localhost:8000",
        "ftp://localhost",
        "http://",
        "http://:8000",
        "http://localhost:port",
        "http://localhost:99999",
        "http://local host",
        "http://[::1",
        "http://localhost/?q=1",
        "http://localhost/#top",
        "http://user:secret@localhost",
        "http://\ud83c",
        "http://a\r\nb",
        "http://a\x00b",
        None,
        8000,
        b"http://localhost",
    ],
)
def test_a_url_that_is_none_is_refused(url: Any) -> None:
    with pytest.raises(errors.InvalidInput, match=r"^url: ") as caught:
        Client(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("api_key", ["", " ", "pst_a b", "pst_secret\r\nX: y", "pst_ü", "pst_\x00", 5, b"pst_secret"])
def test_a_key_that_no_header_can_hold_is_refused_and_not_shown(api_key: Any) -> None:
    with pytest.raises(errors.InvalidInput, match=r"^api_key: ") as caught:
        Client("http://localhost", api_key=api_key)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "options", [{"retries": -1}, {"retries": 1.5}, {"retries": None}, {"timeout": 0}, {"timeout": "x"}]
)
def test_numbers_that_cannot_be_used_are_refused(options: dict[str, Any]) -> None:
    (name,) = options
    with pytest.raises(errors.InvalidInput, match=f"^{name}: "):
        Client("http://localhost", **options)


def test_the_key_is_sent_and_never_shown() -> None:
    heard = []

    def way(handler: BaseHTTPRequestHandler) -> None:
        heard.append(handler.headers["Authorization"])
        reply(500, {"detail": "no"})(handler)

    with Flaky(way) as server, Client(f"{server.address}/", api_key="pst_secret") as client:
        with pytest.raises(errors.ApiError) as caught:
            client.movie(1)
        assert repr(client) == f"Client('{server.address}')"
    assert heard == ["Bearer pst_secret"]
    assert "secret" not in repr(caught.value)


def test_a_server_may_stand_below_a_path() -> None:
    with Flaky(reply(200, MOVIE)) as server, Client(f"{server.address}/films/") as client:
        client.movie("imdb:tt0113277")
        assert server.asked[0][1] == "/films/api/v1/movies/imdb:tt0113277"


@pytest.mark.parametrize("retry_after", ["soon", "-5", "1e3", "", "999999999", "Fri, 31 Dec 2100 23:59:59 GMT"])
def test_a_time_to_wait_that_is_none_or_too_long_is_not_waited_for(
    retry_after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("posterity.transport._LONGEST_WAIT", 0.01)
    monkeypatch.setattr("posterity.transport._BACKOFF", 0)
    with Flaky(reply(503, {}, Retry_After=retry_after), reply(200, MOVIE)) as server, Client(server.address) as client:
        assert client.movie(1) == {"movie_id": 1}


@pytest.mark.parametrize("following", [5, 0, -1, "7", 1.5, [], {}])
@pytest.mark.parametrize("name", ["all_movies", "rated"])
def test_a_list_without_an_end_is_given_up(name: str, following: object) -> None:
    def page(following: object) -> Way:
        return reply(200, {"results": [{"movie_id": 5, "movie": {"movie_id": 5}, "rating": 1}], "next": following})

    with (
        Flaky(page(5), page(following)) as server,
        Client(server.address) as client,
        pytest.raises(errors.BadResponse, match="something else"),
    ):
        CALLS[name](client)


class Parrot(BaseHTTPRequestHandler):
    """A server with prepared answers."""

    protocol_version = "HTTP/1.1"
    status, content = 200, b""

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(type(self).status)
        self.send_header("Content-Length", str(len(type(self).content)))
        self.end_headers()
        self.wfile.write(type(self).content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def parroted() -> Iterator[Client]:
    with HTTPServer(("127.0.0.1", 0), Parrot) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        with Client(f"http://127.0.0.1:{server.server_port}", retries=0) as client:
            yield client
        server.shutdown()


WORDS = st.sampled_from(["results", "movie", "movie_id", "users", "ignored_users", "rating", "detail", "score", "heat"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=6),
    max_leaves=12,
)
BODIES = VALUES.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=20)


@pytest.mark.parametrize("name", CALLS)
@settings(max_examples=40)
@given(content=BODIES, status=st.sampled_from([200, 200, 200, 201, 203, 404, 409, 500]))
def test_nothing_but_documented_errors_is_raised(parroted: Client, name: str, content: bytes, status: int) -> None:
    Parrot.status, Parrot.content = status, content
    try:
        CALLS[name](parroted)
    except errors.PosterityError as error:
        assert type(error).__name__ in errors.__all__  # noqa: PT017  of hundreds, most raise
