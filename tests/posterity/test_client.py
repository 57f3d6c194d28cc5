"""The client, against a real server; and against one that fails in the ways that networks do."""

from __future__ import annotations

import io
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from index.library.api_keys import Keys
from index.library.database import FIRST_ID, Database
from posterity.client import ApiError, Client, Unreachable
from tests.conftest import SPACE, World, poster
from tests.serving import serving


@pytest.fixture(scope="module")
def client(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client with a key; what a test changes it puts back."""
    data = tmp_path_factory.mktemp("client") / "data"
    shutil.copytree(world.data, data, symlinks=True)
    _, key = Keys(Database(data)).create("tests")
    with serving("serve", "--data", data, "--workers", 2) as server:
        yield Client(server.address, key=key)


def picture(movie: int) -> bytes:
    stream = io.BytesIO()
    poster(movie).resize((150, 200)).save(stream, "PNG")
    return stream.getvalue()


def test_every_question_is_answered(client: Client, world: World) -> None:
    assert client.movie("imdb:tt0000003")["title"] == "Starship 3"
    assert [movie["title"][:8] for movie in client.movies("star", limit=2)] == ["Starship"] * 2
    assert [movie["movie_id"] for movie in client.all_movies()] == list(range(1, 24))
    assert client.poster(3) == (world.posters / "3.jpg").read_bytes()
    found = client.similar(3, by="poster", limit=4, exclude=[1, "imdb:tt0000002"], genre=["Sci-Fi"], year_from=1970)
    assert {match["movie"]["movie_id"] for match in found} <= {*SPACE} - {1, 2, 3} | {21}
    assert client.similar(3, weights={"taste": 1.5, "facts": 0}, limit=1) == client.similar(
        3, weights="taste:1.5,facts:0", limit=1
    )
    assert client.similar_to([1, 2], unlike=[12], by="taste", limit=3)[0]["movie"]["movie_id"] in SPACE
    assert client.similar_to_each([3, 4, 777], limit=2).keys() == {3, 4}
    assert client.similar_to_poster((world.posters / "3.jpg").read_bytes(), limit=1)[0]["movie"]["movie_id"] == 3
    assert sum(map(sum, client.explain(3, 4)["heat"])) == pytest.approx(client.explain(3, 4)["score"], abs=1e-5)
    assert client.snapshot()["id"] == world.manifest.id
    assert client.predict(2, [3])[0]["rating"] == client.predict(2, [3, 4])[0]["rating"]
    stranger = client.recommend({1: 5, "imdb:tt0000002": 5, 12: 1}, limit=3)
    assert {each["movie"]["movie_id"] for each in stranger} <= {*range(3, 24)} - {12}
    assert client.rated(1).keys().isdisjoint(each["movie"]["movie_id"] for each in client.recommend(1, limit=100))


def test_what_is_kept_is_kept(client: Client) -> None:
    movie = client.add_movie("Meadow", year=2020, genres=["Sci-Fi", "Action"], poster=picture(4))
    assert movie["movie_id"] >= FIRST_ID
    assert movie["genres"] == ["Sci-Fi", "Action"]
    assert client.similar(4, by="poster", limit=1)[0]["movie"] == movie
    assert client.replace_movie(movie["movie_id"], "Hill", tmdb_id=5)["has_poster"]
    assert client.movie("tmdb:5")["title"] == "Hill"
    assert client.replace_poster("tmdb:5", picture(14))["has_poster"]
    client.remove_movie("tmdb:5")
    with pytest.raises(ApiError, match="404 Not Found: no movie here has the TMDB id '5'"):
        client.movie("tmdb:5")
    client.rate(4000, 1, 4.5)
    assert client.rated(4000) == {1: 4.5}
    assert client.predict(4000, [2])[0]["rating"] > 3
    client.take_rating_back(4000, 1)
    with pytest.raises(ApiError, match="user 4000 has rated nothing"):
        client.recommend(4000)


def test_a_movie_that_one_process_is_told_of_is_found_through_the_other(client: Client) -> None:
    # Every client has a connection of its own, so that both processes are asked.
    address = client._address  # noqa: SLF001
    for number in range(5):
        movie = client.add_movie(f"Seen at once {number}")
        for _ in range(6):
            assert Client(address).movie(movie["movie_id"])["title"] == f"Seen at once {number}"
        client.remove_movie(movie["movie_id"])
        assert all(not Client(address).movies(f"seen at once {number}") for _ in range(6))


def test_an_error_says_what_the_server_said(client: Client) -> None:
    with pytest.raises(ApiError, match=r"400 Bad Request: limit: .* not 0") as caught:
        client.similar(3, limit=0)
    assert caught.value.status == 400
    with pytest.raises(ApiError, match="401"):
        Client(client._address).remove_movie(1)  # noqa: SLF001


class Flaky(HTTPServer):
    """Answers each request by the next of some ways."""

    def __init__(self, *ways: Callable[[BaseHTTPRequestHandler], None]) -> None:
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

    do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


def reply(status: int, body: object, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def way(handler: BaseHTTPRequestHandler) -> None:
        content = json.dumps(body).encode()
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(content)

    return way


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True


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
        with pytest.raises(ApiError, match="400 Bad Request: no"):
            Client(server.address).movie(1)
        assert len(server.asked) == 1


def test_an_end_of_patience_is_told() -> None:
    with Flaky(*[hang_up] * 3) as server, pytest.raises(Unreachable, match="does not answer"):
        Client(server.address, retries=2).movie(1)
    with Flaky(*[reply(503, {"detail": "busy"}, Retry_After="0")] * 3) as server, pytest.raises(ApiError, match="busy"):
        Client(server.address, retries=2).movie(1)
    with Flaky(reply(502, "<html>")) as server, pytest.raises(ApiError, match="502 Bad Gateway"):
        Client(server.address, retries=0).movie(1)


def test_a_list_that_changes_between_two_pages_repeats_and_skips_nothing() -> None:
    def page(movie_ids: range, tag: str) -> Callable[[BaseHTTPRequestHandler], None]:
        return reply(200, {"results": [{"movie_id": movie_id} for movie_id in movie_ids]}, ETag=tag)

    # Movie 50 goes and 300 comes while the second page is asked for.
    after = [movie_id for movie_id in range(1, 301) if movie_id != 50 and not 201 <= movie_id < 300]
    with Flaky(
        page(range(1, 101), '"a"'),
        reply(412, {"detail": "changed"}),
        reply(200, {"results": [{"movie_id": m} for m in after[:100]]}, ETag='"b"'),
        reply(200, {"results": [{"movie_id": m} for m in after[100:200]]}, ETag='"b"'),
        reply(200, {"results": []}, ETag='"b"'),
    ) as server:
        found = [movie["movie_id"] for movie in Client(server.address).all_movies()]
    assert found == [*range(1, 201), 300]
