from __future__ import annotations

import threading

import pytest

from index.core.errors import SourceUnavailable
from indexer.fetch.web import HttpClient, RateLimiter, RetryPolicy, redacted
from tests.indexer.fetch.standins import StandIns, breaks, content, status


class Clock:
    """A clock that advances only by sleep."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_turns_are_as_far_apart_as_the_rate_says_and_a_hold_is_for_everyone() -> None:
    clock = Clock()
    limiter = RateLimiter(20, clock=clock, sleep=clock.sleep)
    times = []
    for n in range(6):
        if n == 3:
            limiter.pause(2)
        limiter.wait()
        times.append(clock.now)
    assert times == pytest.approx([100, 100.05, 100.1, 102.1, 102.15, 102.2])


def test_threads_share_the_rate(site: StandIns) -> None:
    client = HttpClient(rate=40)
    threads = [
        threading.Thread(target=client.get, args=(f"{site.address}/x",), kwargs={"max_bytes": 99}) for _ in range(8)
    ]
    began = client.limiter._clock()  # noqa: SLF001
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.limiter._clock() - began >= 7 / 40  # noqa: SLF001


def test_an_answer_that_breaks_off_or_comes_with_an_error_is_asked_for_again(site: StandIns) -> None:
    site.files["/x"] = b"whole"
    site.fail("/x", breaks(2), status(500), status(429, Retry_After="0"))
    assert HttpClient(RetryPolicy(attempts=4, backoff=0)).get(f"{site.address}/x", max_bytes=99).content == b"whole"


def test_waits_grow_and_nobody_waits_the_same(site: StandIns, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("indexer.fetch.web.time.sleep", lambda seconds: waits.append(seconds) if seconds else None)
    site.fail("/x", status(502), times=9)
    with pytest.raises(SourceUnavailable, match="status 502"):
        HttpClient(RetryPolicy(attempts=5, backoff=1)).get(f"{site.address}/x", max_bytes=99)
    assert len(waits) == 4
    assert all(base <= wait <= 1.5 * base for base, wait in zip([1, 2, 4, 8], waits, strict=True))


def test_more_than_was_agreed_is_not_read(site: StandIns, client: HttpClient) -> None:
    site.fail("/x", content(b"x" * 1000))
    with pytest.raises(SourceUnavailable, match="more than 999 bytes"):
        client.get(f"{site.address}/x", max_bytes=999)


def test_an_address_is_shown_without_what_may_be_secret() -> None:
    assert redacted("https://me:secret@host:8/a/b?key=secret#secret") == "https://host:8/a/b"
