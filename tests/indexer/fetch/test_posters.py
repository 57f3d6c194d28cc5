from __future__ import annotations

import logging
import re
import time
from pathlib import Path

import pytest
from click.testing import Result

from index.core.errors import SourceUnavailable, Unauthorised
from indexer.datasets.movielens import read_dataset
from indexer.fetch.ledger import Ledger
from indexer.fetch.per_movie import REFRESH, LinkedMovie, Summary, fetch_each, linked_movies
from indexer.fetch.posters import POSTERS
from indexer.fetch.tmdb import Key, Posters
from indexer.fetch.web import HttpClient, RetryPolicy
from tests.indexer.fetch.conftest import QUICK, fetch, tree
from tests.indexer.fetch.standins import KEY, TOKEN, Fault, StandIns, breaks, content, hangs_up, page, status


def posters(film_folder: Path, data: Path, *more: object) -> Result:
    return fetch("posters", "--ratings", film_folder / "ratings", "--data", data, "--rate", 40, *more)


def folder_of(data: Path) -> Path:
    return data / "fetched" / "posters"


class Fetcher:
    """Fetches posters in this process, with few retries and a fake clock."""

    def __init__(self, site: StandIns, data: Path) -> None:
        self.site = site
        self.data = data
        self.now = 1_000_000_000.0
        self.missing_for = 30 * 86400.0
        self.size = "w500"
        self.key = Key(KEY)

    def __call__(self, *films: LinkedMovie) -> Summary:
        def open_source() -> Posters:
            return Posters(HttpClient(QUICK), self.site.address, self.key, self.size)

        self.site.seen.clear()
        with Ledger(folder_of(self.data).with_suffix(".db")) as ledger:
            return fetch_each(
                POSTERS,
                films,
                folder_of(self.data),
                ledger,
                open_source,
                form=self.size,
                missing_for=self.missing_for,
                now=lambda: self.now,
            )

    def asked(self) -> int:
        """Return the number of requests of the last call."""
        return len(self.site.seen)


@pytest.fixture
def fetcher(site: StandIns, tmp_path: Path) -> Fetcher:
    return Fetcher(site, tmp_path)


ONE = LinkedMovie(1, 1001, "tt0000001")
TWO = LinkedMovie(2, 1002, "tt0000002")
NONE = LinkedMovie(20, 1020, "tt0000020")


def test_every_film_gets_its_poster_and_the_outcome_of_each_is_reported(
    site: StandIns, film_folder: Path, tmp_path: Path
) -> None:
    result = posters(film_folder, tmp_path)
    assert result.exit_code == 0, result.output
    assert tree(folder_of(tmp_path)) == tree(film_folder / "posters")
    assert result.stdout.splitlines()[:3] == [
        "Posters: 21 found, 1 missing, 0 failed",
        "  missing: 1, TMDB has no poster of the movie (such as movie 20)",
        f"The posters are in {folder_of(tmp_path)}",
    ]
    assert "not endorsed or certified by TMDB" in result.stdout
    assert "https://www.themoviedb.org/api-terms-of-use" in result.stdout
    assert re.search(r"^Fetching posters: 22 \(", result.stderr, re.MULTILINE)
    assert {seen.query.get("api_key", [""])[0] for seen in site.seen if seen.path.startswith("/3/")} == {KEY}
    assert all(not seen.query for seen in site.seen if seen.path.startswith("/t/"))

    requests = len(site.seen)
    again = posters(film_folder, tmp_path)
    assert again.stdout.startswith("Posters: 21 found (0 of them new), 1 missing, 0 failed")
    assert len(site.seen) == requests  # not even one for the configuration


def test_the_most_rated_films_come_first_and_those_without_links_never(film_folder: Path) -> None:
    dataset = read_dataset(film_folder / "ratings")
    rated = dataset.ratings.movie_ids.tolist()
    films = [film.movie_id for film in linked_movies(dataset)]
    assert films == sorted(films, key=lambda movie_id: (-rated.count(movie_id), movie_id))
    assert films[0] == 23  # all 40 rated it
    assert set(films) == {*range(1, 24)} - {22}


def test_a_film_that_tmdb_knows_by_another_id_is_found_by_imdb(fetcher: Fetcher) -> None:
    assert fetcher(LinkedMovie(1, 999_999, "tt0000001"), LinkedMovie(2, None, "tt0000002")).found == 2
    assert fetcher(LinkedMovie(3, 999_999, "tt9999999"), LinkedMovie(4, 999_999)).missing == {
        "TMDB does not know the movie": 2
    }


@pytest.mark.parametrize(
    ("variable", "secret", "header"),
    [
        ("TMDB_API_KEY", KEY, None),
        ("TMDB_API_KEY", TOKEN, f"Bearer {TOKEN}"),
        ("TMDB_ACCESS_TOKEN", f" {TOKEN}\n", f"Bearer {TOKEN}"),
    ],
)
def test_a_key_or_a_token_opens_the_api_and_goes_nowhere_else(
    fetcher: Fetcher, variable: str, secret: str, header: str | None
) -> None:
    fetcher.key = Key.of({variable: secret})
    assert fetcher(ONE).found == 1
    configuration, film, picture = fetcher.site.seen
    for asked in (configuration, film):
        assert asked.headers.get("Authorization") == header
        assert asked.query == ({} if header else {"api_key": [KEY]})
    assert (picture.headers.get("Authorization"), picture.query) == (None, {})


def test_without_a_key_it_is_told_where_to_get_one(
    site: StandIns, film_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMDB_API_KEY", " ")
    for result in (posters(film_folder, tmp_path), fetch("all", "--data", tmp_path)):
        assert result.exit_code == 1
        assert "https://www.themoviedb.org/settings/api" in result.stderr
        assert "posterity fetch movielens, posterity fetch weights" in result.stderr
    assert site.seen == []
    monkeypatch.setenv("TMDB_API_KEY", "se cret")
    result = posters(film_folder, tmp_path)
    assert "TMDB_API_KEY contains characters" in result.stderr
    assert "cret" not in result.output.replace("TMDB", "")


def test_a_key_that_is_refused_ends_it_at_once(
    site: StandIns, film_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMDB_API_KEY", "f" * 32)
    result = posters(film_folder, tmp_path)
    assert result.exit_code == 1
    assert re.fullmatch(
        r"Error: http://127.0.0.1:\d+/3/configuration refuses the key \(status 401\): .*\n", result.stderr
    )
    assert len(site.seen) == 1
    assert "f" * 32 not in result.output


@pytest.mark.parametrize("secret", [KEY, TOKEN])
@pytest.mark.parametrize("kind", [hangs_up, status(500), page, content(b"x"), status(429, Retry_After="9999")])
def test_the_key_is_never_shown(
    fetcher: Fetcher, secret: str, kind: Fault, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    find = Posters(HttpClient(RetryPolicy(timeout=1, attempts=2, backoff=0)), fetcher.site.address, Key(secret), "w500")
    fetcher.site.fail("/3/movie/1001", kind, times=2)
    with pytest.raises(Exception, match="movie/1001") as failure:
        find(ONE)
    fetcher.site.stop()
    with pytest.raises(SourceUnavailable, match="3/configuration is unavailable") as refused:  # the server is down
        Posters(HttpClient(RetryPolicy(timeout=1, attempts=2, backoff=0)), fetcher.site.address, Key(secret), "w500")
    shown = [str(failure.getrepr(style="long")), str(refused.getrepr(style="long")), repr(Key(secret))]
    text = "".join(shown) + caplog.text + "".join(capfd.readouterr())
    assert secret not in text


def test_a_size_that_there_is_not_names_those_that_there_are(site: StandIns, film_folder: Path, tmp_path: Path) -> None:
    result = posters(film_folder, tmp_path, "--size", "w1")
    assert result.exit_code == 1
    assert "no posters of size w1: give one of w92, w185, w500, original" in result.stderr
    assert len(site.seen) == 1


@pytest.mark.parametrize(
    "answer", [page, content(b"<html>"), content(b"[]"), content(b"{}"), content(b'{"images": 1}')]
)
def test_a_portal_or_another_server_is_told(site: StandIns, film_folder: Path, tmp_path: Path, answer: Fault) -> None:
    site.fail("/3/configuration", answer)
    result = posters(film_folder, tmp_path)
    assert result.exit_code == 1
    assert re.match(r"Error: http://\S+ (gave|lacks) ", result.stderr)
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "fault",
    [status(429, Retry_After="0"), status(429), status(500), status(503), breaks(100), hangs_up],
)
def test_what_passes_is_waited_for(fetcher: Fetcher, fault: Fault) -> None:
    for path in ("/3/configuration", "/3/movie/1001", "/t/p/w500/1.jpg"):
        fetcher.site.fail(path, fault)
    assert fetcher(ONE).found == 1


def test_retry_after_holds_every_request(fetcher: Fetcher) -> None:
    fetcher.site.fail("/3/movie/1001", status(429, Retry_After="1"))
    began = time.monotonic()
    assert fetcher(ONE, TWO).found == 2
    assert time.monotonic() - began >= 1


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"no picture", "this is no JPEG, PNG, WebP, GIF, AVIF, TIFF, BMP or HEIC picture"),
        (b"\xff\xd8\xff\xe0 damaged", "the picture is damaged (Truncated File Read)"),
        (b"", "this is no JPEG, PNG, WebP, GIF, AVIF, TIFF, BMP or HEIC picture"),
    ],
)
def test_what_is_no_whole_picture_is_not_kept(fetcher: Fetcher, body: bytes, why: str) -> None:
    fetcher.site.fail("/t/p/w500/1.jpg", content(body, "image/jpeg"))
    summary = fetcher(ONE, TWO)
    assert summary.failed == {why: 1}
    assert summary.examples == {why: 1}
    assert set(tree(folder_of(fetcher.data))) == {"2.jpg"}
    assert fetcher(ONE, TWO).found == 1  # the next call retries a failure


def test_half_a_picture_and_a_page_are_not_kept(fetcher: Fetcher) -> None:
    whole = fetcher.site.files["/posters/1.jpg"]
    fetcher.site.fail("/t/p/w500/1.jpg", content(whole[: len(whole) // 2], "image/jpeg"))
    fetcher.site.fail("/t/p/w500/2.jpg", page)
    with pytest.raises(SourceUnavailable, match="no posters could be fetched"):
        fetcher(ONE, TWO)
    assert tree(folder_of(fetcher.data)) == {}


def test_a_picture_is_called_after_what_it_is(fetcher: Fetcher) -> None:
    fetcher.site.files["/posters/1.jpg"] = fetcher.site.files["/posters/5.png"]
    fetcher(ONE)
    assert set(tree(folder_of(fetcher.data))) == {"1.png"}


def test_a_film_without_a_poster_is_not_asked_for_again_for_a_while(fetcher: Fetcher) -> None:
    assert fetcher(NONE).missing.total() == 1
    fetcher.now += 29 * 86400
    assert fetcher(NONE).missing.total() == 1
    assert fetcher.asked() == 0
    fetcher.site.posters[1020] = "/1.jpg"
    fetcher.now += 2 * 86400
    assert fetcher(NONE).found == 1


def test_posters_are_not_kept_for_longer_than_they_may(fetcher: Fetcher) -> None:
    fetcher(ONE, TWO)
    fetcher.now += REFRESH - 1
    assert fetcher(ONE, TWO).kept == 2
    fetcher.now += 2
    fetcher.site.posters[1002] = None
    summary = fetcher(ONE, TWO)
    assert (summary.found, summary.missing.total()) == (1, 1)
    assert set(tree(folder_of(fetcher.data))) == {"1.jpg"}


def test_another_size_another_link_or_a_lost_file_is_fetched_again(fetcher: Fetcher) -> None:
    fetcher(ONE, TWO)
    (folder_of(fetcher.data) / "1.jpg").unlink()
    assert fetcher(ONE, TWO).found == 1
    assert fetcher(ONE, LinkedMovie(2, 1003, "tt0000003")).found == 1
    assert tree(folder_of(fetcher.data))["2.jpg"] == fetcher.site.files["/posters/3.jpg"]
    fetcher.size = "w185"
    assert fetcher(ONE).found == 1


def test_a_network_that_is_gone_ends_it_and_the_next_call_goes_on(fetcher: Fetcher) -> None:
    films = [LinkedMovie(n, 1000 + n) for n in range(1, 4)] + [LinkedMovie(n, 2000 + n) for n in range(100, 200)]
    for film in films[3:]:
        fetcher.site.fail(f"/3/movie/{film.tmdb_id}", status(500), times=3)
    with pytest.raises(SourceUnavailable, match=r"25 movies in a row failed, the last with: http://\S+ is unavailable"):
        fetcher(*films)
    assert len(fetcher.site.seen) < 200
    assert fetcher(*films[:3]).kept == 3


def test_an_error_of_the_key_in_the_midst_ends_it(fetcher: Fetcher) -> None:
    fetcher.site.fail("/3/movie/1002", status(401))
    with pytest.raises(Unauthorised):
        fetcher(ONE, TWO)


def test_a_folder_of_ones_own_needs_no_key_and_is_not_lost_to_tmdb(
    site: StandIns, film_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "1.jpg").write_bytes((film_folder / "posters" / "7.jpg").read_bytes())
    (mine / "2.jpg").write_text("no picture")
    monkeypatch.delenv("TMDB_API_KEY")
    result = fetch("posters", "--from", mine, "--data", tmp_path)
    assert result.exit_code == 0
    assert "Posters: 1 found, 0 missing, 1 failed" in result.stdout
    assert site.seen == []
    monkeypatch.setenv("TMDB_API_KEY", KEY)
    assert "Posters: 21 found (20 of them new), 1 missing, 0 failed" in posters(film_folder, tmp_path).stdout
    assert (folder_of(tmp_path) / "1.jpg").read_bytes() == (mine / "1.jpg").read_bytes()


def test_films_without_links_are_told_what_to_do(site: StandIns, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("user,item,rating\n1,1,4\n2,1,3\n")
    result = fetch("posters", "--ratings", tmp_path / "mine.csv", "--data", tmp_path)
    assert result.exit_code == 1
    assert "mine has no links to TMDB or IMDb" in result.stderr
    assert "fetch movielens, or give --ratings" in fetch("posters", "--data", tmp_path).stderr
    assert fetch("all", "1m", "--data", tmp_path).exit_code == 2
    assert site.seen == []


def test_a_damaged_ledger_is_told(site: StandIns, film_folder: Path, tmp_path: Path) -> None:
    folder_of(tmp_path).mkdir(parents=True)
    folder_of(tmp_path).with_suffix(".db").write_bytes(b"no database" * 1000)
    result = posters(film_folder, tmp_path)
    assert result.exit_code == 1
    assert re.search(r"posters\.db is damaged .*: delete it", result.stderr)
    assert site.seen == []


def test_half_a_file_of_a_killed_call_is_removed(fetcher: Fetcher) -> None:
    folder_of(fetcher.data).mkdir(parents=True)
    (folder_of(fetcher.data) / f".{'0' * 16}-1.jpg").write_bytes(b"half")
    (folder_of(fetcher.data) / ".DS_Store").write_bytes(b"of the user's system")
    fetcher(ONE)
    assert set(tree(folder_of(fetcher.data))) == {".DS_Store", "1.jpg"}
