from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import feedparser
import pytest
from flask.testing import FlaskClient

from index.library.api_keys import Keys
from index.library.database import Database
from index.library.rating_log import RatingLog
from server.app import create_app
from tests.conftest import World, unlimited
from tests.server.conftest import assert_problem

API = "/api/v1"


def read(client: FlaskClient, path: str, **headers: str) -> Any:
    """Return a feed as a reader parses it."""
    reply = client.get(path, headers=headers)
    assert reply.status_code == 200, reply.text
    assert reply.mimetype == "application/atom+xml"
    found = feedparser.parse(reply.data, response_headers={"content-type": reply.headers["Content-Type"]})
    assert not found.bozo, found.bozo_exception
    assert found.version == "atom10"
    return found


def test_a_users_feed_has_the_recommendations_of_the_api(client: FlaskClient) -> None:
    expected = client.get(f"{API}/users/2/recommendations?limit=5").get_json()["results"]
    found = read(client, "/users/2/feed.atom?limit=5")
    assert found.feed.title == "Films for user 2"
    links = {link["rel"]: link["href"] for link in found.feed.links}
    assert links == {
        "self": "http://localhost/users/2/feed.atom?limit=5",
        "alternate": "http://localhost/for-you?user=2",
    }
    assert [entry.link for entry in found.entries] == [
        f"http://localhost/movies/{each['movie']['movie_id']}" for each in expected
    ]
    for entry, each in zip(found.entries, expected, strict=True):
        assert entry.title == f"{each['movie']['title']} ({each['movie']['year']})"
        assert f"Predicted: {each['rating']:.1f} of 5" in entry.summary
        assert [tag.term for tag in entry.tags] == each["movie"]["genres"]
        assert datetime.fromisoformat(entry.updated).tzinfo is not None


def test_posters_are_jpegs_at_whole_addresses(client: FlaskClient) -> None:
    for entry in read(client, "/users/2/feed.atom?limit=3").entries:
        (poster,) = entry.enclosures
        assert poster.type == "image/jpeg"
        assert client.get(poster.href).mimetype == "image/jpeg"
        assert f'<img alt="" src="{poster.href.replace("&", "&amp;")}"' in entry.content[0].value


def test_an_address_of_ratings_has_a_feed_that_its_page_links_to(client: FlaskClient) -> None:
    page = client.get("/for-you?rated=1:5,11:1&skipped=12").text
    assert page.count('href="/for-you/feed.atom?rated=1:5,11:1"') == 2
    body = {"ratings": [{"movie": 1, "rating": 5}, {"movie": 11, "rating": 1}], "limit": 20}
    expected = client.post(f"{API}/recommendations", json=body).get_json()["results"]
    found = read(client, "/for-you/feed.atom?rated=1:5,11:1")
    assert [entry.link.rsplit("/", 1)[1] for entry in found.entries] == [
        str(each["movie"]["movie_id"]) for each in expected
    ]
    assert "feed.atom" not in client.get("/for-you").text


def test_ids_stay_and_differ_by_whom_a_feed_is_for(client: FlaskClient) -> None:
    def ids(path: str) -> tuple[str, set[str]]:
        found = read(client, path)
        return found.feed.id, {entry.id for entry in found.entries}

    feed, entries = ids("/users/2/feed.atom?limit=50")
    assert len(entries) > 3
    assert ids("/for-you/feed.atom?user=2&limit=50") == (feed, entries)
    assert entries.isdisjoint(ids("/users/4/feed.atom?limit=50")[1])
    by_ratings, its_entries = ids("/for-you/feed.atom?rated=1:5&limit=50")
    other, other_entries = ids("/for-you/feed.atom?rated=1:5,2:5&limit=50")
    assert other != by_ratings
    assert other_entries < its_entries  # of the same films, but the one that is rated
    assert all(each.startswith("urn:uuid:") for each in {feed, by_ratings, *entries, *its_entries})


def test_it_is_asked_for_by_its_tag(client: FlaskClient) -> None:
    first = client.get("/users/2/feed.atom")
    again = client.get("/users/2/feed.atom", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert first.headers["Cache-Control"] == "no-cache"
    packed = client.get("/users/2/feed.atom", headers={"Accept-Encoding": "gzip"})
    tagged = {"If-None-Match": packed.headers["ETag"], "Accept-Encoding": "gzip"}
    assert client.get("/users/2/feed.atom", headers=tagged).status_code == 304


def test_it_is_as_new_as_the_snapshot_or_as_the_latest_rating_of_its_user(data: Path, world: World) -> None:
    client = create_app(unlimited(data)).test_client()
    created = datetime.fromisoformat(world.manifest.created).replace(microsecond=0)

    def updated(path: str) -> datetime:
        found = read(client, path)
        assert {entry.updated for entry in found.entries} == {found.feed.updated}
        return datetime.fromisoformat(found.feed.updated)

    RatingLog(Database(data), clock=lambda: created.timestamp() - 5).put(2, 3, 4.0)
    assert updated("/users/2/feed.atom") == created
    log = RatingLog(Database(data), clock=lambda: created.timestamp() + 60)
    log.put(2, 1, 4.0)
    assert updated("/users/2/feed.atom") == created + timedelta(seconds=60)
    assert updated("/for-you/feed.atom?user=2&rated=5:4") == created + timedelta(seconds=60)
    RatingLog(Database(data), clock=lambda: created.timestamp() + 90).remove(2, 1)
    assert updated("/users/2/feed.atom") == created + timedelta(seconds=90)
    assert updated("/users/4/feed.atom") == created
    assert updated("/for-you/feed.atom?rated=1:5") == created


@pytest.mark.parametrize("closed", ["user_keys", "read_keys"])
def test_a_user_whose_ratings_need_a_key_has_a_feed_behind_one(world: World, closed: str) -> None:
    app = create_app(unlimited(world.data, **{closed: True}))
    client = app.test_client()
    for path in ("/users/2/feed.atom", "/for-you/feed.atom?user=2&rated=1:5"):
        assert_problem(client.get(path), 401, "API key")
    if closed == "read_keys":
        assert_problem(client.get("/for-you/feed.atom?rated=1:5"), 401, "API key")
    else:
        assert read(client, "/for-you/feed.atom?rated=1:5").entries


def test_a_key_opens_it(data: Any) -> None:
    _, key = Keys(Database(data)).create("reader")
    client = create_app(unlimited(data, user_keys=True)).test_client()
    assert read(client, "/users/2/feed.atom", Authorization=f"Bearer {key}").entries


@pytest.mark.parametrize(
    ("path", "status", "word"),
    [
        ("/users/999/feed.atom", 404, "999"),
        ("/users/nobody/feed.atom", 404, "nobody"),
        ("/for-you/feed.atom?user=999", 404, "999"),
        ("/for-you/feed.atom?rated=1:9", 400, "rating"),
        ("/for-you/feed.atom?rated=1", 400, "rated"),
        ("/users/2/feed.atom?limit=51", 400, "limit"),
    ],
)
def test_what_cannot_be_has_a_problem(client: FlaskClient, path: str, status: int, word: str) -> None:
    assert_problem(client.get(path), status, word)


def test_behind_a_proxy_its_addresses_are_those_of_the_proxy(world: World) -> None:
    client = create_app(unlimited(world.data, proxies=1)).test_client()
    forwarded = {
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "a.example",
        "X-Forwarded-Prefix": "/films",
    }
    found = read(client, "/users/2/feed.atom?limit=2", **forwarded)
    addresses = [link["href"] for entry in (found.feed, *found.entries) for link in entry.links]
    assert len(addresses) == 6
    assert all(address.startswith("https://a.example/films/") for address in addresses)
