"""Tests of scans of Jellyfin and Plex, against stand-ins that behave as their published APIs describe."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from index.core.errors import Busy, InvalidInput, SourceUnavailable, Unauthorised
from indexer.datasets.sources import shelf_folder
from indexer.fetch.web import HttpClient, RetryPolicy
from indexer.shelf.scan import Summary, scan
from posterity.cli.main import main
from tests.conftest import write_ratings
from tests.indexer.fetch.standins import breaks, content, hangs_up, page, running, status
from tests.indexer.shelf.media_servers import JELLYFIN_KEY, PLEX_TOKEN, MediaServer
from tests.indexer.shelf.test_scan import report, rows, titles

KEYS = {"POSTERITY_JELLYFIN_KEY": JELLYFIN_KEY, "POSTERITY_PLEX_TOKEN": PLEX_TOKEN}
LIST = {"jellyfin": "/Items", "plex": "/library/sections/1/all"}
PICTURE = {"jellyfin": "/Items/j1/Images/Primary", "plex": "/library/metadata/1/thumb/1700000000"}
both = pytest.mark.parametrize("kind", ["jellyfin", "plex"])


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MediaServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with running(MediaServer(5)) as found:
        assert isinstance(found, MediaServer)
        yield found


@pytest.fixture(autouse=True)
def nothing_secret(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail if a key is in any log."""
    with caplog.at_level(logging.DEBUG):
        yield
    assert not any(key in caplog.text for key in KEYS.values())


def scanned(server: MediaServer, kind: str, data: Path, *, ratings: Path | None = None, users: bool = False) -> Summary:
    client = HttpClient(RetryPolicy(timeout=5, attempts=3, backoff=0, max_wait=5))
    return scan([server.source(kind)], data, ratings=ratings, users=users, environment=KEYS, client=client)


@both
def test_films_come_with_ids_facts_and_posters(server: MediaServer, kind: str, tmp_path: Path) -> None:
    summary = scanned(server, kind, tmp_path / "data")
    assert (summary.films, summary.posters) == (5, 5)
    assert titles(tmp_path / "data") == sorted(made.named for made in server.films)
    assert {(row["imdb_id"], row["tmdb_id"]) for row in rows(tmp_path / "data")} == {
        (made.imdb_id, str(made.tmdb_id)) for made in server.films
    }
    assert all(Path(row["poster"]).is_file() for row in rows(tmp_path / "data"))
    assert all(row["director"] == "Ann" and row["overview"] for row in rows(tmp_path / "data", "facts.csv"))


@both
def test_long_lists_are_read_page_by_page(
    server: MediaServer, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"indexer.shelf.{kind}.PAGE", 2)
    assert scanned(server, kind, tmp_path / "data").films == 5
    assert len(server.asked(LIST[kind])) == 3


@both
def test_posters_are_requested_once_and_films_that_left_are_left_out(
    server: MediaServer, kind: str, tmp_path: Path
) -> None:
    scanned(server, kind, tmp_path / "data")
    assert len(server.asked(PICTURE[kind])) == 1
    server.films.pop()
    scanned(server, kind, tmp_path / "data")
    assert len(server.asked(PICTURE[kind])) == 1
    assert len(rows(tmp_path / "data")) == 4
    assert len(list((shelf_folder(tmp_path / "data") / "scan" / "pictures").iterdir())) == 4


@both
def test_a_missing_or_refused_key_is_named_and_never_shown(server: MediaServer, kind: str, tmp_path: Path) -> None:
    with pytest.raises(Unauthorised, match="POSTERITY_"):
        scan([server.source(kind)], tmp_path / "data", ratings=None, environment={})
    wrong = dict.fromkeys(KEYS, "wrongwrongwrong")
    with pytest.raises(Unauthorised, match="401") as raised:
        scan([server.source(kind)], tmp_path / "data", ratings=None, environment=wrong)
    assert "wrongwrongwrong" not in str(raised.value)
    with pytest.raises(Unauthorised, match="characters") as raised:
        scan([server.source(kind)], tmp_path / "data", ratings=None, environment=dict.fromkeys(KEYS, "se cret"))
    assert "se cret" not in str(raised.value)


@both
@pytest.mark.parametrize(
    "fault", [status(429, Retry_After="0"), status(503, Retry_After="0"), status(500), breaks(20), hangs_up]
)
def test_passing_faults_are_retried(server: MediaServer, kind: str, fault: object, tmp_path: Path) -> None:
    server.fail(LIST[kind], fault)  # type: ignore[arg-type]
    server.fail(PICTURE[kind], fault)  # type: ignore[arg-type]
    summary = scanned(server, kind, tmp_path / "data")
    assert (summary.films, summary.posters) == (5, 5)


@both
def test_lasting_faults_end_the_scan_and_leave_the_shelf(server: MediaServer, kind: str, tmp_path: Path) -> None:
    scanned(server, kind, tmp_path / "data")
    before = rows(tmp_path / "data")
    unavailable = status(503)
    retried = (unavailable, hangs_up)
    for fault, error, told in (
        (unavailable, SourceUnavailable, "503"),
        (status(429, Retry_After="3600"), Busy, "3,600 seconds"),
        (hangs_up, SourceUnavailable, "connection failed"),
        (page, SourceUnavailable, "web page"),
        (content(b"[]", "application/json"), SourceUnavailable, "is this the address of"),
        (content(b"{", "application/json"), SourceUnavailable, "no JSON"),
        (status(302, Location="http://127.0.0.1:9/"), SourceUnavailable, "redirects"),
    ):
        server.fail(LIST[kind], fault, times=3 if fault in retried else 1)
        with pytest.raises(error, match=told) as raised:
            scanned(server, kind, tmp_path / "data")
        assert not any(key in str(raised.value) for key in KEYS.values())
    assert rows(tmp_path / "data") == before


@both
def test_posters_that_are_none_are_named(server: MediaServer, kind: str, tmp_path: Path) -> None:
    server.fail(PICTURE[kind], content(b"no picture", "image/jpeg"))
    summary = scanned(server, kind, tmp_path / "data")
    assert (summary.films, summary.posters) == (5, 4)
    assert [line for line in report(tmp_path / "data") if line["reason"].startswith("no poster: this is no JPEG")]


def test_jellyfins_users_give_ratings_favourites_and_plays(server: MediaServer, tmp_path: Path) -> None:
    server.users = {
        "Ann": {
            1: {"Rating": 8.0, "PlayCount": 2, "Played": True, "LastPlayedDate": "2024-02-03T10:11:12.1234567Z"},
            2: {"IsFavorite": True, "PlayCount": 0},
            3: {"Played": True, "PlayCount": 0},
        },
        "7": {1: {"PlayCount": 1}},
    }
    scanned(server, "jellyfin", tmp_path / "without")
    assert not (shelf_folder(tmp_path / "without") / "events.csv").exists()
    scanned(server, "jellyfin", tmp_path / "data", users=True)
    (rating,) = rows(tmp_path / "data", "ratings.csv")
    assert (rating["userId"], rating["rating"], rating["timestamp"]) == ("Ann", "8.0", "1706955072")
    names = {row["id"]: row["title"].split()[-1] for row in rows(tmp_path / "data")}
    events = [(row["user"], names[row["item"]], row["kind"]) for row in rows(tmp_path / "data", "events.csv")]
    assert sorted(events) == [
        ("Ann", "1", "play"),
        ("Ann", "1", "play"),
        ("Ann", "2", "favourite"),
        ("Ann", "3", "play"),
        ("jellyfin-7", "1", "play"),
    ]


def test_plexs_owner_gives_ratings_and_plays_on_the_scale_of_the_joined_ratings(
    server: MediaServer, tmp_path: Path
) -> None:
    server.users = {"owner": {1: {"userRating": 8.0, "viewCount": 1, "lastViewedAt": 1_700_000_000}}}
    write_ratings(tmp_path / "ratings")
    scanned(server, "plex", tmp_path / "data", users=True, ratings=tmp_path / "ratings")
    (rating,) = rows(tmp_path / "data", "ratings.csv")
    assert (rating["userId"], rating["rating"], rating["timestamp"]) == ("plex", "4.0", "1700000000")
    assert [row["kind"] for row in rows(tmp_path / "data", "events.csv")] == ["play"]


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("jellyfin://", "names no host"),
        ("plex://user:secret@host", "more than host, port and path"),
        ("plex://host:port", "followed by no address"),
        ("jellyfin://host?ApiKey=secret", "more than host, port and path"),
    ],
)
def test_addresses_that_are_none_are_refused_without_showing_a_secret(source: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=told) as raised:
        scan([source], tmp_path / "data", ratings=None, environment=KEYS)
    assert "secret" not in str(raised.value)


@both
def test_the_command_shows_no_key(
    server: MediaServer, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, key in KEYS.items():
        monkeypatch.setenv(name, key)
    arguments = ["scan", server.source(kind), "--data", str(tmp_path / "data"), "--no-build", "--ratings"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "5 films" in result.output
    written = [file.read_bytes() for file in (tmp_path / "data").rglob("*") if file.is_file()]
    assert not any(key in result.output or any(key.encode() in each for each in written) for key in KEYS.values())
