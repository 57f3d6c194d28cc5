from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from server.app import create_app
from server.middleware.prefix import usable_prefix
from tests.conftest import World, unlimited
from tests.server.conftest import writer

API = "/api/v1"
SENT = {"X-Forwarded-Prefix": "/films"}


@pytest.fixture(scope="module")
def behind(world: World) -> FlaskClient:
    """Return a client of a server that trusts one proxy."""
    return create_app(unlimited(world.data, proxies=1)).test_client()


def addresses(page: str) -> set[str]:
    return set(re.findall(r'(?:href|src|action|data-\w+)="(/[^"]*)"', page))


@pytest.mark.parametrize("removed", [True, False])
@pytest.mark.parametrize("by", ["header", "setting"])
@pytest.mark.parametrize("path", ["/", "/movies/3", "/for-you?rated=3:4", "/map", "/look", "/quality", f"{API}/docs"])
def test_all_addresses_of_a_page_have_the_path(
    world: World, behind: FlaskClient, by: str, removed: bool, path: str
) -> None:
    client = behind if by == "header" else create_app(unlimited(world.data, prefix="/films")).test_client()
    page = client.get(path if removed else f"/films{path}", headers=SENT if by == "header" else {})
    assert page.status_code == 200
    assert len(addresses(page.text)) > 2
    assert all(address.startswith("/films/") for address in addresses(page.text))
    assert "/films/" not in client.get(path).text or by == "setting"


def test_documents_redirects_and_errors_have_the_path(behind: FlaskClient) -> None:
    assert behind.get(f"{API}/openapi.json", headers=SENT).get_json()["servers"] == [{"url": "/films"}]
    assert behind.get(f"{API}/openapi.json").get_json()["servers"] == [{"url": "/"}]
    assert behind.get("/movies/3/", headers=SENT).headers["Location"] == "/films/movies/3"
    problem = behind.get(f"{API}/movies/999", headers=SENT).get_json(force=True)
    assert problem["instance"] == f"/films{API}/movies/999"
    assert behind.get("/films", headers=SENT).status_code == 200


def test_a_new_movie_is_placed_under_the_path(data: Path) -> None:
    app = create_app(unlimited(data, prefix="/a/b"))
    reply = writer(app, data).post(f"/a/b{API}/movies", json={"title": "Meadow"})
    place = reply.headers["Location"]
    assert place.startswith(f"/a/b{API}/movies/")
    assert app.test_client().get(place).status_code == 200


def test_the_path_is_believed_of_trusted_proxies_alone_and_never_another_host(
    client: FlaskClient, behind: FlaskClient
) -> None:
    assert "/films" not in client.get("/", headers=SENT).text
    for sent in ("//evil.example", "https://evil.example", "/a/../b", "/a b", '/"', "films", "/" + "a" * 300, ""):
        page = behind.get("/", headers={"X-Forwarded-Prefix": sent})
        assert all(not address.startswith("//") for address in addresses(page.text))
        assert "/movies/3" in addresses(page.text)
    assert "/b/movies/3" in addresses(behind.get("/", headers={"X-Forwarded-Prefix": "/a, /b/"}).text)


def test_a_path_like_one_of_our_own_is_not_removed(behind: FlaskClient) -> None:
    page = behind.get("/movies/3", headers={"X-Forwarded-Prefix": "/movies"})
    assert page.status_code == 200
    assert "/movies/map?film=3" in addresses(page.text)


@pytest.mark.parametrize(
    ("text", "prefix"),
    [("", ""), ("/", ""), ("/films", "/films"), ("/a/b.c/", "/a/b.c"), ("films", None), ("//a", None), ("/a//b", None)],
)
def test_a_path_has_slashes_between_its_parts_alone(text: str, prefix: str | None) -> None:
    assert usable_prefix(text) == prefix
