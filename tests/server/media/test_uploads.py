from __future__ import annotations

import io
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event, Thread, current_thread, get_native_id

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.test import TestResponse

from index.core.errors import BadImage
from server.config import ServerConfig
from server.media.uploads import UploadQueue
from tests.conftest import SPACE, World
from tests.index.posters.test_images import encoded, halves, png
from tests.server.conftest import assert_problem
from tests.tolerances import SAME_PICTURE

PATH = "/api/v1/posters/similar"


def send(client: FlaskClient, data: bytes, path: str = PATH) -> TestResponse:
    if len(data) > 400_000:  # the test client leaves the temporary file of a large form open
        return client.post(path, data=data)
    return client.post(path, data={"poster": (io.BytesIO(data), "poster.jpg")})


@pytest.mark.parametrize("movie_id", [1, 5, 11, 19])
def test_a_poster_of_the_catalogue_finds_itself(client: FlaskClient, world: World, movie_id: int) -> None:
    (file,) = world.posters.glob(f"{movie_id}.*")
    reply = send(client, file.read_bytes()).get_json()
    assert reply["results"][0]["movie"]["movie_id"] == movie_id
    assert reply["results"][0]["score"] == pytest.approx(1, abs=SAME_PICTURE)
    assert reply["by"] == "poster"
    assert reply["weights"] == "untrained"


def test_a_picture_may_come_as_the_body(client: FlaskClient, world: World) -> None:
    data = (world.posters / "3.jpg").read_bytes()
    for kind in ("image/jpeg", "application/octet-stream", None):
        reply = client.post(PATH, data=data, content_type=kind).get_json()
        assert reply["results"][0]["movie"]["movie_id"] == 3


def test_an_answer_can_be_paged_and_narrowed(client: FlaskClient, world: World) -> None:
    data = (world.posters / "3.jpg").read_bytes()
    everything = send(client, data, f"{PATH}?limit=100&genre=Sci-Fi&exclude=2,777").get_json()
    found = [match["movie"]["movie_id"] for match in everything["results"]]
    assert set(found) == {*SPACE, 21} - {2}
    assert everything["ignored"] == ["777"]
    second = send(client, data, f"{PATH}?limit=2&offset=1&genre=Sci-Fi&exclude=2").get_json()
    assert [match["movie"]["movie_id"] for match in second["results"]] == found[1:3]


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(halves().transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif, quality=95)


FRAMES = [halves(), Image.new("RGB", (64, 96), "green")]


@pytest.mark.parametrize(
    "data",
    [
        encoded(FRAMES[0], "GIF", save_all=True, append_images=FRAMES[1:]),
        encoded(halves("CMYK"), "JPEG"),
        encoded(Image.fromarray(np.full((64, 64), 30000, np.uint16)), "PNG"),
        encoded(halves("P"), "PNG"),
        encoded(halves("RGBA"), "PNG"),
        encoded(halves("LA"), "WEBP"),
        turned(),
    ],
    ids=["animated gif", "cmyk", "16 bits", "palette", "transparent", "grey transparent", "turned"],
)
def test_odd_pictures_get_an_answer(client: FlaskClient, data: bytes) -> None:
    reply = send(client, data)
    assert reply.status_code == 200
    assert len(reply.get_json()["results"]) == 10


def test_a_turned_photo_gets_the_answer_of_the_upright_one(client: FlaskClient) -> None:
    upright = send(client, encoded(halves(), "JPEG", quality=95)).get_json()["results"]
    assert [m["movie"] for m in send(client, turned()).get_json()["results"]] == [m["movie"] for m in upright]


@pytest.mark.parametrize(
    ("data", "status", "words"),
    [
        (b"no picture at all", 422, ["no JPEG, PNG, WebP, GIF, AVIF, TIFF, BMP or HEIC"]),
        (b"", 422, ["the request has no picture"]),
        (encoded(halves(size=(200, 300)), "JPEG")[:1500], 422, ["damaged"]),
        (encoded(Image.new("RGB", (1, 1)), "PNG"), 422, ["1 x 1 pixels"]),
        (png(20_000, 20_000), 413, ["20000 x 20000 pixels"]),
        (bytes(10 * 2**20 + 1), 413, ["10 MiB"]),
        (bytes(12 * 2**20), 413, ["10 MiB"]),
    ],
    ids=["text", "nothing", "cut", "pixel", "bomb", "heavy", "heavier"],
)
def test_what_cannot_be_used_is_a_clear_refusal(
    client: FlaskClient, data: bytes, status: int, words: list[str]
) -> None:
    assert_problem(send(client, data), status, *words)


def test_a_form_without_the_field_says_its_name(client: FlaskClient) -> None:
    assert_problem(
        client.post(PATH, data={"image": (io.BytesIO(b"x"), "x.jpg")}), 400, "image: the form has no such member"
    )
    assert_problem(client.post(PATH, data={}, content_type="multipart/form-data"), 400, "-F poster=@poster.jpg")
    assert_problem(client.post(PATH), 422, "the request has no picture")


def form(picture: bytes = b"x", **more: object) -> dict[str, object]:
    return {"poster": (io.BytesIO(picture), "x.jpg"), **more}


def test_a_form_with_something_else_is_refused(client: FlaskClient) -> None:
    assert_problem(
        client.post(PATH, data=form(by="taste")), 400, "by: the form has no such member; there are: owned, genre"
    )
    assert_problem(
        client.post(PATH, data=form(back=(io.BytesIO(b"x"), "y.jpg"))), 400, "back: the form has no such member"
    )
    assert_problem(client.post("/look", data=form(limit="3")), 400, "limit: the form has no such member")
    two = {"poster": [(io.BytesIO(b"x"), "x.jpg"), (io.BytesIO(b"y"), "y.jpg")]}
    assert_problem(client.post(PATH, data=two), 400, "2 files called 'poster'")


def test_a_filter_may_be_in_the_form_which_takes_more_ids_than_an_address(client: FlaskClient, world: World) -> None:
    picture = (world.posters / "3.jpg").read_bytes()
    ids = [str(movie_id) for movie_id in range(4, 4 + 600)]
    asked = f"{PATH}?genre=sci-fi&exclude={','.join(ids)}"
    expected = send(client, picture, f"{asked}&limit=2").get_json()
    assert [match["movie"]["movie_id"] for match in expected["results"]] == [3, 2]
    joined = form(picture, genre="sci-fi", exclude=",".join(ids), limit="2", year_from="", among="")
    repeated = form(picture, exclude=ids)
    assert client.post(PATH, data=joined).get_json() == expected
    assert client.post(f"{PATH}?genre=sci-fi&limit=2", data=repeated).get_json() == expected


def test_a_member_in_the_query_and_in_the_form_is_refused(client: FlaskClient) -> None:
    both = client.post(f"{PATH}?limit=3", data=form(limit="3"))
    assert_problem(both, 400, "limit: given in the query and in the form; give it once")
    assert_problem(client.post(PATH, data=form(limit="0")), 400, "limit: ")
    assert_problem(client.post(PATH, data=form(limit=["1", "2"])), 400, "limit: given 2 times")
    assert_problem(
        client.post(PATH, data=form(exclude=["4"] * 1001)), 413, "at most 10 MiB are allowed, and 1000 parts"
    )


def test_an_empty_file_input_is_no_file(client: FlaskClient, world: World) -> None:
    def empty() -> tuple[io.BytesIO, str]:
        return io.BytesIO(), ""

    for path in (PATH, "/look"):
        assert_problem(client.post(path, data={"poster": empty()}), 400, "the form has 0 files called 'poster'")
    picture = (world.posters / "3.jpg").read_bytes()
    more = {"poster": [(io.BytesIO(picture), "x.jpg"), empty()], "back": empty()}
    assert client.post(PATH, data=more).get_json()["results"][0]["movie"]["movie_id"] == 3
    unnamed = {"poster": (io.BytesIO(picture), "")}
    assert client.post(PATH, data=unnamed).get_json()["results"][0]["movie"]["movie_id"] == 3
    assert_problem(client.post(PATH, data={"poster": (io.BytesIO(), "x.jpg")}), 422, "the request has no picture")


def test_a_full_queue_is_503_and_says_when_to_come_again(app: Flask, client: FlaskClient, world: World) -> None:
    queue: UploadQueue = app.extensions["upload_queue"]
    picture = (world.posters / "3.jpg").read_bytes()
    with ExitStack() as places:
        for _ in range(ServerConfig().upload_queue):
            places.enter_context(queue.place())
        reply = send(client, picture)
        assert_problem(reply, 503, "try again")
        assert int(reply.headers["Retry-After"]) >= 1
        assert client.get("/api/v1/movies/1/similar").status_code == 200
    assert send(client, picture).status_code == 200


def test_one_thread_works_on_one_picture_at_a_time() -> None:
    queue = UploadQueue(4)
    workers = set()
    working, most = 0, 0

    def work() -> None:
        nonlocal working, most
        working += 1
        most = max(most, working)
        workers.add(current_thread())
        Event().wait(0.001)
        working -= 1

    threads = [Thread(target=queue.run, args=(work,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert len(workers) == 1


def test_what_goes_wrong_in_the_queue_is_raised_and_frees_its_place() -> None:
    queue = UploadQueue(1)

    def fail() -> None:
        raise BadImage("no picture")

    for _ in range(3):
        with pytest.raises(BadImage):
            queue.run(fail)
    assert queue.run(lambda: 7) == 7


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own")
def test_pictures_yield_to_other_requests() -> None:
    queue = UploadQueue(1)

    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, get_native_id())

    def of_a_thread_that_it_starts() -> int:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(priority).result()

    here = priority()
    assert queue.run(priority) > here
    assert queue.run(of_a_thread_that_it_starts) > here
    assert priority() == here
