from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from index.core.errors import Busy, InvalidInput, PosterityError, SourceUnavailable
from indexer.fetch import download as module
from indexer.fetch.download import ZIP, FileType, download, download_folder
from indexer.fetch.web import HttpClient, RetryPolicy
from tests.indexer.fetch.standins import Fault, StandIns, breaks, content, hangs_up, md5, page, running, stalls, status

CONTENT = b"PK" + np.random.default_rng(0).bytes(300_000)
PATH = "/file.zip"


@pytest.fixture
def server(site: StandIns) -> StandIns:
    site.files[PATH] = CONTENT
    return site


def get(server: StandIns, folder: Path, client: HttpClient, sum_: str | None = md5(CONTENT)) -> bytes:
    folder.mkdir(exist_ok=True)
    return download(client, f"{server.address}{PATH}", folder, "file.zip", ZIP, md5=sum_).read_bytes()


def ranges(server: StandIns) -> list[str | None]:
    return [seen.headers.get("Range") for seen in server.asked(PATH)]


def test_a_file_comes_whole_and_is_counted(server: StandIns, tmp_path: Path, client: HttpClient) -> None:
    counted = []
    part = download(
        client, f"{server.address}{PATH}", tmp_path, "file.zip", ZIP, count=lambda *count: counted.append(count)
    )
    assert part.read_bytes() == CONTENT
    assert counted[-1] == (len(CONTENT), len(CONTENT))


def test_a_connection_that_breaks_again_and_again_goes_on_where_it_broke(
    server: StandIns, tmp_path: Path, client: HttpClient
) -> None:
    server.fail(PATH, breaks(20_000), times=10)  # more often than the limit of consecutive failures
    assert get(server, tmp_path, client) == CONTENT
    assert ranges(server) == [None, *(f"bytes={20_000 * n}-" for n in range(1, 11))]


def test_a_connection_that_brings_nothing_is_given_up_and_the_next_call_goes_on(
    server: StandIns, tmp_path: Path, client: HttpClient
) -> None:
    server.fail(PATH, breaks(50_000), breaks(0), hangs_up)
    with pytest.raises(SourceUnavailable, match=r"file\.zip is unavailable: .* \(3 attempts\)"):
        get(server, tmp_path, client)
    assert get(server, tmp_path, client) == CONTENT
    assert ranges(server)[-1] == "bytes=50000-"


def test_a_file_that_a_killed_call_was_writing_is_removed(tmp_path: Path) -> None:
    with download_folder(tmp_path, "weights") as folder:
        (folder / f".{'0' * 16}-vgg16.json").write_bytes(b"half")  # killed between its creation and its new name
    with download_folder(tmp_path, "weights") as folder:
        assert list(folder.iterdir()) == []


def test_a_connection_that_stalls_is_left_and_gone_on_from(server: StandIns, tmp_path: Path) -> None:
    server.fail(PATH, stalls(100_000))
    assert get(server, tmp_path, HttpClient(RetryPolicy(timeout=0.2, backoff=0))) == CONTENT
    assert ranges(server) == [None, "bytes=100000-"]


@pytest.mark.parametrize(("ranges_", "validators"), [(False, True), (True, False), (False, False)])
def test_without_ranges_or_validators_it_begins_anew(
    server: StandIns, tmp_path: Path, client: HttpClient, ranges_: bool, validators: bool
) -> None:
    server.ranges, server.validators = ranges_, validators
    server.fail(PATH, breaks(50_000))
    assert get(server, tmp_path, client) == CONTENT


def test_a_server_that_always_breaks_where_it_broke_and_has_no_ranges_is_given_up(
    server: StandIns, tmp_path: Path, client: HttpClient
) -> None:
    server.ranges = False
    server.fail(PATH, breaks(50_000), times=100)
    with pytest.raises(SourceUnavailable):
        get(server, tmp_path, client)
    assert len(server.asked(PATH)) == 3  # one with progress and two without


def test_a_file_that_changed_meanwhile_begins_anew(server: StandIns, tmp_path: Path, client: HttpClient) -> None:
    server.fail(PATH, breaks(50_000), breaks(0), breaks(0))
    with pytest.raises(SourceUnavailable):
        get(server, tmp_path, client)
    server.files[PATH] = other = b"PK" + np.random.default_rng(1).bytes(200_000)
    assert get(server, tmp_path, client, md5(other)) == other


def test_another_address_does_not_go_on_from_what_the_first_one_gave(
    server: StandIns, tmp_path: Path, client: HttpClient
) -> None:
    server.fail(PATH, breaks(50_000), breaks(0), breaks(0))
    with pytest.raises(SourceUnavailable):
        get(server, tmp_path, client)
    server.files["/mirror.zip"] = CONTENT
    assert download(client, f"{server.address}/mirror.zip", tmp_path, "file.zip", ZIP).read_bytes() == CONTENT
    assert server.asked("/mirror.zip")[0].headers.get("Range") is None


def test_what_is_whole_already_is_not_sent_again(server: StandIns, tmp_path: Path, client: HttpClient) -> None:
    get(server, tmp_path, client)  # as if killed afterwards
    sent = server.sent
    assert get(server, tmp_path, client) == CONTENT
    assert server.sent == sent


@pytest.mark.parametrize("answer", [status(416), status(206, Content_Range="bytes 7-9/10")])
def test_a_range_that_is_not_understood_begins_anew(
    server: StandIns, tmp_path: Path, client: HttpClient, answer: Fault
) -> None:
    server.fail(PATH, breaks(50_000), answer)
    assert get(server, tmp_path, client) == CONTENT
    assert ranges(server) == [None, "bytes=50000-", None]


def test_a_wrong_sum_names_both_and_leaves_nothing(server: StandIns, tmp_path: Path, client: HttpClient) -> None:
    with pytest.raises(InvalidInput, match=f"MD5 {md5(CONTENT)}, but {'0' * 32} is expected"):
        get(server, tmp_path, client, "0" * 32)
    assert list(tmp_path.iterdir()) == []


def test_a_page_of_a_portal_is_told_and_what_was_there_is_kept(
    server: StandIns, tmp_path: Path, client: HttpClient
) -> None:
    server.fail(PATH, breaks(50_000), page)
    with pytest.raises(SourceUnavailable, match=r"gave a web page instead of a zip file: is there a portal"):
        get(server, tmp_path, client)
    assert (tmp_path / "file.zip.part").stat().st_size == 50_000


def test_something_else_than_was_wanted_is_not_kept(server: StandIns, tmp_path: Path, client: HttpClient) -> None:
    server.fail(PATH, content(b"hello"))
    with pytest.raises(InvalidInput, match=r"/file\.zip is not a zip file"):
        get(server, tmp_path, client)
    assert list(tmp_path.iterdir()) == []


def test_redirects_are_followed_to_another_server_and_gone_on_from_there(
    server: StandIns, tmp_path: Path, client: HttpClient
) -> None:
    with running(StandIns()) as other:
        other.files["/there.zip"] = CONTENT
        other.fail("/there.zip", breaks(50_000))
        server.fail(PATH, status(302, Location=f"{other.address}/there.zip"), times=2)
        assert get(server, tmp_path, client) == CONTENT
        assert [seen.headers.get("Range") for seen in other.seen] == [None, "bytes=50000-"]


def test_endless_redirects_are_told(server: StandIns, tmp_path: Path, client: HttpClient) -> None:
    server.fail(PATH, status(302, Location=PATH), times=100)
    with pytest.raises(SourceUnavailable, match="redirects without end"):
        get(server, tmp_path, client)


def test_a_busy_server_is_asked_again_when_it_wants(server: StandIns, tmp_path: Path, client: HttpClient) -> None:
    server.fail(PATH, status(503, Retry_After="0"), status(429, Retry_After="soon"))
    assert get(server, tmp_path, client) == CONTENT


def test_a_server_that_wants_to_be_left_alone_for_an_hour_is(
    server: StandIns, tmp_path: Path, client: HttpClient
) -> None:
    server.fail(PATH, status(503, Retry_After="3600"))
    with pytest.raises(Busy, match=r"asks to wait 3,600 seconds"):
        get(server, tmp_path, client)
    assert len(server.asked(PATH)) == 1


@pytest.mark.parametrize("code", [403, 404, 410])
def test_what_is_not_there_is_told_at_once(server: StandIns, tmp_path: Path, client: HttpClient, code: int) -> None:
    server.fail(PATH, status(code))
    with pytest.raises(SourceUnavailable, match=rf"file\.zip answers {code} .*--from"):
        get(server, tmp_path, client)


@pytest.mark.parametrize("address", ["http://", "http://[bad", "http://nobody:x/", "http://127.0.0.1:1/x?key=secret"])
def test_an_address_that_leads_nowhere_is_told_without_what_may_be_secret(
    address: str, tmp_path: Path, client: HttpClient
) -> None:
    with pytest.raises(SourceUnavailable) as error:
        download(client, address, tmp_path, "x", ZIP)
    assert "secret" not in str(error.value)


def test_a_local_file_is_copied_and_checked(tmp_path: Path, client: HttpClient) -> None:
    (tmp_path / "mine.zip").write_bytes(CONTENT)
    part = download(client, str(tmp_path / "mine.zip"), tmp_path, "file", ZIP, md5=md5(CONTENT))
    assert part.read_bytes() == CONTENT
    with pytest.raises(InvalidInput, match=r"mine\.zip is not a poem"):
        download(client, str(tmp_path / "mine.zip"), tmp_path, "file", FileType("a poem", b"O"))
    with pytest.raises(InvalidInput, match=r"there is no file .*theirs\.zip"):
        download(client, str(tmp_path / "theirs.zip"), tmp_path, "file", ZIP)


def test_a_disk_that_is_too_small_is_told_before_anything_is_sent(
    server: StandIns, tmp_path: Path, client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MIN_FREE", 10**18)
    with pytest.raises(PosterityError, match="make room"):
        get(server, tmp_path, client)
    assert not (tmp_path / "file.zip.part").exists()


def test_two_processes_do_not_fetch_the_same(tmp_path: Path) -> None:
    with (
        download_folder(tmp_path, "weights"),
        pytest.raises(PosterityError, match="another process is fetching weights"),
        download_folder(tmp_path, "weights"),
    ):
        pass
