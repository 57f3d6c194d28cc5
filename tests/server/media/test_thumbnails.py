from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from PIL import Image

from index.core.errors import BadImage
from server.app import create_app
from server.media.thumbnails import Thumbnails
from tests.conftest import unlimited
from tests.server.conftest import assert_problem


def draw(file: Path, colour: str, size: tuple[int, int] = (600, 900)) -> Path:
    Image.new("RGB", size, colour).save(file)
    return file


def opened(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def test_a_poster_comes_as_webp_in_the_width_that_is_asked_for(tmp_path: Path) -> None:
    thumbnails = Thumbnails(tmp_path / "thumbnails")
    content, _ = thumbnails.get(draw(tmp_path / "1.png", "red"), 240)
    image = opened(content)
    assert (image.format, image.size) == ("WEBP", (240, 360))


def test_a_small_poster_is_not_blown_up(tmp_path: Path) -> None:
    content, _ = Thumbnails(tmp_path / "t").get(draw(tmp_path / "1.png", "red", (100, 150)), 240)
    assert opened(content).size == (100, 150)


def test_it_is_made_once_and_kept(tmp_path: Path) -> None:
    thumbnails, poster = Thumbnails(tmp_path / "t"), draw(tmp_path / "1.png", "red")
    first = thumbnails.get(poster, 120)
    (kept,) = (tmp_path / "t").iterdir()
    kept.write_bytes(b"what was kept")
    assert thumbnails.get(poster, 120) == (b"what was kept", first[1])


def test_another_poster_has_another_picture_and_another_tag_and_the_old_one_goes(tmp_path: Path) -> None:
    thumbnails, poster = Thumbnails(tmp_path / "t"), draw(tmp_path / "1.png", "red")
    before, tag = thumbnails.get(poster, 120)
    draw(poster, "blue", (601, 900))
    after, renamed = thumbnails.get(poster, 120)
    assert (after != before, renamed != tag) == (True, True)
    assert len(list((tmp_path / "t").iterdir())) == 1


def test_where_nothing_can_be_written_it_is_made_each_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "t").write_text("a file where the folder would be")
    content, _ = Thumbnails(tmp_path / "t").get(draw(tmp_path / "1.png", "red"), 120)
    assert opened(content).size == (120, 180)
    assert "cannot be cached" in caplog.text


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"no picture")
    with pytest.raises(BadImage):
        Thumbnails(tmp_path / "t").get(tmp_path / "1.png", 120)


def test_the_api_gives_widths_and_says_which(data: Path) -> None:
    client = create_app(unlimited(data)).test_client()
    small = client.get("/api/v1/movies/3/poster?width=120")
    assert small.mimetype == "image/webp"
    assert opened(small.data).size == (120, 180)
    assert small.headers["Cache-Control"] == "no-cache"
    again = client.get("/api/v1/movies/3/poster?width=120", headers={"If-None-Match": small.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert_problem(client.get("/api/v1/movies/3/poster?width=121"), 400, "width", "120", "480")
    assert_problem(client.get("/api/v1/movies/20/poster?width=120"), 409, "has no poster")
    file = next((data / "posters").glob("3.*"))
    os.truncate(file, 100)
    assert_problem(client.get("/api/v1/movies/3/poster?width=240"), 404, "can no longer be read")


def test_a_jpeg_is_for_programs_that_read_no_webp(data: Path) -> None:
    client = create_app(unlimited(data)).test_client()
    small = client.get("/api/v1/movies/3/poster?width=120")
    plain = client.get("/api/v1/movies/3/poster?width=120&format=jpeg")
    assert (plain.mimetype, opened(plain.data).format, opened(plain.data).size) == ("image/jpeg", "JPEG", (120, 180))
    assert plain.headers["ETag"] != small.headers["ETag"]
    assert client.get("/api/v1/movies/3/poster?width=120&format=webp").data == small.data  # both are kept
    assert_problem(client.get("/api/v1/movies/3/poster?format=jpeg"), 422, "format", "width")


def test_without_a_width_the_file_itself_comes(client: FlaskClient) -> None:
    with client.get("/api/v1/movies/3/poster") as response:
        assert response.mimetype == "image/jpeg"
